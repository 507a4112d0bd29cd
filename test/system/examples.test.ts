// Runs every program of examples/ as its users do, from dist-examples/, and looks for what it is there to show.
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { leftOfGroup, processTable } from '../helpers/proc.ts';
import { runProgram, TEST_TIMEOUT_MS, type ProgramResult, type RunOptions } from '../helpers/run.ts';

const programs = fileURLToPath(new URL('../../dist-examples/', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'examples-'));
const four = ['egon', 'alex', 'wupeqi', 'yuanhao'];

interface Options extends RunOptions {
  args?: readonly string[];
}

/** Runs one of the programs under the watchdog; nothing of it may be left in the process table. */
function run(name: string, { args, env, ...options }: Options = {}): Promise<ProgramResult> {
  return runProgram(join(programs, `${name}.js`), args, { ...options, env: { TMPDIR: temporary, ...env } });
}

/** Runs a program that must end well, without a word on stderr. */
async function runWell(name: string, options?: Options): Promise<ProgramResult> {
  const result = await run(name, options);
  const { code, signal, stderr } = result;
  expect({ code, signal, stderr }, result.stdout).toEqual({ code: 0, signal: null, stderr: '' });
  return result;
}

/** The processes above this one, up to the first: only one of these can have become the parent of an orphan. */
function ancestors(): number[] {
  const table = new Map(processTable().map((entry) => [entry.pid, entry.ppid]));
  const found: number[] = [];
  for (let pid = table.get(process.pid); pid !== undefined && pid > 0; pid = table.get(pid)) found.push(pid);
  return found.length > 0 ? found : [1];
}

const sorted = (lines: string[]) => [...lines].sort();
const bought = (lines: string[]) => lines.filter((line) => line.endsWith('购票成功'));
const lookedUp = (lines: string[]) => lines.filter((line) => line.includes('查看到剩余票数'));

