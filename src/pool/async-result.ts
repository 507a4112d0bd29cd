/**
 * Python's `multiprocessing.pool.AsyncResult`: what a call of a pool will come to.
 */
import { inspect } from 'node:util';

import { ProcessError, TimeoutError } from '../errors.ts';
import { checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { race } from '../wait.ts';
import { Awaitable } from './awaitable.ts';
import type { Runner } from './runner.ts';
import type { Outcome } from './task.ts';

/** What is told of the end of a call. */
export interface Callbacks<T> {
  /** Called with the value, before it counts as ready. */
  readonly callback?: ((value: T) => void) | undefined;
  /** Called with the error, before it counts as ready. */
  readonly errorCallback?: ((error: unknown) => void) | undefined;
}

/**
 * Python: `multiprocessing.pool.AsyncResult`. The result of `applyAsync`, `mapAsync` or `starmapAsync`, once there is one.
 *
 * It can be awaited, any number of times. An error that nobody asks for is nobody's, as in Python.
 */
export class AsyncResult<T> extends Awaitable<T> {
  readonly #runner: Runner;
  readonly #callbacks: Callbacks<T>;
  #outcome: Outcome | undefined;
  #waiters: Set<() => void> | undefined;

  /** @internal */
  constructor(runner: Runner, callbacks: Callbacks<T> = {}) {
    super();
    this.#runner = runner;
    this.#callbacks = callbacks;
  }

  /** @internal This is what has come of it. */
  settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    const { callback, errorCallback } = this.#callbacks;
    try {
      if ('error' in outcome) errorCallback?.(outcome.error);
      else callback?.(outcome.value as T);
    } catch (error) {
      // It is the program's error, as in any callback, and not the task's.
      queueMicrotask(() => {
        throw error;
      });
    }
    this.#outcome = outcome;
    const waiters = this.#waiters;
    this.#waiters = undefined;
    if (waiters) for (const done of waiters) done();
  }

  /** @internal Calls `done` once it is ready. */
  whenReady(done: () => void): void {
    if (this.#outcome === undefined) (this.#waiters ??= new Set()).add(done);
    else done();
  }

  /** Python: `ready`. Whether the call has come to an end. */
  ready(): boolean {
    if (this.#outcome === undefined) this.#runner.look();
    return this.#outcome !== undefined;
  }

  /**
   * Python: `successful`. Whether it has a value.
   *
   * @throws ProcessError `ERR_MP_NOT_ENDED` (Python: ValueError) if it is not ready.
   */
  successful(): boolean {
    if (!this.ready())
      throw new ProcessError('ERR_MP_NOT_ENDED', 'successful(): the result is not ready yet; wait() for it');
    return !('error' in (this.#outcome as Outcome));
  }

  /**
   * Python: `wait(timeout)`. Blocks until it is ready, or for `timeoutMs` milliseconds.
   *
   * @returns true if it is ready (Python returns None).
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  wait(timeoutMs?: number): boolean {
    return this.#wait(checkTimeout(timeoutMs), 'wait()');
  }

  #wait(timeoutMs: number, what: string): boolean {
    return this.#runner.waitUntil(() => this.#outcome !== undefined, timeoutMs, what);
  }

  /**
   * Python: `get(timeout)`. Blocks until there is a value, and returns it. Repeatable.
   *
   * @param timeoutMs milliseconds; without it the wait has no end.
   * @throws whatever the task has thrown, with the worker's stack and a `RemoteTraceback` as its cause;
   *   TimeoutError (`ERR_MP_TIMEOUT`) if it is not ready in time; WorkerLostError (`ERR_MP_WORKER_LOST`) if its worker has ended;
   *   ProcessError `ERR_MP_TERMINATED` if the pool was; InterruptedError as in `wait`.
   */
  get(timeoutMs?: number): T {
    return this.getFor('get()', timeoutMs);
  }

  /** @internal `get` of the call that `what` names. */
  getFor(what: string, timeoutMs?: number): T {
    const timeout = checkTimeout(timeoutMs);
    if (!this.#wait(timeout, what)) throw new TimeoutError(`${what}: there is no result within ${timeout} ms`);
    return this.#open();
  }

  #open(): T {
    const outcome = this.#outcome as Outcome;
    if ('error' in outcome) throw outcome.error;
    return outcome.value as T;
  }

  /** `wait` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted. */
  async waitAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    if (this.ready()) return true;
    return race(
      (done) => {
        const waiters = (this.#waiters ??= new Set());
        waiters.add(done);
        return () => waiters.delete(done);
      },
      timeoutMs,
      signal,
    );
  }

  /** `get` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted; otherwise as `get`. */
  async getAsync(options?: WaitOptions): Promise<T> {
    if (!(await this.waitAsync(options))) {
      throw new TimeoutError(`getAsync(): there is no result within ${options?.timeoutMs} ms`);
    }
    return this.#open();
  }

  /** @internal */
  protected override settlePromise(resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.whenReady(() => {
      const outcome = this.#outcome as Outcome;
      if ('error' in outcome) reject(outcome.error);
      else resolve(outcome.value as T);
    });
  }

  /** Printable form: `<AsyncResult pending>`. */
  override toString(): string {
    const state = this.#outcome === undefined ? 'pending' : 'error' in this.#outcome ? 'failed' : 'ready';
    return `<${this.constructor.name} ${state}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}
