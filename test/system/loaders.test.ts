import { createRequire } from 'node:module';
import { expect, it } from 'vitest';
import { nodeMajor } from '../helpers/nodes.ts';
import { fixture, runProgram } from '../helpers/run.ts';

const tsx = createRequire(import.meta.url).resolve('tsx');

const loaders: Record<string, string[]> = { tsx: ['--import', tsx] };
// Unflagged from 22.18 on.
if (Number(nodeMajor) >= 24) loaders['type stripping'] = [];

it.each(Object.entries(loaders))(
  'TypeScript run by %s: closures work, and import() in a child answers',
  async (_, nodeArgs) => {
    const { lines, code } = await runProgram(fixture('loaders/closure.ts'), [], { nodeArgs });
    expect(lines).toEqual(['hello', 'function', 'true 0 0']);
    expect(code).toBe(0);
  },
);
