/**
 * Python's `multiprocessing.Array` and `RawArray`: an array in shared memory.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { refuseToSerialize } from './inherit-only.ts';
import { allocate } from './shared/block.ts';
import {
  attachLock,
  lockFor,
  lockOf,
  synchronized,
  type AnyLock,
  type LockOption,
  type Synchronized,
} from './shared/locking.ts';
import { addKind, passable } from './shared/passing.ts';
import {
  arrays,
  nameOf,
  textOf,
  toElement,
  type ArrayOf,
  type NameOf,
  type Type,
  type TypeName,
} from './shared/types.ts';
import { StructType, type SharedInit, type SharedType, type StructValue } from './struct.ts';

type TypedArrayClass = new (buffer: ArrayBuffer, offset: number, length: number) => object;

/** What arrays of chars have beside their bytes. */
export interface Text {
  /** Python: `value`. The bytes up to the first NUL; text that is set is stored as UTF-8, with a NUL if there is room. */
  get value(): Buffer;
  /** Cuts nothing off: what does not fit is refused. */
  set value(value: Uint8Array | string);
  /** Python: `raw`. All bytes, without a copy. */
  readonly raw: Buffer;
}

/** What arrays of wide characters have beside their codes. */
export interface WideText {
  /** Python: `value`. The text up to the first NUL; text that is set gets a NUL at its end if there is room. */
  get value(): string;
  /** Cuts nothing off: what does not fit is refused. */
  set value(value: string);
}

/** A typed array over shared memory; of structures, an array that cannot be changed, but its structures can. */
export type RawArray<T extends SharedType = Type> =
  T extends StructType<infer F>
    ? readonly StructValue<F>[]
    : T extends Type
      ? ArrayOf<T> & (NameOf<T> extends 'char' ? Text : NameOf<T> extends 'wchar' ? WideText : unknown)
      : never;

/** The same with a lock. */
export type SharedArray<T extends SharedType = Type> = RawArray<T> &
  Synchronized & {
    /** Python: `get_obj`. The same array without the lock. */
    getObj(): RawArray<T>;
  };

/** Whatever an array can be made of: how many elements, all zero, or which ones. */
type Contents<T extends SharedType> =
  number | Iterable<SharedInit<T>> | (T extends 'char' | 'c' | 'wchar' | 'u' ? string : never);

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

const wideText: PropertyDescriptorMap & ThisType<Uint32Array> = {
  value: {
    get() {
      return textOf(this);
    },
    set(value: unknown) {
      if (typeof value !== 'string') throw invalidArgument(`value must be a string, not ${inspect(value)}`);
      const codes = Array.from(value, (character) => toElement('wchar', character) as number);
      if (codes.length > this.length) {
        throw invalidArgument(`${codes.length} characters do not fit an array of ${this.length}`, RangeError);
      }
      this.set(codes);
      if (codes.length < this.length) this[codes.length] = 0;
    },
    configurable: true,
  },
};

/** Arrays have a `with(index, value)` of their own: a copy with one element changed. */
type WithElement = (this: object, index: number, value: unknown) => object;
const withElement = (Object.getPrototypeOf(Int32Array.prototype) as { with: WithElement }).with;
const withItem = (Array.prototype as unknown as { with: WithElement }).with;

const lockMethods = Object.getOwnPropertyDescriptors({
  ...synchronized,
  getObj(this: object) {
    const known = made.get(this) as Made;
    return new RawArray(known.type as Type, new SameMemory(known) as never);
  },
}) as PropertyDescriptorMap;
for (const key of Reflect.ownKeys(lockMethods)) (lockMethods[key as string] as PropertyDescriptor).enumerable = false;
(lockMethods['with'] as PropertyDescriptor).value = function (this: Synchronized, first: unknown, value: unknown) {
  if (typeof first !== 'number') return synchronized.with.call(this, first as () => unknown);
  return (Array.isArray(this) ? withItem : withElement).call(this, first, value);
};

/** In place of contents: the memory of another array. */
class SameMemory {
  readonly buffer: ArrayBuffer;
  readonly handle: number;
  readonly length: number;

  constructor({ buffer, handle, length }: Pick<Made, 'buffer' | 'handle' | 'length'>) {
    this.buffer = buffer;
    this.handle = handle;
    this.length = length;
  }
}

/** What is known of each array. */
interface Made {
  readonly kind: Kind;
  readonly type: SharedType;
  readonly buffer: ArrayBuffer;
  readonly handle: number;
  readonly length: number;
}

type Kind = 'SharedArray' | 'RawArray';
const made = new WeakMap<object, Made>();

