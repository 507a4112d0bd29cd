/**
 * Waits for shared objects that leave the event loop turning.
 */
import type { Settled } from '../../index.js';
import { native } from '../native.ts';
import { race } from '../wait.ts';

const pending = new Map<number, (settled: Settled) => void>();

function onSettled(all: Settled[]): void {
  for (const settled of all) {
    const settle = pending.get(settled.wait);
    pending.delete(settled.wait);
    settle?.(settled);
  }
}

/** Has the ends of waits told in this process. */
export function listen(): void {
  native.watchWaits(onSettled);
}

/**
 * Waits for what `begin` has begun to wait for.
 *
 * @returns how it ended; undefined after the timeout, unless it ended at that moment.
 * @throws the reason of `signal`, once it is aborted.
 */
export async function waitSettled(
  begin: () => number,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Settled | undefined> {
  listen();
  let result: Settled | undefined;
  await race(
    (done) => {
      const id = begin();
      pending.set(id, (settled) => {
        result = settled;
        done();
      });
      return () => {
        if (pending.delete(id)) result = native.cancelWait(id) ?? undefined;
      };
    },
    timeoutMs,
    signal,
  );
  return result;
}
