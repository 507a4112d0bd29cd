// Barriers between processes.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing } from '../helpers/run.ts';

const program = fixture('synchronize/barriers.mjs');

const tests: Record<string, string> = {
  basics: 'MP073 a barrier of one never blocks; bad arguments; an action that throws breaks it',
  indexes: 'MP066 MP067 indexes are distinct, and the action runs once a round before anybody goes on',
  thousand: 'MP074 five processes pass a barrier a thousand times',
  abortAndReset: 'MP069 MP070 abort and reset while others wait, and use after it',
  timeouts: 'MP071 MP072 one party too late breaks it for all; the timeout of the constructor',
  expected: 'it breaks when a party dies that never came, if it was handed the barrier',
  lastMoment: 'a timeout at the moment of opening: all have passed, or none',
  deaths: 'it breaks for the others when a party is killed, waiting or not',
  asynchronous: 'parties that do not block, aborted and timed out',
};

describe('barrier', () => {
  for (const [name, title] of Object.entries(tests)) {
    it(title, { timeout: 2 * TEST_TIMEOUT_MS }, () => runPassing(program, [name], { timeoutMs: 2 * WATCHDOG_MS }));
  }
});
