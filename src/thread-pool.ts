/**
 * Python's `multiprocessing.pool.ThreadPool`: threads that do tasks.
 */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { AnyPool } from './pool.ts';
import { checkNames } from './options.ts';
import { checkCallable, checkCount, type Callable } from './pool/options.ts';
import { ThreadRunner } from './pool/thread-runner.ts';
import { processCpuCount } from './pool/usable-cpus.ts';

/** Options of `new ThreadPool()`. */
export interface ThreadPoolOptions {
  /** Called in each thread before its first task; a promise that it returns is awaited. */
  readonly initializer?: Callable<never[], unknown> | undefined;
  /** Arguments of the initializer, as structured clone carries them. @default [] */
  readonly initargs?: readonly unknown[] | undefined;
}

/**
 * Python: `multiprocessing.pool.ThreadPool(processes=None, initializer=None, initargs=())`. A `Pool` of worker threads instead of processes:
 * arguments and results go by structured clone, and `SharedArrayBuffer`s are shared.
 *
 * Different from Python: threads of Node's share no variables, so that functions must be exported by their module, as under `spawn`. A
 * task that is given up is ended, with its thread.
 */
export class ThreadPool extends AnyPool {
  /**
   * @param threads how many. @default `processCpuCount()`
   * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad option; ProcessError `ERR_MP_NOT_IMPORTABLE` for an initializer
   *   that no module exports.
   */
  constructor(threads?: number | null, options: ThreadPoolOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(
        `new ThreadPool() takes the number of threads and { initializer, … }, not ${inspect(options)}`,
      );
    }
    checkNames(options, ['initializer', 'initargs'], 'new ThreadPool()');
    const { initializer, initargs = [] } = options;
    if (!Array.isArray(initargs)) throw invalidArgument(`initargs must be an array, not ${inspect(initargs)}`);
    const size = checkCount(threads, 'threads', processCpuCount());
    const runner = new ThreadRunner({
      threads: size,
      initializer:
        initializer === undefined || initializer === null ? undefined : checkCallable(initializer, 'initializer'),
      initargs,
    });
    super(runner, size, 0);
  }
}
