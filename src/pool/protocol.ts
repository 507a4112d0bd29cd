/**
 * What a pool and its workers say to each other.
 */

/** How a task's arguments are given: of one call; of a call for each item; of a call for each item, spread. */
export const Mode = { apply: 0, map: 1, starmap: 2 } as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** What a worker says. */
export const Said = {
  /** The value of a task: of `apply`, or of each item. */
  value: 0,
  /** The error of a task: `Failure`. */
  error: 1,
  /** The error of reading a task: `Failure`. */
  undecodable: 3,
  /** The error of the initializer; it ends then. */
  notReady: 2,
} as const;

/** Why a task has failed. */
export interface Failure {
  readonly error: unknown;
  /** The place in the task of the item that it is about. */
  readonly item: number;
}

/** Words of facts of a task; the same for all that a pool says. */
export const taskFacts = { fn: 0, mode: 1 } as const;

/** Words of facts of an answer. */
export const answerFacts = { said: 0, number: 1, worker: 2 } as const;

/** Numbers of facts of an answer: when the task was taken, on the monotonic clock, and how long it took, in milliseconds. */
export const answerSince = 2;
export const answerTook = 3;

/** What a thread leaves word of in memory: its id in the system, and its exit code plus one. */
export const Life = { id: 0, exited: 1 } as const;
