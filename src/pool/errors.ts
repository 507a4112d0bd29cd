/**
 * How tasks of pools fail.
 */
import { inspect } from 'node:util';

import { ProcessError } from '../errors.ts';

/** The worker that had a task has ended before the task did. Python has none: the result never comes. */
export class WorkerLostError extends ProcessError {
  /** Place of the task among those of its call: of `map`, the item. */
  readonly taskIndex: number;
  /** Of the worker. */
  readonly pid: number;
  /** Of the worker; `-N` if signal N ended it. */
  readonly exitCode: number;
  /** Name of the signal that ended it, or null. */
  readonly signal: string | null;
  /** Bytes of memory that it had when it last looked; 0 if it never did. */
  readonly memory: number;
  /** Whether the kernel has ended it because memory had run out, as far as the cgroup tells. */
  readonly outOfMemory: boolean;

  /** @internal */
  constructor(
    message: string,
    facts: Pick<WorkerLostError, 'exitCode' | 'memory' | 'outOfMemory' | 'pid' | 'signal' | 'taskIndex'>,
  ) {
    super('ERR_MP_WORKER_LOST', message);
    this.taskIndex = facts.taskIndex;
    this.pid = facts.pid;
    this.exitCode = facts.exitCode;
    this.signal = facts.signal;
    this.memory = facts.memory;
    this.outOfMemory = facts.outOfMemory;
  }
}

/** Python: `multiprocessing.pool.RemoteTraceback`. The cause of a task's error: where in the worker it was thrown. */
export class RemoteTraceback extends Error {
  static {
    this.prototype.name = 'RemoteTraceback';
  }

  /** Name of the worker. */
  readonly worker: string;
  /** Process id of the worker. */
  readonly pid: number;
  /** Place of the task among those of its call: of `map`, the item. */
  readonly taskIndex: number;

  /** @internal */
  constructor(text: string, worker: string, pid: number, taskIndex: number) {
    super(`task ${taskIndex} in ${worker} (pid ${pid}):\n${text}`);
    // Where it is made is of no interest.
    this.stack = `${this.name}: ${this.message}`;
    this.worker = worker;
    this.pid = pid;
    this.taskIndex = taskIndex;
  }
}

/** Says of a task's error where it comes from. */
export function traced(error: unknown, worker: string, pid: number, taskIndex: number): unknown {
  if (!(error instanceof Error) || !Object.isExtensible(error)) return error;
  Object.defineProperty(error, 'taskIndex', { value: taskIndex, writable: true, configurable: true });
  if (error.cause === undefined) {
    const text = error.stack ?? inspect(error);
    const cause = new RemoteTraceback(text, worker, pid, taskIndex);
    Object.defineProperty(error, 'cause', { value: cause, writable: true, configurable: true });
  }
  return error;
}
