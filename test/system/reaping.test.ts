// No zombies, nobody else's children, and the world around a child untouched.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing, type RunOptions } from '../helpers/run.ts';

const program = fixture('process/reaping.mjs');
const long = { timeoutMs: 3 * WATCHDOG_MS };
/** Rounds of 25 of each kind; more by environment. */
const rounds = process.env['MP_REAPING_ROUNDS'] ?? '40';

const tests: Record<string, [title: string, options?: RunOptions, ...args: string[]]> = {
  calls: ['every call that can reap does so at once'],
  duringWaits: ['children that end while a wait for another blocks are reaped by it, and their events come afterwards'],
  hooks: ['a hook of registerAtFork that reaps or starts loses no end of a child'],
  hookEnds: ['a program whose hook has reaped ends'],
  loop: ['children that nobody asks for are reaped while the loop turns'],
  startReaps: ['start() reaps those that have ended before'],
  childProcess: [
    'children of child_process keep exit events and codes when both kinds end at the same moment',
    long,
    rounds,
  ],
  thousand: ['1,000 children at once, joined asynchronously without a thread', long],
  thousandInARow: ['1,000 children one after the other', long],
  thousandWaits: ['3,000 waits for one child, of which 1,000 are aborted and 1,000 time out'],
  stdin: ["a child's standard input is /dev/null and the parent keeps its own", { input: 'for the parent\n' }],
  randomness: ['50 children draw nothing that another or the parent has drawn'],
  world: ["the parent's server, connections and timers go on and are not touched by children"],
  handover: ['a socket that is handed over with unsent data delivers each byte once'],
  ipc: ['a program started by child_process.fork() keeps its channel, and its children have none'],
  cluster: ['a worker of a cluster as the caller'],
  clusterPrimary: ['the primary of a cluster as the caller'],
  pid: ['process.pid and process.ppid in a child'],
};

describe('reaping', () => {
  for (const [name, [title, options, ...args]] of Object.entries(tests)) {
    it(title, { timeout: 3 * TEST_TIMEOUT_MS }, () => runPassing(program, [name, ...args], options));
  }
});
