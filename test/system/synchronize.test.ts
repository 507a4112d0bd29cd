// Locks, semaphores and events between processes, and what becomes of them when a process dies.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing, type RunOptions } from '../helpers/run.ts';

const program = fixture('synchronize/locks.mjs');
/** Recoveries are announced in warnings, and standard error has to stay empty. */
const quiet = { nodeArgs: ['--no-warnings'] };
const long = { timeoutMs: 3 * WATCHDOG_MS };
/** Rounds with a process killed in each; more by environment. */
const rounds = process.env['MP_LOCK_ROUNDS'] ?? '20';

const tests: Record<string, [title: string, options?: RunOptions, ...args: string[]]> = {
  basics: ['MP045 MP050 MP051 acquire, release, locked and with of Lock and RLock'],
  arguments: ['bad arguments and serialisation are refused'],
  recursive: ['MP048 MP049 an RLock counts, belongs to a process and is not inherited by a child'],
  printed: ['MP047 printable forms'],
  semaphores: ['MP053 MP054 Semaphore and BoundedSemaphore count; a non-blocking acquire ignores the timeout'],
  permits: ['permits of dead processes are missed, and come back by recover()', quiet],
  named: ['MP262 a semaphore with a name: subclassed, shared by name, unlinked'],
  observed: ['waits are told on a diagnostics channel'],
  abandoned: [
    'a lock whose holder was killed throws until recover(), blocking and not, or is taken over with a warning',
    quiet,
  ],
  victims: ['four processes count under a Lock while one of them is killed', long, rounds],
  victimsOfSemaphore: ['the same with a Semaphore', long, rounds],
  waitersKilled: ['nothing is lost on waiters that were killed'],
  events: ['MP062 an event is waited for, set by a child, and not missed when cleared at once'],
  conditions: ['MP056 MP057 MP061 conditions: timeouts, notify(n), notifyAll, with three processes and three tasks'],
  waitFor: ['MP059 MP060 waitFor waits for a predicate over several notifies, with one timeout in all'],
  ghosts: ['notify passes over sleepers that were killed', quiet],
  asynchronous: ['1,000 asynchronous waits, in order, with one thread, aborted and timed out'],
  interrupted: ['Ctrl-C ends each blocking wait'],
  workers: ['a worker thread cannot make a lock'],
  leaks: ['5,000 rounds of making, using and dropping leave nothing', { nodeArgs: ['--expose-gc'], ...long }],
  heirs: ['memory that a living child inherited is not reused'],
};

describe('synchronisation', () => {
  for (const [name, [title, options, ...args]] of Object.entries(tests)) {
    it(title, { timeout: 3 * TEST_TIMEOUT_MS }, () => runPassing(program, [name, ...args], options));
  }
});
