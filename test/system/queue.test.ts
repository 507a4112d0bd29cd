// Queues.
import { freemem } from 'node:os';

import { describe, it } from 'vitest';

import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing, type RunOptions } from '../helpers/run.ts';

const program = fixture('queue/queues.mjs');
const gc: RunOptions = { nodeArgs: ['--expose-gc'] };

const tests: Record<string, [title: string, options?: RunOptions]> = {
  limits: ['MP033 a bounded queue: Full and Empty by every way of calling; bad arguments'],
  children: ["MP035 a child's own items come before it has ended, and are not mixed with the parent's"],
  sizes: ['MP036 qsize counts at once'],
  tasks: ['MP037 JoinableQueue: join returns when all items are done with'],
  unserializable: ['MP040 what cannot be serialised fails in put and takes no room'],
  closed: ['MP042 MP043 MP230 a closed queue says so'],
  simple: ['MP227 MP229 SimpleQueue: put, get, empty, closing twice'],
  imported: ['MP038 a queue is used while its module is being loaded, by import and by require'],
  values: ['values of all kinds there and back, errors with what they carry'],
  order: ['first in, first out for each producer; 1 to 1, 2 to 2, 4 to 1, 1 to 4'],
  joinFirst: ['1,000 items of 100 KB are all there after their producer has ended', gc],
  waiting: ['waits cost no CPU, end by timeout, abort and close, a thousand at once'],
  shutDown: ['shutdown: whoever waits is told, items can still be got, or are thrown away'],
  killed: [
    'producers and consumers are killed at any moment: nothing is torn, lost or stuck',
    { timeoutMs: 2 * WATCHDOG_MS },
  ],
  many: ['200 queues and their descriptors'],
  observed: ['waits are told on a diagnostics channel'],
};

describe('queue', () => {
  for (const [name, [title, options]] of Object.entries(tests)) {
    it(title, { timeout: 2 * TEST_TIMEOUT_MS }, () => runPassing(program, [name], options));
  }

  it.runIf(freemem() > 9 * 2 ** 30)('an item of 2.5 GB', { timeout: 2 * TEST_TIMEOUT_MS }, () =>
    runPassing(program, ['large'], { timeoutMs: 2 * WATCHDOG_MS }),
  );
});
