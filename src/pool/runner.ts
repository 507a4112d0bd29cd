/**
 * What a pool needs of whoever does its tasks: processes or threads.
 */
import type { Input } from './inputs.ts';
import type { Task } from './task.ts';
import type { Timeline } from './timeline.ts';

/** How a worker stands; see `stats()` of `Pool`. */
export interface WorkerStats {
  /** Such as `ForkPoolWorker-1`. */
  readonly name: string;
  /** Of its process; of a thread that of this one. */
  readonly pid: number;
  /** Tasks that it has done. */
  readonly tasks: number;
  /** Milliseconds that it was at work on them. */
  readonly busyMs: number;
  /** Bytes of memory when it last looked; 0 if it did not yet, and of threads. */
  readonly memory: number;
  /** Whether it has a task now. */
  readonly busy: boolean;
}

export type RunnerState = 'broken' | 'closing' | 'open' | 'terminated';

/** Does tasks. */
export interface Runner {
  readonly timeline: Timeline;
  readonly state: RunnerState;
  /** Tasks that have not been answered. */
  readonly outstanding: number;
  /** Workers that were started in place of others. */
  readonly restarts: number;
  /** Whether all workers have ended, and none will be started. */
  readonly isOver: boolean;
  stats(): WorkerStats[];
  /** Starts workers, if that can be done by now. */
  open(): void;
  /** @throws ProcessError unless tasks can be given to it, in this process. */
  checkOpen(what: string): void;
  /** @throws ProcessError in another process than that which made it. */
  checkMine(what: string): void;
  /** Gives tasks to the workers. What cannot be carried is the task's error. */
  submit(tasks: readonly Task[]): void;
  /** Gives a task up. @returns whether it had not been begun; undefined if it has been answered. */
  giveUp(task: Task, error: unknown, mayStop: boolean): boolean | undefined;
  /** Hears what has come. Whether that was anything. */
  look(): boolean;
  /** Blocks until `isDone`. @returns false after the timeout. @throws InterruptedError */
  waitUntil(isDone: () => boolean, timeoutMs: number, what: string): boolean;
  /** Blocks until all workers have ended. @returns false after the timeout. @throws InterruptedError */
  waitUntilOver(timeoutMs: number, what: string): boolean;
  /** There is more to come of it, also after `close()`. */
  addInput(input: Input): void;
  /** It has come to its end. */
  removeInput(input: Input): void;
  /** No tasks come any more; the workers end once all are done. */
  close(): void;
  /** Ends the workers, whatever they do. */
  terminate(): void;
  /** Waits until all workers have ended. @returns false after the timeout. @throws the reason of `signal`. */
  overAsync(timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean>;
}
