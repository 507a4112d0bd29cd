/**
 * Types of shared values and of the elements of shared arrays: our names, and Python's one-letter codes.
 */
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';

/** Name of a type: kind and bits. `char` is one byte of text, `wchar` one character of Unicode. */
export type TypeName =
  'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'f32' | 'f64' | 'bool' | 'char' | 'wchar';

/** Python's codes, as of C on 64-bit systems: `l` and `L` have 64 bits. */
export type TypeCode = 'c' | 'b' | 'B' | 'h' | 'H' | 'i' | 'I' | 'l' | 'L' | 'q' | 'Q' | 'f' | 'd' | 'u' | '?';

/** What a type is called. */
export type Type = TypeName | TypeCode;

/** Types that are `bigint` in JavaScript, since a number does not hold 64 bits. */
export type BigType = 'i64' | 'u64' | 'l' | 'L' | 'q' | 'Q';

/** What a value of a type is in JavaScript. */
export type ValueOf<T extends Type> = T extends BigType
  ? bigint
  : T extends 'bool' | '?'
    ? boolean
    : T extends 'char' | 'c'
      ? Buffer
      : T extends 'wchar' | 'u'
        ? string
        : number;

/** What can be assigned to it. */
export type Assignable<T extends Type> = T extends BigType
  ? bigint | number
  : T extends 'bool' | '?'
    ? boolean
    : T extends 'char' | 'c'
      ? Uint8Array | string
      : T extends 'wchar' | 'u'
        ? string
        : number;

/** The arrays that hold elements of each type. */
export const arrays = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  i64: BigInt64Array,
  u64: BigUint64Array,
  f32: Float32Array,
  f64: Float64Array,
  bool: Uint8Array,
  char: Uint8Array,
  wchar: Uint32Array,
} as const;

/** The array that holds elements of a type. */
export type ArrayOf<T extends Type> = InstanceType<(typeof arrays)[NameOf<T>]>;

const codes = {
  c: 'char',
  b: 'i8',
  B: 'u8',
  h: 'i16',
  H: 'u16',
  i: 'i32',
  I: 'u32',
  l: 'i64',
  L: 'u64',
  q: 'i64',
  Q: 'u64',
  f: 'f32',
  d: 'f64',
  u: 'wchar',
  '?': 'bool',
} as const;

/** Our name of a type. */
export type NameOf<T extends Type> = T extends TypeName ? T : T extends TypeCode ? (typeof codes)[T] : never;

/** @throws TypeError (`ERR_MP_INVALID_ARG`) for what is no type. */
export function nameOf(type: unknown): TypeName {
  if (typeof type === 'string') {
    if (Object.hasOwn(arrays, type)) return type as TypeName;
    if (Object.hasOwn(codes, type)) return codes[type as TypeCode];
  }
  throw invalidArgument(
    `type must be one of ${Object.keys(arrays).join(', ')}, or a code of Python's (${Object.keys(codes).join(' ')}), ` +
      `not ${inspect(type)}`,
  );
}

/** Whether values of the type are integers, which `Atomics` can change. */
export function isInteger(name: TypeName): boolean {
  return name !== 'f32' && name !== 'f64' && name !== 'bool' && name !== 'char' && name !== 'wchar';
}

/**
 * What is stored for `value` in an array of the type. Integers wrap, as in C.
 *
 * @throws TypeError (`ERR_MP_INVALID_ARG`) if it is not of the type.
 */
export function toElement(name: TypeName, value: unknown): number | bigint {
  switch (name) {
    case 'bool':
      if (typeof value === 'boolean') return Number(value);
      break;
    case 'char':
      if (typeof value === 'string' && value.length === 1 && value <= '\xff') return value.charCodeAt(0);
      if (value instanceof Uint8Array && value.length === 1) return value[0] as number;
      throw invalidArgument(`a char is one byte or a one-character Latin-1 string, not ${inspect(value)}`);
    case 'wchar':
      if (typeof value === 'string' && value.length > 0 && value.length <= 2 && [...value].length === 1) {
        return value.codePointAt(0) as number;
      }
      throw invalidArgument(`a wchar is a string of one character, not ${inspect(value)}`);
    case 'f32':
    case 'f64':
      if (typeof value === 'number') return value;
      break;
    case 'i64':
    case 'u64':
      if (typeof value === 'bigint') return value;
      if (Number.isSafeInteger(value)) return BigInt(value as number);
      break;
    default:
      if (Number.isInteger(value)) return value as number;
  }
  throw invalidArgument(`a value of type ${name} cannot be ${inspect(value)}`);
}

/** What another process has put there may be none. */
const character = (code: number): string => (code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd');

/** The text in `codes`, up to the first NUL. */
export function textOf(codes: Uint32Array): string {
  const end = codes.indexOf(0);
  return Array.from(end < 0 ? codes : codes.subarray(0, end), character).join('');
}

/** The value that is stored as `element`. */
export function fromElement(name: TypeName, element: number | bigint): unknown {
  if (name === 'bool') return element !== 0;
  if (name === 'char') return Buffer.from([element as number]);
  if (name === 'wchar') return character(element as number);
  return element;
}
