// How a parent ends, and what becomes of its children. That nothing is left behind is checked by runProgram itself.
import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('process/parent-end.mjs');

/** How the parent ends, and its exit code. */
const ways: Record<string, number> = {
  natural: 0,
  exitCode: 6,
  exit: 5,
  exitLater: 5,
  throw: 1,
  throwLater: 1,
  reject: 1,
};

describe('the end of the parent', () => {
  for (const [way, expected] of Object.entries(ways)) {
    it(`${way}: children that are no daemons are waited for`, { timeout: TEST_TIMEOUT_MS }, async () => {
      // The shell's word comes after the parent's end.
      const command = '"$0" "$@"; echo "parent ended $?"';
      const result = await runProgram(
        '-c',
        [command, process.env['MP_NODE'] ?? process.execPath, program, 'ends', way],
        { command: '/bin/sh' },
      );
      expect([...result.lines].sort()).toEqual([
        'child one is done',
        'child two is done',
        `exit handler ${expected}`,
        `parent ended ${expected}`,
      ]);
      expect(result.lines.at(-1)).toBe(`parent ended ${expected}`);
      if (expected === 1) expect(result.stderr).toContain('Error: of the parent');
      else expect(result.stderr).toBe('');
    });

    it(`${way}: daemons are ended`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const { code, lines, stderr } = await runProgram(program, ['daemons', way]);
      expect(code).toBe(expected);
      expect(lines).toEqual([`exit handler ${expected}`]);
      expect(stderr.includes('of the parent')).toBe(expected === 1);
    });
  }

  for (const how of ['return', 'exit', 'throw']) {
    it(`a child that ends by ${how} waits for its own children`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const { code, lines, stderr } = await runProgram(program, ['generations', how]);
      expect(code).toBe(0);
      expect(lines).toEqual(['child is done', 'grandchild is done', 'parent is done']);
      expect(stderr.includes('of the child')).toBe(how === 'throw');
    });
  }

  for (const how of ['turning', 'blocked', 'join']) {
    it(
      `SIGKILL of a parent (${how}) takes its daemons with it, and the others live on as orphans`,
      { timeout: TEST_TIMEOUT_MS },
      () => runPassing(program, ['kill', how]),
    );
  }

  for (const how of ['kill', 'keep']) {
    it(`SIGKILL at any moment of a start leaves no daemon (${how})`, { timeout: 3 * TEST_TIMEOUT_MS }, () =>
      runPassing(program, ['storm', how, process.env['MP_STORM_ROUNDS'] ?? '40'], { timeoutMs: 3 * WATCHDOG_MS }),
    );
  }

  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGKILL', 'SIGINT'] as const) {
    it(
      `${signal} to a parent that does not handle it: its daemons go with it`,
      { timeout: TEST_TIMEOUT_MS },
      async () => {
        const result = await runProgram(program, ['terminated'], {
          when: { seen: 'ready', react: (child) => child.kill(signal) },
        });
        expect(result.signal).toBe(signal);
        expect(result.stderr).toBe('');
      },
    );
  }

  it('children of a raw fork() are not waited for', { timeout: TEST_TIMEOUT_MS }, async () => {
    const { code, lines } = await runProgram(program, ['rawChildren']);
    expect(code).toBe(0);
    expect(lines).toEqual(['parent ends']);
  });

  it('a program of which only daemons are left ends', { timeout: TEST_TIMEOUT_MS }, () =>
    runPassing(fixture('process/reaping.mjs'), ['daemonOnly']),
  );
});
