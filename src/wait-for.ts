/**
 * Python's three functions called `wait`: of `os`, of `multiprocessing.connection`, and of `concurrent.futures`.
 */
import { waitForAny, waitForAnyAsync, type Waitable } from './connection/wait.ts';
import type { Future } from './executor/future.ts';
import {
  areFutures,
  waitForFutures,
  waitForFuturesAsync,
  type DoneAndNotDone,
  type ReturnWhen,
} from './executor/wait.ts';
import type { WaitOptions } from './options.ts';
import { waitpid, type WaitResult } from './os.ts';

/** Python: `os.wait()`. Waits for any child to end; see `waitpid` for a warning about that. */
export function wait(): WaitResult;
/**
 * Python: `concurrent.futures.wait(fs, timeout=None, return_when=ALL_COMPLETED)`. Blocks until all of the futures are done, or the first
 * one is, or has failed.
 *
 * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
 * @param returnWhen `ALL_COMPLETED`, `FIRST_COMPLETED` or `FIRST_EXCEPTION`. @default `ALL_COMPLETED`
 * @returns the futures that are done, and the others.
 */
export function wait<F extends Future<never>>(
  futures: Iterable<F>,
  timeoutMs?: number | null,
  returnWhen?: ReturnWhen,
): DoneAndNotDone<F>;
/**
 * Python: `multiprocessing.connection.wait(object_list, timeout=None)`. Blocks until at least one of `objects` is ready:
 * something can be received over a connection, or its end has come; a process has ended; a socket can be read.
 *
 * @param objects connections, descriptors such as the `sentinel` of a process, sockets and servers of Node's, and whatever has
 *   a `fileno()`.
 * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
 * @returns all of them that are ready, in their order; none after the timeout.
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for something else; ProcessError `ERR_MP_CLOSED` or
 *   `ERR_MP_WRONG_DIRECTION` for a connection over which nothing can come; Error `EBADF` for a descriptor that is not open.
 * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
 */
export function wait<T extends Waitable>(objects: Iterable<T>, timeoutMs?: number | null): T[];
export function wait(objects?: unknown, timeoutMs?: number | null, returnWhen?: ReturnWhen): unknown {
  if (arguments.length === 0) return waitpid(-1);
  const list = listOf(objects);
  if (areFutures(list) || returnWhen !== undefined)
    return waitForFutures(list as Iterable<Future>, timeoutMs, returnWhen);
  if (isNothing(list)) return ofNothing(waitForAny([], timeoutMs ?? 0));
  return waitForAny(list as Iterable<Waitable>, timeoutMs);
}

/**
 * `wait` for futures that leaves the event loop turning.
 *
 * @throws the reason of `signal`, once it is aborted.
 */
export function waitAsync<F extends Future<never>>(
  futures: Iterable<F>,
  options?: WaitOptions & { readonly returnWhen?: ReturnWhen | undefined },
): Promise<DoneAndNotDone<F>>;
/**
 * `wait(objects, timeoutMs)` that leaves the event loop turning. Any number of them costs no thread.
 *
 * @returns those of `objects` that are ready, in their order; none after `timeoutMs` milliseconds.
 * @throws the reason of `signal`, once it is aborted; otherwise as `wait`.
 */
export function waitAsync<T extends Waitable>(objects: Iterable<T>, options?: WaitOptions): Promise<T[]>;
export function waitAsync(objects: unknown, options?: WaitOptions): Promise<unknown> {
  const list = listOf(objects);
  if (areFutures(list) || (options as { returnWhen?: unknown } | undefined)?.returnWhen !== undefined)
    return waitForFuturesAsync(list as Iterable<Future>, options);
  if (isNothing(list)) return waitForAnyAsync([], { timeoutMs: 0, ...options }).then(ofNothing);
  return waitForAnyAsync(list as Iterable<Waitable>, options);
}

const isNothing = (list: unknown): boolean => Array.isArray(list) && list.length === 0;

/** An empty list can be one of futures or of anything else: what comes of it has the form of either. */
function ofNothing(ready: unknown[]): unknown[] {
  return Object.defineProperties(ready, { done: { value: new Set() }, notDone: { value: new Set() } });
}

/** Any iterable can be looked at once only. */
function listOf(objects: unknown): unknown {
  return typeof objects === 'object' && objects !== null && Symbol.iterator in objects
    ? [...(objects as Iterable<unknown>)]
    : objects;
}
