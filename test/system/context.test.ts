import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

describe('start methods and contexts', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
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

  it('MP210 the default is the first of all', async () => {
    await runPassing(fixture('context/context.mjs'), ['the default']);
  });

  it.each([
    ['MP205 contexts know their method, keep it, and pass it on', 'contexts'],
    ['MP209 a method that is forced is that of all that follows', 'forced'],
    ['MP212 what processes share goes to children of each method; what cannot is refused by start()', 'mixed'],
    ['MP004 the executable is text, bytes or a URL', 'executable'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('context/methods.mjs'), [name]);
  });
});
