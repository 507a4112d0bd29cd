/**
 * Python's `ctypes.Structure` in shared memory: named fields side by side, laid out as C does.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { addClass } from './serialize/forms.ts';
import {
  arrays,
  fromElement,
  nameOf,
  toElement,
  type ArrayOf,
  type Assignable,
  type Type,
  type TypeName,
  type ValueOf,
} from './shared/types.ts';

/** What a field can be: a type, another structure, or so many of a type. */
export type Field = Type | StructType | readonly [type: Type, length: number];

/** Fields by name, in their order in memory. */
export type Fields = Readonly<Record<string, Field>>;

/** What the fields of a structure are in JavaScript. Reading and writing goes to the shared memory. */
export type StructValue<F extends Fields = Fields> = {
  -readonly [Name in keyof F]: F[Name] extends Type
    ? ValueOf<F[Name]>
    : F[Name] extends StructType<infer Inner>
      ? StructValue<Inner>
      : F[Name] extends readonly [infer Element extends Type, number]
        ? ArrayOf<Element>
        : never;
};

/** What can be assigned to a structure: some or all of its fields. */
export type StructInit<F extends Fields = Fields> = {
  readonly [Name in keyof F]?: F[Name] extends Type
    ? Assignable<F[Name]>
    : F[Name] extends StructType<infer Inner>
      ? StructInit<Inner>
      : F[Name] extends readonly [infer Element extends Type, number]
        ? Iterable<Assignable<Element>>
        : never;
};

interface Member {
  readonly byteLength: number;
  readonly alignment: number;
  /** Makes what stands for the field at `offset` of `buffer`. */
  at(buffer: ArrayBuffer, offset: number): { get(): unknown; set(value: unknown): void };
  /** @throws TypeError (`ERR_MP_INVALID_ARG`) for what cannot be assigned. */
  check(value: unknown): void;
}

const alignUp = (offset: number, alignment: number): number => Math.ceil(offset / alignment) * alignment;

function scalar(name: TypeName): Member {
  const Elements = arrays[name];
  const { BYTES_PER_ELEMENT: size } = Elements;
  return {
    byteLength: size,
    alignment: size,
    at(buffer, offset) {
      const cell = new Elements(buffer, offset, 1) as Int32Array;
      return {
        get: () => fromElement(name, cell[0] as number),
        set: (value) => void (cell[0] = toElement(name, value) as number),
      };
    },
    check: (value) => void toElement(name, value),
  };
}

function list(name: TypeName, length: unknown): Member {
  const Elements = arrays[name];
  const { BYTES_PER_ELEMENT: size } = Elements;
  if (!Number.isSafeInteger(length) || (length as number) < 0) {
    throw invalidArgument(`the length of a field must be a whole number from 0 on, not ${inspect(length)}`, RangeError);
  }
  const elementsOf = (value: unknown): number[] => {
    if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) {
      throw invalidArgument(`a field of ${length} elements is set to an iterable, not to ${inspect(value)}`);
    }
    const elements = Array.from(value as Iterable<unknown>, (element) => toElement(name, element) as number);
    if (elements.length > (length as number)) {
      throw invalidArgument(`${elements.length} elements do not fit a field of ${length}`, RangeError);
    }
    return elements;
  };
  return {
    byteLength: size * (length as number),
    alignment: size,
    at(buffer, offset) {
      const cells = new Elements(buffer, offset, length as number) as Int32Array;
      return { get: () => cells, set: (value) => cells.set(elementsOf(value)) };
    },
    check: (value) => void elementsOf(value),
  };
}

function memberOf(field: unknown): Member {
  if (field instanceof StructType) return field;
  if (Array.isArray(field) && field.length === 2) return list(nameOf(field[0]), field[1]);
  return scalar(nameOf(field));
}

/** Types of shared values and arrays. */
export type SharedType = Type | StructType;

/** What a value of such a type is in JavaScript. */
export type SharedValueOf<T extends SharedType> =
  T extends StructType<infer F> ? StructValue<F> : T extends Type ? ValueOf<T> : never;

/** What can be assigned to it. */
export type SharedInit<T extends SharedType> =
  T extends StructType<infer F> ? StructInit<F> : T extends Type ? Assignable<T> : never;

/** A kind of structure, as `struct()` makes it. */
export class StructType<F extends Fields = Fields> {
  /** Bytes of one, with the gaps that alignment needs. */
  readonly byteLength: number;
  /** Its address is a multiple of this. */
  readonly alignment: number;
  readonly #members = new Map<string, { member: Member; offset: number }>();
  readonly #given: F;

  /** @internal */
  constructor(fields: F) {
    if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
      throw invalidArgument(`fields must be an object of names and types, not ${inspect(fields)}`);
    }
    let [end, alignment] = [0, 1];
    for (const [name, field] of Object.entries(fields)) {
      const member = memberOf(field);
      const offset = alignUp(end, member.alignment);
      this.#members.set(name, { member, offset });
      end = offset + member.byteLength;
      alignment = Math.max(alignment, member.alignment);
    }
    if (this.#members.size === 0) throw invalidArgument('a structure needs at least one field');
    this.alignment = alignment;
    this.byteLength = alignUp(end, alignment);
    this.#given = fields;
  }

  /** Names of the fields, in their order in memory. */
  get fields(): string[] {
    return [...this.#members.keys()];
  }

  /** @internal What it was made of. */
  get given(): F {
    return this.#given;
  }

  /** @internal The structure at `offset` of `buffer`. */
  view(buffer: ArrayBuffer, offset: number): StructValue<F> {
    const view = {};
    for (const [name, { member, offset: within }] of this.#members) {
      Object.defineProperty(view, name, { ...member.at(buffer, offset + within), enumerable: true });
    }
    return Object.seal(view) as StructValue<F>;
  }

  /** @internal */
  at(buffer: ArrayBuffer, offset: number): { get(): StructValue<F>; set(value: unknown): void } {
    const view = this.view(buffer, offset);
    return { get: () => view, set: (value) => this.assign(view, value) };
  }

  /** @internal Sets the fields that `value` has, all or none of them. */
  assign(view: object, value: unknown): void {
    this.check(value);
    Object.assign(view, value);
  }

  /** @internal */
  check(value: unknown): void {
    if (typeof value !== 'object' || value === null) {
      throw invalidArgument(`a structure is set to an object of its fields, not to ${inspect(value)}`);
    }
    for (const [name, part] of Object.entries(value)) {
      const known = this.#members.get(name);
      if (known === undefined) {
        throw invalidArgument(`a structure of ${this.fields.join(', ')} has no field ${inspect(name)}`);
      }
      known.member.check(part);
    }
  }

  /** Printable form: `struct(x, y)`. */
  toString(): string {
    return `struct(${this.fields.join(', ')})`;
  }
}

/**
 * Python: `class Point(ctypes.Structure): _fields_ = [...]`. A type for `Value`, `RawValue`, `SharedArray` and `RawArray`.
 *
 * ```ts
 * const Point = struct({ x: 'f64', y: 'f64', tags: ['u8', 4] });
 * const point = new Value(Point, { x: 1 });
 * point.with(() => { point.value.x += 1; });
 * ```
 *
 * Each field is read and written by one access (64-bit integers are `bigint`s); the lock is taken by nobody but you.
 *
 * @param fields types by name, in their order in memory; laid out and aligned as C does.
 * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for what is no type, or no length.
 */
export function struct<const F extends Fields>(fields: F): StructType<F> {
  return new StructType(fields);
}

addClass(StructType.prototype as StructType, {
  name: 'struct',
  take: (type) => type.given,
  make: (fields) => new StructType(fields),
});
