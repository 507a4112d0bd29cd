// Pools.
import { rmdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';

import { makeGroup } from '../helpers/cgroup.ts';
import { hasPython } from '../helpers/python.ts';
import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runPassing, runProgram, type RunOptions } from '../helpers/run.ts';

const python = fixture('pool/python.mjs');
const beyond = fixture('pool/beyond.mjs');
const programs = fixture('pool/programs.mjs');

/** With room for a few workers, and not for what one of them asks for. */
const group = makeGroup(400 << 20);
afterAll(() => group && rmdirSync(group));

const rows: [id: string, title: string, options?: RunOptions][] = [
  ['MP092', 'apply gives the result, with positional arguments and an object of named ones'],
  ['MP093', 'map keeps the order, with chunks of any length'],
  ['MP096', 'mapAsync().get() gives the ordered list'],
  ['MP097', 'callbacks are called once, before wait() returns'],
  ['MP098', 'arguments that cannot be serialised make a call fail, and not hang'],
  ['MP099', 'an empty input is done at once'],
  ['MP100', 'what the input throws is thrown by map, again and again, and the pool stays usable'],
  ['MP101', 'applyAsync().get() waits for the result'],
  ['MP102', 'get(timeoutMs) of what is not done throws TimeoutError'],
  ['MP103', 'imap gives results in order, then stops'],
  ['MP104', 'imap gives the results of whole chunks before it throws what its input has thrown'],
  ['MP105', 'imapUnordered gives each result once'],
  ['MP106', 'imapUnordered throws what its input has thrown, with no result twice'],
  ['MP108', 'terminate and join return though ten thousand slow tasks wait'],
  ['MP111', "a worker's error has the worker's stack as its cause, one of the input has none"],
  ['MP112', "the worker's own class of error is thrown"],
  ['MP113', 'close and join after a failing map with errors of a megabyte'],
  ['MP114', 'the pool holds neither arguments nor results', { nodeArgs: ['--expose-gc'] }],
  ['MP115', 'a pool that was disposed of refuses work; disposing again is harmless'],
  ['MP117', "a worker's error goes to get() and to the errorCallback"],
  ['MP120', 'maxTasksPerChild 1: close and join right after submitting do all tasks'],
  ['MP185', 'the initializer: once in each worker, also while the parent blocks in the same turn'],
  ['MP187', 'a pool inside a child'],
  ['MP257', 'many workers and a thousand items'],
];

const more: [name: string, title: string, options?: RunOptions][] = [
  ['lost', 'a lost worker takes its task with it and no other: signals and exits'],
  ['lostInMap', 'of map and imap, the item that was lost is named'],
  ['lostAfterAnswer', 'what was answered before the worker was killed is no loss'],
  ['idle', 'idle workers that are killed are replaced'],
  ['bursts', 'all workers are killed again and again: each task is done or lost, once'],
  ['retries', 'retryLost runs lost tasks again, so often and no more'],
  ['killedAtStart', 'workers that are killed as they start are started again'],
  ['failedStart', 'workers that can never start: what waits fails, and nothing is started for ever'],
  ['timeouts', 'timeoutMs ends a task with all that it has started'],
  ['aborts', 'a signal ends what runs with all that it has started, and takes back what waits'],
  ['justInTime', 'an abort never hits the next task of a worker'],
  ['stress', 'aborts, timeouts and kills at random: every task is settled once', { timeoutMs: 2 * WATCHDOG_MS }],
  ['memory', 'MP121 recycling by memory'],
  ['terminate', 'terminate ends workers that loop or ignore SIGTERM, and what they have started'],
  ['startedAndLost', 'what a lost worker has started ends'],
  ['odd', 'odd results and odd thrown values fail that task alone'],
  ['nested', 'pools and processes in workers'],
  ['progress', 'progress is told to a function; one that throws harms nobody'],
  ['stats', 'stats'],
  ['trace', 'the trace is one that chrome://tracing opens; tasks are told on a diagnostics channel'],
  ['lazy', 'imap reads its input no further ahead than asked, and can be left'],
  ['asyncInput', 'asynchronous inputs: slow, failing, stalled; an abort closes them'],
  ['closedWhileReading', 'what imap has been given is done after close()'],
  ['abortAndTerminate', 'terminate right after an abort'],
  ['joinedWhileReading', 'joinAsync reads an asynchronous input to its end'],
  ['mixed', 'blocking and asynchronous calls at the same time, also in callbacks'],
  ['foreign', 'another process cannot use the pool'],
  ['timers', "a worker's event loop goes on between tasks"],
  ['bad', 'MP121 bad arguments are refused'],
];

