/**
 * Errors: one base class with a stable `code`; docs/errors.md has a row per code.
 */

/** Every `code` that this package's own errors carry. */
export const ERROR_CODES = [
  'ERR_MP_ABANDONED',
  'ERR_MP_ALREADY_STARTED',
  'ERR_MP_BROKEN_BARRIER',
  'ERR_MP_BROKEN_POOL',
  'ERR_MP_BUFFER_TOO_SHORT',
  'ERR_MP_BUNDLED',
  'ERR_MP_CANCELLED',
  'ERR_MP_CLOSED',
  'ERR_MP_CORRUPT',
  'ERR_MP_DAEMON_CHILDREN',
  'ERR_MP_DAEMON_FIXED',
  'ERR_MP_EMPTY',
  'ERR_MP_EOF',
  'ERR_MP_EXHAUSTED',
  'ERR_MP_FORK_EXITING',
  'ERR_MP_FORK_INSIDE_VM',
  'ERR_MP_FORK_INTERNALS',
  'ERR_MP_FORK_MISSING_SYMBOL',
  'ERR_MP_FORK_NO_PROC',
  'ERR_MP_FORK_THREAD_BUSY',
  'ERR_MP_FORK_UNSUPPORTED',
  'ERR_MP_FORK_WORKER_THREAD',
  'ERR_MP_FULL',
  'ERR_MP_INHERIT_ONLY',
  'ERR_MP_INTERRUPTED',
  'ERR_MP_INVALID_ARG',
  'ERR_MP_INVALID_STATE',
  'ERR_MP_JOIN_SELF',
  'ERR_MP_MESSAGE_TOO_LONG',
  'ERR_MP_NATIVE_LOAD',
  'ERR_MP_NOT_DESERIALIZABLE',
  'ERR_MP_NOT_ENDED',
  'ERR_MP_NOT_IMPORTABLE',
  'ERR_MP_NOT_LOCKED',
  'ERR_MP_NOT_MY_CHILD',
  'ERR_MP_NOT_OWNER',
  'ERR_MP_NOT_SERIALIZABLE',
  'ERR_MP_NOT_STARTED',
  'ERR_MP_NO_DESCRIPTOR',
  'ERR_MP_PARENTS_WORKER',
  'ERR_MP_PROCESS_FAILED',
  'ERR_MP_SHUT_DOWN',
  'ERR_MP_START_FAILED',
  'ERR_MP_START_METHOD',
  'ERR_MP_START_METHOD_FIXED',
  'ERR_MP_STILL_RUNNING',
  'ERR_MP_TERMINATED',
  'ERR_MP_TIMEOUT',
  'ERR_MP_UNGUARDED_MAIN',
  'ERR_MP_UNSUPPORTED_PLATFORM',
  'ERR_MP_WORKER_LOST',
  'ERR_MP_WORKER_THREAD',
  'ERR_MP_WRONG_DIRECTION',
] as const;

/** A `code` of this package's own errors. */
export type ErrorCode = (typeof ERROR_CODES)[number];

const brand = Symbol.for('node-multiprocessing.ProcessError');

/**
 * Python: `multiprocessing.ProcessError`. Base class of all errors of this package; tell them apart by `code`.
 * Errors of the system (`EAGAIN`, `EMFILE`, `ECHILD`, …) come as they do from Node itself, with `errno` and `syscall`.
 */
export class ProcessError extends Error {
  /** What happened, in a form that stays the same from release to release. */
  readonly code: ErrorCode;

  /** @param code what happened; `message` says it to people, `options.cause` may have what led to it. */
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.name = new.target.name;
  }

  /** @internal */
  get [brand](): true {
    return true;
  }

  /** Also true of errors that come from another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== ProcessError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && brand in value;
  }
}

/**
 * A fork was refused because it could not be made safely; no process was made. `code` says which condition failed. Python has
 * none: it warns.
 */
export class ForkError extends ProcessError {}

/** Python: `queue.Empty`. There was no item in time. */
export class Empty extends ProcessError {
  constructor(message: string) {
    super('ERR_MP_EMPTY', message);
  }
}

/** Python: `queue.Full`. There was no room in time. */
export class Full extends ProcessError {
  /** How many of the items of `putMany` were put. */
  readonly done: number;

  constructor(message: string, done = 0) {
    super('ERR_MP_FULL', message);
    this.done = done;
  }
}

/** Python: `queue.ShutDown`. The queue was shut down. */
export class ShutDown extends ProcessError {
  constructor(message: string) {
    super('ERR_MP_SHUT_DOWN', message);
  }
}

/**
 * A blocking wait ended because the program's own SIGINT, SIGTERM or SIGHUP listener has to run. Python runs handlers during the
 * wait, and goes on with it.
 */
export class InterruptedError extends ProcessError {
  /** Name of the signal, such as `SIGINT`. */
  readonly signal: string;

  constructor(what: string, signal: string) {
    super(
      'ERR_MP_INTERRUPTED',
      `${what} was interrupted by ${signal}: the listener for it can only run once the event loop turns; ` +
        'catch this error, or wait with the Async twin',
    );
    this.signal = signal;
  }
}

/** Python: `threading.BrokenBarrierError`. A barrier is broken, so that its parties will not meet. */
export class BrokenBarrierError extends ProcessError {
  /** @internal */
  constructor(why: string) {
    super('ERR_MP_BROKEN_BARRIER', `the barrier is broken: ${why}; reset() makes it usable again`);
  }
}

/** Python: `TimeoutError`. It was not done in time. */
export class TimeoutError extends ProcessError {
  constructor(message: string) {
    super('ERR_MP_TIMEOUT', message);
  }
}

/** A bad argument: a `TypeError` or `RangeError` with our code. */
export function invalidArgument(message: string, kind: typeof TypeError | typeof RangeError = TypeError): Error {
  return Object.assign(new kind(message), { code: 'ERR_MP_INVALID_ARG' as const });
}
