/**
 * Whether the kernel has killed a process of this one's cgroup because memory had run out.
 */
import { readFileSync } from 'node:fs';

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

/** The files that may count such ends, in cgroups of version 2 and 1: that of this process, and in a container that at the top. */
function files(): string[] {
  const groups = read('/proc/self/cgroup');
  const unified = /^0::(.*)$/m.exec(groups)?.[1];
  const memory = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  const found: string[] = [];
  if (unified !== undefined) found.push(`/sys/fs/cgroup${unified}/memory.events`, '/sys/fs/cgroup/memory.events');
  if (memory !== undefined)
    found.push(`/sys/fs/cgroup/memory${memory}/memory.oom_control`, '/sys/fs/cgroup/memory/memory.oom_control');
  return found;
}

const countIn = (file: string): number | undefined => {
  const count = /^oom_kill (\d+)$/m.exec(read(file))?.[1];
  return count === undefined ? undefined : Number(count);
};

/** Counts them. */
export class OomWatch {
  /** Undefined where nothing counts them. */
  readonly #file = files().find((file) => countIn(file) !== undefined);
  #seen = this.#count();

  #count(): number {
    return this.#file === undefined ? 0 : (countIn(this.#file) ?? 0);
  }

  /** Whether there has been one more. */
  hasKilled(): boolean {
    const count = this.#count();
    const isMore = count > this.#seen;
    this.#seen = count;
    return isMore;
  }
}
