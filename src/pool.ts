/**
 * Python's `multiprocessing.Pool`: processes that do tasks.
 */
import { inspect } from 'node:util';

import type { Context } from './context.ts';
import { ProcessError, invalidArgument } from './errors.ts';
import { refuseToSerialize } from './inherit-only.ts';
import { checkFunction, checkNames, checkTimeout, checkWaitOptions, type WaitOptions } from './options.ts';
import { AsyncResult, type Callbacks } from './pool/async-result.ts';
import { Engine } from './pool/engine.ts';
import type { Runner, WorkerStats } from './pool/runner.ts';
import { ImapIterator } from './pool/imap.ts';
import { mapInto } from './pool/map.ts';
import {
  checkCallable,
  checkCallbacks,
  checkCount,
  checkItems,
  checkLimits,
  checkProgress,
  type Callable,
  type MapLimits,
  type TaskLimits,
} from './pool/options.ts';
import { tellerOf } from './pool/progress.ts';
import { Mode } from './pool/protocol.ts';
import { Task } from './pool/task.ts';
import { processCpuCount } from './pool/usable-cpus.ts';

/** Options of `new Pool()`. */
export interface PoolOptions {
  /** Called in each worker before its first task; a promise that it returns is awaited. */
  readonly initializer?: Callable<never[], unknown> | undefined;
  /** Arguments of the initializer. What processes share may be among them: locks, queues, values. @default [] */
  readonly initargs?: readonly unknown[] | undefined;
  /** A worker is replaced after so many tasks. A chunk of `map` counts as one. @default never */
  readonly maxTasksPerChild?: number | undefined;
  /** A worker is replaced after a task that leaves it with more private memory, in bytes. @default never */
  readonly maxMemoryPerChild?: number | undefined;
  /** Whose start method the workers are started by. @default the start method in use */
  readonly context?: Context | undefined;
  /** How often a task is run again whose worker is lost. @default 0 */
  readonly retryLost?: number | undefined;
  /** Under `fork`: functions that the workers know, besides those of the first call, so that no others need to be forked for them. */
  readonly functions?: readonly ((...args: never[]) => unknown)[] | undefined;
  /** Each line that a worker prints begins with its name. @default false */
  readonly prefixOutput?: boolean | undefined;
}

/** Options of `applyAsync`. */
export interface ApplyOptions<T> extends Callbacks<T>, TaskLimits {
  /** Passed as the last argument, the JavaScript way of keyword arguments. */
  readonly kwargs?: Readonly<Record<string, unknown>> | undefined;
}

/** Options of `mapAsync` and `starmapAsync`. */
export interface MapOptions<T> extends Callbacks<T[]>, MapLimits {}

/** Options of `imap` and `imapUnordered`. */
export interface ImapOptions extends MapLimits {
  /** How many items may be under way or unread at a time; the input is not read further ahead. @default 16 chunks for each worker */
  readonly buffersize?: number | undefined;
}

/** How a pool stands. */
export interface PoolStats {
  /** Those that live now. */
  readonly workers: readonly WorkerStats[];
  /** Tasks that were given to it and have not been answered. */
  readonly outstanding: number;
  /** Workers that were started in place of others. */
  readonly restarts: number;
}

const POOL_OPTIONS = [
  'initializer',
  'initargs',
  'maxTasksPerChild',
  'maxMemoryPerChild',
  'context',
  'retryLost',
  'functions',
  'prefixOutput',
];

const MAP_OPTIONS = ['chunksize', 'progress'];

/** Chunks for each worker, if the caller does not say how long they are. */
const CHUNKS_PER_WORKER = 4;
/** Chunks for each worker that `imap` has under way or unread. */
const CHUNKS_AHEAD = 16;

/** What pools have in common, whoever does their tasks. */
export abstract class AnyPool {
  readonly #runner: Runner;
  readonly #processes: number;
  readonly #retryLost: number;
  #count = 0;

  /** @internal */
  constructor(runner: Runner, processes: number, retryLost: number) {
    this.#runner = runner;
    this.#processes = processes;
    this.#retryLost = retryLost;
    try {
      runner.open();
    } catch (error) {
      // What it has made by then is not to wait for the garbage collector.
      runner.terminate();
      throw error;
    }
  }

  /**
   * Python: `apply(func, args=(), kwds={})`. Has a worker call `fn`, blocks until it has, and returns its result; a promise that it
   * returns is awaited there.
   *
   * @throws as `get` of `AsyncResult`; ProcessError `ERR_MP_CLOSED` after `close()` or `terminate()` (Python: ValueError).
   */
  apply<A extends unknown[], R>(fn: Callable<A, R>, args?: A, kwargs?: Readonly<Record<string, unknown>>): Awaited<R> {
    return this.#apply('apply()', fn, args, { kwargs }).getFor('apply()');
  }

