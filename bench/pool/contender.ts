/** Functions that every contender has, by name: in `tasks.ts`, and in bench/foreign for the others. */
export type Task = 'increment' | 'block' | 'fib' | 'sum';

/** A pool of two workers. What is given to `run` is one task, and so is each item of the lists, except for `chunks`. */
export interface OpenPool {
  run(task: Task, argument: unknown): unknown;
  each?(task: Task, list: readonly unknown[]): unknown;
  chunks?(task: Task, list: readonly unknown[]): unknown;
  close(): unknown;
}

export interface Contender {
  /** How workers come by a large input: both see the same memory, or each gets its part by message, or has it by fork. */
  readonly memory: 'shared' | 'copied' | 'inherited';
  /** `lazily`: may start a worker only when there is work for it. */
  open(lazily: boolean): OpenPool;
}
