import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

describe('start methods and contexts', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    'the default',
    'set once',
    'a refused method changes nothing',
    'names that are refused',
    'a context',
    'members of a context',
    'the Process of a context',
    'children see the same method',
    'on a system without fork',
  ])('%s', async (name) => {
    await runPassing(fixture('context/context.mjs'), [name]);
  });
});
