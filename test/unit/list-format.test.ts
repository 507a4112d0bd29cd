import { describe, expect, it } from 'vitest';

import {
  encode,
  layOut,
  readElement,
  readFormat,
  readLayout,
  writeElement,
  writeLayout,
  type Layout,
} from '../../src/shared/list-format.ts';

const corrupt = expect.objectContaining({ code: 'ERR_MP_CORRUPT' });
const invalid = expect.objectContaining({ code: 'ERR_MP_INVALID_ARG' });

function make(values: unknown[]): { block: Buffer; layout: Layout } {
  const encoded = values.map(encode);
  const layout = layOut(encoded);
  const block = Buffer.alloc(layout.size);
  writeLayout(block, layout);
  encoded.forEach((value, index) => writeElement(block, layout, index, value));
  return { block, layout };
}

describe('format of shareable lists', () => {
  // Written by CPython 3.11.
  const pythons =
    '0500000000000000' +
    '0000000000000000' +
    '0800000000000000' +
    '1000000000000000' +
    '1800000000000000' +
    '2000000000000000' +
    '2800000000000000' +
    '6869000000000000' +
    '2a00000000000000' +
    '000000000000f83f' +
    '0000000000000001' +
    '0000000000000000' +
    '3873000000000000' +
    '7100000000000000' +
    '6400000000000000' +
    '787878787878783f' +
    '7878787878783f78' +
    '0100000003';

  it('is that of Python', () => {
    const { block } = make(['hi', 42, 1.5, true, null]);
    expect(block.toString('hex')).toBe(pythons);
    expect(make([]).block.toString('hex')).toBe('00'.repeat(16));
  });

  it('layouts are read as they were written', () => {
    for (const values of [[], ['a'], ['', 1, Buffer.alloc(100), null, 'x'.repeat(8)]]) {
      const { block, layout } = make(values);
      expect(readLayout(block)).toEqual(layout);
    }
  });

  it.each([
    ['', 8],
    ['1234567', 8],
    ['12345678', 16],
    ['äöüä', 16],
    ['äöü', 8],
  ])('%j has %i bytes of storage', (value, bytes) => {
    const { block, layout } = make([value, 0]);
    expect((layout.slots[1] as number) - (layout.slots[0] as number)).toBe(bytes);
    expect(readFormat(block, layout, 0)).toBe(`${bytes}s`);
    expect(readElement(block, layout, 0)).toBe(value);
  });

  it('a value that does not fit changes nothing', () => {
    const { block, layout } = make(['a', 'b']);
    const before = Buffer.from(block);
    expect(() => writeElement(block, layout, 0, encode('123456789'))).toThrow(invalid);
    expect(block).toEqual(before);
    writeElement(block, layout, 0, encode('12345678'));
    expect(readElement(block, layout, 1)).toBe('b');
  });

  it.each([[undefined], [{}], [[]], [Symbol('s')], [2n ** 63n], [-(2n ** 63n) - 1n]])(
    '%s cannot be stored',
    (value) => {
      expect(() => encode(value)).toThrow(invalid);
    },
  );

  it('any length that memory may claim is checked', () => {
    const { block } = make([1]);
    for (const length of [-1n, 2n, 2n ** 60n, 2n ** 63n - 1n]) {
      block.writeBigInt64LE(length);
      expect(() => readLayout(block)).toThrow(corrupt);
    }
    for (const size of [0, 1, 15]) expect(() => readLayout(Buffer.alloc(size))).toThrow(corrupt);
  });
});
