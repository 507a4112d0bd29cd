// Pools of threads, which have the interface of pools of processes.
import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing } from '../helpers/run.ts';

describe('ThreadPool', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['all calls of a pool', 'calls'],
    ['an initializer runs once in each thread', 'initializer'],
    ['MP112 errors arrive as they are; what cannot be carried fails alone', 'errors'],
    ['tasks are ended by timeouts, signals and terminate(), and lost with their thread', 'stopped'],
    ['threads that exit or run out of memory are noticed by calls that block', 'lost while blocked'],
    ['threads that never become ready are an error that says why', 'never ready'],
    ['a signal that the program listens for ends a call that blocks', 'interrupted'],
    ['bad input is refused', 'bad input'],
    ['a program ends though its pool is open', 'forgotten'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('thread-pool/thread-pool.mjs'), [name]);
  });
});
