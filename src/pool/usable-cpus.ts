/**
 * How many CPUs this process may use.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return '';
  }
}

/** CPUs' worth of time that the cgroups of this process may use; Infinity if they do not say. */
function quota(): number {
  const lines = read('/proc/self/cgroup').split('\n');
  let least = Infinity;
  // Version 2: this group and those around it.
  let path = lines.find((line) => line.startsWith('0::'))?.slice(3);
  while (path !== undefined) {
    const [most, period] = read(`/sys/fs/cgroup${path === '/' ? '' : path}/cpu.max`)
      .split(' ')
      .map(Number) as [number, number];
    if (most > 0 && period > 0) least = Math.min(least, most / period);
    path = path === '/' || path === '' ? undefined : path.slice(0, Math.max(path.lastIndexOf('/'), 1));
  }
  // Version 1.
  const group = lines.find((line) => /^\d+:([^:]*,)?cpu(,[^:]*)?:/.test(line))?.replace(/^[^:]*:[^:]*:/, '');
  for (const at of group === undefined ? [] : [group, '']) {
    const most = Number(read(`/sys/fs/cgroup/cpu${at}/cpu.cfs_quota_us`));
    const period = Number(read(`/sys/fs/cgroup/cpu${at}/cpu.cfs_period_us`));
    if (most > 0 && period > 0) least = Math.min(least, most / period);
  }
  return least;
}

/**
 * Python: `os.process_cpu_count()` (3.13). CPUs that this process may use: by its affinity, and by the quota of its cgroup, which
 * is how containers are limited. The default size of pools.
 */
export function processCpuCount(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(quota())));
}
