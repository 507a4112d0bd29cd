/**
 * The Node side of the samples: `ours` between processes, `batches` the same with `putMany` and `getMany`, `pipe` over a
 * connection, `threads` by messages between worker threads, `ipc` and `ipc-advanced` by the channel of `child_process.fork()` in its two serialisations. See
 * ../harness/helper.ts for the protocol.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

import { foreign } from '../harness/programs.ts';

type Sample = (...words: string[]) => Promise<number>;

const [role = ''] = process.argv.slice(2);
const nanoseconds = (since: bigint): number => Number(process.hrtime.bigint() - since);
/** Messages before the measured ones: a new process compiles first, and has memory to find that others have by then. */
const WARM_UP = 3000;
const WARM_UP_BYTES = 128 << 20;
const BATCH = 1000;

function itemOf(kind: string): unknown {
  if (kind === 'int') return 42;
  if (kind === 'object') return { id: 12345, name: 'a short name', value: 2.75, ok: true, tags: [1, 2, 3] };
  return Buffer.alloc(Number(kind), 1);
}

async function ours(way: 'queue' | 'batches' | 'pipe'): Promise<Record<string, Sample>> {
  const { Barrier, Pipe, Process, Queue } = await import('node-multiprocessing');
  const inBatches = way === 'batches';
  const queueOf = (): Pick<InstanceType<typeof Queue>, 'put' | 'putMany' | 'get' | 'getMany' | 'close'> => {
    if (way !== 'pipe') return new Queue();
    const [reader, writer] = Pipe(false);
    const none = (): never => {
      throw new Error('a pipe has no batches');
    };
    return {
      put: (item) => writer.send(item),
      get: () => reader.recv(),
      putMany: none,
      getMany: none,
      close() {
        reader.close();
        writer.close();
      },
    };
  };
  const check = (children: readonly { exitCode: number | null }[]): void => {
    if (children.some(({ exitCode }) => exitCode !== 0)) throw new Error('a child has failed');
  };
  return {
    async stream(kind = '', ...words) {
      const [producers = 1, consumers = 1, count = 1] = words.map(Number);
      const queue = queueOf();
      const gate = new Barrier(producers + consumers + 1);
      const warmUp = (item: unknown): void => {
        const own = queueOf();
        for (let i = 0; i < (Buffer.isBuffer(item) ? WARM_UP_BYTES / item.length : WARM_UP); i += 1) {
          if (inBatches) {
            own.putMany([item, item, item]);
            own.getMany();
          } else {
            own.put(item);
            own.get();
          }
        }
        own.close();
        gate.wait();
      };
      const put = (): void => {
        const item = itemOf(kind);
        warmUp(item);
        const batch = Array<unknown>(BATCH).fill(item);
        const mine = count / producers;
        if (inBatches) for (let i = 0; i < mine; i += BATCH) queue.putMany(batch);
        else for (let i = 0; i < mine; i += 1) queue.put(item);
      };
      const get = (): void => {
        warmUp(itemOf(kind));
        for (let left = count / consumers; left > 0;) {
          if (inBatches) left -= queue.getMany(Math.min(left, BATCH)).length;
          else {
            queue.get();
            left -= 1;
          }
        }
      };
      const targets = [...Array<() => void>(producers).fill(put), ...Array<() => void>(consumers).fill(get)];
      const children = targets.map((target) => new Process({ target }));
      for (const child of children) child.start();
      gate.wait();
      const started = process.hrtime.bigint();
      for (const child of children) child.join();
      const ns = nanoseconds(started);
      check(children);
      queue.close();
      return ns / count;
    },
    async roundtrip(words = '') {
      const count = Number(words);
      const [there, back] = [queueOf(), queueOf()];
      const total = WARM_UP + count;
      const child = new Process({
        target() {
          for (let i = 0; i < total; i += 1) back.put(there.get());
        },
      });
      child.start();
      let started = 0n;
      for (let i = 0; i < total; i += 1) {
        if (i === WARM_UP) started = process.hrtime.bigint();
        there.put(i);
        back.get();
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
      await some(Math.min(count, 500));
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
      await some(Math.min(count, 500));
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
  ours: () => ours('queue'),
  batches: () => ours('batches'),
  pipe: () => ours('pipe'),
  threads,
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
