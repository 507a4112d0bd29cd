/**
 * Workers that know the same functions, and the tasks for them.
 */
import { ShutDown } from '../errors.ts';
import type { Process } from '../process.ts';
import { List } from '../serialize/index.ts';
import { Channel, FACTS, type Message } from './channel.ts';
import { taskFacts } from './protocol.ts';
import { Slots, distance } from './slots.ts';
import type { Task } from './task.ts';

/** A worker. */
export interface Worker {
  readonly process: Process;
  readonly pid: number;
  readonly name: string;
  readonly id: number;
  readonly slot: number;
  readonly generation: Generation;
  /** Tasks that it has answered. */
  tasks: number;
  /** Milliseconds that it was at work on them. */
  busyMs: number;
  /** Why it could not become ready. */
  failure: { readonly error: unknown } | undefined;
}

const facts = new Uint8Array(FACTS);
const view = new DataView(facts.buffer);

/** Workers and tasks. */
export class Generation {
  readonly tasks = new Channel();
  readonly slots: Slots;
  readonly workers = new Set<Worker>();
  /** By number. */
  readonly outstanding = new Map<number, Task>();
  /** How many functions each of its workers knows; undefined before there is one. */
  known: number | undefined;
  /** No tasks come to it any more. */
  isRetired = false;
  readonly #free: number[];
  /** This process's own slot. */
  readonly #own: number;
  #written = 0;
  /** Tasks that were taken back, and what they are. */
  #recalled = new Map<Task, Uint8Array>();

  constructor(processes: number) {
    this.slots = new Slots(processes + 1);
    this.#own = processes;
    this.#free = Array.from({ length: processes }, (_, slot) => slot);
  }

  /** A slot for a worker. */
  takeSlot(): number {
    const slot = this.#free.shift() as number;
    this.slots.clear(slot);
    return slot;
  }

  /** No tasks come any more. */
  retire(): void {
    this.isRetired = true;
    this.putBack();
    this.endIfRetired();
  }

  /** Has the workers of a retired one end once no task waits for them: while any does, others can be taken back and put again. */
  endIfRetired(): void {
    if (this.isRetired && !this.tasks.isShutDown && this.waiting === 0) this.tasks.shutdown(false);
  }

  giveSlot(slot: number): void {
    this.#free.push(slot);
  }

  /** Puts a task where workers find it. @throws if that cannot be carried. */
  put(task: Task, fn: number): void {
    view.setUint32(4 * taskFacts.fn, fn, true);
    view.setUint32(4 * taskFacts.mode, task.mode, true);
    this.tasks.put(facts, new List(task.args as readonly unknown[]));
    if (task.retries === 0) task.args = undefined;
    this.#file(task);
  }

  #file(task: Task): void {
    task.generation = this;
    task.number = distance(0, this.#written);
    this.outstanding.set(task.number, task);
    this.#written += 1;
  }

  /** Whether a worker has taken it. */
  isTaken(task: Task): boolean {
    return !this.#recalled.has(task) && isBefore(task.number, this.tasks.taken);
  }

  /** The workers that have left word that they are at work on it. */
  holdersOf(task: Task): Worker[] {
    return [...this.workers].filter((worker) => this.slots.runs(worker.slot, task.number));
  }

  /** The task that a worker has taken last, if there is no answer yet. */
  heldBy(worker: Worker): Task | undefined {
    const number = this.slots.claimed(worker.slot);
    return number === undefined ? undefined : this.outstanding.get(number);
  }

  /**
   * The task that is lost with a worker that has ended. After that, answers have to be read: one may be among them.
   *
   * Whoever takes a task leaves word before it is gone from the queue. So one that is still there is nobody's; and of several
   * workers that have left word of it, the last one has it, and its word stands until it has answered.
   */
  lostWith(worker: Worker): Task | undefined {
    const number = this.slots.claimed(worker.slot);
    if (number === undefined || !isBefore(number, this.tasks.taken)) return undefined;
    for (const other of this.workers) {
      if (other !== worker && this.slots.claimed(other.slot) === number) return undefined;
    }
    return this.outstanding.get(number);
  }

  /** Takes a task back, unless it was taken. All others that were not come back with it, until `putBack`. */
  recall(task: Task): boolean {
    if (!this.#recalled.has(task) && !this.isTaken(task) && !this.tasks.isShutDown) {
      const claim = this.slots.claimOf(this.#own);
      while (this.tasks.length > 0) {
        const message = takeIfAny(this.tasks, claim);
        const found = message && this.outstanding.get(this.slots.claimed(this.#own) as number);
        if (found) this.#recalled.set(found, message.copy());
      }
    }
    return this.#recalled.delete(task);
  }

  /** Whether tasks have come back that do not wait for workers again. */
  get hasRecalled(): boolean {
    return this.#recalled.size > 0;
  }

  /** Has those that came back wait for workers again. */
  putBack(): void {
    const recalled = [...this.#recalled];
    this.#recalled.clear();
    for (const [task, message] of recalled) {
      // It may have been settled meanwhile.
      if (this.outstanding.get(task.number) !== task) continue;
      this.outstanding.delete(task.number);
      this.tasks.putAgain(message);
      this.#file(task);
    }
  }

  /** Nothing is taken any more. */
  shutDown(): void {
    this.#recalled.clear();
    this.tasks.shutdown(true);
  }

  /** How many tasks wait for workers. */
  get waiting(): number {
    return this.tasks.length + this.#recalled.size;
  }
}

/** Takes a message, unless a worker is faster. */
function takeIfAny(tasks: Channel, claim: number): Message | undefined {
  try {
    return tasks.take(claim, 0);
  } catch (error) {
    if (error instanceof ShutDown) return undefined;
    throw error;
  }
}

/** Whether `number` comes before `taken`. */
function isBefore(number: number, taken: number): boolean {
  const ahead = distance(number, taken);
  return ahead > 0 && ahead < 2 ** 29;
}
