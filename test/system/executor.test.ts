// Executors and futures.
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  TEST_TIMEOUT_MS,
  WATCHDOG_MS,
  fixture,
  runPassing,
  runProgram,
  type ProgramResult,
  type RunOptions,
} from '../helpers/run.ts';

const methods = ['fork', 'forkserver', 'spawn'];
const program = fixture('executor/executor.mjs');
const ends = fixture('executor/ends.mjs');
const gc = fixture('executor/gc.mjs');

describe('futures', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['FX051 FX053 FX054 FX056 states: printed, cancelled, running, done', 'states'],
    ['FX058 FX059 FX061 FX062 results and errors, set by hand; as promises', 'results'],
    [
      'FX111 FX112 FX113 FX114 FX115 FX116 FX117 FX118 wait() and waitAsync(): first, first error, all, timeouts, aborts',
      'waits',
    ],
    ['FX023 asCompleted(): those that are done first, then a timeout', 'completed'],
    ['200,000 in wait() and asCompleted() take no quadratic time', 'many'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('executor/futures.mjs'), [name]);
  });

  it('FX043 FX044 FX046 FX047 FX048 FX049 FX050 callbacks: in order, at once if it is done; what they throw is a warning', async () => {
    const { code, lines, stderr } = await runProgram(fixture('executor/futures.mjs'), ['callbacks']);
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
    expect(stderr.match(/FutureCallbackWarning: a callback of <Future /g)).toHaveLength(5);
  });
});

