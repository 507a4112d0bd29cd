/**
 * Waiting until descriptors are ready: blocking, or with the event loop turning. All waits of the latter kind share one
 * descriptor and no thread.
 */
import { InterruptedError } from '../errors.ts';
import { native } from '../native.ts';
import { signalName } from '../signals.ts';
import { listen } from '../synchronize/waits.ts';

/** What to wait for at a descriptor. */
export type Readiness = 'read' | 'write';

/** What is ready: places in what was asked for. */
export interface Ready {
  readonly ready: number[];
  readonly readyQueues: number[];
}

/**
 * Blocks until any of `fds` is ready, or any of the queues of these numbers has something.
 *
 * @returns nothing after the timeout.
 * @throws InterruptedError
 */
export function waitReady(
  fds: number[],
  readiness: Readiness,
  timeoutMs: number,
  what: string,
  queues: number[] = [],
): Ready {
  if (queues.length > 0) listen();
  const { ready, readyQueues, interruptedBy } = native.waitAny(fds, readiness === 'write', queues, timeoutMs);
  if (interruptedBy !== undefined) throw new InterruptedError(what, signalName(interruptedBy));
  return { ready, readyQueues };
}

const waits = new Map<number, () => void>();
/** Called whenever anything has happened. */
const watchers = new Set<() => void>();

function onReady(ids: number[]): void {
  for (const id of ids) {
    const ready = waits.get(id);
    waits.delete(id);
    ready?.();
  }
  for (const watcher of watchers) watcher();
}

/** Calls `ready` once `fd` is; at the earliest in a later turn. Returns what gives the wait up. */
export function whenReady(fd: number, readiness: Readiness, ready: () => void): () => void {
  native.watchReady(onReady);
  const id = native.awaitReady(fd, readiness === 'write');
  if (id === 0) {
    // A file, for instance.
    const immediate = setImmediate(ready);
    return () => clearImmediate(immediate);
  }
  waits.set(id, ready);
  return () => {
    if (waits.delete(id)) native.cancelReady(id);
  };
}

/** `fd` is about to be closed: whoever waits for it is called. */
export function endWaits(fd: number): void {
  const ids = native.endReady(fd);
  if (ids.length > 0) onReady(ids);
}

/** Calls `happened` whenever any of the descriptors that are waited for may be ready. Returns what ends that. */
export function whenAnythingHappens(happened: () => void): () => void {
  watchers.add(happened);
  return () => watchers.delete(happened);
}

/**
 * Attempts at one descriptor, of which each has its turn when the one before has come to something.
 */
export class Turns {
  readonly #fd: number;
  readonly #readiness: Readiness;
  /** Each says whether it has come to something; errors are its own business. */
  #queue: (() => boolean)[] = [];
  #stop: (() => void) | undefined;
  #isRunning = false;
  /** The process that the queue belongs to: a forked child does not go on with what its parent waits for. */
  #owner = process.pid;

  constructor(fd: number, readiness: Readiness) {
    this.#fd = fd;
    this.#readiness = readiness;
  }

  #mine(): (() => boolean)[] {
    if (this.#owner !== process.pid) {
      this.#owner = process.pid;
      this.#queue = [];
      this.#stop = undefined;
      this.#isRunning = false;
    }
    return this.#queue;
  }

  /** Whether nobody waits. */
  get isEmpty(): boolean {
    return this.#mine().length === 0;
  }

  /** Has `attempt` made until it returns true. Returns what gives that up. */
  add(attempt: () => boolean): () => void {
    this.#mine().push(attempt);
    const remove = (): void => {
      const queue = this.#mine();
      const index = queue.indexOf(attempt);
      if (index >= 0) queue.splice(index, 1);
      this.#watch();
    };
    try {
      this.#watch();
    } catch (error) {
      remove();
      throw error;
    }
    return remove;
  }

  /** Makes the attempts whose turn it is. */
  run(): void {
    const queue = this.#mine();
    this.#isRunning = true;
    try {
      for (let first = queue[0]; first?.(); first = queue[0]) {
        if (queue[0] === first) queue.shift();
      }
    } finally {
      this.#isRunning = false;
      this.#watch();
    }
  }

  readonly #onReady = (): void => {
    this.#stop = undefined;
    this.run();
  };

  #watch(): void {
    if (this.#isRunning) return;
    if (this.isEmpty) {
      this.#stop?.();
      this.#stop = undefined;
    } else {
      this.#stop ??= whenReady(this.#fd, this.#readiness, this.#onReady);
    }
  }
}
