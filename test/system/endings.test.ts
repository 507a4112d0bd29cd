// The ways in which a child ends: exit code, what it says on stderr, what it has written.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { importing, methods } from '../helpers/methods.ts';
import { nodeBinary } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, WATCHDOG_MS, fixture, runProgram } from '../helpers/run.ts';

const program = fixture('process/endings.mjs');
const counter = fixture('process/count-slowly.mjs');

/** Body, exit code in the parent, what stderr must match (default: nothing). */
const error = /^Process egon:\n(Type)?Error: of the child\n {4}at .*endings\.mjs/;
const bodies: Record<string, [exitCode: number, stderr?: RegExp]> = {
  return: [0],
  returnAsync: [0],
  throw: [1, error],
  reject: [1, error],
  rejectAtOnce: [1, error],
  throwText: [1, /^Process egon:\n.*a text/],
  throwUndefined: [1, /^Process egon:\n.*undefined/],
  throwNull: [1, /^Process egon:\n.*null/],
  rejectText: [1, /^Process egon:\n.*a text/],
  exit7: [7],
  exit0: [0],
  exit: [0],
  exitText: [9],
  exit261: [5],
  exitNegative: [255],
  exitAfterCode: [5],
  exitAsync: [8],
  exitTimer: [8],
  exitTick: [8],
  exitMicrotask: [8],
  exitInFinally: [6],
  exitCode: [9],
  exitCodeAsync: [9],
  exitCodeThenThrow: [1, error],
  abort: [-6, /Native stack trace/],
  abortAsync: [-6, /Native stack trace/],
  sigkill: [-9],
  sigterm: [-15],
  sigsegv: [-11],
  sigusr2: [-12],
  unhandled: [1, error],
  timerThrows: [1, error],
  immediateThrows: [1, error],
  tickThrows: [1, error],
  microtaskThrows: [1, error],
  caught: [21],
  caughtRejection: [22],
  captured: [23],
  captureImmediate: [0],
  monitor: [1, error],
  handlers: [4],
  handlersExit: [4],
  handlersThrow: [1, error],
  handlersReject: [1, error],
  handlerChangesCode: [12],
  handlerExits: [13],
  handlerThrows: [1, /^Process egon:\nError: of the handler\n/],
  handlerStartsWork: [0],
  beforeExit: [0],
  beforeExitMicrotask: [0],
  beforeExitThrows: [1, /^Process egon:\nError: of the handler\n/],
  throwInCaught: [7, /^Process egon:\nError: of the listener\n/],
  timersKeepAlive: [0],
  unrefTimer: [0],
  thenable: [0],
  stackOverflow: [1, /^Process egon:\nRangeError: Maximum call stack size exceeded\n/],
  cyclicError: [1, /^Process egon:\n.*Error: of the child\n/],
  nastyError: [1, /^Process egon:\n/],
};

const unsettled = /^Process egon: .*promise/;
/** Ends that a plain program does not have in this form. */
const childBodies: Record<string, [exitCode: number, stdout: string]> = {
  never: [13, ''],
  neverLater: [13, ''],
  neverWithHandler: [13, 'first 13\n'],
  neverWithCode: [5, ''],
};

