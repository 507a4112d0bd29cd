/**
 * The live workers of an engine: how they are started and killed, and what is said of one that was lost.
 */
import type { Context } from '../context.ts';
import { native } from '../native.ts';
import { packageRoot } from '../package-root.ts';
import { Process } from '../process.ts';
import { signalName } from '../signals.ts';
import type { Bound, StartMethodName } from '../start-methods.ts';
import { WorkerLostError } from './errors.ts';
import type { Generation, Worker } from './generation.ts';
import { OomWatch } from './oom.ts';
import type { WorkerStats } from './runner.ts';
import { serve, type Kit } from './worker.ts';

/** Names of workers begin with these, as Python's. */
const prefixes: Record<StartMethodName, string> = { fork: 'Fork', forkserver: 'ForkServer', spawn: 'Spawn' };

/** The module that workers which are not forked import. */
const workerModule = new URL('dist/pool/worker.js', packageRoot).href;

/** What all workers are given. */
export type CommonKit = Omit<Kit, 'tasks' | 'slots' | 'slot' | 'worker'>;

export class Crew {
  readonly #method: StartMethodName;
  readonly #context: Context | undefined;
  readonly #kit: CommonKit;
  readonly #ended: (worker: Worker) => void;
  readonly #oom = new OomWatch();
  readonly #workers = new Map<number, Worker>();
  #started = 0;

  /** `ended` is called from the event loop when a worker has ended. */
  constructor(method: StartMethodName, context: Bound | undefined, kit: CommonKit, ended: (worker: Worker) => void) {
    this.#method = method;
    this.#context = context as Context | undefined;
    this.#kit = kit;
    this.#ended = ended;
  }

  get size(): number {
    return this.#workers.size;
  }

  /** How many workers have ever been started. */
  get started(): number {
    return this.#started;
  }

  values(): IterableIterator<Worker> {
    return this.#workers.values();
  }

  get(id: number): Worker | undefined {
    return this.#workers.get(id);
  }

  stats(): WorkerStats[] {
    return [...this.#workers.values()].map((worker) => {
      const { generation, slot, name, pid, tasks, busyMs } = worker;
      const busy = generation.heldBy(worker) !== undefined;
      return { name, pid, tasks, busyMs, memory: generation.slots.memory(slot), busy };
    });
  }

  /** Starts a worker of a generation. @throws what the system says, if it cannot. */
  start(generation: Generation): void {
    const id = this.#started + 1;
    const slot = generation.takeSlot();
    const name = `${prefixes[this.#method]}PoolWorker-${id}`;
    const kit: Kit = { ...this.#kit, tasks: generation.tasks, slots: generation.slots, slot, worker: id };
    const target = this.#method === 'fork' ? serve : { module: workerModule, export: 'serve' };
    const subject = new Process<[Kit]>({ target, args: [kit], name, daemon: true, ctx: this.#context }) as Process;
    try {
      subject.start();
    } catch (error) {
      generation.giveSlot(slot);
      throw error;
    }
    this.#started = id;
    const pid = subject.pid as number;
    native.noteLeader(pid, true);
    const worker: Worker = {
      process: subject,
      pid,
      name,
      id,
      slot,
      generation,
      tasks: 0,
      busyMs: 0,
      failure: undefined,
    };
    generation.workers.add(worker);
    this.#workers.set(id, worker);
    subject.once('exit', () => this.#ended(worker));
  }

  /** Forgets a worker that has ended. */
  remove(worker: Worker): void {
    const { generation, slot, id, pid } = worker;
    generation.workers.delete(worker);
    this.#workers.delete(id);
    generation.giveSlot(slot);
    worker.process.close();
    native.noteLeader(pid, false);
  }

  /** Ends a worker with all that it has started. */
  kill(worker: Worker, signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): void {
    if (worker.process.exitCode !== null) return;
    try {
      process.kill(-worker.pid, signal);
    } catch {
      worker.process[signal === 'SIGKILL' ? 'kill' : 'terminate']();
    }
  }

  killAll(signal: 'SIGKILL' | 'SIGTERM'): void {
    for (const worker of this.#workers.values()) this.kill(worker, signal);
  }

  /** Ends what a worker that has ended had started. */
  endGroup(worker: Worker): void {
    try {
      process.kill(-worker.pid, 'SIGKILL');
    } catch {
      // There is nothing.
    }
  }

  /** What is said of a worker that has ended with this code, and of task `lost` that it held. */
  lossOf(worker: Worker, exitCode: number, memory: number, lost: number | undefined): WorkerLostError {
    const { name, pid } = worker;
    const signal = exitCode < 0 ? signalName(-exitCode) : null;
    const outOfMemory = exitCode === -9 && this.#oom.hasKilled();
    const how = signal === null ? `exited with code ${exitCode}` : `was ended by ${signal}`;
    const why = outOfMemory ? ", killed by the kernel's OOM killer" : '';
    const had = memory > 0 ? `; it had ${Math.round(memory / 2 ** 20)} MB when it last looked` : '';
    const what = lost === undefined ? 'a worker' : `task ${lost} was lost: its worker`;
    return new WorkerLostError(`${what} ${name} (pid ${pid}) ${how}${why}${had}`, {
      taskIndex: lost ?? -1,
      pid,
      exitCode,
      signal,
      memory,
      outOfMemory,
    });
  }
}
