// Signals to children and to whoever waits for them.
import { spawnSync, type ChildProcess } from 'node:child_process';
import { describe, expect, it } from 'vitest';

import { nodeBinary } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('process/signals.mjs');

const tests: Record<string, string> = {
  MP011: 'MP011: interrupt() sends SIGINT; join(0) and join(-1) return at once',
  MP012: 'MP012: with the default disposition restored, interrupt() gives -SIGINT',
  MP013: 'MP013: terminate() ends a child at rest, in its loop and in while (true)',
  MP014: 'MP014: kill() ends what refuses everything else, and what is stopped',
  MP204: 'MP204: a signal while a child waits for a connection',
  listeners: "the parent's listeners are gone in a child and dispositions are the default ones",
  handled: "a child's own listeners run",
  interrupted: "blocking waits give way to the program's own SIGINT, SIGTERM and SIGHUP listeners",
  before: 'a signal caught just before a blocking wait ends it as well',
  parentJoin: 'parentProcess().join() gives way to a listener as well, also to a signal caught just before',
  moments: 'a signal around the beginning of a blocking wait is not lost',
  dispositions: 'SIGUSR1, SIGINT, SIGTERM and SIGHUP end a child that does not listen',
  pending: "a signal that is pending at the fork is the parent's alone",
  undisturbed: 'other signals do not disturb a blocking wait',
};

/** What Ctrl-C does: SIGINT for the whole group. */
const ctrlC = (child: ChildProcess): void => void process.kill(-(child.pid as number), 'SIGINT');

describe('signals', () => {
  for (const [name, title] of Object.entries(tests)) {
    it(title, { timeout: TEST_TIMEOUT_MS }, () => runPassing(program, [name]));
  }

  for (const args of [['ctrlC', 'idle'], ['ctrlC', 'spin'], ['ctrlC', 'spin', 'daemon'], ['ctrlCAsync']]) {
    it(`Ctrl-C ends parent and child in silence: ${args.join(' ')}`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const { code, signal, stdout, stderr } = await runProgram(program, args, {
        when: { seen: 'ready', react: ctrlC },
      });
      expect(stdout).toMatch(/^ready \d+\n$/);
      expect(stderr).toBe('');
      expect({ code, signal }).toEqual({ code: null, signal: 'SIGINT' });
    });
  }

  it(
    'Ctrl-C during join() with a listener: join gives way, the program goes on',
    { timeout: TEST_TIMEOUT_MS },
    async () => {
      const { lines } = await runPassing(program, ['ctrlCListener'], { when: { seen: 'ready', react: ctrlC } });
      expect(lines.slice(1)).toEqual(['heard SIGINT', 'passed']);
    },
  );

  it('a signal that comes with the end of the last child is told', { timeout: TEST_TIMEOUT_MS }, async () => {
    // Without what process.ts does about it, it was lost every other time.
    for (let i = 0; i < 10; i++) {
      const { lines } = await runProgram(fixture('process/signal-at-end.mjs'));
      expect(lines).toEqual(['heard']);
    }
  });

  const python = spawnSync('python3', ['--version']).status === 0;
  it.skipIf(!python)(
    `a terminal stays as the parent has set it, however a child ends${python ? '' : ' (there is no python3)'}`,
    { timeout: TEST_TIMEOUT_MS },
    async () => {
      const spawnInTerminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
      const { stdout, code } = await runProgram('-c', [spawnInTerminal, nodeBinary, program, 'terminal'], {
        command: 'python3',
      });
      expect({ code, stdout }).toEqual({ code: 0, stdout: 'passed\r\n' });
    },
  );

  it('Ctrl-C while children start and end', { timeout: TEST_TIMEOUT_MS }, async () => {
    for (let i = 0; i < 5; i += 1) {
      const { signal, stderr } = await runProgram(program, ['ctrlCStarting'], {
        when: { seen: 'ready', react: (child) => setTimeout(ctrlC, 20 + i * 7, child) },
      });
      expect(signal).toBe('SIGINT');
      expect(stderr).toBe('');
    }
  });
});
