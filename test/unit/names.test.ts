import { afterEach, describe, expect, it } from 'vitest';

import { checkName, nameGenerator, withFreshName } from '../../src/shared/names.ts';

const invalid = expect.objectContaining({ code: 'ERR_MP_INVALID_ARG' });
const taken = Object.assign(new Error('taken'), { code: 'EEXIST' });

describe('names of shared memory', () => {
  it.each([['a'], ['a:b\nc'], ['...'], ['ä€😀'], ['x'.repeat(30)]])('%j passes', (name) => {
    expect(checkName(name)).toBe(name);
  });

  it.each([[''], ['.'], ['..'], ['/a'], ['a/b'], ['a\0b'], ['\udc00'], [5], [null], [Buffer.from('a')]])(
    '%j is refused',
    (name) => {
      expect(() => checkName(name)).toThrow(invalid);
      expect(() => checkName(name)).toThrow(TypeError);
    },
  );

  it('of too many bytes are refused', () => {
    expect(() => checkName('ä'.repeat(128))).toThrow(invalid);
    expect(() => checkName('ä'.repeat(128))).toThrow(RangeError);
  });
});

describe('made-up names', () => {
  const { next } = nameGenerator;
  afterEach(() => {
    nameGenerator.next = next;
  });

  it('name the process and differ', () => {
    const names = new Set(Array.from({ length: 1000 }, next));
    expect(names.size).toBe(1000);
    for (const name of names) {
      expect(name).toMatch(new RegExp(`^nmp_${process.pid}_[0-9a-f]{16}$`));
      expect(checkName(name)).toBe(name);
    }
  });

  it('MP157 MP158 another one is tried when one is taken', () => {
    const offered = ['a', 'b', 'c', 'd'];
    nameGenerator.next = () => offered.shift() as string;
    const made = withFreshName((name) => {
      if (name < 'c') throw taken;
      return name;
    });
    expect(made).toBe('c');
    expect(offered).toEqual(['d']);
  });

  it('other errors, and a generator without another idea, end that', () => {
    let attempts = 0;
    const full = new Error('full');
    const attempt = (error: Error): unknown =>
      withFreshName(() => {
        attempts += 1;
        throw error;
      });
    expect(() => attempt(full)).toThrow(full);
    expect(attempts).toBe(1);
    expect(() => attempt(taken)).toThrow(taken);
    expect(attempts).toBe(101);
  });
});
