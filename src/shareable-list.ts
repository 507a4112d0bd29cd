/**
 * Python's `multiprocessing.shared_memory.ShareableList`: a list of fixed length in shared memory.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { addClass } from './serialize/forms.ts';
import { SharedMemory, descriptorName, type SharedMemoryDescriptor } from './shared-memory.ts';
import {
  encode,
  layOut,
  readElement,
  readFormat,
  readLayout,
  writeElement,
  writeLayout,
  type Encoded,
  type Layout,
  type ShareableValue,
} from './shared/list-format.ts';

/** Options of `new ShareableList()`. */
export interface ShareableListOptions {
  /** The block's name, as of `SharedMemory`; without a sequence, that of an existing list. @default made up */
  readonly name?: string | undefined;
}

/** How many elements of lists can be accessed by `list[index]`. */
let accessors = 0;

/**
 * Python: `multiprocessing.shared_memory.ShareableList`. A list in shared memory whose values may change, but not its length
 * nor how long its strings and Buffers may become. Laid out as by Python, with which it can be shared.
 *
 * ```ts
 * const list = new ShareableList(['a', 1, 2.5, true, null, Buffer.from('b')]);
 * list[1] = 42;
 * list.at(-1);
 * ```
 *
 * Elements are strings, Buffers (any `Uint8Array`), numbers, bigints of 64 bits, booleans and null. A safe integer is stored as
 * an integer, any other number as a float; an integer beyond the safe ones is read as a bigint. What is read is a copy; NULs
 * at the end of strings and Buffers are lost, as in Python. Nothing orders what processes read and write: use a `Lock`.
 */
export class ShareableList implements Iterable<ShareableValue> {
  /** The element at an index from 0, as `at` and `set` do it; undefined beyond the end, where nothing can be set. */
  [index: number]: ShareableValue;

  /** Python: `shm`. The block that the list is in; close and unlink it there. */
  readonly shm: SharedMemory;
  readonly #layout: Layout;