/** A subclass of the array for a type. What its methods make anew (`map`, `slice`) is in ordinary memory. */
function classFor(kind: Kind, name: TypeName | undefined): TypedArrayClass {
  const Plain = (name === undefined ? Array : arrays[name]) as unknown as TypedArrayClass;
  const shared = class extends Plain {
    static get [Symbol.species](): unknown {
      return Plain;
    }
  };
  Object.defineProperty(shared, 'name', { value: kind });
  Object.defineProperties(shared.prototype, {
    ...(name === 'char' ? text : name === 'wchar' ? wideText : {}),
    ...(kind === 'SharedArray' ? lockMethods : {}),
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

function create(kind: Kind, type: unknown, contents: unknown): object {
  const structure = type instanceof StructType ? type : undefined;
  const name = structure === undefined ? nameOf(type) : undefined;
  const elements =
    typeof contents === 'number' || contents instanceof SameMemory ? undefined : elementsOf(structure, name, contents);
  const length =
    contents instanceof SameMemory ? contents.length : (elements?.length ?? checkLength(contents as number));
  const stride = name === undefined ? (structure as StructType).byteLength : arrays[name].BYTES_PER_ELEMENT;
  const { buffer, handle } =
    contents instanceof SameMemory
      ? contents
      : allocate(Math.max(length * stride, 1), Math.max(structure?.alignment ?? 0, 16));
  const key = `${kind} ${name}`;
  let Class = classes.get(key);
  if (Class === undefined) classes.set(key, (Class = classFor(kind, name)));
  let array: object;
  if (name === undefined) {
    const views = new (Class as unknown as new () => object[])();
    for (let i = 0; i < length; i += 1) views.push((structure as StructType).view(buffer, i * stride));
    elements?.forEach((value, i) => Object.assign(views[i] as object, value));
    array = Object.freeze(views);
  } else {
    array = new Class(buffer, 0, length);
    if (elements !== undefined) (array as Int32Array).set(elements as number[]);
  }
  made.set(array, { kind, type: type as SharedType, buffer, handle, length });
  // Elsewhere it travels as a copy.
  const details = (): Details => ({ type, length, lock: kind === 'SharedArray' ? lockFor(array) : undefined });
  passable(array, () => ({ kind, handles: [handle], details: details() }), { onlyThere: false });
  return array;
}

function checkLength(length: number): number {
  if (Number.isSafeInteger(length) && length >= 0) return length;
  throw invalidArgument(`the size of an array must be a whole number from 0 on, not ${length}`, RangeError);
}

function elementsOf(structure: StructType | undefined, name: TypeName | undefined, contents: unknown): unknown[] {
  if (typeof contents === 'string' && name === 'char') return [...Buffer.from(contents)];
  if (contents instanceof Uint8Array && name === 'char') return Array.from(contents);
  const isText = typeof contents === 'string' && name === 'wchar';
  if (!isText && (typeof contents !== 'object' || contents === null || !(Symbol.iterator in contents))) {
    throw invalidArgument(`an array is made of a size or of values, not of ${inspect(contents)}`);
  }
  return Array.from(contents as Iterable<unknown>, (value) => {
    if (name !== undefined) return toElement(name, value);
    structure?.check(value);
    return value;
  });
}

const isMade = (value: unknown, kind: Kind): boolean =>
  typeof value === 'object' && value !== null && made.get(value)?.kind === kind;

/**
 * Python: `multiprocessing.Array(typecode, size_or_initializer, *, lock=True)`. A typed array over shared memory, with a lock.
 * Processes forked after it was made share it.
 *
 * It is an `Int32Array`, `Float64Array`, … (`BigInt64Array` for 64-bit integers; `Uint8Array` of 0 and 1 for `bool`, of bytes for
 * `char`): indexing, iteration, `set`, `subarray`, `fill` and `Atomics` work on it at full speed and without a copy. An element is
 * read or written by one access; nothing takes the lock by itself. Of structures (`struct()`) it is an array of them. With `{ lock: false }` this is a `RawArray`.
 *
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for an unknown type, a bad size or value, or what is no lock.
 */
export const SharedArray = class {
  constructor(type: unknown, contents: unknown, options?: LockOption) {
    const lock = lockOf(options);
    if (lock === undefined) return new RawArray(type as Type, contents as number);
    const array = create('SharedArray', type, contents);
    attachLock(array, lock);
    return array;
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return isMade(value, 'SharedArray');
  }
} as unknown as {
  /** With `sizeOrValues` elements, all zero; or with these values. */
  new <T extends SharedType>(type: T, sizeOrValues: Contents<T>, options?: LockOption): SharedArray<T>;
};

/**
 * Python: `multiprocessing.RawArray(typecode, size_or_initializer)`. As `SharedArray`, without a lock.
 *
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for an unknown type, or a bad size or value.
 */
export const RawArray = class {
  constructor(type: unknown, contents: unknown) {
    return create('RawArray', type, contents);
  }

  static [Symbol.hasInstance](value: unknown): boolean {
    return isMade(value, 'RawArray');
  }
} as unknown as {
  /** With `sizeOrValues` elements, all zero; or with these values. */
  new <T extends SharedType>(type: T, sizeOrValues: Contents<T>): RawArray<T>;
};

/** @internal An array with the same memory and a lock. */
export function withLock(array: object, options?: LockOption): object {
  const known = made.get(array) as Made;
  return new SharedArray(known.type as Type, new SameMemory(known) as never, options);
}

/** @internal An array with a copy of the memory, without a lock. */
export function copyOf(array: object): object {
  const { type, buffer, length } = made.get(array) as Made;
  const copy = new RawArray(type as Type, length);
  const bytes = new Uint8Array(buffer);
  new Uint8Array((made.get(copy) as Made).buffer).set(bytes);
  return copy;
}

interface Details {
  readonly type: unknown;
  readonly length: number;
  readonly lock: AnyLock | undefined;
}

addKind<Details>('RawArray', ({ type, length }) => new RawArray(type as Type, length));
addKind<Details>('SharedArray', ({ type, length, lock }) => new SharedArray(type as Type, length, { lock }));
