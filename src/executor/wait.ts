/**
 * Waiting for several futures: Python's `concurrent.futures.wait` and `as_completed`.
 */
import { inspect } from 'node:util';

import { TimeoutError, invalidArgument } from '../errors.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { waitUntil, type Engine } from '../pool/engine.ts';
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
  readonly done: Set<F>;
  readonly notDone: Set<F>;
}

/** Whether these are futures, all of them. */
export function areFutures(objects: unknown): objects is Iterable<Future> {
  if (Array.isArray(objects)) return objects.length > 0 && objects.every((each) => each instanceof Future);
  return objects instanceof Set && objects.size > 0 && [...objects].every((each) => each instanceof Future);
}

/** Whether a wait for `futures` has come to its end; asked again and again. */
function endOf(futures: ReadonlySet<Future>, returnWhen: ReturnWhen, changed: () => void = () => {}): () => boolean {
  let left = futures.size;
  let isOver = left === 0;
  for (const future of futures) {
    future.whenSettled(() => {
      left -= 1;
      const hasFailed = returnWhen === FIRST_EXCEPTION && !future.cancelled() && future.exception() !== null;
      if (left > 0 && returnWhen !== FIRST_COMPLETED && !hasFailed) return;
      isOver = true;
      changed();
    });
  }
  return () => isOver;
}

function split<F extends Future>(futures: ReadonlySet<F>): DoneAndNotDone<F> {
  const done = new Set<F>();
  const notDone = new Set<F>();
  for (const future of futures) (future.isSettled ? done : notDone).add(future);
  return { done, notDone };
}

function check(returnWhen: unknown): ReturnWhen {
  if (returnWhen === ALL_COMPLETED || returnWhen === FIRST_COMPLETED || returnWhen === FIRST_EXCEPTION)
    return returnWhen;
  throw invalidArgument(
    `returnWhen must be ALL_COMPLETED, FIRST_COMPLETED or FIRST_EXCEPTION, not ${inspect(returnWhen)}`,
  );
}

/** Blocks until `done`, which futures of the set change. @returns false after the timeout. */
function block(futures: Iterable<Future>, done: () => boolean, timeoutMs: number, what: string): boolean {
  const engines = new Set<Engine>();
  for (const { engine } of futures) if (engine) engines.add(engine);
  if (engines.size === 0 && timeoutMs === Infinity && !done()) {
    throw new InvalidStateError(
      `${what}: nothing can complete these futures while this thread waits for them; use the Async twin`,
    );
  }
  return waitUntil([...engines], done, timeoutMs, what);
}

/** Waits for futures; see `wait`. */
export function waitForFutures<F extends Future>(
  futures: Iterable<F>,
  timeoutMs?: number | null,
  returnWhen: ReturnWhen = ALL_COMPLETED,
): DoneAndNotDone<F> {
  const timeout = checkTimeout(timeoutMs);
  const when = check(returnWhen);
  const all = new Set(futures);
  block(all, endOf(all, when), timeout, 'wait()');
  return split(all);
}

/** Waits for futures, and leaves the event loop turning. */
export async function waitForFuturesAsync<F extends Future>(
  futures: Iterable<F>,
  options: WaitOptions & { readonly returnWhen?: ReturnWhen | undefined } = {},
): Promise<DoneAndNotDone<F>> {
  const { timeoutMs, signal } = checkWaitOptions(options);
  const when = check(options.returnWhen ?? ALL_COMPLETED);
  signal?.throwIfAborted();
  const all = new Set(futures);
  await race(
    (done) => {
      const isOver = endOf(all, when, done);
      if (isOver()) queueMicrotask(done);
      return () => {};
    },
    timeoutMs,
    signal,
  );
  return split(all);
}

/** How long the rest of a call may take. */
function until(timeoutMs: number): () => number {
  const end = performance.now() + timeoutMs;
  return () => Math.max(end - performance.now(), 0);
}

/**
 * Python: `concurrent.futures.as_completed(fs, timeout=None)`. Futures as they are done, those that are already first; `for … of`
 * blocks, `for await … of` does not.
 *
 * @param timeoutMs milliseconds from this call for all of them.
 * @throws in the loop: TimeoutError (`ERR_MP_TIMEOUT`) when that has passed, which says how many are missing.
 */
export function asCompleted<F extends Future>(
  futures: Iterable<F>,
  timeoutMs?: number | null,
): AsyncIterable<F> & Iterable<F> {
  const all = new Set(futures);
  for (const future of all) {
    if (!(future instanceof Future)) throw invalidArgument(`asCompleted() takes futures, not ${inspect(future)}`);
  }
  const left = until(checkTimeout(timeoutMs));
  const done: F[] = [];
  let count = 0;
  let wake: (() => void) | undefined;
  for (const future of all) {
    future.whenSettled(() => {
      done.push(future);
      wake?.();
    });
  }
  const isAny = (): boolean => done.length > 0;
  const late = (): TimeoutError => new TimeoutError(`${all.size - count} (of ${all.size}) futures unfinished`);
  return {
    *[Symbol.iterator]() {
      for (; count < all.size; count += 1) {
        if (!block(all, isAny, left(), 'asCompleted()')) throw late();
        yield done.shift() as F;
      }
    },
    async *[Symbol.asyncIterator]() {
      for (; count < all.size; count += 1) {
        if (!isAny()) {
          await race(
            (resolve) => {
              wake = resolve;
              return () => {
                wake = undefined;
              };
            },
            left(),
            undefined,
          );
        }
        if (!isAny()) throw late();
        yield done.shift() as F;
      }
    },
  };
}
