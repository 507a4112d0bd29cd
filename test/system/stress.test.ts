import { expect, it } from 'vitest';
import { fixture, runProgram } from '../helpers/run.ts';

it('children from every calling context; the parent goes on, and nothing of it happens in a child', async () => {
  const { code, stdout } = await runProgram(fixture('stress/contexts.cjs'), ['all', 'all', '1'], {
    timeoutMs: 160_000,
  });
  expect(stdout.trim().split('\n').at(-1)).toBe('OK');
  expect(code).toBe(0);
}, 180_000);
