import { describe, expect, it } from 'vitest';

import { Pool, Process, ProcessPoolExecutor, ThreadPool } from '../../src/index.ts';
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

describe('options of other names', () => {
  it.each([
    ['Process', { traget: () => {} }, () => new Process({ traget: () => {} } as object)],
    ['Pool', { maxtasksperchild: 1 }, () => new Pool(1, { maxtasksperchild: 1 } as object)],
    ['ThreadPool', { functions: [] }, () => new ThreadPool(1, { functions: [] } as object)],
    ['ProcessPoolExecutor', { processes: 2 }, () => new ProcessPoolExecutor({ processes: 2 } as object)],
    ['a waiting call', { timeout: 1 }, () => checkWaitOptions({ timeout: 1 } as object)],
  ])('%s: %o is refused', (_, options, make) => {
    expect(make).toThrow(invalid);
    expect(make).toThrow(Object.keys(options)[0]);
  });

  it('calls of a pool refuse them, too', () => {
    const pool = new Pool(1);
    for (const call of [
      () => pool.mapAsync(String, [1], { chunkSize: 2 } as object),
      () => pool.applyAsync(String, [], { timeout: 2 } as object),
      () => pool.imap(String, [1], { callback: () => {} } as object),
    ]) {
      expect(call).toThrow(invalid);
    }
    pool.terminate();
    expect(pool.join()).toBe(true);
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
