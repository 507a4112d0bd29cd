// What the soak does at random. Each action checks what it came to, to the last task, and lets go of all it has made.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';

import {
  Barrier,
  Condition,
  Event,
  Lock,
  Pipe,
  Process,
  Queue,
  RawArray,
  RawValue,
  Semaphore,
  SharedMemory,
  _exit,
  fork,
  getContext,
  waitpid,
  waitstatusToExitcode,
} from 'node-multiprocessing';
import { delay, end, forked, kill, refused, start } from './children.mjs';
import { executors, pools } from './pools.mjs';
import { addUp, exitsWith } from './targets.mjs';

async function exits(random) {
  const code = random.below(200);
  const child = await forked(
    random.pick([exitsWith, (n) => process.exit(n), (n) => _exit(n), async (n) => (await delay(2), exitsWith(n))]),
    code,
  );
  assert.equal(await end(random, child), code);
}

async function endedFromOutside(random) {
  const child = await forked(
    random.pick([
      () => new Promise(() => setInterval(() => {}, 1000)),
      () => {
        for (;;);
      },
    ]),
  );
  await delay(random.below(10));
  const [act, expected] = random.pick([
    [() => kill(random, child), -9],
    [() => child.terminate(), -15],
  ]);
  act();
  assert.equal(await end(random, child), expected);
}

async function rawFork(random) {
  const code = random.below(250);
  let pid;
  for (;;) {
    try {
      pid = fork();
      break;
    } catch (error) {
      if (error.code !== 'ERR_MP_FORK_THREAD_BUSY' && error.code !== 'ERR_MP_FORK_INSIDE_VM') throw error;
      refused.count += 1;
      await delay(5);
    }
  }
  if (pid === 0) _exit(code);
  const result = waitpid(pid);
  assert.deepEqual([result.pid, waitstatusToExitcode(result.status)], [pid, code]);
}

async function otherMethods(random) {
  const context = getContext(random.chance(0.8) ? 'forkserver' : 'spawn');
  const code = random.below(200);
  const child = await start(() => new context.Process({ target: exitsWith, args: [code] }));
  if (random.chance(0.3)) {
    await delay(random.below(20));
    kill(random, child);
    assert.ok([code, -9].includes(await end(random, child)));
  } else assert.equal(await end(random, child), code);
}

/** Children count under a lock; some die with it. */
async function locks(random) {
  const lock = new Lock();
  const workers = 2 + random.below(3);
  const [own, all] = [new RawArray('i32', workers), new RawValue('i32', 0)];
  const rounds = 50 + random.below(3000);
  const children = [];
  for (let number = 0; number < workers; number += 1) {
    children.push(
      await forked(() => {
        for (let i = 0; i < rounds; i += 1) {
          for (;;) {
            try {
              lock.acquire();
              break;
            } catch (error) {
              if (error.code !== 'ERR_MP_ABANDONED') throw error;
              lock.recover();
            }
          }
          own[number] += 1;
          all.value += 1;
          lock.release();
        }
      }),
    );
  }
  const victims = children.filter(() => random.chance(0.3));
  await delay(random.below(8));
  for (const child of victims) kill(random, child);
  let dead = 0;
  for (const [number, child] of children.entries()) {
    const code = await end(random, child);
    if (code === -9) dead += 1;
    else assert.deepEqual([code, own[number]], [0, rounds]);
  }
  const missing = own.reduce((sum, count) => sum + count, 0) - all.value;
  assert.ok(missing >= 0 && missing <= dead, `${missing} counts are missing, ${dead} have died`);
  lock.recover();
  assert.equal(lock.acquire(true, 20_000), true);
  lock.release();
}

async function semaphores(random) {
  const permits = 1 + random.below(3);
  const semaphore = new Semaphore(permits, { onAbandoned: 'recover' });
  const inside = new RawValue('i32', 0);
  const children = [];
  for (let i = 0; i < 4; i += 1) {
    children.push(
      await forked(() => {
        for (let round = 0; round < 300; round += 1) {
          semaphore.acquire();
          if (inside.add(1) > permits + 4) process.exit(77);
          inside.add(-1);
          semaphore.release();
        }
      }),
    );
  }
  await delay(random.below(5));
  for (const child of children) if (random.chance(0.3)) kill(random, child);
  for (const child of children) assert.ok([0, -9].includes(await end(random, child)));
  semaphore.recover();
  assert.equal(semaphore.getValue(), permits);
}

