import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

import type { Helper } from './helper.ts';

/** What a process holds in memory, seen from outside by the same means for every language. */
export interface Memory {
  readonly residentBytes: number;
  /** Memory that is no file's: what a fork has to copy the page tables of. Only on Linux, as are the following. */
  readonly anonymousBytes?: number;
  /** The part of it that stands in huge pages, each of which costs a fork as little as one small page. */
  readonly hugeBytes?: number;
  readonly pageTableBytes?: number;
  /** What no other process has. */
  readonly privateBytes?: number;
  /** That, and of what others have as well the share of one. */
  readonly proportionalBytes?: number;
}

export function memoryOf(pid: number): Memory {
  if (process.platform !== 'linux') {
    const kilobytes = execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' });
    return { residentBytes: Number(kilobytes) * 1024 };
  }
  // The sum over the page tables: /proc/<pid>/statm gives the same figure, but lags behind by up to some hundred pages a thread.
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    residentBytes: kilobytesIn(rollup, 'Rss') * 1024,
    anonymousBytes: kilobytesIn(rollup, 'Anonymous') * 1024,
    hugeBytes: kilobytesIn(rollup, 'AnonHugePages') * 1024,
    pageTableBytes: kilobytesIn(status, 'VmPTE') * 1024,
    privateBytes: (kilobytesIn(rollup, 'Private_Clean') + kilobytesIn(rollup, 'Private_Dirty')) * 1024,
    proportionalBytes: kilobytesIn(rollup, 'Pss') * 1024,
  };
}

const CLOSE_ENOUGH = 0.003;
const TRIES = 12;

/** Has a helper allocate and touch memory until it is as large, in resident pages, as asked. */
export async function growTo(helper: Helper, residentBytes: number, kind: string): Promise<void> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const missing = residentBytes - memoryOf(helper.pid).residentBytes;
    if (missing <= residentBytes * CLOSE_ENOUGH) return;
    // Each language only estimates what an object takes: come near from below.
    const share = missing > residentBytes * 0.1 ? 0.9 : 1;
    await helper.request(`grow ${kind} ${Math.ceil(missing * share)}`);
  }
  throw new Error(`did not reach ${(residentBytes / 1e6).toFixed(0)} MB of resident memory`);
}

function kilobytesIn(text: string, field: string): number {
  const value = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  return value === undefined ? 0 : Number(value);
}