describe.each(['fork', 'forkserver', 'spawn'])('pool, start method %s', { timeout: 2 * TEST_TIMEOUT_MS }, (method) => {
  const env = { MP_METHOD: method };

  it.each(rows)('%s %s', async (id, _, options) => {
    await runPassing(python, [id], { ...options, env });
  });

  it.each(more)('%s: %s', async (name, _, options) => {
    await runPassing(beyond, [name], { ...options, env });
  });

  it('a task that throws in a callback, or aborts, is lost with its worker', async () => {
    const { code, stdout, stderr } = await runProgram(beyond, ['lostLoud'], { env });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr.match(/^Error: thrown later\n {4}at/gm)).toHaveLength(2);
  });

  it('a task that exhausts the heap is lost with its worker', async () => {
    const { code, stdout, stderr } = await runProgram(beyond, ['lostHeap'], {
      env,
      nodeArgs: ['--max-old-space-size=40'],
    });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr).toMatch(/heap out of memory/);
  });

  // Elsewhere nothing tells of such an end but SIGKILL.
  it.runIf(group)("the end of a worker by the kernel's OOM killer is told as that", async () => {
    await runPassing(beyond, ['lostToKernel'], { env: { ...env, MP_GROUP: group } });
  });

  it('an initializer that throws: what waits fails with its error', async () => {
    const { code, stdout, stderr } = await runProgram(beyond, ['throwingInitializer'], { env });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr).toMatch(/^Process \w+PoolWorker-1:\nRangeError: not today\n {4}at/m);
  });

  it('a module with a syntax error: its tasks fail; as the initializer, everything does', async () => {
    const { code, stdout, stderr } = await runProgram(beyond, ['syntaxError'], { env });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr).toMatch(/SyntaxError/);
  });

  it("workers' lines begin with their names", async () => {
    const { code, lines, stderr } = await runProgram(beyond, ['prefix'], { env });
    const name = /^\[\w+PoolWorker-1\] /;
    expect(lines.slice(0, 3).every((line) => name.test(line))).toBe(true);
    expect([code, ...lines.map((line) => line.replace(name, ''))]).toEqual([
      0,
      'one first',
      'two',
      'three äöü',
      'passed',
    ]);
    expect(stderr).toMatch(/^\[\w+PoolWorker-1\] to stderr\n$/);
  });

  it.each(['forgotten', 'forgotten later', 'never used', 'left open', 'exit'])(
    'MP122 a program that does not close its pool ends by itself: %s',
    async (name) => {
      await runPassing(programs, [name], { env });
    },
  );

  it('a program that throws ends with its pool', async () => {
    const { code, stderr } = await runProgram(programs, ['throw'], { env });
    expect(code).toBe(1);
    expect(stderr.match(/Error: the program/g)).toHaveLength(1);
  });

  it('MP122 the parent is killed: workers and what they have started end', async () => {
    const { signal, stderr } = await runProgram(programs, ['blocked'], {
      env,
      when: { seen: 'ready', react: (parent) => void parent.kill('SIGKILL') },
    });
    expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
  });

  it.each(['blocked', 'awaiting'])('Ctrl-C ends everything in silence: %s', async (name) => {
    const { signal, stdout, stderr } = await runProgram(programs, [name], {
      env,
      when: { seen: 'ready', react: ({ pid }) => void process.kill(-(pid as number), 'SIGINT') },
    });
    expect({ signal, stdout, stderr }).toEqual({ signal: 'SIGINT', stdout: 'ready\n', stderr: '' });
  });

  it('Ctrl-C with a listener, which ends the pool', async () => {
    await runPassing(programs, ['listening'], {
      env,
      when: { seen: 'ready', react: ({ pid }) => void process.kill(-(pid as number), 'SIGINT') },
    });
  });

  it.runIf(hasPython).each(['blocked', 'awaiting'])(
    'Ctrl-C on a terminal ends everything in silence: %s',
    async (name) => {
      const { json, stderr } = await runProgram(fixture('pool/terminal.py'), [programs, name], {
        env,
        command: 'python3',
      });
      expect({ json, stderr }).toEqual({ json: [{ code: -2, output: 'ready\r\n^C' }], stderr: '' });
    },
  );
});

describe('pool', { timeout: 2 * TEST_TIMEOUT_MS }, () => {
  it('its default size, and its place in contexts', async () => {
    await runPassing(python, ['size']);
  });

  it('functions that workers do not know have others forked; nothing is lost on the way', async () => {
    await runPassing(beyond, ['generations']);
  });

  it('a progress bar without a terminal is some lines', async () => {
    const { code, stdout, stderr } = await runProgram(beyond, ['bar']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr.match(/100% \| 10\/10 \| .*\/s/g)?.length).toBeGreaterThanOrEqual(2);
    // oxlint-disable-next-line no-control-regex -- a terminal's
    expect(stderr).not.toMatch(/\u001b/);
  });
});