/** Items of producers that may be killed: each comes once and in order, and all of those that live. */
async function queueFromProducers(random) {
  const queue = new Queue(random.pick([0, 0, 1, 10]));
  const producers = 1 + random.below(3);
  const items = 1 + random.below(300);
  const size = random.pick([1, 10, 1000, 20_000]);
  const children = [];
  for (let number = 0; number < producers; number += 1) {
    children.push(
      await forked(() => {
        for (let i = 0; i < items; i += 1) queue.put({ number, i, filling: 'x'.repeat((i * 7919) % size) });
      }),
    );
  }
  const victims = children.filter(() => random.chance(0.2));
  const killing = delay(random.below(10)).then(() => victims.forEach((child) => child.kill()));
  const next = children.map(() => 0);
  for (;;) {
    const isLast = children.every((child) => child.exitCode !== null);
    try {
      const item = await queue.getAsync({ timeoutMs: 20 });
      assert.equal(item.i, next[item.number]++, `of producer ${item.number}`);
      assert.equal(item.filling.length, (item.i * 7919) % size);
    } catch (error) {
      if (error.code !== 'ERR_MP_EMPTY') throw error;
      if (isLast) break;
    }
  }
  await killing;
  for (const [number, child] of children.entries()) {
    const code = await end(random, child);
    if (code !== -9) assert.deepEqual([code, next[number]], [0, items]);
  }
  if (random.chance(0.5)) queue.close();
}

/** Consumers that may be killed: nothing comes twice, and at most one item is lost with each of the dead. */
async function queueToConsumers(random) {
  const queue = new Queue();
  const items = 1 + random.below(2000);
  const got = new RawArray('u8', items);
  const children = [];
  for (let i = 0; i < 3; i += 1) {
    children.push(
      await forked(() => {
        for (;;) {
          const item = queue.get();
          if (item === null) return;
          got[item] += 1;
        }
      }),
    );
  }
  for (let i = 0; i < items; i += 1) queue.put(i);
  await delay(random.below(5));
  for (const child of children.slice(1)) if (random.chance(0.3)) kill(random, child);
  // The dead may take an end with them.
  for (let i = 0; i < 2 * children.length; i += 1) queue.put(null);
  let dead = 0;
  for (const child of children) {
    const code = await end(random, child);
    assert.ok(code === 0 || code === -9, `exit code ${code}`);
    if (code === -9) dead += 1;
  }
  const missing = got.filter((count) => count === 0).length;
  assert.ok(
    got.every((count) => count <= 1),
    'an item came twice',
  );
  assert.ok(missing <= dead, `${missing} items are missing, ${dead} have died`);
  queue.close();
}

async function queueOfOtherMethods(random) {
  const context = getContext('forkserver');
  const [queue, lock, total] = [new Queue(), new Lock(), new RawValue('f64', 0)];
  const children = [];
  for (let i = 0; i < 2; i += 1) {
    children.push(await start(() => new context.Process({ target: addUp, args: [queue, lock, total] })));
  }
  const items = random.below(500);
  for (let number = 0; number < items; number += 1) await queue.putAsync({ number });
  for (const _ of children) queue.put(null);
  for (const child of children) assert.equal(await end(random, child), 0);
  assert.equal(total.value, (items * (items - 1)) / 2);
}

async function pipes(random) {
  const [mine, others] = Pipe();
  const child = await forked(async () => {
    mine.close();
    try {
      for (;;) {
        const value = others.recv();
        // The end of the pipe would come late: children of other actions have inherited this end of it.
        if (value === null) return;
        others.send(value);
      }
    } catch (error) {
      if (error.code !== 'ERR_MP_EOF') throw error;
    }
  });
  others.close();
  const isVictim = random.chance(0.3);
  let ended = false;
  try {
    for (let i = 0; i < 20; i += 1) {
      const value = { i, bytes: Buffer.alloc(random.pick([0, 10, 5000, 200_000]), i) };
      if (isVictim && i === 10) kill(random, child);
      await mine.sendAsync(value);
      assert.deepEqual(await mine.recvAsync(), value);
    }
  } catch (error) {
    // Whichever end it is that notices.
    if (!['ERR_MP_EOF', 'EPIPE', 'ECONNRESET'].includes(error.code)) throw error;
    ended = true;
  }
  assert.equal(ended, isVictim);
  if (!isVictim) mine.send(null);
  mine.close();
  assert.equal(await end(random, child), isVictim ? -9 : 0);
}

async function events(random) {
  const [event, condition, woken] = [new Event(), new Condition(), new RawValue('i32', 0)];
  const children = [];
  for (let i = 0; i < 3; i += 1) {
    children.push(
      await forked(async () => {
        if (i === 0) await event.waitAsync();
        else event.wait();
        condition.with(() => {
          woken.value += 1;
          condition.notifyAll();
        });
      }),
    );
  }
  const victim = random.chance(0.3) ? random.pick(children) : undefined;
  if (victim) kill(random, victim);
  await delay(random.below(5));
  event.set();
  const alive = children.length - (victim ? 1 : 0);
  if (!victim)
    condition.with(() =>
      assert.equal(
        condition.waitFor(() => woken.value >= alive, 30_000),
        true,
      ),
    );
  for (const child of children) assert.ok([0, -9].includes(await end(random, child)));
  assert.ok(woken.value >= alive);
}

