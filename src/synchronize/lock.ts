/**
 * Python's `multiprocessing.Lock` and `RLock`: one process at a time.
 */
import { inspect } from 'node:util';
import * as workerThreads from 'node:worker_threads';

import type { HolderEnd } from '../../index.js';
import { InterruptedError, ProcessError, invalidArgument } from '../errors.ts';
import { native } from '../native.ts';
import { checkFunction, checkTimeout, checkWaitOptions, type WaitOptions } from '../options.ts';
import { currentProcess } from '../process.ts';
import { allocate, type Seat } from '../shared/block.ts';
import { signalName } from '../signals.ts';
import { AbandonedLockError, announceRecovery, type OnAbandoned } from './abandoned.ts';
import { waitAsync } from './waits.ts';

/** Options of `new Lock()` and `new RLock()`; Python has none. */
export interface LockOptions {
  /**
   * What an attempt to take the lock does when its holder has died: `'throw'` an `AbandonedLockError`, or `'recover'`:
   * take it, and say so in a warning and on the channel `node-multiprocessing:lock:abandoned`. @default 'throw'
   */
  readonly onAbandoned?: OnAbandoned | undefined;
}

/** Somebody sleeps until the lock is given back; the rest of the word is the holder's number, 0 for nobody. */
const WANTED = 0x80000000;

/** What native calls answer; one below `INTERRUPTED` is that minus the signal. */
const code = { taken: 1, recovered: 2, abandoned: -1, wasFree: -2, interrupted: -100 } as const;

const { markAsUncloneable } = workerThreads as { markAsUncloneable?: (value: object) => void };

/**
 * What `Lock` and `RLock` have in common: a word in shared memory that names the process that holds the lock.
 *
 * An uncontended `acquire` and `release` are one atomic instruction each.
 */
abstract class HeldLock {
  readonly #word: Int32Array;
  readonly #seat: Seat;
  readonly #handle: number;
  readonly #recovers: boolean;

