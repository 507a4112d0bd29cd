/** What this system offers to a safe fork. */
import { isMainThread } from 'node:worker_threads';

import { native } from '../native.ts';
import { nodeInternals } from './internals.ts';

/** One condition of a safe fork. */
export interface ForkCondition {
  /** What is needed. */
  readonly name: string;
  /** Whether it is there. */
  readonly ok: boolean;
  /** What is missing, if it is not. */
  readonly missing?: string;
  /** Code of the `ForkError` that a fork is refused with then. */
  readonly code?: string;
}

/** What `forkSupport()` reports. */
export interface ForkSupport {
  /** Whether a fork would be made (if no thread is busy at that moment). */
  readonly supported: boolean;
  /** Every condition that was examined. */
  readonly conditions: readonly ForkCondition[];
  /** How V8's background work goes on in a child. */
  readonly backgroundWork: 'revived' | 'none';
  /** How a child's `Math.random` is given a state of its own: null as long as this process is no child. */
  readonly mathRandom: 'seeded' | 'replaced' | null;
}

/**
 * What was found on this system, and what a fork would do. Makes no process. Python has none.
 *
 * A fork can still be refused at run time: `ERR_MP_FORK_THREAD_BUSY` when another thread does not come to rest in time.
 */
export function forkSupport(): ForkSupport {
  const conditions: ForkCondition[] = native.forkConditions().map(({ name, missing, code }) => ({
    name,
    ok: missing === undefined,
    ...(missing && { missing }),
    ...(code && { code }),
  }));
  conditions.push({
    name: 'main thread',
    ok: isMainThread,
    ...(!isMainThread && { missing: 'this is a worker thread', code: 'ERR_MP_FORK_WORKER_THREAD' }),
  });
  try {
    nodeInternals();
    conditions.push({ name: 'timers and ticks', ok: true });
  } catch (error) {
    const { message, code } = error as { message: string; code: string };
    conditions.push({ name: 'timers and ticks', ok: false, missing: message, code });
  }
  const supported = conditions.every(({ ok }) => ok);
  const seeded = native.isRandomSeeded();
  const platform = conditions.find(({ name }) => name === 'platform');
  return {
    supported,
    conditions,
    backgroundWork: platform?.ok ? 'revived' : 'none',
    mathRandom: seeded === null ? null : seeded ? 'seeded' : 'replaced',
  };
}

/** What the parts of a fork took, in nanoseconds. */
export interface ForkTimings {
  /** Waiting for other threads to rest. */
  readonly quietNs: number;
  /** Finding and changing the marks that keep V8's heap out of forks. */
  readonly mappingsNs: number;
  /** The system call. */
  readonly forkNs: number;
  /** From its return in the child to the call of the target. */
  readonly childSetupNs: number;
  /** The target. */
  readonly runNs: number;
  /** From the target's end to the child's last system call. */
  readonly exitNs: number;
  /** From that to the reaping in the parent. */
  readonly reapNs: number;
  /** Copies that were thrown away because a thread woke at the last moment. */
  readonly retries: number;
}

/** What the last `Process.start()` of this process took, once its child was joined; null before. For benchmarks. */
export function lastForkTimings(): ForkTimings | null {
  return native.forkTimings();
}
