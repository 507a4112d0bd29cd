import { expect, it } from 'vitest';
import { fixture, runPassing, runProgram } from '../helpers/run.ts';

// Two rounds: the second may have no more descriptors open than the first.
it('children from every calling context; the parent goes on, and nothing of it happens in a child', async () => {
  const { code, stdout } = await runProgram(fixture('stress/contexts.cjs'), ['all', 'all', '2'], {
    timeoutMs: 320_000,
  });
  expect(stdout.trim().split('\n').at(-1)).toBe('OK');
  expect(code).toBe(0);
}, 340_000);

it('children of a busy program, from ten calling contexts, that end in every way', async () => {
  await runPassing(fixture('stress/traffic.mjs'), ['10'], { timeoutMs: 300_000 });
}, 320_000);

it('a large heap is laid out so that forks have little to copy', async () => {
  await runPassing(fixture('stress/page-tables.mjs'));
});