describe('examples', { timeout: TEST_TIMEOUT_MS }, () => {
  beforeAll(() => {
    if (!existsSync(programs)) throw new Error('dist-examples/ is missing: build the examples first');
  });
  afterAll(() => {
    const left = readdirSync(temporary);
    rmSync(temporary, { recursive: true });
    expect(left, 'files that the programs have left behind').toEqual([]);
  });

  it.each(['start-with-target', 'start-with-subclass'])(
    '%s: 主 comes before the last one ends, and the program waits for all four',
    async (name) => {
      const { lines } = await runWell(name);
      const ends = four.map((who) => `${who} piao end`);
      expect(sorted(lines)).toEqual(sorted(['主', ...four.map((who) => `${who} piaoing`), ...ends]));
      for (const who of four) expect(lines.indexOf(`${who} piaoing`)).toBeLessThan(lines.indexOf(`${who} piao end`));
      // Of the last one only: on a slow machine the first may end before all have been started.
      expect(lines.indexOf('主')).toBeLessThan(lines.indexOf('yuanhao piao end'));
    },
  );

  it('memory-is-isolated: 0 in the child, 100 in the parent, also after join', async () => {
    const { lines } = await runWell('memory-is-isolated');
    expect(sorted(lines)).toEqual(sorted(['子进程内: 0', '主进程内: 100', '主进程内: 100']));
    expect(lines.at(-1)).toBe('主进程内: 100');
  });

  it('zombie: Z before, nothing after; the event loop leaves none; a raw fork leaves one until waitpid', async () => {
    const { lines, pid } = await runWell('zombie', { env: { CHILDREN: '200' } });
    const titles = lines.flatMap((line, index) => (/^\d\. /.test(line) ? [index] : []));
    expect(titles).toHaveLength(3);
    const [one = [], two = [], three = []] = titles.map((from, i) => lines.slice(from + 1, titles[i + 1]));

    const child = /^子 (\d+)$/m.exec(one.join('\n'))?.[1];
    expect(sorted(one.slice(0, 2))).toEqual(sorted([`主 ${pid}`, `子 ${child}`]));
    expect(one[2]).toBe('PID PPID STAT COMMAND');
    expect(one[3]).toMatch(new RegExp(`^${child} +${pid} Z`));
    expect(one.slice(4)).toEqual(['joined', `${child} is not in the process table`]);

    expect(two).toEqual(['zombies: 0']);

    const forked = three[0]?.split(' ')[0];
    expect(three[0]).toMatch(new RegExp(`^${forked} +${pid} Z`));
    expect(three.slice(1)).toEqual(['waitpid: exit code 7', `${forked} is not in the process table`]);
  });

  it('orphan: the child outlives its father and is adopted', async () => {
    const { lines, pid } = await runWell('orphan');
    expect(lines).toHaveLength(3);
    expect(lines.slice(0, 2)).toEqual([`im father pid ${pid} ppid ${process.pid}`, 'father died..']);
    const [, child, parent] = /^im child (\d+) (\d+)$/.exec(lines[2]!) ?? [];
    expect(Number(child)).not.toBe(pid);
    expect(ancestors()).toContain(Number(parent));
  });

  it('pid-and-name: given and made-up names, no pid before start', async () => {
    const { lines } = await runWell('pid-and-name');
    expect(lines.filter((line) => line.endsWith(' null'))).toEqual(['Piao-1 null', 'Process-2 null', 'egon null']);
    expect(lines.filter((line) => line === '开始')).toHaveLength(3);
    for (const name of ['Piao-1', 'egon']) {
      expect(lines).toContain(`${name} is piaoing`);
      expect(lines).toContain(`${name} is piao end`);
    }
    const pidOf = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(lines.join('\n'))?.[1];
    expect(new Set(['Piao-1', 'Process-2', 'egon'].map(pidOf)).add(undefined).size).toBe(4);
    expect(lines).toContain(`Process-2 has pid ${pidOf('Process-2')}`);
    expect(lines).toHaveLength(14);
  });

  it('join: all three run before the first is done; alive in between only', async () => {
    const { lines, pid } = await runWell('join');
    const running = ['子1', '子2', '子3'].map((name) => lines.indexOf(`${name} is running, parent is ${pid}`));
    const done = ['子1', '子2', '子3'].map((name) => lines.indexOf(`${name} is done`));
    expect([...running, ...done]).not.toContain(-1);
    expect(Math.max(...running)).toBeLessThan(Math.min(...done));
    expect(lines[0]).toBe('isAlive before start: false false false');
    expect(lines.indexOf('isAlive before join: true true true')).toBeLessThan(Math.min(...done));
    expect(lines.indexOf('isAlive before join: true true true')).toBeGreaterThan(0);
    expect(lines.slice(-3, -1)).toEqual(['isAlive after join: false false false', `主 ${pid} ${process.pid}`]);
    expect(lines.at(-1)).toMatch(/^[1-9]\d*\.\d s$/);
    expect(lines).toHaveLength(11);
  });

  it('join-orders: 4 first, 4 last, strictly in order', async () => {
    const { stdout } = await runWell('join-orders');
    const parts = stdout.split(/^效果.*\n/m).map((part) => part.replaceAll('-------->', '').split('\n').slice(0, -1));
    const [before, first = [], last = [], strict] = parts;
    expect(before).toEqual([]);
    // Before 3, the last one to be started: on a slow machine the others may be done by then.
    expect(first.indexOf('4')).toBeLessThan(first.indexOf('3'));
    expect(sorted(first)).toEqual(['1', '2', '3', '4']);
    expect(last[3]).toBe('4');
    expect(sorted(last)).toEqual(['1', '2', '3', '4']);
    expect(strict).toEqual(['1', '2', '3', '4']);
    expect(parts).toHaveLength(4);
  });

  it('terminate-and-is-alive: a request first, then false and -15', async () => {
    const { lines } = await runWell('terminate-and-is-alive');
    expect(lines[0]).toBe('egon is piaoing');
    expect(['true', 'false']).toContain(lines[1]);
    expect(lines.slice(2)).toEqual(['开始', 'false', '-15']);
  });

  it('daemon: ended with its parent, unlike its brother, and without children of its own', async () => {
    const { lines } = await runWell('daemon');
    expect(lines.filter((line) => line.includes('daemonic processes are not allowed to have children'))).toHaveLength(
      1,
    );
    expect(lines).toHaveLength(6);
    expect(sorted(lines.slice(2, 4))).toEqual(['123', '456']);
    expect(lines.slice(4)).toEqual(['main-------', 'end456']);
  });

  it.each(['fork', 'forkserver', 'spawn'])(
    'echo-server by %s: a dozen clients at once, a process for each, none left',
    async (method) => {
      const { lines, pid } = await runWell('echo-server', { env: { PORT: '0', METHOD: method } });
      expect(lines[0]).toMatch(/^listening on 127\.0\.0\.1:[1-9]\d*$/);
      const talkers = lines
        .map((line) => /^port \d+ talks to process (\d+)$/.exec(line)?.[1])
        .filter((p) => p !== undefined);
      expect(new Set([...talkers, String(pid)]).size).toBe(13);
      for (let n = 1; n <= 12; n++) {
        const hello = lines.indexOf(`hello, i am client ${n} -> HELLO, I AM CLIENT ${n}`);
        expect(hello).toBeGreaterThan(0);
        expect(lines.indexOf(`bye from ${n} -> BYE FROM ${n}`)).toBeGreaterThan(hello);
      }
      expect(lines.at(-1)).toBe('12 clients, 12 processes; read by the parent: 0 bytes; zombies: 0');
      expect(lines).toHaveLength(38);
    },
  );

  it('tickets-without-lock: several buyers for one ticket', async () => {
    const { lines } = await runWell('tickets-without-lock');
    expect(lookedUp(lines)).toHaveLength(10);
    expect(bought(lines).length).toBeGreaterThan(1);
  });

  it('tickets-with-lock: one buyer, and all look-ups before the first purchase is over', async () => {
    const { lines } = await runWell('tickets-with-lock');
    expect(lookedUp(lines)).toHaveLength(10);
    expect(bought(lines)).toHaveLength(1);
    expect(lines).toHaveLength(11);
  });

  it('print-in-turn: mixed lines without a lock, pairs with one', async () => {
    const { lines } = await runWell('print-in-turn');
    const at = lines.indexOf('with a lock');
    expect([lines[0], at, lines.length]).toEqual(['without a lock', 7, 14]);
    for (const part of [lines.slice(1, at), lines.slice(at + 1)]) {
      const pids = new Set(part.map((line) => line.split(' ')[0]));
      expect(sorted(part)).toEqual(sorted([...pids].flatMap((pid) => [`${pid} is running`, `${pid} is done`])));
      expect(pids.size).toBe(3);
    }
    for (const first of [at + 1, at + 3, at + 5]) {
      expect(lines[first + 1]).toBe(lines[first]!.replace('is running', 'is done'));
    }
  });

  it('queue: full, empty, and all that was put is got', async () => {
    const messages = 300_000;
    const { lines } = await runWell('queue', { env: { MESSAGES: String(messages) } });
    expect(lines.slice(0, 5)).toEqual(['full: true', 'a fourth: Full', '1 2 3', 'empty: true', 'one more: Empty']);
    const eaten = lines.flatMap((line) => {
      const [, count, sum] = /^消费者[12] 吃了 (\d+) 个包子, sum (\d+)$/.exec(line) ?? [];
      return count === undefined ? [] : [{ count: Number(count), sum: Number(sum) }];
    });
    expect(eaten).toHaveLength(2);
    expect(eaten[0]!.count + eaten[1]!.count).toBe(messages);
    expect(eaten[0]!.sum + eaten[1]!.sum).toBe((messages * (messages - 1)) / 2);
    expect(lines.at(-1)).toMatch(/^all 300000, \d+\.\d\d million a second$/);
  });

  it('pipe: both sides send and receive, and the end is noticed', async () => {
    const { lines } = await runWell('pipe');
    expect(lines).toEqual([
      "[ 'hello', null, { from: 'child' } ]",
      '一: 收到',
      '二: 收到',
      '三: 收到',
      'poll: false',
      'killed: EOFError',
    ]);
  });

  it('pool: calls, callbacks, results in order and as they come; a killed worker costs one task', async () => {
    const { lines } = await runWell('pool');
    expect(lines).toEqual([
      '米饭好了',
      'callback: 汤好了',
      '鱼好了 汤好了 true',
      "[ '包子好了', '饺子好了', '面条好了', '馒头好了' ]",
      "[ '粥好了', '茶好了' ]",
      '[ 3, 2, 1 ]',
      '1,2,3',
      'lost: SIGKILL',
      '汤圆好了',
      '0',
    ]);
  });

  it('echo-pool: many clients, few processes', async () => {
    expect((await runWell('echo-pool')).lines).toEqual(['40 clients, 3 processes']);
  });

  it('hash-folder: every file is hashed, as by one process', async () => {
    const folder = fileURLToPath(new URL('../../src/pool', import.meta.url));
    const { code, lines, stderr } = await run('hash-folder', { args: [folder] });
    expect(code, stderr).toBe(0);
    const all = createHash('sha256');
    const files = readdirSync(folder).toSorted();
    for (const file of files)
      all.update(
        createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex'),
      );
    expect(lines.at(-1)).toMatch(new RegExp(`^${files.length} files on \\d+ CPUs: ${all.digest('hex').slice(0, 16)}$`));
    expect(stderr).toMatch(/100% \| (\d+)\/\1 \|/);
  });

  it('semaphore: five guests, never more than three at the table', async () => {
    const { lines } = await runWell('semaphore');
    let seated = 0;
    for (const line of lines.slice(0, -1)) {
      seated += line.endsWith('占到一个位子') ? 1 : -1;
      expect(seated).toBeLessThanOrEqual(3);
      expect(seated).toBeGreaterThanOrEqual(0);
    }
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toBe('3 free seats');
  });

  it('event: cars wait for the green light, all go, and the last finds it green', async () => {
    const { lines } = await runWell('event');
    const green = lines.indexOf('绿灯亮');
    expect(lines[0]).toBe('红灯亮');
    for (const car of ['车1', '车2', '车3', '车4']) expect(lines.indexOf(`${car} 通过`)).toBeGreaterThan(green);
    expect(lines).not.toContain('车4 等红灯');
    expect(lines.slice(-2)).toEqual(['车4 通过', '红灯亮']);
  });

  it('tickets-with-join: one buyer, one look-up after the other', async () => {
    const { lines } = await runWell('tickets-with-join');
    const lookUps = Array.from({ length: 10 }, (_, i) => `<路人${i}> 查看到剩余票数【${i === 0 ? 1 : 0}】`);
    expect(lines).toEqual([lookUps[0], '<路人0> 购票成功', ...lookUps.slice(1)]);
  });
});