  /**
   * Python: `apply_async(func, args=(), kwds={}, callback=None, error_callback=None)`. `apply` that returns at once.
   *
   * @returns what can be awaited, or asked as in Python. What cannot be carried to a worker is its error.
   * @throws ProcessError `ERR_MP_CLOSED` after `close()` or `terminate()` (Python: ValueError).
   */
  applyAsync<A extends unknown[], R>(
    fn: Callable<A, R>,
    args: A | readonly [] = [],
    options: ApplyOptions<Awaited<R>> = {},
  ): AsyncResult<Awaited<R>> {
    return this.#apply('applyAsync()', fn, args, options);
  }

  #apply<A extends unknown[], R>(
    what: string,
    fn: Callable<A, R>,
    args: A | readonly [] = [],
    options: ApplyOptions<Awaited<R>>,
  ): AsyncResult<Awaited<R>> {
    const runner = this.#open(what);
    const { timeoutMs, signal, retries } = checkLimits(
      options,
      this.#retryLost,
      what,
      'kwargs',
      'callback',
      'errorCallback',
    );
    checkCallbacks(options);
    if (!Array.isArray(args)) throw invalidArgument(`args must be an array, not ${inspect(args)}`);
    const { kwargs } = options;
    if (kwargs !== undefined && (typeof kwargs !== 'object' || kwargs === null)) {
      throw invalidArgument(`kwargs must be an object, not ${inspect(kwargs)}`);
    }
    const result = new AsyncResult<Awaited<R>>(runner, options);
    const task = new Task({
      fn: checkCallable(fn, what),
      mode: Mode.apply,
      args: kwargs === undefined ? args : [...(args as unknown[]), { ...kwargs }],
      index: this.#count++,
      timeoutMs,
      retries,
      owner: result,
    });
    if (signal === undefined) runner.submit([task]);
    else submitWith(signal, runner, task, result as AsyncResult<unknown>);
    return result;
  }

  /**
   * Python: `map(func, iterable, chunksize=None)`. Has workers call `fn` for each item, blocks until all are done, and returns the
   * results in order.
   *
   * @param chunksize how many items a worker gets at once. @default so many that there are four such chunks for each worker
   * @throws the error of the first item that has one, once all are done; otherwise as `apply`. What the iterable throws.
   */
  map<I, R>(fn: Callable<[item: I], R>, items: Iterable<I>, chunksize?: MapLimits | number): Awaited<R>[] {
    return this.#map('map()', fn as Callable<never[], R>, items, chunksize, false).getFor('map()');
  }

  /**
   * Python: `map_async(func, iterable, chunksize=None, callback=None, error_callback=None)`. `map` that returns at once. The items are
   * read before it does.
   */
  mapAsync<I, R>(
    fn: Callable<[item: I], R>,
    items: Iterable<I>,
    options: MapOptions<Awaited<R>> | number = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#map('mapAsync()', fn as Callable<never[], R>, items, options, false);
  }

  /** Python: `starmap(func, iterable, chunksize=None)`. `map` of which each item is an array of arguments. @throws as `map`. */
  starmap<A extends unknown[], R>(
    fn: Callable<A, R>,
    items: Iterable<A>,
    chunksize?: MapLimits | number,
  ): Awaited<R>[] {
    return this.#map('starmap()', fn as Callable<never[], R>, items, chunksize, true).getFor('starmap()');
  }

  /** Python: `starmap_async`. `starmap` that returns at once. */
  starmapAsync<A extends unknown[], R>(
    fn: Callable<A, R>,
    items: Iterable<A>,
    options: MapOptions<Awaited<R>> | number = {},
  ): AsyncResult<Awaited<R>[]> {
    return this.#map('starmapAsync()', fn as Callable<never[], R>, items, options, true);
  }

  #map<R>(
    what: string,
    fn: Callable<never[], R>,
    items: Iterable<unknown>,
    options: MapOptions<Awaited<R>> | number | undefined,
    isSpread: boolean,
  ): AsyncResult<Awaited<R>[]> {
    const runner = this.#open(what);
    const all = typeof options === 'number' ? { chunksize: options } : (options ?? {});
    const { timeoutMs, signal, retries } = checkLimits(
      all,
      this.#retryLost,
      what,
      ...MAP_OPTIONS,
      'callback',
      'errorCallback',
    );
    checkCallbacks(all);
    checkProgress(all.progress);
    const chunksize = checkCount(all.chunksize, 'chunksize', 0);
    const callable = checkCallable(fn, what);
    const list = checkItems(items, what);
    if (isSpread) checkSpread(list, what);
    const usual =
      timeoutMs < Infinity ? 1 : Math.max(1, Math.ceil(list.length / (CHUNKS_PER_WORKER * this.#processes)));
    const result = new AsyncResult<Awaited<R>[]>(runner, all);
    mapInto(runner, result, {
      fn: callable,
      items: list,
      isSpread,
      chunksize: chunksize || usual,
      timeoutMs,
      retries,
      signal,
      teller: tellerOf(all.progress, list.length),
    });
    return result;
  }

  /**
   * Python: `imap(func, iterable, chunksize=1)`. Has workers call `fn` for each item as it comes. Gives the results in order: `for … of`
   * blocks, `for await … of` does not.
   *
   * Different from Python: the input is read no further ahead than `buffersize` items, so that it may be endless; it may be
   * asynchronous, too. Whoever leaves the loop gives up what has not been begun.
   *
   * @throws in the loop: the error of an item, after which it can be gone on with; of the input, which ends it.
   */
  imap<I, R>(
    fn: Callable<[item: I], R>,
    items: AsyncIterable<I> | Iterable<I>,
    options: ImapOptions | number = {},
  ): ImapIterator<Awaited<R>> {
    return this.#imap('imap()', fn as Callable<never[], R>, items, options, true);
  }

  /** Python: `imap_unordered`. `imap` that gives results as they come. */
  imapUnordered<I, R>(
    fn: Callable<[item: I], R>,
    items: AsyncIterable<I> | Iterable<I>,
    options: ImapOptions | number = {},
  ): ImapIterator<Awaited<R>> {
    return this.#imap('imapUnordered()', fn as Callable<never[], R>, items, options, false);
  }

  #imap<R>(
    what: string,
    fn: Callable<never[], R>,
    items: AsyncIterable<unknown> | Iterable<unknown>,
    options: ImapOptions | number,
    isOrdered: boolean,
  ): ImapIterator<Awaited<R>> {
    const runner = this.#open(what);
    const all: ImapOptions = typeof options === 'number' ? { chunksize: options } : (options ?? {});
    const { timeoutMs, signal, retries } = checkLimits(all, this.#retryLost, what, ...MAP_OPTIONS, 'buffersize');
    checkProgress(all.progress);
    const chunksize = checkCount(all.chunksize, 'chunksize', 1);
    const ahead = checkCount(all.buffersize, 'buffersize', chunksize * CHUNKS_AHEAD * this.#processes);
    const known = Array.isArray(items) ? items.length : 0;
    return new ImapIterator<Awaited<R>>(runner, {
      fn: checkCallable(fn, what),
      items,
      isOrdered,
      isSpread: false,
      chunksize,
      window: Math.max(1, Math.floor(ahead / chunksize)),
      timeoutMs,
      retries,
      deadline: Infinity,
      outlivesClose: true,
      endsAtError: false,
      signal,
      teller: tellerOf(all.progress, known),
    });
  }

  /** Python: `close`. No more tasks; the workers end once all are done. Repeatable. */
  close(): void {
    this.#runner.checkMine('close()');
    this.#runner.close();
  }

  /**
   * Python: `terminate`. Ends the workers at once, with all that they have started: by SIGTERM, and by SIGKILL where they have not
   * ended a second later. Tasks that are not done fail with `ERR_MP_TERMINATED`. Repeatable.
   */
  terminate(): void {
    this.#runner.checkMine('terminate()');
    this.#runner.terminate();
  }

  /**
   * Python: `join`. After `close()` or `terminate()`: blocks until all tasks are done and the workers have ended, or for `timeoutMs`
   * milliseconds.
   *
   * @returns true if they have (Python returns None).
   * @throws ProcessError `ERR_MP_STILL_RUNNING` (Python: ValueError) before; InterruptedError when the program's own SIGINT,
   *   SIGTERM or SIGHUP listener has to run.
   */
  join(timeoutMs?: number): boolean {
    const timeout = checkTimeout(timeoutMs);
    this.#checkEnding('join()');
    return this.#runner.waitUntilOver(timeout, 'join()');
  }

  /** `join` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted; otherwise as `join`. */
  async joinAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    this.#checkEnding('joinAsync()');
    return this.#runner.overAsync(timeoutMs, signal);
  }

  #checkEnding(what: string): void {
    this.#runner.checkMine(what);
    if (this.#runner.state !== 'open') return;
    throw new ProcessError('ERR_MP_STILL_RUNNING', `${what}: the Pool is still open; close() or terminate() it first`);
  }

  /** How the pool and each of its workers stand. */
  stats(): PoolStats {
    const runner = this.#runner;
    runner.checkMine('stats()');
    runner.look();
    return { workers: runner.stats(), outstanding: runner.outstanding, restarts: runner.restarts };
  }

  /**
   * Writes which worker was at work on which task, and when, to a file that chrome://tracing and Perfetto open. Of what is done by
   * now, at once; of all, when the pool ends.
   */
  trace(file: string): void {
    if (typeof file !== 'string' || file === '')
      throw invalidArgument(`trace() takes the name of a file, not ${inspect(file)}`);
    this.#runner.checkMine('trace()');
    this.#runner.look();
    this.#runner.timeline.write(file);
  }

  /** `using pool = new Pool();` terminates it at the end of the block, as Python's `with` does. */
  [Symbol.dispose](): void {
    if (this.#runner.state !== 'terminated') this.terminate();
    this.join();
  }

  /** `await using` does so, and leaves the event loop turning. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.terminate();
    await this.joinAsync();
  }

  #open(what: string): Runner {
    this.#runner.checkOpen(what);
    return this.#runner;
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<Pool open, 4 workers>`. */
  toString(): string {
    return `<${this.constructor.name} ${this.#runner.state}, ${this.#processes} workers>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

/**
 * Python: `multiprocessing.Pool(processes=None, initializer=None, initargs=(), maxtasksperchild=None, context=None)`. Processes that do
 * tasks.
 *
 * ```ts
 * using pool = new Pool(4);
 * console.log(pool.map((x) => x * x, [1, 2, 3]));
 * for await (const page of pool.imap(render, pages())) save(page);
 * ```
 *
 * Under `fork` any function will do; workers are forked when the first task comes, so that they have its function, or at the end of
 * this turn of the event loop. A function that the workers do not know has others forked in their place; name it in `functions` to
 * avoid that. Under `spawn` and `forkserver` functions must be exported by their module.
 *
 * Different from Python: a worker that ends takes only the task that it held with it, which fails with `WorkerLostError`; the
 * pool goes on. Workers may have children, pools too. Results of a pool that is terminated are errors, and do not hang.
 */
export class Pool extends AnyPool {
  /**
   * @param processes how many workers. @default `processCpuCount()`
   * @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`) for a bad option (Python: ValueError).
   * @throws as `start` of `Process`, under `spawn` and `forkserver`.
   */
  constructor(processes?: number | null, options: PoolOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`new Pool() takes the number of workers and { initializer, … }, not ${inspect(options)}`);
    }
    checkNames(options, POOL_OPTIONS, 'new Pool()');
    const {
      initializer,
      initargs = [],
      maxTasksPerChild,
      maxMemoryPerChild,
      context,
      retryLost = 0,
      prefixOutput = false,
    } = options;
    const { functions = [] } = options;
    const size = checkCount(processes, 'processes', processCpuCount());
    if (!Array.isArray(initargs)) throw invalidArgument(`initargs must be an array, not ${inspect(initargs)}`);
    if (typeof prefixOutput !== 'boolean')
      throw invalidArgument(`prefixOutput must be true or false, not ${inspect(prefixOutput)}`);
    if (!Array.isArray(functions)) throw invalidArgument(`functions must be an array, not ${inspect(functions)}`);
    for (const fn of functions) checkFunction(fn ?? null, 'each of functions');
    if (maxMemoryPerChild !== undefined && !(typeof maxMemoryPerChild === 'number' && maxMemoryPerChild > 0)) {
      throw invalidArgument(`maxMemoryPerChild must be a number of bytes, not ${inspect(maxMemoryPerChild)}`);
    }
    const { retries } = checkLimits({ retryLost }, 0, 'new Pool()');
    const engine = new Engine({
      title: 'Pool',
      processes: size,
      context,
      initializer:
        initializer === undefined || initializer === null ? undefined : checkCallable(initializer, 'initializer'),
      initargs,
      functions,
      maxTasks: checkCount(maxTasksPerChild, 'maxTasksPerChild', Infinity),
      maxMemory: maxMemoryPerChild ?? Infinity,
      prefixesOutput: prefixOutput,
      onDemand: false,
      breaks: () => false,
      broken: (cause) => cause,
    });
    super(engine, size, retries);
  }
}

/** Submits a task that can be given up. */
function submitWith(signal: AbortSignal, runner: Runner, task: Task, result: AsyncResult<unknown>): void {
  if (signal.aborted) {
    result.settle({ error: signal.reason });
    return;
  }
  const onAbort = (): void => {
    runner.giveUp(task, signal.reason, true);
    result.settle({ error: signal.reason });
  };
  signal.addEventListener('abort', onAbort, { once: true });
  result.whenReady(() => signal.removeEventListener('abort', onAbort));
  runner.submit([task]);
}

function checkSpread(items: readonly unknown[], what: string): void {
  const odd = items.findIndex((item) => !Array.isArray(item));
  if (odd >= 0) throw invalidArgument(`${what} takes arrays of arguments, but item ${odd} is ${inspect(items[odd])}`);
}
