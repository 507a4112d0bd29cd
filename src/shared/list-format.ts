/**
 * How CPython (3.10 and newer) lays out a `ShareableList`, so that lists can be shared with Python. All integers are little-endian.
 *
 * - the number of elements n, 8 bytes
 * - n + 1 offsets of slots, counted from the end of these offsets, 8 bytes each; the last one is where the slots end
 * - the slots: multiples of 8 bytes
 * - n formats of Python's `struct` module, 8 bytes each: `q`, `d`, `xxxxxxx?`, `xxxxxx?x` (for None), `16s` (as long as the slot)
 * - n kinds, 1 byte each: 0 a number or boolean, 1 a string, 2 bytes, 3 nothing
 */
import { isUtf8 } from 'node:buffer';
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from '../errors.ts';

/** What an element can be. */
export type ShareableValue = string | Uint8Array | number | bigint | boolean | null;

/** Where things are. */
export interface Layout {
  readonly length: number;
  /** One more than there are elements; from the beginning of the block. */
  readonly slots: readonly number[];
  readonly formats: number;
  readonly kinds: number;
  readonly size: number;
}

const INTEGER = 'q';
const FLOAT = 'd';
const BOOLEAN = 'xxxxxxx?';
const NOTHING = 'xxxxxx?x';

const kind = { plain: 0, text: 1, bytes: 2, nothing: 3 } as const;

/** Bytes of an offset, a format and a slot's unit. */
const WORD = 8;
/** A format has 8 characters at most. */
const MAX_SLOT = 9_999_992;

/** A value as it is stored. */
export interface Encoded {
  /** Undefined for text and bytes, whose format says how long the slot is. */
  readonly format: string | undefined;
  readonly kind: number;
  readonly bytes: Uint8Array;
}

/** Checks and encodes a value. @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`). */
export function encode(value: unknown): Encoded {
  switch (typeof value) {
    case 'string':
      return { format: undefined, kind: kind.text, bytes: Buffer.from(value) };
    case 'boolean':
      return { format: BOOLEAN, kind: kind.plain, bytes: Buffer.from([0, 0, 0, 0, 0, 0, 0, Number(value)]) };
    case 'number': {
      const isInteger = Number.isSafeInteger(value) && !Object.is(value, -0);
      if (isInteger) return integer(BigInt(value));
      const bytes = Buffer.alloc(WORD);
      bytes.writeDoubleLE(value);
      return { format: FLOAT, kind: kind.plain, bytes };
    }
    case 'bigint':
      if (BigInt.asIntN(64, value) === value) return integer(value);
      throw invalidArgument(`an integer must fit into 64 bits with its sign, unlike ${value}`, RangeError);
    case 'object':
      if (value === null) return { format: NOTHING, kind: kind.nothing, bytes: Buffer.alloc(WORD) };
      if (value instanceof Uint8Array) return { format: undefined, kind: kind.bytes, bytes: value };
  }
  throw invalidArgument(
    `a ShareableList holds strings, Buffers, numbers, bigints, booleans and null, not ${inspect(value)}`,
  );
}

function integer(value: bigint): Encoded {
  const bytes = Buffer.alloc(WORD);
  bytes.writeBigInt64LE(value);
  return { format: INTEGER, kind: kind.plain, bytes };
}

/** Where everything of a new list will be: each slot with room for its value, and one byte at least to spare. */
export function layOut(values: readonly Encoded[]): Layout {
  const slots = [(values.length + 2) * WORD];
  for (const { format, bytes } of values) {
    const slot = format === undefined ? WORD * (Math.floor(bytes.length / WORD) + 1) : WORD;
    if (slot > MAX_SLOT) {
      throw invalidArgument(
        `a string or Buffer must have less than ${MAX_SLOT} bytes, not ${bytes.length}`,
        RangeError,
      );
    }
    slots.push((slots.at(-1) as number) + slot);
  }
  return layoutOf(slots);
}

function layoutOf(slots: readonly number[]): Layout {
  const length = slots.length - 1;
  const formats = slots[length] as number;
  const kinds = formats + length * WORD;
  return { length, slots, formats, kinds, size: kinds + length };
}

/** Writes what does not change. */
export function writeLayout(block: Buffer, { length, slots }: Layout): void {
  writeWord(block, 0, length);
  slots.forEach((slot, index) => writeWord(block, (index + 1) * WORD, slot - (slots[0] as number)));
}

