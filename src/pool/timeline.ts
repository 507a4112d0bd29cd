/**
 * When which worker was at work on what, for chrome://tracing and Perfetto.
 */
import { writeFileSync } from 'node:fs';

/** So many tasks are remembered; later ones only counted. */
const MOST = 1 << 17;
/** Numbers for each. */
const WIDTH = 5;

/** The tasks of a pool, as they ran. */
export class Timeline {
  #numbers = new Float64Array(WIDTH * 64);
  #length = 0;
  #dropped = 0;
  readonly #names = new Map<number, string>();
  readonly #files = new Set<string>();

  /** A task was done: it was taken at `since` and took so long, in milliseconds. */
  add(
    worker: { readonly pid: number; readonly id: number; readonly name: string },
    index: number,
    since: number,
    took: number,
  ): void {
    if (this.#length === MOST) {
      this.#dropped += 1;
      return;
    }
    const at = WIDTH * this.#length;
    if (at === this.#numbers.length) {
      const more = new Float64Array(2 * at);
      more.set(this.#numbers);
      this.#numbers = more;
    }
    this.#numbers[at] = worker.pid;
    this.#numbers[at + 1] = worker.id;
    this.#numbers[at + 2] = index;
    this.#numbers[at + 3] = since;
    this.#numbers[at + 4] = took;
    this.#length += 1;
    if (!this.#names.has(worker.id)) this.#names.set(worker.id, worker.name);
  }

  /** Writes what there is to `file`, and again, with all that comes, at the end. */
  write(file: string): void {
    writeFileSync(file, this.#text());
    this.#files.add(file);
  }

  /** No more will come. */
  end(): void {
    for (const file of this.#files) writeFileSync(file, this.#text());
    this.#files.clear();
  }

  #text(): string {
    const events: object[] = [];
    const named = new Set<number>();
    for (let i = 0; i < this.#length; i += 1) {
      const [pid, id, index, since, took] = this.#numbers.subarray(WIDTH * i, WIDTH * (i + 1)) as unknown as [
        number,
        number,
        number,
        number,
        number,
      ];
      if (!named.has(id)) {
        named.add(id);
        events.push({ ph: 'M', name: 'thread_name', pid: process.pid, tid: pid, args: { name: this.#names.get(id) } });
      }
      events.push({
        ph: 'X',
        cat: 'pool',
        name: `task ${index}`,
        pid: process.pid,
        tid: pid,
        ts: since * 1000,
        dur: took * 1000,
        args: { index },
      });
    }
    return JSON.stringify({ traceEvents: events, displayTimeUnit: 'ms', otherData: { dropped: this.#dropped } });
  }
}
