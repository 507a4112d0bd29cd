/**
 * Starts that wait for what the same turn of the event loop has to say: until it ends, or blocks.
 */
import { native } from '../native.ts';

let pending: (() => void)[] = [];

function startAll(): void {
  const starts = pending;
  pending = [];
  for (const start of starts) start();
}

/** Calls `start` when the event loop turns, or before this process blocks in a call of this package. */
export function startSoon(start: () => void): void {
  pending.push(start);
  if (pending.length > 1) return;
  native.beforeBlocking(startAll);
  setImmediate(startAll);
}
