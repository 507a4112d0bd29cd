/**
 * Python's `multiprocessing.Value` and `RawValue`: one value in shared memory.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { allocate } from './shared/block.ts';
import type { WaitOptions } from './options.ts';
import { lockOf, type AnyLock, type LockOption, type Synchronized } from './shared/locking.ts';
import {
  arrays,
  fromElement,
  isInteger,
  nameOf,
  toElement,
  type Assignable,
  type Type,
  type TypeName,
  type ValueOf,
} from './shared/types.ts';
import { refuseClones, refuseToSerialize } from './synchronize/acquirable.ts';

type Integers = Int32Array & BigInt64Array;

/**
 * Python: `multiprocessing.RawValue(typecode, *args)`. One value in shared memory, without a lock. Processes forked after it
 * was made share it.
 *
 * Reading and writing `value` are one access each; reading, changing and writing is not. For integers there are `add`,
 * `exchange` and `compareExchange`, which need no lock and lose no update (Python has none of these).
 */
export class RawValue<T extends Type = Type> {
  readonly #name: TypeName;
  readonly #cell: Integers;

  /**
   * @param initial @default 0, false or a NUL
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for an unknown type, or an initial value that is not of it.
   */
  constructor(type: T, initial?: Assignable<T>) {
    this.#name = nameOf(type);
    const element = initial === undefined ? undefined : toElement(this.#name, initial);
    this.#cell = new arrays[this.#name](allocate(8, 16).buffer, 0, 1) as Integers;
    if (element !== undefined) this.#cell[0] = element as never;
    refuseClones(this);
  }

  /**
   * Python: `value`. Integers wrap, as in C; of 64 bits they are `bigint`s. A `char` is a `Buffer` of one byte.
   *
   * @throws TypeError (`ERR_MP_INVALID_ARG`) when set to what is not of the type.
   */
  get value(): ValueOf<T> {
    return fromElement(this.#name, this.#cell[0] as number) as ValueOf<T>;
  }

  set value(value: Assignable<T>) {
    this.#cell[0] = toElement(this.#name, value) as never;
  }

  /** Adds `n` to an integer, atomically. @returns the value before. @throws TypeError if it is no integer. */
  add(n: Assignable<T>): ValueOf<T> {
    return Atomics.add(this.#integers('add'), 0, this.#integer(n)) as never;
  }

  /** Sets an integer, atomically. @returns the value before. @throws TypeError if it is no integer. */
  exchange(value: Assignable<T>): ValueOf<T> {
    return Atomics.exchange(this.#integers('exchange'), 0, this.#integer(value)) as never;
  }

  /**
   * Sets an integer to `value` if it is `expected`, atomically.
   *
   * @returns the value before: it was set if that is `expected`. @throws TypeError if it is no integer.
   */
  compareExchange(expected: Assignable<T>, value: Assignable<T>): ValueOf<T> {
    const cell = this.#integers('compareExchange');
    return Atomics.compareExchange(cell, 0, this.#integer(expected), this.#integer(value)) as never;
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<Value i32 5>`. */
  toString(): string {
    return `<${this.constructor.name} ${this.#name} ${inspect(this.value)}>`;
  }

  [inspect.custom](): string {
    return this.toString();
  }

  /** The cell, typed as one kind of integers for all. */
  #integers(what: string): Int32Array {
    if (isInteger(this.#name)) return this.#cell;
    throw invalidArgument(`${what}() is for integers, not for type ${this.#name}: take the lock and set value`);
  }

  #integer(value: unknown): number {
    return toElement(this.#name, value) as number;
  }
}

/**
 * Python: `multiprocessing.Value(typecode, *args, lock=True)`. One value in shared memory with a lock.
 *
 * ```ts
 * const counter = new Value('i32');
 * counter.add(1);                                   // by itself
 * counter.with(() => { counter.value = counter.value * 2; }); // together
 * ```
 *
 * As in Python, `counter.value += 1` without the lock loses updates. With `{ lock: false }` this is a `RawValue`, without the
 * methods of the lock.
 */
export class Value<T extends Type = Type> extends RawValue<T> implements Synchronized {
  readonly #lock!: AnyLock;

  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for an unknown type, a value that is not of it, or what is no lock. */
  constructor(type: T, initial?: Assignable<T>, options?: LockOption) {
    const lock = lockOf(options);
    super(type, initial);
    if (lock === undefined) return new RawValue(type, initial) as Value<T>;
    this.#lock = lock;
  }

  /** Python: `get_lock`. The lock; nothing takes it by itself. */
  getLock(): AnyLock {
    return this.#lock;
  }

  /** As `acquire` of the lock. */
  acquire(block?: boolean, timeoutMs?: number): boolean {
    return this.#lock.acquire(block, timeoutMs);
  }

  /** As `release` of the lock. */
  release(): void {
    this.#lock.release();
  }

  /** As `with` of the lock. */
  with<R>(fn: (acquired: true) => R): R {
    return this.#lock.with(fn);
  }

  /** As `withAsync` of the lock. */
  withAsync<R>(fn: (acquired: true) => R | PromiseLike<R>, options?: WaitOptions): Promise<R> {
    return this.#lock.withAsync(fn, options);
  }

  /** `value.acquire(); using held = value;` gives the lock back at the end of the block. */
  [Symbol.dispose](): void {
    this.#lock.release();
  }
}