describe.each(importing)('the end of a child of %s', { timeout: TEST_TIMEOUT_MS }, (method) => {
  const env = { MP_METHOD: method };

  it.each(Object.entries(bodies))('%s: as in a program of its own', async (body, [exitCode, stderr]) => {
    const plain = await runProgram(program, ['body', body, 'plain']);
    const child = await runProgram(program, ['body', body, 'child'], { env });
    expect(child.stdout).toBe(`${plain.stdout}${JSON.stringify({ exitCode })}\n`);
    if (stderr) expect(child.stderr).toMatch(stderr);
    else expect(child.stderr).toBe('');
    expect(child.code).toBe(0);
  });

  it.each(Object.entries(childBodies))('%s', async (body, [exitCode, stdout]) => {
    const child = await runProgram(program, ['body', body], { env });
    expect(child.stdout).toBe(`${stdout}${JSON.stringify({ exitCode })}\n`);
    expect(child.stderr).toMatch(unsettled);
  });

  it.each([
    ['exit', 3],
    ['sigkill', -9],
  ])('100,000 lines to a slow reader all arrive: %s', async (end, exitCode) => {
    const { stdout, stderr } = await runProgram(program, ['output', end], { env, slowBytesPerMs: 2000 });
    expect(stdout === Array.from({ length: 100_000 }, (_, i) => `line ${i}\n`).join('')).toBe(true);
    expect(stderr).toContain(`exitCode ${exitCode}`);
  });

  it('four children at once: every line whole, once, in the order of its writer', async () => {
    const { lines, stderr } = await runProgram(program, ['outputAsync'], { env, slowBytesPerMs: 200 });
    expect(stderr).toBe('[0,0,0,0]\n');
    for (const n of [0, 1, 2, 3]) {
      const its = lines.filter((line) => line.startsWith(`${n} `));
      expect(its).toEqual(Array.from({ length: 2500 }, (_, i) => `${n} ${i}`));
    }
    expect(lines).toHaveLength(10_000);
  });

  it('one chunk of 20 MB, and its callback', async () => {
    const { stdout, stderr } = await runProgram(program, ['bigChunk'], { env });
    expect(stdout.length).toBe(20_000_000);
    expect(stderr).toBe('exitCode 2\n');
  });
});

describe('the end of a child', () => {
  for (const [body, [exitCode, stderr]] of Object.entries(bodies)) {
    const row = body === 'handlers' ? 'MP251: ' : '';
    it(
      `${row}${body}: exit code ${exitCode}, as in a program of its own`,
      { timeout: 3 * TEST_TIMEOUT_MS },
      async () => {
        const plain = await runProgram(program, ['body', body, 'plain']);
        for (const where of ['child', 'async']) {
          const child = await runProgram(program, ['body', body, where]);
          const report = `${JSON.stringify({ exitCode })}\n`;
          expect(child.stdout).toBe(plain.stdout + report);
          if (stderr) expect(child.stderr).toMatch(stderr);
          else expect(child.stderr).toBe('');
          // Reported once.
          expect(child.stderr.split('Process egon').length - 1).toBe(stderr?.source.startsWith('^Process') ? 1 : 0);
          expect(child.code).toBe(0);
        }
        // What Node itself makes of it.
        if (exitCode < 0) expect(plain.signal).not.toBeNull();
        else expect(plain.code).toBe(exitCode);
      },
    );
  }

  for (const [body, [exitCode, stdout]] of Object.entries(childBodies)) {
    it(
      `${body}: a promise that nothing can settle ends the child with ${exitCode}`,
      { timeout: TEST_TIMEOUT_MS },
      async () => {
        const child = await runProgram(program, ['body', body]);
        expect(child.stdout).toBe(`${stdout}${JSON.stringify({ exitCode })}\n`);
        expect(child.stderr).toMatch(unsettled);
        expect(child.code).toBe(0);
      },
    );
  }
});