async function barriers(random) {
  const barrier = new Barrier(3);
  const children = [];
  for (let i = 0; i < 3; i += 1) {
    children.push(
      // As an argument: so a child that is killed before it has come is missed, too.
      await forked((given) => {
        try {
          for (let round = 0; round < 20; round += 1) given.wait();
        } catch (error) {
          if (error.code !== 'ERR_MP_BROKEN_BARRIER') throw error;
          process.exitCode = 3;
        }
      }, barrier),
    );
  }
  const hasVictim = random.chance(0.4);
  if (hasVictim) {
    await delay(random.below(5));
    kill(random, random.pick(children));
  }
  const codes = [];
  for (const child of children) codes.push(await end(random, child));
  const expected = codes.includes(-9) ? [0, 3, -9] : [0];
  assert.ok(
    codes.every((code) => expected.includes(code)),
    codes.join(),
  );
}

let names = 0;

async function sharedMemory(random) {
  const name = random.chance(0.5) ? `${process.env.SOAK_PREFIX}-${(names += 1)}` : undefined;
  const memory = new SharedMemory({ create: true, size: 1 + random.below(100_000), ...(name && { name }) });
  memory.buf[0] = 42;
  const child = await forked((given) => {
    const seen = new SharedMemory({ name: given });
    if (seen.buf[0] !== 42) process.exit(1);
    seen.close();
  }, memory.name);
  if (random.chance(0.2)) kill(random, child);
  assert.ok([0, -9].includes(await end(random, child)));
  memory.close();
  memory.unlink();
}

/** A child that is killed takes its daemons with it, and only them. */
async function daemons(random) {
  const [mine, others] = Pipe(false);
  const child = await forked(async () => {
    const daemon = new Process({
      target: () => {
        for (;;);
      },
      daemon: true,
    });
    daemon.start();
    others.send(daemon.pid);
    if (random.chance(0.5)) await new Promise(() => setInterval(() => {}, 1000));
  });
  others.close();
  const pid = await mine.recvAsync();
  mine.close();
  if (random.chance(0.5)) await delay(random.below(5));
  kill(random, child);
  await end(random, child);
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    if (stateOf(pid) === 'Z') return;
    assert.ok(performance.now() < deadline, `daemon ${pid} has outlived its parent`);
    await delay(5);
  }
}

function stateOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return 'Z';
  }
}

/** Waits that are called off. */
async function aborts(random) {
  const [queue, lock] = [new Queue(), new Lock()];
  lock.acquire();
  const child = await forked(() => new Promise(() => setInterval(() => {}, 1000)));
  const controller = new AbortController();
  const { signal } = controller;
  const waits = [queue.getAsync({ signal }), lock.acquireAsync({ signal }), child.joinAsync({ signal })];
  const settled = Promise.allSettled(waits);
  await delay(random.below(4));
  controller.abort();
  for (const { status, reason } of await settled) assert.deepEqual([status, reason?.name], ['rejected', 'AbortError']);
  lock.release();
  kill(random, child);
  assert.equal(await end(random, child), -9);
  queue.close();
}

/** Children of `node:child_process` beside ours keep their events. */
async function foreign(random) {
  const { spawn } = await import('node:child_process');
  const child = spawn('/bin/sh', ['-c', `exit ${random.below(9)}`]);
  const ours = await forked(() => {});
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.notEqual(code, null);
  assert.equal(await end(random, ours), 0);
}

/** How often which: those that take long, seldom. */
export const actions = Object.entries({
  exits: [exits, 6],
  endedFromOutside: [endedFromOutside, 4],
  rawFork: [rawFork, 3],
  otherMethods: [otherMethods, 2],
  locks: [locks, 4],
  semaphores: [semaphores, 3],
  queueFromProducers: [queueFromProducers, 4],
  queueToConsumers: [queueToConsumers, 4],
  queueOfOtherMethods: [queueOfOtherMethods, 1],
  pipes: [pipes, 4],
  events: [events, 3],
  barriers: [barriers, 3],
  sharedMemory: [sharedMemory, 3],
  daemons: [daemons, 2],
  aborts: [aborts, 3],
  pools: [pools, 5],
  executors: [executors, 2],
  foreign: [foreign, 1],
}).map(([name, [run, weight]]) => ({ name, run, weight }));