describe('demo', { timeout: TEST_TIMEOUT_MS }, () => {
  it('lists the programs, every one of them there', async () => {
    const { lines } = await runWell('demo', { args: ['--list'] });
    expect(lines.length).toBeGreaterThanOrEqual(13);
    for (const line of lines) expect(existsSync(join(programs, `${line.trim().split(/ +/)[1]}.js`)), line).toBe(true);
  });

  it.each(['memory-is-isolated', '3'])('plays one program: %s', async (name) => {
    const { stdout } = await runWell('demo', { args: [name] });
    expect(stdout).toContain('3  memory-is-isolated');
    expect(stdout).toContain('  │ 子进程内: 0\n');
    expect(stdout).toContain('No child and no zombie is left.');
  });

  it('says so when there is no such program', async () => {
    const result = await run('demo', { args: ['no-such-program'] });
    expect(result.code).toBe(1);
    expect(result.stderr).toContain('no program "no-such-program"');
  });

  it.each([
    ['start-with-target', 'piaoing'],
    ['orphan', 'father died'],
    ['echo-server', '-> HELLO'],
  ])('Ctrl-C during %s ends everything', async (name, seen) => {
    let played: number[] = []; // each program leads a process group
    const result = await run('demo', {
      args: [name],
      env: { PORT: '0' },
      when: {
        seen,
        react: (demo) => {
          played = processTable()
            .filter((entry) => entry.ppid === demo.pid)
            .map((entry) => entry.pid);
          demo.kill('SIGINT');
        },
      },
    });
    expect({ code: result.code, stderr: result.stderr }, result.stdout).toEqual({ code: 130, stderr: '' });
    expect(result.lines.at(-1)).toBe('Stopped by SIGINT; all processes have ended. Bye.');
    const father = /im father pid (\d+)/.exec(result.stdout)?.[1]; // has ended before its group
    played.push(...(father === undefined ? [] : [Number(father)]));
    expect(played).not.toEqual([]);
    await expect.poll(() => played.flatMap(leftOfGroup), { timeout: 10_000 }).toEqual([]);
  });
});
