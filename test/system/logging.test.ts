import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('logging/logging.mjs');

/** The lines of standard error of a program that ends well. */
async function logged(name: string) {
  const { code, lines, json, stderr } = await runProgram(program, [name]);
  expect({ code, passed: lines.at(-1) }, stderr).toEqual({ code: 0, passed: 'passed' });
  return { json, log: stderr.split('\n').slice(0, -1) };
}

describe('logging', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    'levels are numbers',
    'silent without a handler',
    "a child has its parent's level",
    'handlers of the program',
  ])('%s', async (name) => {
    await runPassing(program, [name]);
  });

  it('messages below the level are not printed, those above once', async () => {
    const names = ['SUBDEBUG', 'DEBUG', 'INFO', 'SUBWARNING', 'WARNING', 'ERROR'];
    const messages = ['subDebug', 'debug', 'info', 'subWarning', 'warning', 'error'];
    const all = names.map((name, index) => `[${name}/MainProcess] ${messages[index]}`);
    const { log } = await logged('messages below the level are not printed');
    expect(log).toEqual([...all.slice(4), ...all, ...all.slice(5)]);
  });

  it('the format is [LEVEL/PROCESS NAME] message', async () => {
    const { log } = await logged('the format');
    expect(log).toEqual([
      '[INFO/MainProcess] egon has 3 of {"tickets":1} left',
      '[Level 32/MainProcess] between',
      '[SUBWARNING/MainProcess] 100%',
      '[ERROR/MainProcess] doomed',
    ]);
  });

  it('the process that logs is named', async () => {
    const { log } = await logged('a child is named');
    expect(log).toEqual([
      '[WARNING/egon] from a child',
      '[WARNING/Process-1:1] from its child',
      '[WARNING/MainProcess] from a raw child',
    ]);
  });

  it('children that start and end are logged at INFO', async () => {
    const { log, json } = await logged('children that start and end are logged');
    const [good, bad, killed] = json.map(({ pid }) => pid);
    expect(log).toEqual([
      `[INFO/MainProcess] good started with pid ${good}`,
      `[INFO/MainProcess] good (pid ${good}) exited with code 0`,
      `[INFO/MainProcess] bad started with pid ${bad}`,
      `[INFO/MainProcess] bad (pid ${bad}) exited with code 3`,
      `[INFO/MainProcess] killed started with pid ${killed}`,
      `[INFO/MainProcess] killed (pid ${killed}) was ended by SIGKILL`,
    ]);
  });
});
