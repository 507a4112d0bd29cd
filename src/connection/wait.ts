/**
 * Python's `multiprocessing.connection.wait`: which of several things are ready.
 */
import type dgram from 'node:dgram';
import type net from 'node:net';
import { inspect } from 'node:util';

import { Connection } from '../connection.ts';
import { ProcessError, invalidArgument } from '../errors.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { race } from '../wait.ts';
import { descriptorOf } from './handles.ts';
import { waitReady, whenAnythingHappens, whenReady } from './ready.ts';

/**
 * What `wait` can wait for: a connection, a descriptor such as a process's `sentinel`, a socket or server of Node's, and
 * anything with a `fileno()` that gives a descriptor which can be read once the thing is ready.
 */
export type Waitable = number | { fileno(): number } | net.Socket | net.Server | dgram.Socket;

/** Something to wait for. */
interface Source {
  readonly fd: number;
  /** Ready, whatever the descriptor says. */
  isReady(): boolean;
}

function sourceOf(object: Waitable): Source {
  const source = (fd: number, isReady = (): boolean => false): Source => ({ fd, isReady });
  if (typeof object === 'number') {
    if (Number.isInteger(object) && object >= 0 && object <= 0x7fffffff) return source(object);
    throw invalidArgument(`${object} is no descriptor: they are integers from 0 on`, RangeError);
  }
  if (typeof object !== 'object' || object === null) {
    throw invalidArgument(`expected connections, descriptors or sockets to wait for, not ${inspect(object)}`);
  }
  if (object instanceof Connection && !object.readable) {
    object.fileno();
    throw new ProcessError('ERR_MP_WRONG_DIRECTION', 'a connection is write-only: nothing will ever come over it');
  }
  if ('fileno' in object && typeof object.fileno === 'function') return source(object.fileno());
  const { readableLength, readableEnded } = object as Partial<net.Socket>;
  if (readableLength === undefined) return source(descriptorOf(object));
  // What node has read already does not show at the descriptor, which is gone after the end.
  const socket = object as net.Socket;
  const isReady = (): boolean => socket.readableLength > 0 || socket.readableEnded || socket.destroyed;
  return source(isReady() && readableEnded ? -1 : descriptorOf(object), isReady);
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
  const ready = new Set<number>();
  sources.forEach((source, index) => {
    if (source.isReady()) ready.add(index);
  });
  const left = sources.map((_, index) => index).filter((index) => !ready.has(index));
  const fds = left.map((index) => (sources[index] as Source).fd);
  for (const place of waitReady(fds, 'read', ready.size > 0 ? 0 : timeoutMs, 'wait()'))
    ready.add(left[place] as number);
  return objects.filter((_, index) => ready.has(index));
}

/**
 * `wait(objects, timeoutMs)` that leaves the event loop turning. Any number of them costs no thread.
 *
 * @returns those of `objects` that are ready, in their order; none after `timeoutMs` milliseconds.
 * @throws the reason of `signal`, once it is aborted; otherwise as `wait`.
 */
export async function waitAsync<T extends Waitable>(objects: Iterable<T>, options?: WaitOptions): Promise<T[]> {
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
      if (sources.some((source) => source.isReady())) ready();
    }),
  ];
  const stop = (): void => stops.forEach((each) => each());
  try {
    for (const { fd } of sources) stops.push(whenReady(fd, 'read', ready));
  } catch (error) {
    stop();
    throw error;
  }
  return stop;
}
