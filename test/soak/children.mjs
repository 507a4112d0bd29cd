// Children of the soak: started, ended and reaped.
import assert from 'node:assert/strict';

import { Process } from 'node-multiprocessing';

export const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** How often a fork was refused because a thread was busy: that is told, and tried again. */
export const refused = { count: 0 };

/** Starts it, later if another thread is busy now. */
export async function start(make) {
  for (;;) {
    const child = make();
    try {
      child.start();
      return child;
    } catch (error) {
      if (error.code !== 'ERR_MP_FORK_THREAD_BUSY' && error.code !== 'ERR_MP_FORK_INSIDE_VM') throw error;
      refused.count += 1;
      await delay(5);
    }
  }
}

export const forked = (target, ...args) => start(() => new Process({ target, args }));

/** Waits in one way or the other; each child is reaped once and closed. */
export async function end(random, child) {
  // A child may wait for what another action has to do, which this program does not do while it blocks.
  if (!random.chance(0.3) || !child.join(100)) assert.equal(await child.joinAsync(), true);
  const { exitCode, pid } = child;
  assert.notEqual(exitCode, null);
  child.close();
  assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `child ${pid} is still there`);
  return exitCode;
}

/** Kills it, if it has not ended by itself. */
export function kill(random, child) {
  if (random.chance(0.5)) child.kill();
  // Asked first: then it is at most a zombie, whose id is still its own.
  else if (child.exitCode === null) process.kill(child.pid, 'SIGKILL');
}
