import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { nodeMajor, nodeVersion } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, fixture, runProgram } from '../helpers/run.ts';

const tsx = createRequire(import.meta.url).resolve('tsx');
const minor = Number(nodeVersion.split('.')[1]);

const loaders: Record<string, string[]> = { tsx: ['--import', tsx] };
// Unflagged from 22.18 on, with a warning there.
if (nodeMajor > 22 || (nodeMajor === 22 && minor >= 18)) loaders['type stripping'] = ['--no-warnings'];

describe.each(Object.entries(loaders))('TypeScript run by %s', (_, nodeArgs) => {
  it('closures work, and import() in a child answers', { timeout: TEST_TIMEOUT_MS }, async () => {
    const { lines, code } = await runProgram(fixture('loaders/closure.ts'), [], { nodeArgs });
    expect(lines).toEqual(['hello', 'function', 'true 0 0']);
    expect(code).toBe(0);
  });

  it.each(['import', 'require'])(
    '%s of a file that was not loaded before works in a child, or fails at once and says why',
    { timeout: TEST_TIMEOUT_MS },
    async (way) => {
      const { json, code, stderr } = await runProgram(fixture('loaders/late-loading.ts'), [way], {
        nodeArgs,
        timeoutMs: 20_000,
      });
      expect({ code, end: json[1] }, stderr).toEqual({ code: 0, end: { exitCode: 0 } });
      expect([{ answer: 42 }, { isError: true, message: expect.stringMatching(/\S/) as unknown }]).toContainEqual(
        json[0],
      );
    },
  );
});
