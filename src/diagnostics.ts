/**
 * `node:diagnostics_channel` events, and their printing with `NODE_DEBUG=multiprocessing`.
 */
import { channel } from 'node:diagnostics_channel';
import { debuglog } from 'node:util';

/** Channels of this package. */
export const channels = {
  /** A child was started: `{ process, pid, name }`. */
  start: channel('node-multiprocessing:process:start'),
  /** A child has ended and was reaped: `{ process, pid, name, exitCode, signal }`. */
  exit: channel('node-multiprocessing:process:exit'),
  /** Somebody had to wait for a lock or semaphore: `{ lock, waitedMs, acquired }`. */
  wait: channel('node-multiprocessing:lock:wait'),
  /** Somebody had to wait in `put` or `get` of a queue: `{ queue, operation, waitedMs, done }`. */
  queueWait: channel('node-multiprocessing:queue:wait'),
  /** A worker of a pool has done a task: `{ index, worker, pid, tookMs, failed }`. */
  poolTask: channel('node-multiprocessing:pool:task'),
  /** A lock was taken over from a holder that had died: `{ lock, error }`. */
  abandoned: channel('node-multiprocessing:lock:abandoned'),
} as const;

const debug = debuglog('multiprocessing');
if (debug.enabled) {
  for (const each of Object.values(channels)) {
    each.subscribe((message, name) => {
      const { process: _, ...facts } = message as Record<string, unknown>;
      debug('%s %o', name, facts);
    });
  }
}
