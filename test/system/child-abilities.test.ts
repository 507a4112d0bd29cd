import { it } from 'vitest';

import { methods } from '../helpers/methods.ts';
import { fixture, runPassing } from '../helpers/run.ts';

it.each(methods)(
  'in a child everything of Node works: %s',
  async (method) => {
    const options = { nodeArgs: ['--expose-gc'], env: { MP_METHOD: method }, timeoutMs: 100_000 };
    await runPassing(fixture('child/abilities.mjs'), [], options);
  },
  120_000,
);
