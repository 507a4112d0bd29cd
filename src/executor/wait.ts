/**
 * Waiting for several futures: Python's `concurrent.futures.wait` and `as_completed`.
 */
import { inspect } from 'node:util';

import { TimeoutError, invalidArgument } from '../errors.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { waitUntil } from '../pool/blocking.ts';
import type { Engine } from '../pool/engine.ts';
import { race } from '../wait.ts';
import { InvalidStateError } from './errors.ts';
import { Future } from './future.ts';

/** Python: `concurrent.futures.ALL_COMPLETED`. Wait until all futures are done. */
export const ALL_COMPLETED = 'ALL_COMPLETED';
/** Python: `concurrent.futures.FIRST_COMPLETED`. Wait until any future is done. */
export const FIRST_COMPLETED = 'FIRST_COMPLETED';
/** Python: `concurrent.futures.FIRST_EXCEPTION`. Wait until any future has failed, or all are done. */
export const FIRST_EXCEPTION = 'FIRST_EXCEPTION';

/** When a wait for futures ends. */
export type ReturnWhen = typeof ALL_COMPLETED | typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION;

/** Futures by whether they are done. */
export interface DoneAndNotDone<F> {
  /** Those that have a result, have failed, or were cancelled. */
  readonly done: Set<F>;
  /** The others. */
  readonly notDone: Set<F>;
}

/** Whether these are futures, or `waitForFutures` is to say that they are not. */
export function areFutures(objects: unknown): objects is Iterable<Future> {
  return Array.isArray(objects) && objects.some((each) => each instanceof Future);
}

/** Futures that are awaited. */
class Awaited<F extends Future> {
  readonly all: ReadonlySet<F>;
  /** Whose workers are at work on them. */
  readonly #engines = new Set<Engine>();
  readonly #what: string;
  #leave: (() => void)[] = [];

  constructor(futures: Iterable<F>, what: string) {
    const isIterable = typeof futures === 'object' && futures !== null && Symbol.iterator in futures;
    if (!isIterable) throw invalidArgument(`${what} takes an iterable of futures, not ${inspect(futures)}`);
    this.all = new Set(futures);
    this.#what = what;
    for (const future of this.all) {
      if (!(future instanceof Future)) throw invalidArgument(`${what} takes futures, not ${inspect(future)}`);
    }
  }

  /** Has `settled` called for each, at once for those that are, until `leave`. */
  watch(settled: (future: F) => void): void {
    for (const future of this.all) {
      if (future.isSettled) {
        settled(future);
        continue;
      }
      if (future.engine) this.#engines.add(future.engine);
      this.#leave.push(future.whenSettled(() => settled(future)));
    }
  }

