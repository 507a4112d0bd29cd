/**
 * Child: becoming a process of its own: pid, randomness, listeners, channel, standard streams.
 *
 * Each function is given what it changes, so that a rehearsal in the parent can run it on stand-ins.
 */
import type { EventEmitter } from 'node:events';
import { createReadStream } from 'node:fs';
import { constants } from 'node:os';

import { native } from '../native.ts';

/** Listeners by which Node itself makes signals and warnings work, by event; the rest are the parent's. */
const nodesOwn = new Map<string | symbol, string>([
  ['newListener', 'startListeningIfSignal'],
  ['removeListener', 'stopListeningIfSignal'],
  ['warning', 'onWarning'],
]);

/** `process.pid` is cached at start-up. */
export function renewPid(subject: object, pid: number): void {
  Object.defineProperty(subject, 'pid', { value: pid, enumerable: true, configurable: true, writable: false });
}

/** No number or UUID of the parent's is drawn again. */
export function renewRandomness(
  subject: { random: () => number },
  seeded: boolean,
  cryptoCaches: readonly Uint8Array[],
): void {
  if (!seeded) subject.random = makeRandom();
  for (const cache of cryptoCaches) native.fillRandom(cache);
}

/** For a V8 whose state is not recognised: numbers straight from the system's generator, a block at a time. */
function makeRandom(): () => number {
  const block = new Uint32Array(1024);
  let next = block.length;
  return function random(): number {
    if (next >= block.length) {
      native.fillRandom(new Uint8Array(block.buffer));
      next = 0;
    }
    const high = (block[next] ?? 0) >>> 5;
    const low = (block[next + 1] ?? 0) >>> 6;
    next += 2;
    return (high * 0x4000000 + low) / 0x20000000000000;
  };
}

/** The parts of an emitter that hold its listeners. */
export interface Listeners {
  _events: object;
  _eventsCount: number;
}

/** Parent: the listeners that a child keeps, and the signals whose listeners it has to remove. */
export function sortListeners(subject: EventEmitter): { kept: Listeners; signals: string[] } {
  const kept: Listeners = { _events: Object.create(null) as object, _eventsCount: 0 };
  const signals: string[] = [];
  for (const event of subject.eventNames()) {
    if (typeof event === 'string' && event in constants.signals) signals.push(event);
    let own = subject.rawListeners(event).filter(({ name }) => name === nodesOwn.get(event));
    if (event === 'warning') own = own.map((print) => withoutAbandonedFiles(print as (warning: unknown) => void));
    if (own.length === 0) continue;
    Object.assign(kept._events, { [event]: own.length === 1 ? own[0] : own });
    kept._eventsCount += 1;
  }
  return { kept, signals };
}

/** The parent's listeners are gone, and signals have their default meaning again. */
export function dropListeners(subject: EventEmitter, { kept, signals }: ReturnType<typeof sortListeners>): void {
  Object.assign(subject, kept);
  // Node stops handling a signal when it hears that its last listener was removed.
  for (const signal of signals) subject.emit('removeListener', signal);
}

/**
 * A `FileHandle` of the parent's that nothing refers to any more, since its frames are gone. Node complains of such a one
 * when it is collected: not the child's fault.
 */
export function isOfAbandonedFile(complaint: unknown): boolean {
  const { code, message } = (complaint ?? {}) as { code?: unknown; message?: unknown };
  return (
    typeof message === 'string' &&
    (code === 'DEP0137' ||
      /^Closing file descriptor \d+ on garbage collection/.test(message) ||
      (code === 'ERR_INVALID_STATE' && message.includes('FileHandle object was closed during garbage collection')))
  );
}

/** Node's printing of warnings, but for those of files that the parent left. */
function withoutAbandonedFiles(print: (warning: unknown) => void): (warning: unknown) => void {
  if (wrapped.has(print)) return print;
  const onWarning = (warning: unknown): void => {
    if (!isOfAbandonedFile(warning)) print.call(process, warning);
  };
  wrapped.add(onWarning);
  return onWarning;
}

const wrapped = new WeakSet<(warning: unknown) => void>();

/** The channel to the parent's parent stays the parent's. */
export function dropChannel(subject: Record<string, unknown>): void {
  for (const name of ['channel', '_channel', 'send', '_send', 'disconnect', '_disconnect', '_handleQueue']) {
    if (name in subject) Object.defineProperty(subject, name, { value: undefined, configurable: true, writable: true });
  }
  subject['connected'] = false;
}

/** A role in a cluster is the parent's: the child listens for itself. */
export function dropClusterRole(cluster: Record<string, unknown>): void {
  Object.assign(cluster, { isPrimary: true, isMaster: true, isWorker: false, worker: undefined, workers: {} });
}

type Write = (chunk: Uint8Array, encoding: string, done: (error?: Error) => void) => void;

/** The parts of a standard stream that are reset. */
export interface Stream {
  fd?: number;
  destroyed?: boolean;
  _writableState: { constructor: new (options: object, stream: unknown, isDuplex: boolean) => unknown };
  _write?: unknown;
  _writev?: unknown;
  _pendingData?: unknown;
}

/** A standard stream, and what its parts are in a child. */
export interface Renewal {
  readonly stream: Stream;
  readonly parts: Pick<Stream, '_writableState' | '_pendingData' | '_write' | '_writev'>;
}

/** Made in the parent and never used there, so that they are made once and not by each child. */
const renewals = new WeakMap<Stream, Renewal>();

/**
 * Parent: what a child writes through. What the parent had buffered is the parent's to write. The child writes at once and
 * completely, so that nothing is lost however it ends.
 */
export function renewalOf(fd: number, stream: Stream): Renewal {
  const existing = renewals.get(stream);
  if (existing) return existing;
  const write: Write = (chunk, _, done) => {
    try {
      native.writeAll(fd, chunk);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  };
  const state = stream._writableState;
  const parts = {
    _writableState: new state.constructor({ decodeStrings: true }, stream, '_readableState' in stream) as typeof state,
    _pendingData: null,
    _write: write,
    // Chunks that were corked go out as one, which keeps lines of several processes apart.
    _writev: (chunks: { chunk: Uint8Array }[], done: (error?: Error) => void) => {
      write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', done);
    },
  };
  const renewal = { stream, parts };
  renewals.set(stream, renewal);
  return renewal;
}

/** Child: see `renewalOf`. */
export function renewStandardStreams(streams: readonly Renewal[]): void {
  for (const { stream, parts } of streams) {
    Object.assign(stream, parts);
    // In use from here on: a child of this child needs one of its own.
    renewals.delete(stream);
  }
}

/** Python gives a child `/dev/null` as standard input: two processes must not read from one terminal. */
export function dropStandardInput(subject: object): void {
  let stdin: NodeJS.ReadableStream | undefined;
  Object.defineProperty(subject, 'stdin', {
    configurable: true,
    enumerable: true,
    get: () => (stdin ??= createReadStream('', { fd: 0, autoClose: false })),
  });
}
