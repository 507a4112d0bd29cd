/**
 * The Node side of the samples: `ours` between processes, `threads` with a futex mutex on a `SharedArrayBuffer` between worker
 * threads. See ../harness/helper.ts for the protocol.
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

type Sample = (...words: string[]) => number | Promise<number>;
interface Pair {
  acquire(): unknown;
  release(): unknown;
}

const [role = ''] = process.argv.slice(2);
/** What is done before the measured: a new process compiles first. */
const WARM_UP = 2000;
const nanoseconds = (since: bigint): number => Number(process.hrtime.bigint() - since);

function pairs(lock: Pair, count: number): void {
  for (let i = 0; i < count; i += 1) {
    lock.acquire();
    lock.release();
  }
}

async function ours(): Promise<Record<string, Sample>> {
  const { Barrier, Process, RawValue, ...kinds } = await import('node-multiprocessing');
  return {
    pair(kind = '', words = '') {
      const lock = new kinds[kind as 'Lock' | 'RLock' | 'Semaphore']();
      const started = process.hrtime.bigint();
      pairs(lock, Number(words));
      return nanoseconds(started) / Number(words);
    },
    async contended(processes = '', count = '') {
      const lock = new kinds.Lock();
      const counter = new RawValue('i32');
      const gate = new Barrier(Number(processes) + 1);
      const increments = (number: number): void => {
        for (let i = 0; i < number; i += 1) {
          lock.acquire();
          counter.value += 1;
          lock.release();
        }
      };
      const target = (): void => {
        increments(WARM_UP);
        gate.wait();
        increments(Number(count));
        gate.wait(); // the start and the end of a process are not measured
      };
      const children = Array.from({ length: Number(processes) }, () => new Process({ target }));
      for (const child of children) child.start();
      while (gate.nWaiting < children.length) await delay(1);
      const started = process.hrtime.bigint();
      gate.wait();
      gate.wait();
      const ns = nanoseconds(started);
      for (const child of children) child.join();
      if (children.some(({ exitCode }) => exitCode !== 0)) throw new Error('a child has failed');
      if (counter.value !== Number(processes) * (Number(count) + WARM_UP)) throw new Error('updates were lost');
      return ns / (Number(processes) * Number(count));
    },
    increment(count = '') {
      const counter = new RawValue('i32');
      const started = process.hrtime.bigint();
      for (let i = 0; i < Number(count); i += 1) counter.add(1);
      return nanoseconds(started) / Number(count);
    },
    handover(words = '') {
      const count = Number(words);
      const [ping, pong] = [new kinds.Semaphore(0), new kinds.Semaphore(0)];
      const child = new Process({
        target() {
          for (let i = 0; i < WARM_UP + count; i += 1) {
            ping.acquire();
            pong.release();
          }
        },
      });
      child.start();
      let started = 0n;
      for (let i = 0; i < WARM_UP + count; i += 1) {
        if (i === WARM_UP) started = process.hrtime.bigint();
        ping.release();
        pong.acquire();
      }
      const ns = nanoseconds(started);
      child.join();
      if (child.exitCode !== 0) throw new Error('the child has failed');
      return ns / count;
    },
  };
}

/** 0 free, 1 taken, 2 taken and wanted; what a worker thread of Node has today. */
const mutex = `
  const acquire = (word) => {
    if (Atomics.compareExchange(word, 0, 0, 1) === 0) return;
    while (Atomics.exchange(word, 0, 2) !== 0) Atomics.wait(word, 0, 2);
  };
  const release = (word) => {
    if (Atomics.exchange(word, 0, 0) === 2) Atomics.notify(word, 0, 1);
  };
  const increments = (words, count) => {
    for (let i = 0; i < count; i += 1) {
      acquire(words);
      words[1] += 1;
      release(words);
    }
  };
  const take = (semaphore) => {
    for (;;) {
      const value = Atomics.load(semaphore, 0);
      if (value === 0) Atomics.wait(semaphore, 0, 0);
      else if (Atomics.compareExchange(semaphore, 0, value, value - 1) === value) return;
    }
  };
  const give = (semaphore) => {
    Atomics.add(semaphore, 0, 1);
    Atomics.notify(semaphore, 0, 1);
  };
  const pairs = {
    Lock(word, count) {
      for (let i = 0; i < count; i += 1) {
        acquire(word);
        release(word);
      }
    },
    Semaphore(word, count) {
      give(word);
      for (let i = 0; i < count; i += 1) {
        take(word);
        give(word);
      }
    },
  };
`;

/** Runs each body, which knows `words` and `count`, in a thread of its own, all of them at once. */
async function inThreads(bodies: readonly string[], words: Int32Array, count: number): Promise<number> {
  const [READY, GO, DONE] = [0, 1, 2];
  const gate = new Int32Array(new SharedArrayBuffer(12));
  const workers = bodies.map(
    (body) =>
      new Worker(
        `const { workerData: [words, gate] } = require('node:worker_threads');
         ${mutex}
         const run = (count) => { ${body} };
         run(${WARM_UP});
         Atomics.add(gate, ${READY}, 1);
         Atomics.wait(gate, ${GO}, 0);
         run(${count});
         Atomics.add(gate, ${DONE}, 1);
         Atomics.notify(gate, ${DONE});`,
        { eval: true, workerData: [words, gate] },
      ),
  );
  const ends = workers.map((worker) => once(worker, 'exit'));
  while (Atomics.load(gate, READY) < workers.length) await delay(1);
  const started = process.hrtime.bigint();
  Atomics.store(gate, GO, 1);
  Atomics.notify(gate, GO);
  for (let done = 0; done < workers.length; done = Atomics.load(gate, DONE)) Atomics.wait(gate, DONE, done);
  const ns = nanoseconds(started);
  await Promise.all(ends);
  return ns;
}

function threads(): Record<string, Sample> {
  const words = (count: number): Int32Array => new Int32Array(new SharedArrayBuffer(64 * count));
  return {
    pair(kind = '', count = '') {
      const source = `${mutex} pairs.${kind}(word, count);`;
      const run = new Function('word', 'count', source) as (word: Int32Array, count: number) => void;
      const word = words(1);
      const started = process.hrtime.bigint();
      run(word, Number(count));
      return nanoseconds(started) / Number(count);
    },
    async contended(threads = '', count = '') {
      const word = words(1);
      const bodies = Array<string>(Number(threads)).fill('increments(words, count);');
      const ns = await inThreads(bodies, word, Number(count));
      if (word[1] !== Number(threads) * (Number(count) + WARM_UP)) throw new Error('updates were lost');
      return ns / (Number(threads) * Number(count));
    },
    increment(count = '') {
      const word = words(1);
      const started = process.hrtime.bigint();
      for (let i = 0; i < Number(count); i += 1) Atomics.add(word, 0, 1);
      return nanoseconds(started) / Number(count);
    },
    async handover(count = '') {
      const body = (first: string, second: string): string =>
        `const [ping, pong] = [words.subarray(0, 1), words.subarray(16, 17)];
         for (let i = 0; i < count; i += 1) { ${first} ${second} }`;
      const bodies = [body('give(ping);', 'take(pong);'), body('take(ping);', 'give(pong);')];
      return (await inThreads(bodies, words(2), Number(count))) / Number(count);
    },
  };
}

const samples = role === 'ours' ? await ours() : threads();
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', ...words] = line.split(' ');
  try {
    const sample = samples[name];
    if (sample === undefined) throw new Error(`an unknown request: ${line}`);
    console.log(JSON.stringify({ ns: await sample(...words) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }
}
