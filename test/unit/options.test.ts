import { describe, expect, it } from 'vitest';

import { checkFunction, checkInteger, checkTimeout, checkWaitOptions } from '../../src/options.ts';

const invalid = expect.objectContaining({ code: 'ERR_MP_INVALID_ARG' });

describe('timeouts', () => {
  it.each([
    [undefined, Infinity],
    [null, Infinity],
    [Infinity, Infinity],
    [0, 0],
    [-1, 0],
    [-Infinity, 0],
    [0.5, 0.5],
    [1e300, 1e300],
  ])('%s means %s', (given, meant) => {
    expect(checkTimeout(given)).toBe(meant);
  });

  it.each([['1'], [NaN], [true], [{}], [[]], [1n]])('%s is refused with the name of the parameter', (given) => {
    expect(() => checkTimeout(given, 'patience')).toThrow(invalid);
    expect(() => checkTimeout(given, 'patience')).toThrow(/patience/);
    expect(() => checkTimeout(given)).toThrow(TypeError);
  });
});

describe('options of waits', () => {
  it('none means for ever', () => {
    expect(checkWaitOptions(undefined)).toEqual({ timeoutMs: Infinity, signal: undefined });
    expect(checkWaitOptions({})).toEqual({ timeoutMs: Infinity, signal: undefined });
  });

  it('both are taken', () => {
    const { signal } = new AbortController();
    expect(checkWaitOptions({ timeoutMs: 5, signal })).toEqual({ timeoutMs: 5, signal });
  });

  it.each([[5], ['x'], [null], [{ timeoutMs: 'x' }], [{ signal: {} }], [{ signal: null }]])(
    '%j is refused',
    (given) => {
      expect(() => checkWaitOptions(given as never)).toThrow(invalid);
    },
  );
});

describe('integers and functions', () => {
  it('integers of 32 bits pass', () => {
    for (const value of [0, -1, 0x7fffffff, -0x7fffffff]) expect(checkInteger(value, 'n')).toBe(value);
  });

  it.each([[0.5], [NaN], [Infinity], ['1'], [null], [undefined], [2 ** 31], [1n]])('%s is no integer', (given) => {
    expect(() => checkInteger(given, 'n')).toThrow(invalid);
    expect(() => checkInteger(given, 'n')).toThrow(/^n must/);
  });

  it('functions and nothing pass, all else does not', () => {
    for (const value of [undefined, () => {}, async () => {}, class {}])
      expect(checkFunction(value, 'f')).toBeUndefined();
    for (const value of [null, 1, 'f', {}]) expect(() => checkFunction(value, 'f')).toThrow(invalid);
  });
});
