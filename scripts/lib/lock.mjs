// A lock between processes that nobody can leave behind for ever: its holder touches the file once a second, and a file
// that stays untouched for ten seconds belongs to nobody. A waiter measures that with its own monotonic clock, so that
// neither a wrong clock nor a reused pid nor a suspended laptop can fool it.
import {
  closeSync,
  fstatSync,
  futimesSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

const BEAT_MS = 1_000;
const STALE_MS = 10_000;
const POLL_MS = 100;

/** Runs `work` while no other process runs its own under the same lock file. `onWait` is called once if it must wait. */
export async function withLock(file, onWait, work) {
  mkdirSync(dirname(file), { recursive: true });
  const fd = await acquire(file, onWait);
  // Through the descriptor, so that a holder that lost its lock while stopped touches and removes only its own file.
  const beat = setInterval(() => futimesSync(fd, new Date(), new Date()), BEAT_MS);
  const release = () => {
    clearInterval(beat);
    if (inode(file) === fstatSync(fd).ino) rmSync(file, { force: true });
  };
  process.once('exit', release);
  try {
    return await work();
  } finally {
    process.removeListener('exit', release);
    release();
    closeSync(fd);
  }
}

async function acquire(file, onWait) {
  let seen;
  let seenSince = 0;
  for (let told = false; ; told = true) {
    try {
      return openSync(file, 'wx');
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!told) onWait();
    const state = heartbeat(file);
    if (state !== seen) {
      seen = state;
      seenSince = performance.now();
    } else if (state && performance.now() - seenSince > STALE_MS) {
      removeStale(file, state);
    }
    await sleep(POLL_MS);
  }
}

/** Removes the lock unless another waiter did so first and somebody holds a new one by now. */
function removeStale(file, state) {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (heartbeat(aside) !== state) linkSync(aside, file);
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
}

const heartbeat = (file) => {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat && `${stat.ino}:${stat.mtimeMs}`;
};

const inode = (file) => statSync(file, { throwIfNoEntry: false })?.ino;
