// Groups of processes with little memory, where this system lets the tests make one: as root, mostly.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const kinds = [
  { root: '/sys/fs/cgroup', limit: 'memory.max' },
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
];

/** Makes a group that may use so many bytes. @returns its folder; undefined where none can be made. */
export function makeGroup(bytes: number): string | undefined {
  for (const { root, limit } of kinds) {
    const folder = join(root, `node-multiprocessing-test-${process.pid}`);
    try {
      mkdirSync(folder);
    } catch {
      continue;
    }
    if (existsSync(join(folder, limit))) {
      writeFileSync(join(folder, limit), `${bytes}`);
      return folder;
    }
    rmdirSync(folder);
  }
  return undefined;
}
