import { describe, it } from 'vitest';

import { hasPython } from '../helpers/python.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

const program = fixture('shared-memory/lists.mjs');

describe('shareable lists', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['MP166 get and set, type and format change', 'get and set'],
    ['MP166 out of range', 'out of range'],
    ['MP166 what exceeds its storage in UTF-8 spills nowhere', 'no spill'],
    ['MP166 integers and floats', 'numbers'],
    ['MP166 what cannot be stored', 'bad values'],
    ['MP166 count and index', 'count and index'],
    ['MP166 copy under a new name, second handle', 'copies and handles'],
    ['MP166 empty list', 'empty'],
    ['MP166 text and bytes', 'text and bytes'],
    ['MP166 printed form', 'printed form'],
    ['MP167 serialised: another handle, the same size for any length', 'serialised'],
    ['in children, by name and by object', 'children'],
    ['written by one process, read by another', 'written by one, read by another'],
    ['long lists', 'long lists'],
    ['memory that holds no list, or a damaged one', 'corrupt'],
  ])('%s', async (_, name) => {
    await runPassing(program, [name]);
  });

  it.runIf(hasPython)('MP166 shared with Python, both ways', async () => {
    await runPassing(program, ['python']);
  });
});
