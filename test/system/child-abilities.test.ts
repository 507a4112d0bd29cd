import { it } from 'vitest';
import { fixture, runPassing } from '../helpers/run.ts';

it('in a child everything of Node works', async () => {
  await runPassing(fixture('child/abilities.mjs'), [], { nodeArgs: ['--expose-gc'], timeoutMs: 100_000 });
}, 120_000);
