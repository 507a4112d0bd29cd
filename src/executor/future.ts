/**
 * Python's `concurrent.futures.Future`: what a call will come to.
 */
import { inspect } from 'node:util';

import { TimeoutError } from '../errors.ts';
import { checkFunction, checkTimeout } from '../options.ts';
import { Awaitable } from '../pool/awaitable.ts';
import type { Engine } from '../pool/engine.ts';
import type { Task } from '../pool/task.ts';
import { CancelledError, InvalidStateError } from './errors.ts';

/** How a future stands, as in Python: `notified` is a cancelled one of which its executor knows. */
export type FutureState = 'cancelled' | 'finished' | 'notified' | 'pending' | 'running';

/** What does the work of a future. */
interface Work {
  readonly engine: Engine;
  readonly task: Task;
}

/**
 * Python: `concurrent.futures.Future`. The result of `submit`, once there is one.
 *
 * It is as good as a promise: it can be awaited, any number of times. An error that nobody asks for is nobody's, as in Python.
 */
export class Future<T = unknown> extends Awaitable<T> implements Promise<T> {
  /** @internal Why the task of a cancelled future is given up. */
  static readonly cancellation = new CancelledError();

  /** `Future`, as promises say `Promise`. */
  readonly [Symbol.toStringTag] = 'Future';
  #state: FutureState = 'pending';
  #value: T | undefined;
  #error: unknown;
  #hasFailed = false;
  #work: Work | undefined;
  #callbacks: ((future: this) => void)[] = [];
  readonly #onlookers = new Set<() => void>();

  /** @internal What does it. */
  attach(work: Work): void {
    this.#work = work;
  }

  /** @internal Whose workers do it, if that is not over. */
  get engine(): Engine | undefined {
    return this.#work?.engine;
  }

  /** @internal Whether it has come to an end of which its executor knows. */
  get isSettled(): boolean {
    return this.#state === 'finished' || this.#state === 'notified';
  }

  /** @internal Whether it is done, and has an error. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /** @internal Has `fn` called once it is settled. @returns takes that back. */
  whenSettled(fn: () => void): () => void {
    this.#onlookers.add(fn);
    return () => this.#onlookers.delete(fn);
  }

  #tellOnlookers(): void {
    for (const onlooker of this.#onlookers) onlooker();
    this.#onlookers.clear();
  }

  #look(): FutureState {
    if (this.#state === 'pending' && this.#work) {
      this.#work.engine.look();
      if (this.#state === 'pending' && this.#work?.engine.isRunning(this.#work.task)) return 'running';
    }
    return this.#state;
  }

  /**
   * Python: `cancel`. Gives the call up, if no worker has begun with it.
   *
   * @returns whether it is cancelled, now or before.
   */
  cancel(): boolean {
    if (this.#state === 'pending' && this.#work) {
      const { engine, task } = this.#work;
      if (engine.giveUp(task, Future.cancellation, false) !== true) return false;
    } else if (this.#state === 'pending') {
      this.#end('cancelled');
    }
    return this.cancelled();
  }

  /** Python: `cancelled`. */
  cancelled(): boolean {
    return this.#state === 'cancelled' || this.#state === 'notified';
  }

  /** Python: `running`. Whether a worker has begun with it. */
  running(): boolean {
    return this.#look() === 'running';
  }

  /** Python: `done`. Whether it has come to an end, or was cancelled. */
  done(): boolean {
    const state = this.#look();
    return state !== 'pending' && state !== 'running';
  }

  /**
   * Python: `result(timeout)`. Blocks until there is a value, and returns it. Repeatable.
   *
   * @param timeoutMs milliseconds; without it the wait has no end.
   * @throws whatever the call has thrown, with a `RemoteTraceback` as its cause; CancelledError (`ERR_MP_CANCELLED`);
   *   TimeoutError (`ERR_MP_TIMEOUT`) if it is not done in time; BrokenProcessPool (`ERR_MP_BROKEN_POOL`);
   *   InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  result(timeoutMs?: number): T {
    this.#wait(timeoutMs, 'result()');
    if (this.#hasFailed) throw this.#error;
    return this.#value as T;
  }

  /** Python: `exception(timeout)`. As `result` (`timeoutMs` in milliseconds), but returns the error of the call; null if it has none. */
  exception(timeoutMs?: number): unknown {
    this.#wait(timeoutMs, 'exception()');
    return this.#hasFailed ? this.#error : null;
  }

