// Process objects: the rows of area `process`, and what the constructor and the methods refuse.
import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('process/objects.mjs');
const reaping = fixture('process/reaping.mjs');

/** Tests that compare inside, by name; `--expose-gc` for those that look at what is collected. */
const tests: Record<string, string> = {
  MP003: 'MP003: the main process as an object',
  MP005: 'MP005: arguments and keyword arguments arrive unchanged',
  MP006: 'MP006: the daemon flag is inherited and can be given',
  MP007: 'MP007: parentProcess() in the main process and in a child',
  MP008: 'MP008: a grandchild sees its parent alive, and then not',
  MP010: "MP010: the child's main thread is its own",
  MP016: 'MP016: activeChildren() is a fresh list of those that run',
  MP017: 'MP017: children start and join children, in order',
  MP018: 'MP018: the sentinel becomes ready at the end and stays until close()',
  lateSentinel: 'MP018: the sentinel of a process that has ended unnoticed is ready, and the exit event still comes',
  sentinelReuse: 'the sentinel of an ended process stays its own when another gets the same pid',
  timers: "the parent's timers fire in a child only if they are refreshed there",
  support: 'forkSupport() in a process that is no child, before and after a start, and in a child',
  MP019: 'MP019: close() while running, afterwards, again; the object can be collected',
  MP020: 'MP020: a hundred children at once; a hundred terminated right after the start',
  MP021: 'MP021: start() drops target and arguments in the parent',
  MP030: 'MP030: a subclass with state and a run() of its own',
  MP201: 'MP201: the registry of fork hooks does not grow over generations',
  MP015: 'MP015: cpuCount()',
  exports: 'MP255: the same names by import and by require',
  constructor: 'the constructor refuses what is of the wrong type, with a code',
  names: 'default names count per process and go with the class',
  firstNames: 'the first process is Process-1, the second grandchild Process-1:2',
  firstPiao: 'the first process of a subclass is Piao-1',
  repr: 'the printable form in every state',
  startTwice: 'starting twice is refused',
  notStarted: 'what needs a started process is refused before start()',
  joinSelf: 'joining oneself is refused',
  notMine: 'a process of somebody else is refused, with every method',
  daemonLate: 'daemon cannot be changed after start()',
  daemonChildren: 'a daemon may have no children',
  authkey: 'authkey is inherited, can be set, and is not printed',
  events: 'events exit and error, whoever learns of the end',
  asyncDispose: 'Symbol.asyncDispose terminates, kills what refuses, and closes',
  join: 'join(): timeouts, results, bad arguments',
  joinAsync: 'joinAsync(): timeouts, aborts, many at once, bad arguments',
  joinCpu: 'waiting burns no CPU',
  thrownAway: 'processes that nobody holds or joins are reaped and collected',
};

describe('Process', () => {
  for (const [name, title] of Object.entries(tests)) {
    it(title, { timeout: TEST_TIMEOUT_MS }, () => runPassing(program, [name], { nodeArgs: ['--expose-gc'] }));
  }

  it(
    'MP023: referenced timers and threads keep a child alive after its target, others do not',
    { timeout: TEST_TIMEOUT_MS },
    () => runPassing(reaping, ['MP023']),
  );

  it('MP030: a program in CommonJS', { timeout: TEST_TIMEOUT_MS }, async () => {
    const { code, stdout } = await runProgram(fixture('process/common.cjs'));
    expect(stdout).toBe('child of common\nparent of common 0\n');
    expect(code).toBe(0);
  });
});
