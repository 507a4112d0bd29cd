/**
 * Tasks that may run for some time only, and the timer that ends those which have run for longer.
 */
import { TimeoutError } from '../errors.ts';
import type { Worker } from './generation.ts';
import type { Task } from './task.ts';

/** The longest that a timer of Node's can be set to, in milliseconds. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** Milliseconds of the monotonic clock, as workers have it. */
function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export class Deadlines {
  readonly #tasks = new Set<Task>();
  /** The shortest time of any of them: a task that begins now has no less. */
  #shortestMs = Infinity;
  #timer: NodeJS.Timeout | undefined;
  readonly #workers: () => Iterable<Worker>;
  readonly #end: (task: Task, error: TimeoutError) => void;

  /** `end` is called for each task that one of `workers` has run for too long. */
  constructor(workers: () => Iterable<Worker>, end: (task: Task, error: TimeoutError) => void) {
    this.#workers = workers;
    this.#end = end;
  }

  add(task: Task): void {
    if (task.timeoutMs === Infinity) return;
    this.#tasks.add(task);
    this.#shortestMs = Math.min(this.#shortestMs, task.timeoutMs);
  }

  delete(task: Task): void {
    if (this.#tasks.delete(task) && this.#tasks.size === 0) this.#shortestMs = Infinity;
  }

  /** Ends tasks that have run for too long. How many milliseconds it is until the next one may have. */
  endLate(): number {
    if (this.#tasks.size === 0) return Infinity;
    let next = this.#shortestMs;
    const now = monotonicMs();
    for (const worker of this.#workers()) {
      const { generation, slot, name, pid } = worker;
      const task = generation.heldBy(worker);
      if (task === undefined || !this.#tasks.has(task)) continue;
      const left = generation.slots.since(slot) + task.timeoutMs - now;
      if (left > 0) next = Math.min(next, left);
      else {
        const how = `task ${task.index} has run for longer than ${task.timeoutMs} ms in ${name} (pid ${pid}): it was ended`;
        this.#end(task, new TimeoutError(how));
      }
    }
    return next;
  }

  /** Looks from the event loop, too, for as long as there are tasks. */
  arm(): void {
    if (this.#timer !== undefined || this.#tasks.size === 0) return;
    const next = this.endLate();
    if (this.#tasks.size === 0) return;
    const run = (): void => {
      this.#timer = undefined;
      this.arm();
    };
    this.#timer ??= setTimeout(run, Math.min(Math.max(next, 1), LONGEST_TIMER_MS));
  }

  /** There is nothing to look for until it is armed again. */
  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
