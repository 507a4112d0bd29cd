// Shared values and arrays.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, type RunOptions } from '../helpers/run.ts';

const program = fixture('shared/values.mjs');

const tests: Record<string, [title: string, options?: RunOptions]> = {
  values: ['MP075 values of each type hold what they were made with and what a child wrote'],
  rawValues: ['MP076 the same without a lock'],
  assignment: ['integers wrap; what is not of the type is refused and changes nothing'],
  locks: ['MP081 the lock of values and arrays: default, given, none, invalid'],
  counting: ['four processes count without losing an update'],
  arrays: ['MP078 arrays: length, indexing, slices, updates by a child, views without a copy'],
  zeros: ['MP079 a size gives that many zeros, also where another array was', { nodeArgs: ['--expose-gc'] }],
  text: ['arrays of chars are text'],
  wideText: ['wide characters: values and arrays'],
  structures: ['MP154 a child doubles values, structures and arrays, with locks and without'],
  layout: ['structures: laid out as C does, nested, in arrays; what does not fit is refused'],
  copies: ['MP155 a copy is independent of later changes'],
  wrapping: ['a raw value or array gets a lock; the raw one under a lock'],
};

describe('shared values and arrays', () => {
  for (const [name, [title, options]] of Object.entries(tests)) {
    it(title, { timeout: TEST_TIMEOUT_MS }, () => runPassing(program, [name], options));
  }
});
