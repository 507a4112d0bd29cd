/**
 * The Node side of the samples. `queue`, `batches`, `async` and `pipe` are ours; `threads` and `threads-blocking` are messages between
 * worker threads, `ipc` and `ipc-advanced` the channel of `child_process.fork()` in its two serialisations. See
 * ../harness/helper.ts for the protocol.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, Worker } from 'node:worker_threads';

import { foreign } from '../harness/programs.ts';
import { receive, send } from './blocking.ts';
import { itemOf } from './item.ts';

type Sample = (...words: string[]) => Promise<number>;

const [role = ''] = process.argv.slice(2);
const nanoseconds = (since: bigint): number => Number(process.hrtime.bigint() - since);
const WARM_UP = 4000;
const WARM_UP_BYTES = 128 << 20;
const BATCH = 1000;
const FEW = 500;

/** As many messages before the measured ones as a new process needs to compile, and to find the memory that others have by then. */
const warmUpOf = (kind: string): number =>
  Number.isNaN(Number(kind)) ? WARM_UP : Math.round(WARM_UP_BYTES / Number(kind));

interface OurQueue {
  put(item: unknown): void;
  get(): unknown;
  close(): void;
}

async function ours(way: 'queue' | 'batches' | 'async' | 'pipe'): Promise<Record<string, Sample>> {
  const { Barrier, Pipe, Process, Queue } = await import('node-multiprocessing');
  const pipe = (): OurQueue => {
    const [reader, writer] = Pipe(false);
    return {
      put: (item) => writer.send(item),
      get: () => reader.recv(),
      close() {
        reader.close();
        writer.close();
      },
    };
  };
  const check = (children: readonly { exitCode: number | null }[]): void => {
    if (children.some(({ exitCode }) => exitCode !== 0)) throw new Error('a child has failed');
  };
  const senders: Record<typeof way, (queue: OurQueue, item: unknown, count: number) => void> = {
    queue(queue, item, count) {
      for (let i = 0; i < count; i += 1) queue.put(item);
    },
    async: (...all) => senders.queue(...all),
    pipe: (...all) => senders.queue(...all),
    batches(queue, item, count) {
      const batch = Array<unknown>(BATCH).fill(item);
      for (let i = 0; i < count; i += BATCH) (queue as InstanceType<typeof Queue>).putMany(batch);
    },
  };
  const receivers: Record<typeof way, (queue: OurQueue, count: number) => void | Promise<void>> = {
    queue(queue, count) {
      for (let i = 0; i < count; i += 1) queue.get();
    },
    pipe: (...all) => receivers.queue(...all),
    async async(queue, count) {
      for (let i = 0; i < count; i += 1) await (queue as InstanceType<typeof Queue>).getAsync();
    },
    batches(queue, count) {
      for (let left = count; left > 0;) {
        left -= (queue as InstanceType<typeof Queue>).getMany(Math.min(left, BATCH)).length;
      }
    },
  };
  const queueOf = (): OurQueue => (way === 'pipe' ? pipe() : new Queue());
  return {
    async stream(kind = '', ...words) {
      const [producers = 1, consumers = 1, count = 1] = words.map(Number);
      const queue = queueOf();
      const gate = new Barrier(producers + consumers + 1);
      const warmUp = way === 'batches' ? 4 * BATCH : warmUpOf(kind);
      const producer = (): void => {
        const item = itemOf(kind);
        senders[way](queue, item, warmUp / producers);
        gate.wait();
        senders[way](queue, item, count / producers);
        gate.wait();
      };
      const consumer = async (): Promise<void> => {
        await receivers[way](queue, warmUp / consumers);
        gate.wait();
        await receivers[way](queue, count / consumers);
        gate.wait(); // the start and the end of a process are not measured
      };
      const targets = [
        ...Array<typeof producer>(producers).fill(producer),
        ...Array<typeof consumer>(consumers).fill(consumer),
      ];
      const children = targets.map((target) => new Process({ target }));
      for (const child of children) child.start();
      while (gate.nWaiting < children.length) await delay(1);
      const started = process.hrtime.bigint();
      gate.wait();
      gate.wait();
      const ns = nanoseconds(started);
      for (const child of children) child.join();
      check(children);
      queue.close();
      return ns / count;
    },
    async roundtrip(words = '') {
      const count = Number(words);
      const [there, back] = [queueOf(), queueOf()];
      const total = WARM_UP + count;
      let started = 0n;
      const child = new Process({
        target:
          way === 'async'
            ? async () => {
                for (let i = 0; i < total; i += 1) back.put(await (there as InstanceType<typeof Queue>).getAsync());
              }
            : () => {
                for (let i = 0; i < total; i += 1) back.put(there.get());
              },
      });
      child.start();
      for (let i = 0; i < total; i += 1) {
        if (i === WARM_UP) started = process.hrtime.bigint();
        there.put(i);
        // No turn of the event loop where nobody asked for one.
        if (way === 'async') await (back as InstanceType<typeof Queue>).getAsync();
        else back.get();
      }
      const ns = nanoseconds(started);
      child.join();
      check([child]);
      there.close();
      back.close();
      return ns / count;
    },
  };
}