  leave(): void {
    for (const leave of this.#leave) leave();
    this.#leave = [];
  }

  /** Blocks until `isDone`. @returns false after the timeout. */
  block(isDone: () => boolean, timeoutMs: number): boolean {
    const engines = [...this.#engines];
    const isAny = (): boolean => {
      if (isDone()) return true;
      if (timeoutMs < Infinity || engines.some((engine) => engine.outstanding > 0)) return false;
      throw new InvalidStateError(
        `${this.#what}: nothing can complete these futures while this thread waits for them; await them`,
      );
    };
    return waitUntil(engines, isAny, timeoutMs, this.#what);
  }

  split(): DoneAndNotDone<F> {
    const done = new Set<F>();
    const notDone = new Set<F>();
    for (const future of this.all) (future.isSettled ? done : notDone).add(future);
    return { done, notDone };
  }
}

/** Whether a wait has come to its end; asked again and again. */
function endOf(awaited: Awaited<Future>, returnWhen: ReturnWhen, changed: () => void = () => {}): () => boolean {
  let left = awaited.all.size;
  let isOver = left === 0;
  awaited.watch((future) => {
    left -= 1;
    if (left > 0 && returnWhen !== FIRST_COMPLETED && !(returnWhen === FIRST_EXCEPTION && future.hasFailed)) return;
    isOver = true;
    changed();
  });
  return () => isOver;
}

function check(returnWhen: unknown): ReturnWhen {
  if (returnWhen === ALL_COMPLETED || returnWhen === FIRST_COMPLETED || returnWhen === FIRST_EXCEPTION)
    return returnWhen;
  throw invalidArgument(
    `returnWhen must be ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION, not ${inspect(returnWhen)}`,
  );
}

/** Waits for futures; see `wait`. */
export function waitForFutures<F extends Future>(
  futures: Iterable<F>,
  timeoutMs?: number | null,
  returnWhen: ReturnWhen = ALL_COMPLETED,
): DoneAndNotDone<F> {
  const timeout = checkTimeout(timeoutMs);
  const when = check(returnWhen);
  const awaited = new Awaited(futures, 'wait()');
  try {
    awaited.block(endOf(awaited, when), timeout);
  } finally {
    awaited.leave();
  }
  return awaited.split();
}

/** Waits for futures, and leaves the event loop turning. */
export async function waitForFuturesAsync<F extends Future>(
  futures: Iterable<F>,
  options: WaitOptions & { readonly returnWhen?: ReturnWhen | undefined } = {},
): Promise<DoneAndNotDone<F>> {
  const { timeoutMs, signal } = checkWaitOptions(options, 'returnWhen');
  const { returnWhen = ALL_COMPLETED } = options;
  const when = check(returnWhen);
  const awaited = new Awaited(futures, 'waitAsync()');
  signal?.throwIfAborted();
  let wake: (() => void) | undefined;
  const isOver = endOf(awaited, when, () => wake?.());
  try {
    if (!isOver()) await race((done) => ((wake = done), () => {}), timeoutMs, signal);
  } finally {
    awaited.leave();
  }
  return awaited.split();
}

/**
 * Python: `concurrent.futures.as_completed(fs, timeout=None)`. Futures as they are done, those that are already first; `for … of`
 * blocks, `for await … of` does not.
 *
 * @param timeoutMs milliseconds from this call for all of them.
 * @throws in the loop: TimeoutError (`ERR_MP_TIMEOUT`) when that has passed, which says how many are missing.
 */
export function asCompleted<F extends Future<never>>(
  futures: Iterable<F>,
  timeoutMs?: number | null,
): AsyncIterable<F> & Iterable<F> {
  const timeout = checkTimeout(timeoutMs);
  return new Completions(futures as Iterable<Future>, timeout) as object as AsyncIterable<F> & Iterable<F>;
}

/** Futures as they are done. Each is given once, however often one begins. */
class Completions<F extends Future> implements AsyncIterable<F>, Iterable<F> {
  readonly #awaited: Awaited<F>;
  readonly #end: number;
  /** Those that are done, in order, of which the first ones have been given. */
  readonly #done: (F | undefined)[] = [];
  #given = 0;
  #wake: (() => void) | undefined;
  readonly #isAny = (): boolean => this.#given < this.#done.length;

  constructor(futures: Iterable<F>, timeoutMs: number) {
    this.#end = performance.now() + timeoutMs;
    this.#awaited = new Awaited(futures, 'asCompleted()');
    this.#awaited.watch((future) => {
      this.#done.push(future);
      this.#wake?.();
    });
  }

  get #left(): number {
    return Math.max(this.#end - performance.now(), 0);
  }

  /** The next one, if there is one; undefined at the end. @throws TimeoutError */
  #take(): F | undefined {
    const { size } = this.#awaited.all;
    if (this.#given === size) return undefined;
    if (!this.#isAny()) throw new TimeoutError(`${size - this.#given} (of ${size}) futures unfinished`);
    const future = this.#done[this.#given];
    this.#done[this.#given++] = undefined;
    return future;
  }

  *[Symbol.iterator](): Generator<F, void> {
    try {
      while (this.#given < this.#awaited.all.size) {
        this.#awaited.block(this.#isAny, this.#left);
        yield this.#take() as F;
      }
    } finally {
      this.#awaited.leave();
    }
  }

  // No generator: it would await what it yields, which is to be the future itself.
  [Symbol.asyncIterator](): AsyncIterator<F, undefined> {
    const end = (): IteratorResult<F, undefined> => {
      this.#awaited.leave();
      return { done: true, value: undefined };
    };
    return {
      next: async () => {
        if (!this.#isAny() && this.#given < this.#awaited.all.size) {
          await race((done) => ((this.#wake = done), () => (this.#wake = undefined)), this.#left, undefined);
        }
        const value = this.#take();
        return value === undefined ? end() : { done: false, value };
      },
      return: async () => end(),
    };
  }
}
