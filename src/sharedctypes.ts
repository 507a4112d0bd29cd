/**
 * Python's `multiprocessing.sharedctypes`: copies of shared values, and locks for those that have none.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import type { LockOption } from './shared/locking.ts';
import { RawArray, SharedArray, copyOf, withLock } from './shared-array.ts';
import type { SharedType } from './struct.ts';
import { RawValue, Value } from './value.ts';

/**
 * Python: `sharedctypes.copy(obj)`. A copy in shared memory of its own, without a lock.
 *
 * @param object a value or an array in shared memory.
 * @throws TypeError (`ERR_MP_INVALID_ARG`) for anything else.
 */
export function copy<T extends SharedType>(object: RawValue<T>): RawValue<T>;
export function copy<T extends SharedType>(object: RawArray<T> | SharedArray<T>): RawArray<T>;
export function copy(object: unknown): unknown {
  if (object instanceof RawValue) return RawValue.copy(object);
  if (isArray(object)) return copyOf(object);
  throw invalidArgument(`copy() takes a shared value or array, not ${inspect(object)}`);
}

/**
 * Python: `sharedctypes.synchronized(obj, lock=None)`. The same value or array with a lock, on the same memory.
 *
 * @param object a `RawValue` or `RawArray`.
 * @throws TypeError (`ERR_MP_INVALID_ARG`; Python: AssertionError) if it has a lock or is none of these, or for what is no lock.
 */
export function synchronized<T extends SharedType>(object: RawValue<T>, options?: LockOption): Value<T>;
export function synchronized<T extends SharedType>(object: RawArray<T>, options?: LockOption): SharedArray<T>;
export function synchronized(object: unknown, options?: LockOption): unknown {
  if (object instanceof Value || object instanceof SharedArray) {
    throw invalidArgument(`it has a lock already: ${inspect(object)}`);
  }
  if (object instanceof RawValue) return RawValue.same(object, Value, options);
  if (isArray(object)) return withLock(object, options);
  throw invalidArgument(`synchronized() takes a RawValue or a RawArray, not ${inspect(object)}`);
}

const isArray = (object: unknown): object is object => object instanceof RawArray || object instanceof SharedArray;