  /** @internal */
  constructor(options: LockOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`expected { onAbandoned }, not ${inspect(options)}`);
    }
    const { onAbandoned = 'throw' } = options;
    if (onAbandoned !== 'throw' && onAbandoned !== 'recover') {
      throw invalidArgument(`onAbandoned must be 'throw' or 'recover', not ${inspect(onAbandoned)}`);
    }
    const { buffer, handle, seat } = allocate(64);
    this.#word = new Int32Array(buffer);
    this.#handle = handle;
    this.#seat = seat;
    this.#recovers = onAbandoned === 'recover';
    if (markAsUncloneable) markAsUncloneable(this);
    // A property that cannot be cloned does it where Node has no word for it.
    else Object.defineProperty(this, 'inheritOnly', { value: (): void => {}, enumerable: true });
  }

  /**
   * Python: `acquire(block=True, timeout=None)`. Takes the lock, waiting for it asleep, without CPU. The event loop does
   * not turn meanwhile: use `acquireAsync` where it must.
   *
   * @param block false: try once, whatever the timeout.
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @returns true if the lock is this process's now, false after the timeout.
   * @throws AbandonedLockError if its holder has died with it, until `recover()`; within a second of the death, at once
   *   if a process of this package has reaped the holder.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for an argument of the wrong type.
   */
  acquire(block = true, timeoutMs?: number): boolean {
    if (block === true && timeoutMs === undefined && this.tryTake()) return true;
    if (typeof block !== 'boolean') throw invalidArgument(`block must be true or false, not ${inspect(block)}`);
    const timeout = checkTimeout(timeoutMs);
    if (this.tryTake()) return true;
    const result = native.lockAcquire(this.#handle, block ? timeout : 0, this.#recovers);
    if (result <= code.interrupted) {
      throw new InterruptedError(`acquire() of a ${this.constructor.name}`, signalName(code.interrupted - result));
    }
    return this.#finish(result, result === code.taken ? undefined : native.lastHolderEnd());
  }

  /**
   * `acquire` that leaves the event loop turning. Any number of them costs one thread in all.
   *
   * @returns true if the lock is this process's now, false after `timeoutMs` milliseconds.
   * @throws the reason of `signal`, once it is aborted; otherwise as `acquire`.
   */
  async acquireAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    signal?.throwIfAborted();
    if (this.tryTake()) return true;
    if (timeoutMs === 0) return this.acquire(false);
    const begin = (): number => native.awaitLock(this.#handle, this.#recovers);
    const settled = await waitAsync(begin, timeoutMs, signal);
    return settled !== undefined && this.#finish(settled.code, settled.end);
  }

  /** Python: `locked` (3.14). Whether anybody holds the lock; a dead holder holds it still. */
  locked(): boolean {
    return this.holder !== 0;
  }

  /**
   * Makes a lock whose holder has died free again; what it protects should have been set right before. Python has none.
   *
   * @returns false if its holder lives or nobody holds it: nothing is done then.
   */
  recover(): boolean {
    return native.lockRecover(this.#handle);
  }

  /**
   * Python: `with lock:`. Takes the lock, calls `fn`, gives the lock back, whatever happens.
   *
   * @param fn gets true, as `with lock as x` does in Python. Must not return a promise: see `withAsync`.
   * @returns what `fn` returns.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) if that is a promise, since the lock would be free before it is done.
   */
  with<T>(fn: (acquired: true) => T): T {
    checkFunction(fn ?? null, 'fn');
    this.acquire();
    let result: T;
    try {
      result = fn(true);
    } finally {
      this.release();
    }
    if (typeof (result as PromiseLike<unknown> | undefined)?.then === 'function') {
      throw invalidArgument('with() was given a function that returns a promise, and the lock is free again: use withAsync()');
    }
    return result;
  }

  /**
   * `with` for functions that return a promise: the lock is given back when that is settled.
   *
   * @returns what `fn`'s promise resolves with.
   */
  async withAsync<T>(fn: (acquired: true) => T | PromiseLike<T>, options?: WaitOptions): Promise<T> {
    checkFunction(fn ?? null, 'fn');
    if (!(await this.acquireAsync(options))) {
      throw new ProcessError('ERR_MP_TIMEOUT', `the ${this.constructor.name} was not free within ${options?.timeoutMs} ms`);
    }
    try {
      return await fn(true);
    } finally {
      this.release();
    }
  }

  /** Gives the lock back. */
  abstract release(): void;

  /** `lock.acquire(); using held = lock;` gives the lock back at the end of the block. */
  [Symbol.dispose](): void {
    this.release();
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    throw new ProcessError(
      'ERR_MP_INHERIT_ONLY',
      `a ${this.constructor.name} should only be shared between processes through inheritance: ` +
        'make it before the fork and use it in the target, or pass it in args',
    );
  }

  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal The holder's number, 0 for nobody. */
  protected get holder(): number {
    return Atomics.load(this.#word, 0) & ~WANTED;
  }

  /** @internal Whether this process holds it. */
  protected get isMine(): boolean {
    return this.holder === this.#seat.id;
  }

  /** @internal Takes it if nobody holds it. */
  protected tryTake(): boolean {
    return Atomics.compareExchange(this.#word, 0, 0, this.#seat.id) === 0;
  }

  /** @internal Gives it back. */
  protected giveBack(): void {
    const { id } = this.#seat;
    if (Atomics.compareExchange(this.#word, 0, id, 0) === id) return;
    const result = native.lockRelease(this.#handle);
    if (result === code.wasFree) {
      throw new ProcessError(
        'ERR_MP_NOT_LOCKED',
        `release() of a ${this.constructor.name} that nobody holds: it was released too many times`,
      );
    }
    if (result === code.abandoned) throw new AbandonedLockError(this.#what(), native.lastHolderEnd() as HolderEnd);
  }

  #what(): string {
    return `this ${this.constructor.name}`;
  }

  #finish(result: number, end: HolderEnd | null | undefined): boolean {
    if (result === code.abandoned) throw new AbandonedLockError(this.#what(), end as HolderEnd);
    if (result === code.recovered) announceRecovery(this, this.#what(), end as HolderEnd);
    return result === code.taken || result === code.recovered;
  }
}

/**
 * Python: `multiprocessing.Lock`. At most one process holds it at a time. Processes forked after it was made share it, by
 * closure or through `args`.
 *
 * ```ts
 * const lock = new Lock();
 * new Process({ target: () => lock.with(() => console.log('one at a time')) }).start();
 * ```
 *
 * As in Python it is not recursive, any process may release it, and whoever waits for one that it holds itself waits for
 * ever (Ctrl-C ends that). Different from Python: if its holder dies, the others get an `AbandonedLockError`.
 */
export class Lock extends HeldLock {
  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor(options?: LockOptions) {
    super(options);
  }

  /**
   * Python: `release`. Gives the lock back, whichever process holds it.
   *
   * @throws ProcessError `ERR_MP_NOT_LOCKED` (Python: ValueError) if nobody holds it.
   * @throws AbandonedLockError if its holder has died with it: `recover()` is the way then.
   */
  release(): void {
    this.giveBack();
  }

  /** Python's printable form: `<Lock(owner=MainProcess)>`, `None` or `SomeOtherProcess`. */
  override toString(): string {
    return `<${this.constructor.name}(owner=${ownerName(this.holder, this.isMine)})>`;
  }
}

/**
 * Python: `multiprocessing.RLock`. As `Lock`, but the process that holds it can take it again; it is free when it was
 * released as often as it was taken. Only its holder can release it.
 */
export class RLock extends HeldLock {
  #depth = 0;

  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor(options?: LockOptions) {
    super(options);
  }

  override acquire(block = true, timeoutMs?: number): boolean {
    if (this.isMine) {
      checkTimeout(timeoutMs);
      this.#depth += 1;
      return true;
    }
    const taken = super.acquire(block, timeoutMs);
    if (taken) this.#depth = 1;
    return taken;
  }

  /** As of `Lock`; this process's own tasks do not exclude each other, since the holder is the process. */
  override async acquireAsync(options?: WaitOptions): Promise<boolean> {
    checkWaitOptions(options).signal?.throwIfAborted();
    if (this.isMine) return this.acquire();
    const taken = await super.acquireAsync(options);
    if (taken) this.#depth = 1;
    return taken;
  }

  /**
   * Python: `release`. One `acquire` less; the last one frees the lock.
   *
   * @throws ProcessError `ERR_MP_NOT_OWNER` (Python: AssertionError) if this process does not hold it.
   */
  release(): void {
    if (!this.isMine) {
      throw new ProcessError(
        'ERR_MP_NOT_OWNER',
        `release() of an ${this.constructor.name} that this process does not hold: only its holder can release it`,
      );
    }
    this.#depth -= 1;
    if (this.#depth <= 0) this.giveBack();
  }

  /** Python's printable form: `<RLock(MainProcess, 2)>`, `<RLock(None, 0)>`, `<RLock(SomeOtherProcess, nonzero)>`. */
  override toString(): string {
    const { holder, isMine } = this;
    const depth = isMine ? this.#depth : holder === 0 ? 0 : 'nonzero';
    return `<${this.constructor.name}(${ownerName(holder, isMine)}, ${depth})>`;
  }
}

function ownerName(holder: number, isMine: boolean): string {
  if (isMine) return currentProcess().name;
  return holder === 0 ? 'None' : 'SomeOtherProcess';
}
