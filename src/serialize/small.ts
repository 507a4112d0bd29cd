/**
 * The short path: numbers, short strings, and small trees of plain objects and arrays, as bytes in memory that is used again.
 *
 * What it does not carry it leaves to V8's serializer: anything large, deep, or met twice.
 */
import { ProcessError } from '../errors.ts';

const Tag = {
  undefined: 0,
  null: 1,
  true: 2,
  false: 3,
  int: 4,
  double: 5,
  latin1: 6,
  utf16: 7,
  array: 8,
  object: 9,
} as const;

/** First byte of all other messages is above the tags. */
export const LAST_TAG = Tag.object;

/** Most nested objects of a tree; a cycle has more. */
const MOST_NESTED = 24;
/** Strings of up to so many characters are written without a call. */
const SHORT = 48;

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

type Bytes = Buffer;

/** Objects of the tree so far. */
const met: (object | undefined)[] = Array.from({ length: MOST_NESTED });
let metCount = 0;

/**
 * Writes `value` at `at`.
 *
 * @returns where it ends; -1 if this is not for the short path, or there is too little room.
 */
export function writeSmall(bytes: Bytes, at: number, value: unknown): number {
  metCount = 0;
  const end = write(bytes, at, value, bytes.length - 16);
  // They are not to live longer for having been met.
  while (metCount > 0) met[--metCount] = undefined;
  return end;
}

/** `writeSmall` for an array that has no properties but its items, which takes some looking in one of the program's. */
export function writeSmallList(bytes: Bytes, at: number, items: readonly unknown[]): number {
  const { length } = items;
  const limit = bytes.length - 16;
  if (length > 0xffff || at > limit) return -1;
  bytes[at] = Tag.array;
  bytes[at + 1] = length;
  bytes[at + 2] = length >> 8;
  let end = at + 3;
  metCount = 0;
  for (let i = 0; i < length && end >= 0; i += 1) end = write(bytes, end, items[i], limit);
  while (metCount > 0) met[--metCount] = undefined;
  return end;
}

function write(bytes: Bytes, at: number, value: unknown, limit: number): number {
  if (at > limit) return -1;
  switch (typeof value) {
    case 'number':
      if ((value | 0) === value && (value !== 0 || !Object.is(value, -0))) {
        bytes[at] = Tag.int;
        bytes[at + 1] = value;
        bytes[at + 2] = value >> 8;
        bytes[at + 3] = value >> 16;
        bytes[at + 4] = value >> 24;
        return at + 5;
      }
      bytes[at] = Tag.double;
      double[0] = value;
      for (let i = 0; i < 8; i += 1) bytes[at + 1 + i] = doubleBytes[i] as number;
      return at + 9;
    case 'string':
      return writeString(bytes, at, value, limit);
    case 'boolean':
      bytes[at] = value ? Tag.true : Tag.false;
      return at + 1;
    case 'undefined':
      bytes[at] = Tag.undefined;
      return at + 1;
    case 'object':
      if (value === null) {
        bytes[at] = Tag.null;
        return at + 1;
      }
      return writeObject(bytes, at, value, limit);
    default:
      return -1;
  }
}

function writeString(bytes: Bytes, at: number, text: string, limit: number): number {
  const { length } = text;
  if (length <= SHORT) {
    let end = at + 3;
    if (end + length > limit) return -1;
    for (let i = 0; i < length; i += 1) {
      const code = text.charCodeAt(i);
      if (code > 0xff) return writeWide(bytes, at, text, limit);
      bytes[end++] = code;
    }
    bytes[at] = Tag.latin1;
    bytes[at + 1] = length;
    bytes[at + 2] = 0;
    return end;
  }
  return writeWide(bytes, at, text, limit);
}

function writeWide(bytes: Bytes, at: number, text: string, limit: number): number {
  const { length } = text;
  if (length > 0xffff || at + 3 + 2 * length > limit) return -1;
  bytes[at] = Tag.utf16;
  bytes[at + 1] = length;
  bytes[at + 2] = length >> 8;
  return at + 3 + bytes.write(text, at + 3, 'utf16le');
}

