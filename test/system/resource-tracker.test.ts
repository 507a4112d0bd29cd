// There is no resource tracker, as the kernel does its work: what users get from Python's, they get without it.
import { existsSync, readFileSync, rmSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('shared-memory/tracker.mjs');
const blocks = fixture('shared-memory/blocks.mjs');
let names = 0;

/** A name that nobody else uses. */
const uniqueName = (): string => `nmp-test-tracker-${process.pid}-${(names += 1)}`;

/** The one line that is written for a block that was left. */
const warning = (name: string): RegExp =>
  new RegExp(
    `^node-multiprocessing: shared memory '${name}' was left by process \\d+ \\(track: true\\) and has been unlinked$`,
    'gm',
  );

const warnings = (stderr: string, name: string): number => [...stderr.matchAll(warning(name))].length;

describe('without a resource tracker', { timeout: TEST_TIMEOUT_MS }, () => {
  it('MP214 terminated processes leave nothing', async () => {
    await runPassing(program, ['terminated processes'], { nodeArgs: ['--expose-gc'] });
  });

  it.each([
    ['MP215', 'SIGINT'],
    ['MP216', 'SIGTERM'],
  ])('%s %s does no harm and gives no warning', async (_, signal) => {
    await runPassing(program, ['signals', signal]);
  });

  it.each([
    ['MP217 MP218 there is no helper that could be killed, in parents or children', 'no helper'],
    ['MP221 the signal mask stays as it was', 'signal mask'],
    ['MP222 a process can exit while its raw child lives on', 'raw child lives on'],
    ['MP224 a raw child has nothing to do with what its parent tracks', 'raw child has no say'],
    ['MP226 a process can exit with an unjoined child', 'unjoined child'],
    ['MP263 names with colons and newlines', 'names'],
  ])('%s', async (_, name) => {
    await runPassing(program, [name]);
  });

  it('MP223 what a child tracks is unlinked at its end, before its parent has joined it', async () => {
    const { code, lines, stderr } = await runProgram(program, ['made in a child']);
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
    expect(stderr).toMatch(/^node-multiprocessing: shared memory '[^']+' was left by process \d+ .*\n$/);
  });
});

describe('tracked blocks', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['return', 0],
    ['exit', 3],
    ['throw', 1],
    ['reject', 1],
  ])('are unlinked at the end of the process with a warning: %s', async (ending, exitCode) => {
    const name = uniqueName();
    const { code, stderr } = await runProgram(program, [`left: ${ending}`, name]);
    expect(code, stderr).toBe(exitCode);
    expect(warnings(stderr, name), stderr).toBe(1);
    expect(existsSync(`/dev/shm/${name}`)).toBe(false);
  });

  it('twice tracked: one warning', async () => {
    const name = uniqueName();
    const { code, stderr } = await runProgram(program, ['left twice', name]);
    expect({ code, warnings: warnings(stderr, name) }, stderr).toEqual({ code: 0, warnings: 1 });
  });

  it('are there until the children have ended', async () => {
    const name = uniqueName();
    const { code, lines, stderr } = await runProgram(program, ['left, children first', name]);
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed', 'child found 1'] });
    expect(warnings(stderr, name), stderr).toBe(1);
  });

  it('MP263 the warning is one line, whatever the name', async () => {
    const { stderr } = await runProgram(program, ['left by name', 'nmp-test:tracker\nsecond']);
    expect(warnings(stderr, String.raw`nmp-test:tracker\\nsecond`), stderr).toBe(1);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('MP171 an unrelated process that tracks deletes the block at its end', async () => {
    const { code, lines, stderr } = await runProgram(blocks, ['unrelated, tracked']);
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
    expect(stderr.trim().split('\n')).toHaveLength(2);
    for (const line of stderr.trim().split('\n')) expect(line).toMatch(/was left by process \d+ \(track: true\)/);
  });

  it.each([
    ['MP170 without track a block with a name of its own stays', 'kept', 100],
    ['a later block of the same name is not theirs', 'replaced', 50],
  ])('%s', async (_, test, size) => {
    const name = uniqueName();
    const path = `/dev/shm/${name}`;
    try {
      // That something stays is what the runner complains of; it shows standard error as well.
      await expect(runProgram(program, [test, name])).rejects.toThrow(
        new RegExp(`left behind \\(exit code 0, signal null\\):\n${path}\n--- stdout\npassed\n\n--- stderr\n$`),
      );
      expect(readFileSync(path)).toHaveLength(size);
    } finally {
      rmSync(path, { force: true });
    }
  });
});