/** Somebody who answers `{ kind, count }` with so many messages, and everything else with the same. */
interface Peer {
  send(message: unknown): void;
  /** Calls `handler` with each message. */
  listen(handler: (message: unknown) => void): void;
}

async function messages(peer: Peer): Promise<Record<string, Sample>> {
  let handler: (message: unknown) => void = () => {};
  peer.listen((message) => handler(message));
  const exchange = (send: () => void, onMessage: (done: () => void) => (message: unknown) => void): Promise<number> =>
    new Promise((resolve) => {
      const started = process.hrtime.bigint();
      handler = onMessage(() => resolve(nanoseconds(started)));
      send();
    });
  return {
    async stream(kind = '', producers = '', consumers = '', words = '') {
      if (producers !== '1' || consumers !== '1') throw new Error('one to one only');
      const count = Number(words);
      const some = (n: number): Promise<number> =>
        exchange(
          () => peer.send({ kind, count: n }),
          (done) => {
            let got = 0;
            return () => {
              got += 1;
              if (got === n) done();
            };
          },
        );
      await some(Math.min(count, FEW));
      return (await some(count)) / count;
    },
    async roundtrip(words = '') {
      const count = Number(words);
      const some = (n: number): Promise<number> =>
        exchange(
          () => peer.send(0),
          (done) => {
            let got = 0;
            return () => {
              got += 1;
              if (got === n) done();
              else peer.send(got);
            };
          },
        );
      await some(Math.min(count, FEW));
      return (await some(count)) / count;
    },
  };
}

/** What the other side does. */
const echo = `
  const itemOf = ${itemOf.toString()};
  const onMessage = (message, send) => {
    if (typeof message === 'number') return send(message);
    const item = itemOf(message.kind);
    for (let i = 0; i < message.count; i += 1) send(item);
  };
`;

async function threads(): Promise<Record<string, Sample>> {
  const worker = new Worker(
    `${echo} const { parentPort } = require('node:worker_threads');
     parentPort.on('message', (message) => onMessage(message, (item) => parentPort.postMessage(item)));`,
    { eval: true },
  );
  await once(worker, 'online');
  return messages({
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread has none
    send: (message) => worker.postMessage(message),
    listen: (handler) => worker.on('message', handler),
  });
}

async function blockingThreads(): Promise<Record<string, Sample>> {
  const { port1: port, port2: otherPort } = new MessageChannel();
  const counts = new Int32Array(new SharedArrayBuffer(128));
  const [requested, answered] = [counts.subarray(0, 1), counts.subarray(16, 17)];
  const [requests, answers] = [
    { port, sent: requested },
    { port, sent: answered },
  ];
  const worker = new Worker(new URL('./blocking-worker.js', import.meta.url), {
    workerData: { requests: { port: otherPort, sent: requested }, answers: { port: otherPort, sent: answered } },
    transferList: [otherPort],
  });
  await once(worker, 'online');
  return {
    async stream(kind = '', _producers = '', _consumers = '', words = '') {
      const some = (count: number): number => {
        const started = process.hrtime.bigint();
        send(requests, { kind, count });
        for (let i = 0; i < count; i += 1) receive(answers);
        return nanoseconds(started);
      };
      const count = Number(words);
      some(Math.min(count, FEW));
      return some(count) / count;
    },
    async roundtrip(words = '') {
      const some = (count: number): number => {
        const started = process.hrtime.bigint();
        for (let i = 0; i < count; i += 1) {
          send(requests, i);
          receive(answers);
        }
        return nanoseconds(started);
      };
      const count = Number(words);
      some(Math.min(count, FEW));
      return some(count) / count;
    },
  };
}

async function ipc(serialization: 'json' | 'advanced'): Promise<Record<string, Sample>> {
  const child: ChildProcess = fork(foreign('ipc-echo.cjs'), [echo], { serialization });
  process.once('exit', () => child.kill());
  await once(child, 'message');
  return messages({
    send: (message) => child.send(message as object),
    listen: (handler) => child.on('message', handler),
  });
}

const roles: Record<string, () => Promise<Record<string, Sample>>> = {
  queue: () => ours('queue'),
  batches: () => ours('batches'),
  async: () => ours('async'),
  pipe: () => ours('pipe'),
  threads,
  'threads-blocking': blockingThreads,
  ipc: () => ipc('json'),
  'ipc-advanced': () => ipc('advanced'),
};
const samples = await (roles[role] as () => Promise<Record<string, Sample>>)();
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
process.exit();