function writeObject(bytes: Bytes, at: number, value: object, limit: number): number {
  if (metCount === MOST_NESTED) return -1;
  for (let i = 0; i < metCount; i += 1) if (met[i] === value) return -1;
  met[metCount++] = value;
  let end = at + 3;
  if (Array.isArray(value)) {
    const { length } = value;
    if (length > 0xffff || value.constructor !== Array) return -1;
    bytes[at] = Tag.array;
    bytes[at + 1] = length;
    bytes[at + 2] = length >> 8;
    for (let i = 0; i < length; i += 1) {
      const item: unknown = value[i];
      // A hole is not undefined.
      if (item === undefined && !(i in value)) return -1;
      end = write(bytes, end, item, limit);
      if (end < 0) return -1;
    }
    // Arrays may have properties, too.
    return Object.keys(value).length === length ? end : -1;
  }
  if (value.constructor !== Object) return -1;
  const keys = Object.keys(value);
  const { length } = keys;
  if (length > 0xff) return -1;
  bytes[at] = Tag.object;
  bytes[at + 1] = length;
  bytes[at + 2] = 0;
  for (let i = 0; i < length; i += 1) {
    const key = keys[i] as string;
    end = writeString(bytes, end, key, limit);
    if (end < 0) return -1;
    end = write(bytes, end, (value as Record<string, unknown>)[key], limit);
    if (end < 0) return -1;
  }
  return end;
}

const corrupt = (what: string): ProcessError =>
  new ProcessError('ERR_MP_CORRUPT', `a message from another process cannot be rebuilt: ${what}`);

/** Where reading is. */
let position = 0;

/** Reads what `writeSmall` wrote in `bytes` from `at` to `end`. @throws ProcessError `ERR_MP_CORRUPT`. */
export function readSmall(bytes: Bytes, at: number, end: number): unknown {
  position = at;
  const value = read(bytes, end, 0);
  if (position !== end) throw corrupt(`${end - position} bytes too many`);
  return value;
}

function take(length: number, end: number): number {
  const at = position;
  position += length;
  if (position > end) throw corrupt('it is too short');
  return at;
}

function read(bytes: Bytes, end: number, depth: number): unknown {
  const at = take(1, end);
  switch (bytes[at]) {
    case Tag.int: {
      const from = take(4, end);
      return (
        (bytes[from] as number) |
        ((bytes[from + 1] as number) << 8) |
        ((bytes[from + 2] as number) << 16) |
        ((bytes[from + 3] as number) << 24)
      );
    }
    case Tag.double: {
      const from = take(8, end);
      for (let i = 0; i < 8; i += 1) doubleBytes[i] = bytes[from + i] as number;
      return double[0];
    }
    case Tag.latin1:
    case Tag.utf16:
      position = at;
      return readString(bytes, end);
    case Tag.true:
      return true;
    case Tag.false:
      return false;
    case Tag.null:
      return null;
    case Tag.undefined:
      return undefined;
    case Tag.array: {
      const length = readLength(bytes, end);
      // Each element has a byte at least.
      if (length > end - position || depth > MOST_NESTED) throw corrupt('a length that cannot be');
      const items: unknown[] = [];
      for (let i = 0; i < length; i += 1) items.push(read(bytes, end, depth + 1));
      return items;
    }
    case Tag.object: {
      const length = readLength(bytes, end);
      if (length > end - position || depth > MOST_NESTED) throw corrupt('a length that cannot be');
      const object: Record<string, unknown> = {};
      for (let i = 0; i < length; i += 1) {
        const key = readString(bytes, end);
        const value = read(bytes, end, depth + 1);
        if (key === '__proto__') define(object, key, value);
        else object[key] = value;
      }
      return object;
    }
    default:
      throw corrupt(`an unknown kind ${bytes[at]}`);
  }
}

function define(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function readLength(bytes: Bytes, end: number): number {
  const at = take(2, end);
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

/** Short strings met lately: most are keys, or values of few kinds. */
const known = Array.from({ length: 512 }, () => '');

function readString(bytes: Bytes, end: number): string {
  const tag = bytes[take(1, end)];
  const length = readLength(bytes, end);
  if (tag === Tag.utf16) {
    const from = take(2 * length, end);
    return bytes.toString('utf16le', from, from + 2 * length);
  }
  if (tag !== Tag.latin1) throw corrupt('no string where one should be');
  const from = take(length, end);
  if (length === 0) return '';
  const hash =
    (length * 31 +
      (bytes[from] as number) * 7 +
      (bytes[from + (length >> 1)] as number) * 17 +
      (bytes[from + length - 1] as number)) &
    511;
  const candidate = known[hash] as string;
  if (candidate.length === length) {
    let i = 0;
    while (i < length && candidate.charCodeAt(i) === bytes[from + i]) i += 1;
    if (i === length) return candidate;
  }
  return (known[hash] = bytes.toString('latin1', from, from + length));
}