  #wait(timeoutMs: number | undefined, what: string): void {
    const timeout = checkTimeout(timeoutMs);
    const isDone = (): boolean => this.#state !== 'pending' && this.#state !== 'running';
    if (!isDone()) {
      if (this.#work === undefined && timeout === Infinity) {
        throw new InvalidStateError(
          `${what}: nothing can complete this future while this thread waits for it; await it`,
        );
      }
      const isInTime = this.#work?.engine.waitUntil(isDone, timeout, what) ?? false;
      if (!isInTime) throw new TimeoutError(`${what}: it is not done within ${timeout} ms`);
    }
    if (this.cancelled()) throw new CancelledError();
  }

  /**
   * Python: `add_done_callback(fn)`. Has `fn` called with this future once it is done or cancelled; at once if it is. An error of `fn`
   * becomes a warning of the process.
   */
  addDoneCallback(fn: (future: this) => void): void {
    checkFunction(fn ?? null, 'fn');
    if (this.#state === 'pending' || this.#state === 'running') this.#callbacks.push(fn);
    else this.#call(fn);
  }

  #call(fn: (future: this) => void): void {
    try {
      fn(this);
    } catch (error) {
      process.emitWarning(`a callback of ${String(this)} has thrown: ${inspect(error)}`, 'FutureCallbackWarning');
    }
  }

  /**
   * Python: `set_running_or_notify_cancel`. For executors of one's own: the call begins.
   *
   * @returns false if it was cancelled.
   * @throws InvalidStateError (`ERR_MP_INVALID_STATE`; Python: RuntimeError) if it has begun.
   */
  setRunningOrNotifyCancel(): boolean {
    if (this.#state === 'cancelled') {
      this.#state = 'notified';
      this.#tellOnlookers();
      return false;
    }
    if (this.#state !== 'pending') throw new InvalidStateError(`the future has begun: it is ${this.#state}`);
    this.#state = 'running';
    return true;
  }

  /** Python: `set_result`. For executors of one's own. @throws InvalidStateError (`ERR_MP_INVALID_STATE`) if it is done. */
  setResult(value: T): void {
    this.#checkNotDone();
    this.#value = value;
    this.#end('finished');
  }

  /** Python: `set_exception`. For executors of one's own. @throws InvalidStateError (`ERR_MP_INVALID_STATE`) if it is done. */
  setException(error: unknown): void {
    this.#checkNotDone();
    this.#error = error;
    this.#hasFailed = true;
    this.#end('finished');
  }

  #checkNotDone(): void {
    if (this.#state === 'pending' || this.#state === 'running') return;
    throw new InvalidStateError(`the future is done already: ${String(this)}`);
  }

  /** @internal Its executor has given it up. */
  notifyCancelled(): void {
    this.#end('notified');
  }

  #end(state: FutureState): void {
    this.#state = state;
    this.#work = undefined;
    const callbacks = this.#callbacks;
    this.#callbacks = [];
    for (const callback of callbacks) this.#call(callback);
    if (this.isSettled) this.#tellOnlookers();
  }

  /** @internal */
  protected override settlePromise(resolve: (value: T) => void, reject: (error: unknown) => void): void {
    this.addDoneCallback(() => {
      if (this.cancelled()) reject(new CancelledError());
      else if (this.#hasFailed) reject(this.#error);
      else resolve(this.#value as T);
    });
  }

  /** Printable form, as Python's: `<Future state=finished returned number>`. */
  override toString(): string {
    const state = this.#look();
    const words = [`Future state=${state === 'notified' ? 'cancelled' : state}`];
    if (state === 'finished')
      words.push(this.#hasFailed ? `raised ${kindOf(this.#error)}` : `returned ${kindOf(this.#value)}`);
    return `<${words.join(' ')}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value;
  return (value.constructor as { name?: string } | undefined)?.name || 'object';
}
