/**
 * Whether the kernel has killed a process of this one's cgroup because memory had run out.
 */
import { readFileSync } from 'node:fs';

/** The file that counts such ends, of cgroup version 2. */
function eventsFile(): string | undefined {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
    return path === undefined ? undefined : `/sys/fs/cgroup${path === '/' ? '' : path}/memory.events`;
  } catch {
    return undefined;
  }
}

/** Counts them. */
export class OomWatch {
  readonly #file = eventsFile();
  #seen = this.#count();

  #count(): number {
    if (this.#file === undefined) return 0;
    try {
      return Number(/^oom_kill (\d+)$/m.exec(readFileSync(this.#file, 'utf8'))?.[1] ?? 0);
    } catch {
      return 0;
    }
  }

  /** Whether there has been one more. */
  hasKilled(): boolean {
    const count = this.#count();
    const isMore = count > this.#seen;
    this.#seen = count;
    return isMore;
  }
}
