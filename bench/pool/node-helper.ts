/** Samples of one pool in Node: ours by the names in ours.ts, others by those in peers.mjs. See ../harness/helper.ts for the protocol. */
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import { Unavailable } from '../harness/helper.ts';
import { foreign } from '../harness/programs.ts';
import type { Contender, OpenPool, Task } from './contender.ts';
import { fib, setInput } from './tasks.ts';

type Contenders = Record<string, () => Promise<Contender>>;

const [role = ''] = process.argv.slice(2);
const FIB = 27;
const PARTS = 8;
const CLOSE_WITHIN_MS = 1000;
const WARM_UP_MS = 1000;

const nanoseconds = (since: bigint): number => Number(process.hrtime.bigint() - since);

function check(right: boolean): void {
  if (!right) throw new Error('a wrong result');
}

/** Beside their packages, so that Node finds these. */
async function peers(): Promise<Contenders> {
  const { peers } = (await import(pathToFileURL(foreign('pools/peers.mjs')).href)) as { peers: Contenders };
  return peers;
}

async function find(): Promise<Contender> {
  const contenders = role.startsWith('our-') ? (await import('./ours.ts')).ours : await peers();
  const contender = contenders[role];
  if (contender === undefined) throw new Error(`an unknown contender: ${role}`);
  return contender();
}

async function each<T>(pool: OpenPool, task: Task, list: readonly unknown[]): Promise<readonly T[]> {
  return (await (pool.each?.(task, list) ?? Promise.all(list.map((item) => pool.run(task, item))))) as T[];
}

async function chunks<T>(pool: OpenPool, task: Task, list: readonly unknown[]): Promise<readonly T[]> {
  return (await (pool.chunks?.(task, list) ?? each<T>(pool, task, list))) as T[];
}

function samplesOf(contender: Contender): Record<string, (count: number) => Promise<object>> {
  let opened: OpenPool | undefined;
  const warm = (): OpenPool => (opened ??= contender.open(false));
  let isWarm = false;
  /** The same for a second before the first measured time, as engines compile, and a tenth of it before each, as workers have slept. */
  const timed = async <T>(way: typeof each, task: Task, list: readonly unknown[]) => {
    const pool = warm();
    const until = performance.now() + (isWarm ? 0 : WARM_UP_MS);
    do await way(pool, task, isWarm ? list.slice(0, list.length / 10) : list);
    while (performance.now() < until);
    isWarm = true;
    const started = process.hrtime.bigint();
    const results = await way<T>(pool, task, list);
    return { ns: nanoseconds(started), results };
  };
  const increments = async (way: typeof each, count: number): Promise<object> => {
    const list = Array.from({ length: count }, (_, i) => i);
    const { ns, results } = await timed<number>(way, 'increment', list);
    check(results.length === count && results.every((result, i) => result === i + 1));
    return { ns };
  };
  return {
    async open() {
      const started = process.hrtime.bigint();
      const pool = contender.open(true);
      const result = await pool.run('increment', 1);
      const ns = nanoseconds(started);
      check(result === 2);
      // The destroy() of poolifier now and then never settles, after all its workers have ended.
      await Promise.race([pool.close(), delay(CLOSE_WITHIN_MS, undefined, { ref: false })]);
      return { ns };
    },
    chunks: (count) => increments(chunks, count),
    each: (count) => increments(each, count),
    async blocks(count) {
      const { ns, results } = await timed<Uint8Array>(each, 'block', Array<number>(count).fill(10 << 10));
      check(results.length === count && results.every((block) => block.length === 10 << 10 && block[9999] === 1));
      return { ns };
    },
    async cpu(count) {
      let started = process.hrtime.bigint();
      let sum = 0;
      for (let i = 0; i < count; i += 1) sum += fib(FIB);
      const alone = nanoseconds(started);
      check(sum === count * 196_418);
      started = process.hrtime.bigint();
      const results = await each<number>(warm(), 'fib', Array<number>(count).fill(FIB));
      const ns = nanoseconds(started);
      check(results.every((result) => result === 196_418));
      return { ns, alone };
    },
    async input(size) {
      const bytes = contender.memory === 'shared' ? new Uint8Array(new SharedArrayBuffer(size)) : new Uint8Array(size);
      bytes.fill(1);
      if (contender.memory === 'inherited') setInput(bytes);
      const part = size / PARTS;
      const list = Array.from({ length: PARTS }, (_, i) => {
        const [from, to] = [i * part, (i + 1) * part];
        if (contender.memory === 'inherited') return { from, to };
        return contender.memory === 'shared'
          ? { bytes, from, to }
          : { bytes: bytes.subarray(from, to), from: 0, to: part };
      });
      let ns = 0;
      const pool = warm();
      // The first time is the warm-up.
      for (let time = 0; time < 2; time += 1) {
        const started = process.hrtime.bigint();
        const results = await each<number>(pool, 'sum', list);
        ns = nanoseconds(started);
        check(results.reduce((a, b) => a + b) === size / 64);
      }
      return { ns };
    },
  };
}

function answer(value: object): void {
  console.log(JSON.stringify(value));
}

let contender: Contender | undefined;
try {
  contender = await find();
} catch (error) {
  if (!(error instanceof Unavailable)) throw error;
  answer({ unavailable: error.message });
  process.exit();
}
const samples = samplesOf(contender);
answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', count = ''] = line.split(' ');
  try {
    const sample = samples[name];
    if (sample === undefined) throw new Error(`an unknown request: ${line}`);
    answer(await sample(Number(count)));
  } catch (error) {
    answer({ error: String(error) });
  }
}
process.exit();
