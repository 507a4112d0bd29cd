/**
 * Python's `multiprocessing.connection.wait`: which of several things are ready.
 */
import type dgram from 'node:dgram';
import type net from 'node:net';
import { inspect } from 'node:util';

import { Connection } from '../connection.ts';
import { ProcessError, invalidArgument } from '../errors.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { AnyQueue } from '../queues.ts';
import { race } from '../wait.ts';
import { openDescriptorOf } from './handles.ts';
import { waitReady, whenAnythingHappens, whenReady } from './ready.ts';

/**
 * What `wait` can wait for: a connection, a queue, a descriptor such as a process's `sentinel`, a socket or server of
 * Node's, and anything with a `fileno()` that gives a descriptor which can be read once the thing is ready.
 */
export type Waitable =
  | number
  | {
      /** Its descriptor. */
      fileno(): number;
    }
  | AnyQueue<never>
  | net.Socket
  | net.Server
  | dgram.Socket;

/** Something to wait for. */
interface Source {
  readonly fd?: number;
  readonly queue?: AnyQueue<never>;
  /** Ready, whatever the descriptor says. */
  isReady?(): boolean;
}

function sourceOf(object: Waitable): Source {
  if (typeof object === 'number') {
    if (Number.isInteger(object) && object >= 0 && object <= 0x7fffffff) return { fd: object };
    throw invalidArgument(`${object} is no descriptor: they are integers from 0 on`, RangeError);
  }
  if (typeof object !== 'object' || object === null) {
    throw invalidArgument(`expected connections, queues, descriptors or sockets to wait for, not ${inspect(object)}`);
  }
  if (object instanceof AnyQueue) return { queue: object };
  if (object instanceof Connection && !object.readable) {
    object.fileno();
    throw new ProcessError('ERR_MP_WRONG_DIRECTION', 'a connection is write-only: nothing will ever come over it');
  }
  if ('fileno' in object && typeof object.fileno === 'function') return { fd: object.fileno() };
  if ((object as Partial<net.Socket>).readableLength === undefined) return { fd: openDescriptorOf(object) };
  // What node has read already does not show at the descriptor, which is gone after the end.
  const socket = object as net.Socket;
  const isReady = (): boolean => socket.readableLength > 0 || socket.readableEnded || socket.destroyed;
  return isReady() && socket.readableEnded ? { isReady } : { fd: openDescriptorOf(object), isReady };
}

/** Those of `objects` that are ready now, or will be before the timeout. */
export function waitForAny<T extends Waitable>(objects: Iterable<T>, timeoutMs?: number | null): T[] {
  const timeout = checkTimeout(timeoutMs);
  const all = checkObjects(objects);
  return find(all, all.map(sourceOf), timeout);
}

function checkObjects<T>(objects: Iterable<T>): T[] {
  if (typeof objects === 'object' && objects !== null && Symbol.iterator in objects) return [...objects];
  throw invalidArgument(`wait() takes a list of objects, not ${inspect(objects)}; without arguments it is os.wait()`);
}

function find<T>(objects: readonly T[], sources: readonly Source[], timeoutMs: number): T[] {
  const ready = new Set<Source>(sources.filter((source) => source.isReady?.()));
  const left = sources.filter((source) => !ready.has(source));
  const withFd = left.filter(({ fd }) => fd !== undefined);
  const withQueue = left.filter(({ queue }) => queue !== undefined);
  const found = waitReady(
    withFd.map(({ fd }) => fd as number),
    'read',
    ready.size > 0 ? 0 : timeoutMs,
    'wait()',
    withQueue.map(({ queue }) => (queue as AnyQueue<never>).numberFor('wait()')),
  );
  for (const place of found.ready) ready.add(withFd[place] as Source);
  for (const place of found.readyQueues) ready.add(withQueue[place] as Source);
  return objects.filter((_, index) => ready.has(sources[index] as Source));
}

/**
 * `wait(objects, timeoutMs)` that leaves the event loop turning. Any number of them costs no thread.
 *
 * @returns those of `objects` that are ready, in their order; none after `timeoutMs` milliseconds.
 * @throws the reason of `signal`, once it is aborted; otherwise as `wait`.
 */
export async function waitForAnyAsync<T extends Waitable>(objects: Iterable<T>, options?: WaitOptions): Promise<T[]> {
  const { timeoutMs, signal } = checkWaitOptions(options);
  signal?.throwIfAborted();
  const all = checkObjects(objects);
  const sources = all.map(sourceOf);
  const end = performance.now() + timeoutMs;
  for (;;) {
    const ready = find(all, sources, 0);
    const left = end - performance.now();
    if (ready.length > 0 || left <= 0) return ready;
    // Somebody else may be faster: then the wait goes on.
    await race((done) => whenAny(sources, done), left, signal);
  }
}

/** Calls `ready` once any of `sources` may be. Returns what ends that. */
function whenAny(sources: readonly Source[], ready: () => void): () => void {
  const stops = [
    whenAnythingHappens(() => {
      if (sources.some((source) => source.isReady?.())) ready();
    }),
  ];
  const stop = (): void => stops.forEach((each) => each());
  try {
    for (const { fd, queue } of sources) {
      if (fd !== undefined) stops.push(whenReady(fd, 'read', ready));
      if (queue !== undefined) stops.push(whenQueueReady(queue, ready));
    }
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}

function whenQueueReady(queue: AnyQueue<never>, ready: () => void): () => void {
  const stop = new AbortController();
  const over = (): void => {
    if (!stop.signal.aborted) ready();
  };
  queue.itemsAsync(stop.signal).then(over, over);
  return () => stop.abort();
}
