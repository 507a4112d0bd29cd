import { describe, expect, it } from 'vitest';

import { ERROR_CODES, ForkError, InterruptedError, ProcessError, invalidArgument } from '../../src/errors.ts';

describe('errors', () => {
  it('the classes build on one another and carry their names', () => {
    const fork = new ForkError('ERR_MP_FORK_NO_PROC', 'text', { cause: 1 });
    expect(fork).toBeInstanceOf(ProcessError);
    expect(fork).toBeInstanceOf(Error);
    expect(fork).not.toBeInstanceOf(InterruptedError);
    expect(fork).toMatchObject({ name: 'ForkError', code: 'ERR_MP_FORK_NO_PROC', message: 'text', cause: 1 });
    const base = new ProcessError('ERR_MP_CLOSED', 'text');
    expect(base).not.toBeInstanceOf(ForkError);
    expect(base.name).toBe('ProcessError');
    expect(new Error('x')).not.toBeInstanceOf(ProcessError);
    for (const value of [null, undefined, 1, 'x', {}]) expect(value instanceof ProcessError).toBe(false);
  });

  it('an interruption names what was interrupted, the signal and the cure', () => {
    const error = new InterruptedError('join() of egon', 'SIGINT');
    expect(error).toMatchObject({ code: 'ERR_MP_INTERRUPTED', signal: 'SIGINT', name: 'InterruptedError' });
    expect(error.message).toMatch(/join\(\) of egon.*SIGINT.*Async/);
  });

  it('a bad argument is a TypeError or a RangeError with a code', () => {
    expect(invalidArgument('text')).toBeInstanceOf(TypeError);
    expect(invalidArgument('text', RangeError)).toBeInstanceOf(RangeError);
    expect(invalidArgument('text')).toMatchObject({ code: 'ERR_MP_INVALID_ARG', message: 'text' });
  });

  it('codes are unique, sorted and of one form', () => {
    expect([...ERROR_CODES]).toEqual([...new Set(ERROR_CODES)].sort());
    for (const code of ERROR_CODES) expect(code).toMatch(/^ERR_MP_[A-Z_]+$/);
  });
});
