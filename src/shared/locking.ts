/**
 * The lock that comes with a shared value or array.
 */
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';
import type { WaitOptions } from '../options.ts';
import { RLock } from '../synchronize/lock.ts';

/** What can be the lock of a shared value: a `Lock`, an `RLock`, a `Condition`, or anything that works as one. */
export interface AnyLock {
  /** Takes it, and says whether it could: at once if `block` is false, within `timeoutMs` milliseconds if given. */
  acquire(block?: boolean, timeoutMs?: number): boolean;
  /** Gives it back. */
  release(): void;
  /** Holds it while `fn` runs, and returns what that returns. */
  with<T>(fn: (acquired: true) => T): T;
  /** Holds it until the promise of `fn` is settled. */
  withAsync<T>(fn: (acquired: true) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
}

/** Options of `new Value()` and `new SharedArray()`. */
export interface LockOption {
  /** `true` for a new `RLock`, a lock to use that one, `false` for none. @default true */
  readonly lock?: AnyLock | boolean | null | undefined;
}

/** What values and arrays with a lock have beside their memory. */
export interface Synchronized {
  /** Python: `get_lock`. The lock; nothing takes it by itself. */
  getLock(): AnyLock;
  /** As `acquire` of the lock; `timeoutMs` in milliseconds. */
  acquire(block?: boolean, timeoutMs?: number): boolean;
  /** As `release` of the lock. */
  release(): void;
  /** As `with` of the lock. */
  with<T>(fn: (acquired: true) => T): T;
  /** As `withAsync` of the lock. */
  withAsync<T>(fn: (acquired: true) => T | PromiseLike<T>, options?: WaitOptions): Promise<T>;
  /** `value.acquire(); using held = value;` gives the lock back at the end of the block. */
  [Symbol.dispose](): void;
}

/** The lock that `options` ask for; undefined for none. @throws TypeError (`ERR_MP_INVALID_ARG`) for what is no lock. */
export function lockOf(options: LockOption | undefined): AnyLock | undefined {
  if (options !== undefined && (typeof options !== 'object' || options === null)) {
    throw invalidArgument(`expected { lock }, not ${inspect(options)}`);
  }
  const lock: unknown = options?.lock ?? true;
  if (lock === true) return new RLock();
  if (lock === false) return undefined;
  const { acquire, release } = lock as Partial<AnyLock>;
  if (typeof acquire === 'function' && typeof release === 'function') return lock as AnyLock;
  throw invalidArgument(`lock must be true, false or a lock with acquire() and release(), not ${inspect(lock)}`);
}

const locks = new WeakMap<object, AnyLock>();

/** Gives `object` a lock, whose methods it has. */
export function attachLock(object: object, lock: AnyLock): void {
  locks.set(object, lock);
}

/** The lock of an object that was given one. */
export const lockFor = (object: object): AnyLock => locks.get(object) as AnyLock;

/** The methods that `attachLock` makes work, for a prototype. */
export const synchronized: Synchronized & ThisType<object> = {
  getLock() {
    return lockFor(this);
  },
  acquire(block, timeoutMs) {
    return lockFor(this).acquire(block, timeoutMs);
  },
  release() {
    lockFor(this).release();
  },
  with(fn) {
    return lockFor(this).with(fn);
  },
  withAsync(fn, options) {
    return lockFor(this).withAsync(fn, options);
  },
  [Symbol.dispose]() {
    lockFor(this).release();
  },
};