describe.each(methods)('executor with start method %s', { timeout: TEST_TIMEOUT_MS }, (method) => {
  const env = { MP_METHOD: method };
  const run = (name: string, options: RunOptions = {}): Promise<ProgramResult> =>
    runPassing(program, [name], { env, ...options });

  it.each([
    ['FX001 FX002 FX033 FX074 calls: results, arguments, errors with where they were thrown', 'calls'],
    ['FX003 FX004 FX007 map: several inputs, chunks, the first error is the end, left early', 'map'],
    ['FX006 map with a timeout', 'late'],
    ['FX008 FX009 FX010 FX011 FX012 FX013 FX014 FX015 buffersize: endless and empty inputs', 'buffersize'],
    ['FX019 bad input', 'badInput'],
    ['FX027 FX036 FX040 what cannot be carried there or back', 'unserializable'],
    ['FX028 FX029 FX030 FX037 FX038 what ends a worker, or throws, when it is read', 'decoding'],
    ['FX031 FX071 FX072 FX075 a lost worker breaks it: each future has an error of its own that says how', 'lost'],
    ['a lost worker is replaced: only its own call fails', 'respawn'],
    ['workers are killed at random: each future is done once', 'storm'],
    ['FX041 workers end while large arguments are on their way', 'large'],
    ['FX042 FX088 workers that stand still, or cannot be started', 'stalled'],
    ['FX065 the initializer comes first in each worker', 'initializer'],
    ['FX078 FX079 FX104 workers are started on demand', 'onDemand'],
    ['FX080 FX082 FX083 FX085 workers are replaced after so many calls', 'recycling'],
    ['FX081 maxTasksPerChild without a context means spawn', 'selected'],
    ['FX085 FX089 FX090 FX092 FX094 terminateWorkers() and killWorkers()', 'forced'],
    ['FX023 FX053 FX056 FX112 FX118 cancel, running, done, and timeouts while work is under way', 'cancelling'],
    ['FX053 what runs cannot be given up, and what waits is not held up', 'cancellingRunning'],
    ['FX114 FX117 futures of several executors and by hand in one wait; as promises', 'waiting'],
    ['FX043 FX044 callbacks: that submit more, that block, that shut it down', 'callbacks'],
    ['FX102 FX103 FX105 FX107 shutdown: waiting or not, cancelling, again, at the end of a block', 'shutdown'],
    ['a new function while others wait', 'generations'],
    ['an executor in a worker of an executor', 'nested'],
    ['a forked child is refused, and takes nothing from its parent', 'forkedChild'],
  ])('%s', async (_, name) => {
    await run(name);
  });

  it('thousands of futures', { timeout: 2 * TEST_TIMEOUT_MS }, async () => {
    await run('thousands', { timeoutMs: 2 * WATCHDOG_MS });
  });

  it.each([
    ['FX018 FX020 FX076 arguments and results are let go of, here and in workers', 'arguments'],
    ['FX083 FX084 FX106 workers of an executor that was thrown away do what there is to do, and end', 'dropped'],
  ])('%s', async (_, name) => {
    await runPassing(gc, [name], { env, nodeArgs: ['--expose-gc'] });
  });

  it('FX066 FX067 FX068 an initializer that throws is told by the worker and breaks it', async () => {
    const { code, lines, stderr } = await runProgram(program, ['failing'], { env });
    expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
    expect(stderr).toMatch(/^Process (Fork|ForkServer|Spawn)PoolWorker-\d:\nError: not today\n {4}at failing/m);
    // Of each worker its own error, and nothing else.
    expect(stderr.replace(/^( {4}at .*|Error: not today|Process \w+-\d:)\n/gm, '')).toBe('');
  });

  /** What a program of `ends.mjs` has written to its file, in any order, and how it has ended. */
  const endOf = async (name: string, options: RunOptions = {}): Promise<ProgramResult & { written: string[] }> => {
    const directory = mkdtempSync(join(tmpdir(), 'executor-'));
    const path = join(directory, 'written');
    try {
      cpSync('/dev/null', path);
      const result = await runProgram(ends, [name, path], { env, ...options });
      const written = readFileSync(path, 'utf8').split('\n').filter(Boolean).sort();
      return { ...result, written };
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

  it.each([
    ['FX097 a program without shutdown() does what there is to do', 'forgotten', ['end'], '012345abc'],
    ['an executor without work does not keep a program', 'idle', ['3'], ''],
    ['FX101 shutdown() without waiting: the program waits', 'withoutWaiting', ['end'], '0123'],
    ['a callback that submits more keeps the program', 'chain', ['1', '2', '3', '4', '5'], ''],
    ['FX098 nothing can be submitted while the program exits', 'exitHandler', ['refused'], ''],
  ])('%s', async (_, name, said, wrote) => {
    const { code, signal, lines, stderr, written } = await endOf(name);
    expect({ code, signal, lines, stderr, written: written.join('') }).toEqual({
      code: 0,
      signal: null,
      lines: said,
      stderr: '',
      written: wrote,
    });
  });

  it('process.exit() waits for nobody', async () => {
    const { code, lines, stderr } = await endOf('exit');
    expect({ code, lines, stderr }).toEqual({ code: 3, lines: ['exit'], stderr: '' });
  });

  it('nor does an uncaught error', async () => {
    const { code, stdout, stderr } = await endOf('thrown');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/Error: of the program/);
  });

  it.each<NodeJS.Signals>(['SIGKILL', 'SIGTERM', 'SIGINT'])(
    'a program that is ended by %s leaves nothing',
    async (name) => {
      const { signal, lines, stderr } = await endOf('killed', {
        when: { seen: 'ready', react: ({ pid }) => void process.kill(name === 'SIGKILL' ? pid! : -pid!, name) },
      });
      expect({ signal, lines, stderr }).toEqual({ signal: name, lines: ['ready'], stderr: '' });
    },
  );

  it('a listener for SIGINT interrupts result()', async () => {
    const { code, lines, stderr } = await endOf('interrupted', {
      when: { seen: 'ready', react: (child) => void child.kill('SIGINT') },
    });
    expect({ code, lines, stderr }).toEqual({ code: 0, lines: ['ready', 'over'], stderr: '' });
  });

  describe('main programs', () => {
    let directory: string;
    // Outside of this package, which finds itself by its name.
    beforeAll(() => {
      directory = mkdtempSync(join(tmpdir(), 'executor mains-'));
      cpSync(fixture('executor/mains'), directory, { recursive: true });
      cpSync(join(directory, 'package'), join(directory, 'node_modules', 'executor-package'), { recursive: true });
      symlinkSync(
        fileURLToPath(new URL('../..', import.meta.url)),
        join(directory, 'node_modules', 'node-multiprocessing'),
      );
    });
    afterAll(() => rmSync(directory, { recursive: true }));

    it.each([
      ['FX135 without an extension', 'program'],
      ['FX138 a directory', 'directory'],
      ['FX142 in a package, with a sibling', 'package/lib/main.js'],
      ['FX145 a package, by what is its main file', 'node_modules/executor-package'],
    ])('%s', async (_, file) => {
      const { code, stdout, stderr } = await runProgram(join(directory, file), [], { env });
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '1 4 9\n', stderr: '' });
    });
  });
});
