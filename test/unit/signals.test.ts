import { describe, expect, it } from 'vitest';

import { signalName, signalNumber } from '../../src/signals.ts';

describe('names and numbers of signals', () => {
  it('names, with one name for a number that has several', () => {
    expect([2, 9, 15, 6, 11].map(signalName)).toEqual(['SIGINT', 'SIGKILL', 'SIGTERM', 'SIGABRT', 'SIGSEGV']);
    expect(signalName(40)).toBe('signal 40');
  });

  it('numbers from names and from numbers', () => {
    expect(['SIGINT', 'SIGIOT', 'SIGABRT'].map(signalNumber)).toEqual([2, 6, 6]);
    expect([0, 1, 64].map(signalNumber)).toEqual([0, 1, 64]);
    for (const bad of ['INT', 'sigint', 'SIGNOTHING', 'toString', -1, 65, 1.5, NaN])
      expect(signalNumber(bad)).toBeUndefined();
  });
});