/** Reads it, believing nothing. @throws ProcessError `ERR_MP_CORRUPT`. */
export function readLayout(block: Buffer): Layout {
  const length = block.length < 2 * WORD ? -1 : readWord(block, 0);
  const first = (length + 2) * WORD;
  if (length < 0 || first > block.length) throw corrupt(`its length is ${length} in ${block.length} bytes`);
  const slots: number[] = [];
  for (let index = 0; index <= length; index += 1) {
    const slot = first + readWord(block, (index + 1) * WORD);
    const previous = slots[index - 1];
    const fits = previous === undefined ? slot === first : slot >= previous + WORD && slot <= block.length;
    if (!fits) throw corrupt(`the offset of element ${index} is ${slot - first}`);
    slots.push(slot);
  }
  const layout = layoutOf(slots);
  if (layout.size > block.length) throw corrupt(`it needs ${layout.size} bytes and has ${block.length}`);
  return layout;
}

/** Writes an element. @throws RangeError (`ERR_MP_INVALID_ARG`) if it does not fit; nothing is written then. */
export function writeElement(block: Buffer, layout: Layout, index: number, value: Encoded): void {
  const [start, end] = slotOf(layout, index);
  if (value.bytes.length > end - start) {
    throw invalidArgument(
      `element ${index} has ${end - start} bytes of storage, too few for ${value.bytes.length}: ` +
        'the first value of an element decides how much there is',
      RangeError,
    );
  }
  block.set(value.bytes, start);
  block.fill(0, start + value.bytes.length, value.format === undefined ? end : start + WORD);
  const format = value.format ?? `${end - start}s`;
  block.write(format.padEnd(WORD, '\0'), layout.formats + index * WORD, 'latin1');
  block[layout.kinds + index] = value.kind;
}

/** An element's format. @throws ProcessError `ERR_MP_CORRUPT` if it is none that the slot can have. */
export function readFormat(block: Buffer, layout: Layout, index: number): string {
  const at = layout.formats + index * WORD;
  let end = at + WORD;
  while (end > at && block[end - 1] === 0) end -= 1;
  const format = block.toString('latin1', at, end);
  if (format === INTEGER || format === FLOAT || format === BOOLEAN || format === NOTHING) return format;
  const [start, limit] = slotOf(layout, index);
  const room = /^\d{1,7}s$/.test(format) ? Number.parseInt(format, 10) : Number.POSITIVE_INFINITY;
  if (room > limit - start) throw corrupt(`the format of element ${index} is ${inspect(format)}`);
  return format;
}

/** Reads an element: a copy. @throws ProcessError `ERR_MP_CORRUPT`. */
export function readElement(
  block: Buffer,
  layout: Layout,
  index: number,
): string | Buffer | number | bigint | boolean | null {
  const format = readFormat(block, layout, index);
  const [start] = slotOf(layout, index);
  const found = block[layout.kinds + index];
  if (found === kind.nothing) return null;
  if (found === kind.plain) {
    if (format === INTEGER) return readInteger(block, start);
    if (format === FLOAT) return block.readDoubleLE(start);
    if (format === BOOLEAN) return block[start + WORD - 1] !== 0;
  }
  if ((found === kind.text || found === kind.bytes) && format.endsWith('s')) {
    // Copied first: another process may be writing.
    const bytes = Buffer.from(block.subarray(start, start + Number.parseInt(format, 10)));
    let end = bytes.length;
    while (end > 0 && bytes[end - 1] === 0) end -= 1;
    const content = bytes.subarray(0, end);
    if (found === kind.bytes) return content;
    if (isUtf8(content)) return content.toString();
    throw corrupt(`element ${index} is no UTF-8`);
  }
  throw corrupt(`element ${index} has format ${inspect(format)} and kind ${found}`);
}

function slotOf(layout: Layout, index: number): [start: number, end: number] {
  return [layout.slots[index] as number, layout.slots[index + 1] as number];
}

/** A 64-bit integer: a bigint if a number would not be exact. */
function readInteger(block: Buffer, at: number): number | bigint {
  const value = readWord(block, at);
  return Number.isSafeInteger(value) ? value : block.readBigInt64LE(at);
}

/** A 64-bit integer, exact if it is a safe one. */
function readWord(block: Buffer, at: number): number {
  return block.readInt32LE(at + 4) * 2 ** 32 + block.readUInt32LE(at);
}

function writeWord(block: Buffer, at: number, value: number): void {
  block.writeBigInt64LE(BigInt(value), at);
}

function corrupt(what: string): ProcessError {
  return new ProcessError('ERR_MP_CORRUPT', `this shared memory holds no intact ShareableList: ${what}`);
}
