// The raw calls, as in Python's `os`.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

const program = fixture('process/os.mjs');

const tests: Record<string, string> = {
  returnsTwice: 'fork() returns twice, with the same variables and pids of their own',
  fourProcesses: 'two forks in a row make four processes',
  childGoesOn: 'a forked child goes on with a working event loop and ends with its exit code',
  runsDry: 'a forked child that has nothing left to do ends with 0',
  pending: "the parent's timers, immediates and ticks are gone in the child, unless keepPending",
  forkArguments: 'fork() refuses bad options',
  zombie: 'a child of fork() is a zombie until waitpid(), whatever else goes on',
  daemon: 'a child of fork() in a daemon is a daemon',
  waits: 'wait, waitpid, WNOHANG, any child, any of the group, ECHILD, bad arguments',
  waitsForProcess: 'waitpid() on the child of a Process leaves the object its result',
  stopped: 'WUNTRACED and WCONTINUED report stopped and continued children',
  statuses: 'WIFEXITED and its family, waitstatusToExitcode',
  kills: 'kill() sends, asks, and refuses',
  exitNow: '_exit() runs nothing on the way out',
  parentIds: "getppid() changes with the parent's death",
  atFork: 'registerAtFork(): order, both sides, errors',
  callers: 'fork() from a microtask, a timer, an immediate, a tick, a callback',
};

describe('os', () => {
  for (const [name, title] of Object.entries(tests)) {
    it(title, { timeout: TEST_TIMEOUT_MS }, () => runPassing(program, [name]));
  }
});
