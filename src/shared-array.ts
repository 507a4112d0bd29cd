/**
 * Python's `multiprocessing.Array` and `RawArray`: an array in shared memory.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { allocate } from './shared/block.ts';
import { attachLock, lockOf, synchronized, type LockOption, type Synchronized } from './shared/locking.ts';
import { arrays, nameOf, toElement, type ArrayOf, type Assignable, type Type, type TypeName } from './shared/types.ts';
import { refuseToSerialize } from './synchronize/acquirable.ts';

type TypedArrayClass = new (buffer: ArrayBuffer, offset: number, length: number) => object;

/** What arrays of chars have beside their bytes. */
export interface Text {
  /** Python: `value`. The bytes up to the first NUL; text that is set is stored as UTF-8, with a NUL if there is room. */
  get value(): Buffer;
  set value(value: Uint8Array | string);
  /** Python: `raw`. All bytes, without a copy. */
  readonly raw: Buffer;
}

/** A typed array over shared memory. */
export type RawArray<T extends Type = Type> = ArrayOf<T> & (T extends 'char' | 'c' ? Text : unknown);

/** The same with a lock. */
export type SharedArray<T extends Type = Type> = RawArray<T> & Synchronized;

/** Whatever an array can be made of: how many elements, all zero, or which ones. */
type Contents<T extends Type> = number | Iterable<Assignable<T>>;

const text: PropertyDescriptorMap & ThisType<Uint8Array> = {
  value: {
    get() {
      const end = this.indexOf(0);
      return Buffer.from(this.subarray(0, end < 0 ? this.length : end));
    },
    set(value: unknown) {
      const bytes = typeof value === 'string' ? Buffer.from(value) : value;
      if (!(bytes instanceof Uint8Array)) {
        throw invalidArgument(`value must be a string or bytes, not ${inspect(value)}`);
      }
      if (bytes.length > this.length) {
        throw invalidArgument(`${bytes.length} bytes do not fit an array of ${this.length} chars`, RangeError);
      }
      this.set(bytes);
      if (bytes.length < this.length) this[bytes.length] = 0;
    },
    configurable: true,
  },
  raw: {
    get() {
      return Buffer.from(this.buffer, this.byteOffset, this.byteLength);
    },
    configurable: true,
  },
};

/** Typed arrays have a `with(index, value)` of their own: a copy with one element changed. */
type WithElement = (this: object, index: number, value: unknown) => object;
const withElement = (Object.getPrototypeOf(Int32Array.prototype) as { with?: WithElement }).with;

const lockMethods = Object.getOwnPropertyDescriptors(synchronized) as PropertyDescriptorMap;
for (const key of Reflect.ownKeys(lockMethods)) (lockMethods[key as string] as PropertyDescriptor).enumerable = false;
(lockMethods['with'] as PropertyDescriptor).value = function (this: Synchronized, first: unknown, value: unknown) {
  const ofElement = typeof first === 'number' && withElement !== undefined;
  return ofElement ? withElement.call(this, first, value) : synchronized.with.call(this, first as () => unknown);
};

/** A subclass of the typed array of a type. What its methods make anew (`map`, `slice`) is in ordinary memory. */
function classFor(className: string, name: TypeName, extra: PropertyDescriptorMap): TypedArrayClass {
  const Plain = arrays[name] as unknown as TypedArrayClass & { prototype: object };
  const shared = class extends Plain {
    static get [Symbol.species](): unknown {
      return Plain;
    }
  };
  Object.defineProperty(shared, 'name', { value: className });
  Object.defineProperties(shared.prototype, {
    ...(name === 'char' ? text : {}),
    ...extra,
    toJSON: {
      value(this: object) {
        return refuseToSerialize(this);
      },
      configurable: true,
    },
  });
  return shared;
}

const classes = new Map<string, TypedArrayClass>();

function create(className: string, type: unknown, contents: unknown, extra: PropertyDescriptorMap): object {
  const name = nameOf(type);
  const elements = typeof contents === 'number' ? undefined : elementsOf(name, contents);
  const length = elements === undefined ? checkLength(contents as number) : elements.length;
  const byteLength = length * arrays[name].BYTES_PER_ELEMENT;
  const { buffer } = allocate(Math.max(byteLength, 1), 16);
  const key = `${className} ${name}`;
  let Class = classes.get(key);
  if (Class === undefined) classes.set(key, (Class = classFor(className, name, extra)));
  const array = new Class(buffer, 0, length) as Int32Array;
  if (elements !== undefined) array.set(elements as number[]);
  return array;
}

function checkLength(length: number): number {
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw invalidArgument(`the size of an array must be a whole number from 0 on, not ${length}`, RangeError);
}

function elementsOf(name: TypeName, contents: unknown): unknown[] {
  if (typeof contents === 'string' && name === 'char') return [...Buffer.from(contents)];
  if (contents instanceof Uint8Array && name === 'char') return [...contents];
  if (typeof contents !== 'object' || contents === null || !(Symbol.iterator in contents)) {
    throw invalidArgument(`an array is made of a size or of values, not of ${inspect(contents)}`);
  }
  return Array.from(contents as Iterable<unknown>, (value) => toElement(name, value));
}

/** The classes behind `new SharedArray()` and `new RawArray()`, for `instanceof`. */
const made = { shared: new WeakSet(), raw: new WeakSet() };

/**
 * Python: `multiprocessing.Array(typecode, size_or_initializer, *, lock=True)`. A typed array over shared memory, with a lock.
 * Processes forked after it was made share it.
 *
 * It is an `Int32Array`, `Float64Array`, … (`BigInt64Array` for 64-bit integers; `Uint8Array` of 0 and 1 for `bool`, of bytes for
 * `char`): indexing, iteration, `set`, `subarray`, `fill` and `Atomics` work on it at full speed and without a copy. An element is
 * read or written by one access; nothing takes the lock by itself. With `{ lock: false }` this is a `RawArray`.
 *
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for an unknown type, a bad size or value, or what is no lock.
 */
export const SharedArray = class {
  constructor(type: unknown, contents: unknown, options?: LockOption) {
    const lock = lockOf(options);
    if (lock === undefined) return new RawArray(type as Type, contents as number);
    const array = create('SharedArray', type, contents, lockMethods);
    attachLock(array, lock);
    made.shared.add(array);
    return array;
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && made.shared.has(value);
  }
} as unknown as new <T extends Type>(
  type: T,
  sizeOrValues: Contents<T> | (T extends 'char' | 'c' ? string : never),
  options?: LockOption,
) => SharedArray<T>;

/**
 * Python: `multiprocessing.RawArray(typecode, size_or_initializer)`. As `SharedArray`, without a lock.
 *
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for an unknown type, or a bad size or value.
 */
export const RawArray = class {
  constructor(type: unknown, contents: unknown) {
    const array = create('RawArray', type, contents, {});
    made.raw.add(array);
    return array;
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && made.raw.has(value);
  }
} as unknown as new <T extends Type>(
  type: T,
  sizeOrValues: Contents<T> | (T extends 'char' | 'c' ? string : never),
) => RawArray<T>;
