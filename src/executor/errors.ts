/**
 * How executors and their futures fail.
 */
import { ProcessError } from '../errors.ts';

/** Python: `concurrent.futures.CancelledError`. The future was cancelled. */
export class CancelledError extends ProcessError {
  constructor(message = 'the future was cancelled') {
    super('ERR_MP_CANCELLED', message);
  }
}

/** Python: `concurrent.futures.InvalidStateError`. The future cannot do that as it stands. */
export class InvalidStateError extends ProcessError {
  constructor(message: string) {
    super('ERR_MP_INVALID_STATE', message);
  }
}

/** Python: `concurrent.futures.BrokenExecutor`. An executor cannot be used any more. */
export class BrokenExecutor extends ProcessError {
  constructor(message: string, options?: ErrorOptions) {
    super('ERR_MP_BROKEN_POOL', message, options);
  }
}

/** Python: `concurrent.futures.process.BrokenProcessPool`. A worker of the executor has ended; `cause` says how. */
export class BrokenProcessPool extends BrokenExecutor {}
