/**
 * Python's `multiprocessing.Value` and `RawValue`: one value in shared memory.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { refuseToSerialize } from './inherit-only.ts';
import { allocate } from './shared/block.ts';
import type { WaitOptions } from './options.ts';
import { lockOf, type AnyLock, type LockOption, type Synchronized } from './shared/locking.ts';
import { addKind, passable } from './shared/passing.ts';
import { arrays, fromElement, isInteger, nameOf, toElement, type TypeName } from './shared/types.ts';
import type { Type } from './shared/types.ts';
import { StructType, type SharedInit, type SharedType, type SharedValueOf } from './struct.ts';

type Integers = Int32Array & BigInt64Array;

/** The memory of a value, and how it is read and written. */
interface Cell {
  readonly type: SharedType;
  readonly buffer: ArrayBuffer;
  readonly handle: number;
  /** None of a structure. */
  readonly name: TypeName | undefined;
  readonly elements: Integers;
  readonly structure: { get(): object; set(value: unknown): void } | undefined;
}

function allocateCell(type: SharedType, initial: unknown): Cell {
  if (type instanceof StructType) {
    if (initial !== undefined) type.check(initial);
    const { buffer, handle } = allocate(type.byteLength, Math.max(type.alignment, 16));
    const structure = type.at(buffer, 0);
    if (initial !== undefined) structure.set(initial);
    return { type, buffer, handle, name: undefined, elements: new Int32Array(0) as Integers, structure };
  }
  const name = nameOf(type);
  const element = initial === undefined ? undefined : toElement(name, initial);
  const { buffer, handle } = allocate(8, 16);
  const elements = new arrays[name](buffer, 0, 1) as Integers;
  if (element !== undefined) elements[0] = element as never;
  return { type, buffer, handle, name, elements, structure: undefined };
}

/** In place of an initial value: the memory of another one. */
class SameMemory {
  readonly cell: Cell;

  constructor(cell: Cell) {
    this.cell = cell;
  }
}

/**
 * Python: `multiprocessing.RawValue(typecode, *args)`. One value in shared memory, without a lock. Processes forked after it
 * was made share it.
 *
 * Reading and writing `value` are one access each; reading, changing and writing is not. For integers there are `add`,
 * `exchange` and `compareExchange`, which need no lock and lose no update (Python has none of these).
 */
export class RawValue<T extends SharedType = Type> {
  readonly #cell: Cell;
  readonly #name: TypeName | undefined;
  readonly #elements: Integers;

  /**
   * @param type a type's name, a code of Python's, or a structure of `struct()`.
   * @param initial @default 0, false, a NUL, or a structure of these
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for an unknown type, or an initial value that is not of it.
   */
  constructor(type: T, initial?: SharedInit<T>) {
    const given: unknown = initial;
    this.#cell = given instanceof SameMemory ? given.cell : allocateCell(type, given);
    this.#name = this.#cell.name;
    this.#elements = this.#cell.elements;
    const { handle } = this.#cell;
    passable(this, () => ({ kind: 'RawValue', handles: [handle], details: type }));
  }

  /**
   * Python: `value`. Integers wrap, as in C; of 64 bits they are `bigint`s. A `char` is a `Buffer` of one byte. Of a
   * structure, its fields in shared memory; setting it sets those fields that it is given.
   *
   * @throws TypeError (`ERR_MP_INVALID_ARG`) when set to what is not of the type.
   */
  get value(): SharedValueOf<T> {
    if (this.#name === undefined) return this.#cell.structure?.get() as SharedValueOf<T>;
    return fromElement(this.#name, this.#elements[0] as number) as SharedValueOf<T>;
  }

  /** One write; of a structure one for each field. */
  set value(value: SharedInit<T>) {
    if (this.#name === undefined) this.#cell.structure?.set(value);
    else this.#elements[0] = toElement(this.#name, value) as never;
  }

  /** Adds `n` to an integer, atomically. @returns the value before. @throws TypeError if it is no integer. */
  add(n: SharedInit<T>): SharedValueOf<T> {
    return Atomics.add(this.#integers('add'), 0, this.#integer(n)) as never;
  }

  /** Sets an integer, atomically. @returns the value before. @throws TypeError if it is no integer. */
  exchange(value: SharedInit<T>): SharedValueOf<T> {
    return Atomics.exchange(this.#integers('exchange'), 0, this.#integer(value)) as never;
  }

  /**
   * Sets an integer to `value` if it is `expected`, atomically.
   *
   * @returns the value before: it was set if that is `expected`. @throws TypeError if it is no integer.
   */
  compareExchange(expected: SharedInit<T>, value: SharedInit<T>): SharedValueOf<T> {
    const cell = this.#integers('compareExchange');
    return Atomics.compareExchange(cell, 0, this.#integer(expected), this.#integer(value)) as never;
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<Value i32 5>`. */
  toString(): string {
    return `<${this.constructor.name} ${String(this.#cell.type)} ${inspect(this.value, { getters: true })}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** The cell, typed as one kind of integers for all. */
  #integers(what: string): Int32Array {
    if (this.#name !== undefined && isInteger(this.#name)) return this.#elements;
    const type = String(this.#cell.type);
    throw invalidArgument(`${what}() is for integers, not for type ${type}: take the lock and set value`);
  }

  #integer(value: unknown): number {
    return toElement(this.#name as TypeName, value) as number;
  }

  /** @internal Where it lies. */
  static handleOf(value: RawValue<never>): number {
    return value.#cell.handle;
  }

  /** @internal Another one with the same memory. */
  static same<V>(
    value: RawValue<SharedType>,
    Class: new (type: never, initial: never, options?: LockOption) => V,
    lock?: LockOption,
  ): V {
    return new Class(value.#cell.type as never, new SameMemory(value.#cell) as never, lock);
  }

  /** @internal One with a copy of it, without a lock. */
  static copy<T extends SharedType>(value: RawValue<T>): RawValue<T> {
    const copy = new RawValue(value.#cell.type as T);
    new Uint8Array(copy.#cell.buffer).set(new Uint8Array(value.#cell.buffer));
    return copy;
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
export class Value<T extends SharedType = Type> extends RawValue<T> implements Synchronized {
  readonly #lock!: AnyLock;
  #raw: RawValue<T> | undefined;

  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for an unknown type, a value that is not of it, or what is no lock. */
  constructor(type: T, initial?: SharedInit<T>, options?: LockOption) {
    const lock = lockOf(options);
    super(type, initial);
    if (lock === undefined) return new RawValue(type, initial) as Value<T>;
    this.#lock = lock;
    passable(this, () => ({ kind: 'Value', handles: [RawValue.handleOf(this as never)], details: { type, lock } }));
  }

  /** Python: `get_obj`. The same value without the lock. */
  getObj(): RawValue<T> {
    return (this.#raw ??= RawValue.same(this, RawValue) as RawValue<T>);
  }

  /** Python: `get_lock`. The lock; nothing takes it by itself. */
  getLock(): AnyLock {
    return this.#lock;
  }

  /** As `acquire` of the lock; `timeoutMs` in milliseconds. */
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

addKind<Type>('RawValue', (type) => new RawValue(type));
addKind<{ type: Type; lock: AnyLock }>('Value', ({ type, lock }) => new Value(type, undefined, { lock }));
