/**
 * The memory that a process has for itself alone.
 */
import { readFileSync } from 'node:fs';

/** Bytes of this process's memory that it shares with nobody: of a forked one, what it has changed. */
export function privateMemory(): number {
  try {
    const rollup = readFileSync('/proc/self/smaps_rollup', 'latin1');
    let kilobytes = 0;
    for (const [, amount] of rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)) kilobytes += Number(amount);
    return kilobytes * 1024;
  } catch {
    // Another system, or a container that hides it.
    return process.memoryUsage.rss();
  }
}
