import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('finalize/finalize.mjs');
const order = ['a', 'b', 'd10', 'd03', 'd02', 'd01', 'e'];
const endings: [string, number][] = [
  ['return', 0],
  ['return after a while', 0],
  ['exit', 3],
  ['throw', 1],
  ['reject', 1],
];

describe('finalizers', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each(['one call', 'bad arguments', 'printed form', 'one listener for any number'])('%s', async (name) => {
    await runPassing(program, [name]);
  });

  it.each(endings)('run at exit by priority, then newest first: %s', async (ending, exitCode) => {
    const { code, lines } = await runProgram(program, [`order: ${ending}`]);
    expect(code).toBe(exitCode);
    expect(lines.filter((line) => line !== 'passed')).toEqual(order);
  });

  it.each(endings)('run at the end of a child: %s', async (ending, exitCode) => {
    const { code, lines } = await runProgram(program, [`order in a child: ${ending}`]);
    expect(code).toBe(0);
    expect(lines).toEqual([...order, `exit code ${exitCode}`, 'passed']);
  });

  it('run when the object is collected; errors are printed', async () => {
    const { code, lines, stderr } = await runProgram(program, ['collected'], { nodeArgs: ['--expose-gc'] });
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
    expect(stderr).toMatch(/^Error in unlucky, run by Finalize:\nError: as wanted\n {4}at /);
  });

  it('run when an object of a child is collected there', async () => {
    const { lines } = await runPassing(program, ['collected in a child'], { nodeArgs: ['--expose-gc'] });
    expect(lines).toEqual(['collected', 'passed']);
  });

  it('belong to the process that made them', async () => {
    const { lines } = await runPassing(program, ['inherited ones are dropped']);
    expect(lines).toEqual(['of the child', 'of a raw child', 'passed', 'in the parent']);
  });

  it('an error at exit stops neither the others nor changes the exit code', async () => {
    const { code, lines, stderr } = await runProgram(program, ['errors at exit']);
    expect({ code, lines }).toEqual({ code: 0, lines: ['passed', 'first', 'last'] });
    expect(stderr).toMatch(/^Error in unlucky, run by Finalize:\nError: as wanted\n {4}at /);
  });

  it('one that runs at exit can add and cancel others', async () => {
    const { lines } = await runPassing(program, ['added by another one']);
    expect(lines).toEqual(['passed', 'outer', 'inner']);
  });

  it('negative priorities come after the end of the children', async () => {
    const { code, lines } = await runProgram(program, ['before and after the children']);
    expect({ code, lines }).toEqual({ code: 0, lines: ['before: 2', 'after: 0'] });
  });
});
