/**
 * Python's `multiprocessing.Condition`: processes that sleep until others tell them that something has changed.
 */
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from '../errors.ts';
import { refuseToSerialize } from '../inherit-only.ts';
import { native } from '../native.ts';
import { checkFunction, checkInteger, checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { allocate, type Block } from '../shared/block.ts';
import { addKind, passable } from '../shared/passing.ts';
import { checkInterrupted, code } from './acquirable.ts';
import { Lock, RLock } from './lock.ts';
import { waitSettled } from './waits.ts';

/**
 * Python: `multiprocessing.Condition(lock=None)`. Whoever holds its lock can sleep until it is told to look again, and can
 * tell others.
 *
 * Different from Python: a sleeper that was killed is passed over by `notify`, which never waits for anybody; and what a
 * process was told that died before it went on goes to another sleeper.
 */
export class Condition {
  readonly #lock: Lock | RLock;
  readonly #block: Block;

  /**
   * @param lock the lock to use. @default a new `RLock`
   * @throws TypeError (`ERR_MP_INVALID_ARG`) if it is neither `Lock` nor `RLock`.
   */
  constructor(lock?: Lock | RLock | null) {
    if (lock !== undefined && lock !== null && !(lock instanceof Lock) && !(lock instanceof RLock)) {
      throw invalidArgument(`lock must be a Lock or an RLock, not ${inspect(lock)}`);
    }
    this.#lock = lock ?? new RLock();
    this.#block = allocate(64);
    passable(this, () => ({ kind: 'Condition', handles: [this.#block.handle], details: this.#lock }));
  }

  /** As `acquire` of the lock; `timeoutMs` in milliseconds. */
  acquire(block?: boolean, timeoutMs?: number): boolean {
    return this.#lock.acquire(block, timeoutMs);
  }

  /** As `acquireAsync` of the lock. */
  acquireAsync(options?: WaitOptions): Promise<boolean> {
    return this.#lock.acquireAsync(options);
  }

  /** As `release` of the lock. */
  release(): void {
    this.#lock.release();
  }

  /** As `with` of the lock. */
  with<T>(fn: (acquired: true) => T): T {
    return this.#lock.with(fn);
  }

  /** As `withAsync` of the lock. */
  withAsync<T>(fn: (acquired: true) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    return this.#lock.withAsync(fn, options);
  }

  /** As `recover` of the lock. */
  recover(): boolean {
    return this.#lock.recover();
  }

  /** As `locked` of the lock. */
  locked(): boolean {
    return this.#lock.locked();
  }

  /**
   * Python: `wait(timeout=None)`. Frees the lock, however often it was taken, sleeps until it is told, and takes the lock
   * back as often. The event loop does not turn meanwhile.
   *
   * @param timeoutMs milliseconds to sleep at most; negative is 0. (Python: seconds.) Taking the lock back has no timeout.
   * @returns true if it was told, false after the timeout.
   * @throws ProcessError `ERR_MP_NOT_OWNER` (Python: AssertionError) if this process does not hold the lock.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run; the lock is held again.
   * @throws AbandonedLockError if somebody has died with the lock meanwhile; the lock is not held then.
   */
  wait(timeoutMs?: number): boolean {
    const timeout = checkTimeout(timeoutMs);
    this.#checkMine('wait()');
    native.conditionBegin(this.#block.handle);
    const depth = this.#lock.giveUp();
    let result: number;
    try {
      result = native.conditionSleep(timeout);
    } finally {
      this.#lock.takeBack(depth);
    }
    checkInterrupted(result, 'wait() for a Condition');
    return result === code.taken;
  }

  /**
   * `wait` that leaves the event loop turning. Where several tasks of one process wait, take `new Condition(new Lock())`: an
   * `RLock` belongs to the process and does not keep its tasks apart.
   *
   * @returns true if it was told, false after `timeoutMs` milliseconds.
   * @throws the reason of `signal`, once it is aborted; the lock is held again then. Otherwise as `wait`.
   */
  async waitAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    this.#checkMine('waitAsync()');
    signal?.throwIfAborted();
    let depth = 0;
    const begin = (): number => {
      const id = native.awaitShared('condition', this.#block.handle, false);
      depth = this.#lock.giveUp();
      return id;
    };
    try {
      return (await waitSettled(begin, timeoutMs, signal)) !== undefined;
    } finally {
      if (depth > 0) {
        await this.#lock.acquireAsync();
        if (this.#lock instanceof RLock) this.#lock.setDepth(depth);
      }
    }
  }

  /**
   * Python: `wait_for(predicate, timeout=None)`. Waits until `predicate()` is truthy; it is called with the lock held.
   *
   * @param timeoutMs milliseconds in all, not for each time that it is told.
   * @returns the last value of `predicate`.
   */
  waitFor<T>(predicate: () => T, timeoutMs?: number): T {
    checkFunction(predicate ?? null, 'predicate');
    const end = performance.now() + checkTimeout(timeoutMs);
    this.#checkMine('waitFor()');
    let value = predicate();
    while (!value) {
      const left = end - performance.now();
      if (left <= 0) break;
      this.wait(left);
      value = predicate();
    }
    return value;
  }

  /** `waitFor` that leaves the event loop turning. A promise of `predicate` is awaited. */
  async waitForAsync<T>(predicate: () => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    checkFunction(predicate ?? null, 'predicate');
    const { timeoutMs, signal } = checkWaitOptions(options);
    const end = performance.now() + timeoutMs;
    this.#checkMine('waitForAsync()');
    let value = await predicate();
    while (!value) {
      const left = end - performance.now();
      if (left <= 0) break;
      await this.waitAsync({ timeoutMs: left, signal });
      value = await predicate();
    }
    return value;
  }

  /**
   * Python: `notify(n=1)`. Tells up to `n` of those that sleep, the longest-sleeping first. Returns at once; nothing is
   * remembered for those who come later.
   *
   * @throws ProcessError `ERR_MP_NOT_OWNER` (Python: AssertionError) if this process does not hold the lock.
   */
  notify(n = 1): void {
    if (checkInteger(n, 'n') < 0) throw invalidArgument(`n must be at least 0, not ${n}`, RangeError);
    this.#checkMine('notify()');
    native.conditionNotify(this.#block.handle, n);
  }

  /** Python: `notify_all`. Tells all that sleep. @throws as `notify`. */
  notifyAll(): void {
    this.#checkMine('notifyAll()');
    native.conditionNotify(this.#block.handle);
  }

  /** `condition.acquire(); using held = condition;` gives the lock back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form, with that of its lock. */
  toString(): string {
    return `<${this.constructor.name}(${String(this.#lock)})>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  #checkMine(what: string): void {
    if (this.#lock.isMine) return;
    throw new ProcessError(
      'ERR_MP_NOT_OWNER',
      `${what} of a ${this.constructor.name} whose lock this process does not hold: acquire() it first`,
    );
  }
}

addKind<Lock | RLock>('Condition', (lock) => new Condition(lock));
