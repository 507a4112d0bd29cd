// Pools of the soak.
import assert from 'node:assert/strict';

import { Pool, ProcessPoolExecutor, getContext } from 'node-multiprocessing';
import { delay } from './children.mjs';
import { double, task } from './targets.mjs';

const taskEnds = {
  returns: 'done',
  waits: 'done',
  throws: 'RangeError',
  killed: 'ERR_MP_WORKER_LOST',
  exits: 'ERR_MP_WORKER_LOST',
  hangs: 'ERR_MP_TIMEOUT',
  aborted: 'AbortError',
};

/** Each task is settled once, and as it should be; tasks of workers that are killed from outside may be lost. */
export async function pools(random) {
  const context = random.chance(0.3) ? getContext('forkserver') : undefined;
  const pool = new Pool(1 + random.below(3), {
    ...(context && { context }),
    ...(random.chance(0.3) && { maxTasksPerChild: 3 }),
  });
  const isTerminated = random.chance(0.2);
  let killed = 0;
  const tasks = Array.from({ length: 1 + random.below(25) }, () => {
    const kind = random.pick([
      'returns',
      'returns',
      'returns',
      'waits',
      'waits',
      'throws',
      'killed',
      'exits',
      'hangs',
      'aborted',
    ]);
    const value = random.below(1000);
    const calls = { count: 0 };
    const controller = new AbortController();
    if (kind === 'aborted') setTimeout(() => controller.abort(), random.below(60));
    const result = pool.applyAsync(task, [kind === 'aborted' ? 'hangs' : kind, value], {
      callback: () => (calls.count += 1),
      errorCallback: () => (calls.count += 1),
      ...(kind === 'hangs' && { timeoutMs: 20 }),
      ...(kind === 'aborted' && { signal: controller.signal }),
    });
    return { kind, value, calls, result };
  });
  const mapped = random.chance(0.5) ? pool.mapAsync(double, [1, 2, 3, 4, 5, 6, 7]) : undefined;
  if (random.chance(0.3)) {
    await delay(random.below(30));
    const victim = pool.stats().workers.find(({ pid }) => pid !== undefined);
    if (victim) {
      killed += 1;
      try {
        process.kill(victim.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    }
  }
  if (isTerminated) {
    await delay(random.below(40));
    pool.terminate();
  }
  const also = [...(isTerminated ? ['ERR_MP_TERMINATED'] : []), ...(killed ? ['ERR_MP_WORKER_LOST'] : [])];
  for (const { kind, value, calls, result } of tasks) {
    const [settled] = await Promise.allSettled([result]);
    const { reason } = settled;
    const came = settled.status === 'fulfilled' ? 'done' : (reason.code ?? reason.name);
    const normal = came === 20 ? 'AbortError' : came;
    assert.ok([taskEnds[kind], ...also].includes(normal), `a task that ${kind} came to ${normal}: ${reason?.stack}`);
    if (came === 'done') assert.equal(settled.value, kind === 'returns' ? value * 2 : value);
    await delay(0);
    assert.equal(calls.count, 1, `a task that ${kind} was settled ${calls.count} times`);
  }
  if (mapped) {
    const [settled] = await Promise.allSettled([mapped]);
    if (settled.status === 'fulfilled') assert.deepEqual(settled.value, [2, 4, 6, 8, 10, 12, 14]);
    else assert.ok(also.includes(settled.reason.code), settled.reason.stack);
  }
  if (!isTerminated && random.chance(0.5)) pool.close();
  else if (!isTerminated) pool.terminate();
  if (random.chance(0.5)) await pool.joinAsync();
  else pool.join();
}

export async function executors(random) {
  const executor = new ProcessPoolExecutor({ maxWorkers: 2, onWorkerLost: 'respawn' });
  const futures = Array.from({ length: 1 + random.below(20) }, (_, i) =>
    executor.submit(task, random.pick(['returns', 'waits']), i),
  );
  const isCancelled = futures.map((future) => random.chance(0.2) && future.cancel());
  for (const [i, { status, reason }] of (await Promise.allSettled(futures)).entries()) {
    if (isCancelled[i]) assert.equal(reason?.code, 'ERR_MP_CANCELLED');
    else assert.equal(status, 'fulfilled', reason?.stack);
  }
  await executor.shutdownAsync();
}