  /**
   * @param sequence the elements of a new list, any iterable, another list for instance. Without it: attaches to the list
   *   called `name`; without that too, a new empty list.
   * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad option and for a value that cannot be stored.
   * @throws Error of the system as of `new SharedMemory()`.
   * @throws ProcessError `ERR_MP_CORRUPT` if the block holds no list.
   */
  constructor(sequence?: Iterable<ShareableValue> | null, options: ShareableListOptions = {}) {
    if (typeof options !== 'object' || options === null)
      throw invalidArgument(`expected { name }, not ${inspect(options)}`);
    const { name } = options;
    if (sequence === undefined || sequence === null) {
      if (name === undefined) ({ shm: this.shm, layout: this.#layout } = make([], name));
      else ({ shm: this.shm, layout: this.#layout } = attach(name));
    } else {
      if (typeof sequence[Symbol.iterator] !== 'function') {
        throw invalidArgument(`sequence must be iterable, not ${inspect(sequence)}`);
      }
      ({ shm: this.shm, layout: this.#layout } = make(Array.from(sequence, encode), name));
    }
    defineAccessors(this.length);
    // Setting a property beyond the end is an error. A subclass may have fields of its own.
    if (new.target === ShareableList) Object.preventExtensions(this);
  }

  /**
   * Attaches to the list that `JSON.stringify` was given, in whichever process; takes the parsed form. Python: unpickling.
   *
   * @throws as the constructor, `ENOENT` above all.
   */
  static fromJSON(descriptor: SharedMemoryDescriptor): ShareableList {
    return new ShareableList(null, { name: descriptorName(descriptor) });
  }

  /** Python: `len(list)`. */
  get length(): number {
    return this.#layout.length;
  }

  /**
   * Python: `list[index]`. The element at an index, from the end if it is negative.
   *
   * @throws RangeError (`ERR_MP_INVALID_ARG`; Python: IndexError) beyond the ends.
   * @throws ProcessError `ERR_MP_CLOSED` after `shm.close()`, `ERR_MP_CORRUPT` if the memory holds no value there.
   */
  at(index: number): ReturnType<typeof readElement> {
    return readElement(this.shm.buf, this.#layout, this.#position(index));
  }

  /**
   * Python: `list[index] = value`. Its type may be another one than before.
   *
   * @throws RangeError (`ERR_MP_INVALID_ARG`) beyond the ends (Python: IndexError), for a string or Buffer that has more bytes
   *   (of UTF-8) than the element has storage (Python: ValueError), for a bigint beyond 64 bits. Nothing is changed then.
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for another type.
   * @throws ProcessError `ERR_MP_CLOSED` after `shm.close()`.
   */
  set(index: number, value: ShareableValue): void {
    writeElement(this.shm.buf, this.#layout, this.#position(index), encode(value));
  }

  /** Python: `count`. How many elements equal `value`: Buffers byte by byte, a bigint equals the same number. */
  count(value: ShareableValue): number {
    let count = 0;
    for (const each of this) if (equal(each, value)) count += 1;
    return count;
  }

  /**
   * Python: `index`. Where the first element is that equals `value`.
   *
   * @throws RangeError (`ERR_MP_INVALID_ARG`; Python: ValueError) if there is none.
   */
  index(value: ShareableValue): number {
    let index = 0;
    for (const each of this) {
      if (equal(each, value)) return index;
      index += 1;
    }
    throw invalidArgument(`${inspect(value)} is not in this list`, RangeError);
  }

  /** Python: `format`. The elements' formats in the language of Python's `struct` module. */
  get format(): string {
    return Array.from({ length: this.length }, (_, index) => readFormat(this.shm.buf, this.#layout, index)).join('');
  }

  /** The elements in turn, each as it is then. */
  *[Symbol.iterator](): Generator<ReturnType<typeof readElement>, void, undefined> {
    for (let index = 0; index < this.length; index += 1) yield this.at(index);
  }

  /** What `fromJSON` takes, in this or another process: the name. */
  toJSON(): SharedMemoryDescriptor {
    return this.shm.toJSON();
  }

  /** Python's printable form: `ShareableList([1, 'a'], name='…')`. */
  toString(): string {
    const elements = Array.from(this, (each) => inspect(each)).join(', ');
    return `${this.constructor.name}([${elements}], name=${inspect(this.shm.name)})`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  #position(index: number): number {
    const { length } = this;
    if (!Number.isInteger(index)) throw invalidArgument(`index must be an integer, not ${inspect(index)}`);
    const position = index < 0 ? index + length : index;
    if (position >= 0 && position < length) return position;
    throw invalidArgument(`index ${index} is out of range: the list has ${length} elements`, RangeError);
  }
}

function make(values: readonly Encoded[], name: string | undefined): { shm: SharedMemory; layout: Layout } {
  const layout = layOut(values);
  const shm = new SharedMemory({ name, create: true, size: layout.size });
  writeLayout(shm.buf, layout);
  values.forEach((value, index) => writeElement(shm.buf, layout, index, value));
  return { shm, layout };
}

function attach(name: string): { shm: SharedMemory; layout: Layout } {
  const shm = new SharedMemory({ name });
  try {
    return { shm, layout: readLayout(shm.buf) };
  } catch (error) {
    shm.close();
    throw error;
  }
}

/** Whether an element, as it is read, is `value`. */
function equal(element: ReturnType<typeof readElement>, value: ShareableValue): boolean {
  if (element instanceof Uint8Array) return value instanceof Uint8Array && Buffer.compare(element, value) === 0;
  // A safe integer is read as a number, whatever it was stored as.
  return element === value || (typeof value === 'bigint' && element === Number(value) && BigInt(element) === value);
}

/** `list[index]` for lists of this length. */
function defineAccessors(length: number): void {
  for (; accessors < length; accessors += 1) {
    const index = accessors;
    Object.defineProperty(ShareableList.prototype, index, {
      get(this: ShareableList) {
        return index < this.length ? this.at(index) : undefined;
      },
      set(this: ShareableList, value: ShareableValue) {
        this.set(index, value);
      },
    });
  }
}

// Python pickles them by name.
addClass(ShareableList.prototype as ShareableList, {
  name: 'ShareableList',
  take: (list) => list.toJSON(),
  make: (descriptor) => ShareableList.fromJSON(descriptor),
  discard: (list) => list.shm.close(),
});