describe('the output of a child', () => {
  const ends: Record<string, number> = { return: 0, exit: 3, throw: 1, abort: -6, sigkill: -9 };
  const expected = Array.from({ length: 100_000 }, (_, i) => `line ${i}`).join('\n') + '\n';

  for (const [end, exitCode] of Object.entries(ends)) {
    it(`100,000 lines to a slow reader all arrive: ${end}`, { timeout: 3 * TEST_TIMEOUT_MS }, async () => {
      const { stdout, stderr } = await runProgram(program, ['output', end], {
        slowBytesPerMs: 1000,
        timeoutMs: 3 * WATCHDOG_MS,
      });
      expect(stdout === expected).toBe(true);
      expect(stderr).toContain(`exitCode ${exitCode}`);
    });

    it(`100,000 lines to a pipe with a slow reader all arrive: ${end}`, { timeout: 3 * TEST_TIMEOUT_MS }, async () => {
      const command = '"$0" "$1" output "$2" | "$0" "$3"';
      const { json, stderr } = await runProgram('-c', [command, nodeBinary, program, end, counter], {
        command: '/bin/sh',
        timeoutMs: 3 * WATCHDOG_MS,
      });
      expect(json).toEqual([{ inOrder: 100_000, others: [], rest: '' }]);
      expect(stderr).toContain(`exitCode ${exitCode}`);
    });
  }

  it(
    '100,000 lines to a pipe on stderr arrive too, the report of the error after them',
    { timeout: 3 * TEST_TIMEOUT_MS },
    async () => {
      const command = '"$0" "$1" output throw stderr 2>&1 >/dev/null | "$0" "$2"';
      const { json } = await runProgram('-c', [command, nodeBinary, program, counter], {
        command: '/bin/sh',
        timeoutMs: 3 * WATCHDOG_MS,
      });
      expect(json[0]).toMatchObject({ inOrder: 100_000, rest: '' });
      expect((json[0] as { others: string[] }).others.slice(0, 2)).toEqual([
        'Process Process-1:',
        'Error: of the child',
      ]);
    },
  );

  it(
    'four children at once: every line whole, once, in the order of its writer',
    { timeout: TEST_TIMEOUT_MS },
    async () => {
      const { lines, stderr } = await runProgram(program, ['outputAsync'], { slowBytesPerMs: 200 });
      expect(stderr).toBe('[0,0,0,0]\n');
      for (const n of [0, 1, 2, 3]) {
        expect(lines.filter((line) => line.startsWith(`${n} `))).toEqual(
          Array.from({ length: 2500 }, (_, i) => `${n} ${i}`),
        );
      }
      expect(lines).toHaveLength(10_000);
    },
  );

  it('one chunk of 20 MB, and its callback', { timeout: 3 * TEST_TIMEOUT_MS }, async () => {
    const { stdout, stderr } = await runProgram(program, ['bigChunk'], { timeoutMs: 3 * WATCHDOG_MS });
    expect(stdout.length).toBe(20_000_000);
    expect(stderr).toBe('exitCode 2\n');
  });

  for (const how of ['plain', 'cork', 'async', 'raw']) {
    it(`MP188: what the parent has buffered is written once: ${how}`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const { code, stdout, stderr } = await runProgram(program, ['buffered', how], { slowBytesPerMs: 20_000 });
      expect(stderr).toBe('');
      expect(code).toBe(0);
      const count = (text: string): number => stdout.split(text).length - 1;
      expect({
        buffered: count('buffered\n'),
        one: count('child one\n'),
        two: count('child two\n'),
        end: count('the end\n'),
      }).toEqual({ buffered: 1, one: 1, two: how === 'raw' ? 1 : 0, end: 1 });
      expect(count('y')).toBe(how === 'async' ? 5_000_000 : 0);
    });
  }
});

describe("MP024: the parent's own streams are closed or missing", () => {
  const start = async (how: string, command: string | undefined): Promise<string[]> => {
    const directory = mkdtempSync(join(tmpdir(), 'endings-'));
    const results = join(directory, 'results');
    try {
      const env = { RESULTS: results };
      const { code } =
        command === undefined
          ? await runProgram(program, ['closed', how], { env })
          : await runProgram('-c', [command, nodeBinary, program], { env, command: '/bin/sh' });
      expect(code).toBe(0);
      return readFileSync(results, 'utf8').trim().split('\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  };

  for (const how of ['destroyed', 'closeSync', 'replaced', 'undefined', 'ended']) {
    it(`MP024: ${how}`, { timeout: TEST_TIMEOUT_MS }, async () => {
      const codes = how === 'undefined' ? '[0,0,0,1]' : '[0,0,0,0,1]';
      expect(await start(how, undefined)).toEqual(['child', 'child', 'child', codes]);
    });
  }

  for (const closed of ['>&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-', '>/dev/full']) {
    it(`MP024: started with ${closed}`, { timeout: TEST_TIMEOUT_MS }, async () => {
      expect(await start('started', `"$0" "$1" closed started ${closed}`)).toEqual([
        'child',
        'child',
        'child',
        '[0,0,0,0,1]',
      ]);
    });
  }
});

describe('on a terminal', () => {
  const python = spawnSync('python3', ['--version']).status === 0;
  const spawnInTerminal = 'import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))';
  const missing = python ? '' : ' (there is no python3)';

  it.skipIf(!python).each([...methods, 'raw'])(`all that a child writes is there: %s${missing}`, async (how) => {
    const program = fixture('process/terminal-output.mjs');
    const { stdout, code } = await runProgram('-c', [spawnInTerminal, nodeBinary, program, how], {
      command: 'python3',
    });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: 'out of the parent\r\nout of the child\r\nerr of the child\r\n',
    });
  });
});
