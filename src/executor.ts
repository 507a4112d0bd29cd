/**
 * Python's `concurrent.futures.ProcessPoolExecutor`.
 */
import { inspect } from 'node:util';

import type { Context } from './context.ts';
import { ProcessError, TimeoutError, invalidArgument } from './errors.ts';
import { BrokenProcessPool } from './executor/errors.ts';
import { Future } from './executor/future.ts';
import { refuseToSerialize } from './inherit-only.ts';
import { checkFunction, checkNames, checkTimeout, checkWaitOptions } from './options.ts';
import { Engine } from './pool/engine.ts';
import { ImapIterator } from './pool/imap.ts';
import { checkCallable, checkCount, type Callable } from './pool/options.ts';
import { Mode } from './pool/protocol.ts';
import { Task, type Outcome } from './pool/task.ts';
import { processCpuCount } from './pool/usable-cpus.ts';
import { boundTo } from './start-methods.ts';

/** Options of `new ProcessPoolExecutor()`. */
export interface ExecutorOptions {
  /** Most workers. @default `processCpuCount()` */
  readonly maxWorkers?: number | null | undefined;
  /** Whose start method the workers are started by. @default the start method in use; 'spawn' with `maxTasksPerChild` */
  readonly context?: Context | undefined;
  /** Called in each worker before its first call; a promise that it returns is awaited. */
  readonly initializer?: Callable<never[], unknown> | undefined;
  /** Arguments of the initializer. @default [] */
  readonly initargs?: readonly unknown[] | undefined;
  /** A worker is replaced after so many calls. Not with `fork`, as in Python. @default never */
  readonly maxTasksPerChild?: number | null | undefined;
  /**
   * What becomes of the executor when a worker has ended: it breaks, as in Python, and all that is not done fails with
   * BrokenProcessPool; or another worker takes its place, and only the call that it held fails, with WorkerLostError. @default 'break'
   */
  readonly onWorkerLost?: 'break' | 'respawn' | undefined;
  /**
   * Under `fork`: functions that the workers know, besides that of the first call. For another one, workers are forked anew, beside
   * those that finish what they have: until then there are more than `maxWorkers`. @default []
   */
  readonly functions?: readonly ((...args: never[]) => unknown)[] | undefined;
}

const OPTIONS = ['maxWorkers', 'context', 'initializer', 'initargs', 'maxTasksPerChild', 'onWorkerLost', 'functions'];

/** Options of `map`, after the iterables. */
export interface ExecutorMapOptions {
  /** Milliseconds from the call until the last result. @default Infinity */
  readonly timeoutMs?: number | undefined;
  /** How many items a worker gets at once. @default 1 */
  readonly chunksize?: number | undefined;
  /** How many items may be under way or unread; without it, the inputs are read at once, and must come to an end. */
  readonly buffersize?: number | undefined;
}

/** Options of `shutdown`. */
export interface ShutdownOptions {
  /** Wait until all calls are done and the workers have ended. @default true */
  readonly wait?: boolean | undefined;
  /** Cancel calls that no worker has begun with. @default false */
  readonly cancelFutures?: boolean | undefined;
}

/** Workers of an executor that was thrown away end once they have done what there is to do. */
const dropped = new FinalizationRegistry<Engine>((engine) => {
  if (engine.isMine) engine.close();
});

/** The executors of iterators: they have more to do for as long as one may ask for the next result. */
const owners = new WeakMap<object, ProcessPoolExecutor>();

/**
 * Python: `concurrent.futures.ProcessPoolExecutor(max_workers=None, mp_context=None, initializer=None, initargs=(), *,
 * max_tasks_per_child=None)`. Processes that do calls.
 *
 * ```ts
 * using executor = new ProcessPoolExecutor({ maxWorkers: 4 });
 * const future = executor.submit((a, b) => a + b, 1, 2);
 * console.log(await future, future.result());
 * ```
 *
 * Workers are started when there is work: under `fork` all of them with the first call, so that they have its function; otherwise one
 * for each call that no idle one can take. As to functions, see `Pool`.
 */
export class ProcessPoolExecutor {
  readonly #engine: Engine;
  readonly #maxWorkers: number;
  #isForced = false;
  #count = 0;

  /** @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`; Python: TypeError, ValueError) for a bad option. */
  constructor(options: ExecutorOptions = {}) {
    if (typeof options !== 'object' || options === null) {
      throw invalidArgument(`new ProcessPoolExecutor() takes one object { maxWorkers, … }, not ${inspect(options)}`);
    }
    checkNames(options, OPTIONS, 'new ProcessPoolExecutor()');
    const {
      maxWorkers,
      initializer,
      initargs = [],
      maxTasksPerChild,
      onWorkerLost = 'break',
      functions = [],
    } = options;
    this.#maxWorkers = checkCount(maxWorkers, 'maxWorkers', processCpuCount());
    const maxTasks = checkCount(maxTasksPerChild, 'maxTasksPerChild', Infinity);
    if (!Array.isArray(initargs)) throw invalidArgument(`initargs must be an array, not ${inspect(initargs)}`);
    if (!Array.isArray(functions)) throw invalidArgument(`functions must be an array, not ${inspect(functions)}`);
    for (const fn of functions) checkFunction(fn ?? null, 'each of functions');
    if (onWorkerLost !== 'break' && onWorkerLost !== 'respawn') {
      throw invalidArgument(`onWorkerLost must be 'break' or 'respawn', not ${inspect(onWorkerLost)}`);
    }
    const context = options.context ?? (maxTasks < Infinity ? boundTo('spawn') : undefined);
    this.#engine = new Engine({
      title: 'ProcessPoolExecutor',
      processes: this.#maxWorkers,
      context,
      initializer:
        initializer === undefined || initializer === null ? undefined : checkCallable(initializer, 'initializer'),
      initargs,
      functions,
      maxTasks,
      maxMemory: Infinity,
      prefixesOutput: false,
      onDemand: true,
      breaks: () => onWorkerLost === 'break',
      broken: (cause) => {
        const message = `the executor is broken: ${cause.message}; make a new one, or use { onWorkerLost: 'respawn' }`;
        return new BrokenProcessPool(message, { cause });
      },
    });
    if (maxTasks < Infinity && this.#engine.method === 'fork') {
      throw invalidArgument(
        "maxTasksPerChild does not go with the start method 'fork': pass a context of 'forkserver' or 'spawn'",
        RangeError,
      );
    }
    dropped.register(this, this.#engine);
  }

  /**
   * Python: `submit(fn, *args, **kwargs)`. Has a worker call `fn`; a promise that it returns is awaited there.
   *
   * @returns its future. What cannot be carried to a worker is its error.
   * @throws ProcessError `ERR_MP_CLOSED` (Python: RuntimeError) after `shutdown()`, or while this process exits; BrokenProcessPool
   *   (`ERR_MP_BROKEN_POOL`) once it is broken; TypeError (`ERR_MP_INVALID_ARG`) without a function.
   */
  submit<A extends unknown[], R>(fn: Callable<A, R>, ...args: A): Future<Awaited<R>> {
    const callable = checkCallable(fn, 'submit()');
    this.#checkOpen('submit()');
    const future = new Future<Awaited<R>>();
    const task = new Task({
      fn: callable,
      mode: Mode.apply,
      args,
      index: this.#count++,
      timeoutMs: Infinity,
      retries: 0,
      owner: { settle: (outcome) => settle(future as Future, outcome) },
    });
    future.attach({ engine: this.#engine, task });
    this.#engine.submit([task]);
    return future;
  }

  /**
   * Python: `map(fn, *iterables, timeout=None, chunksize=1, buffersize=None)`. Has workers call `fn` with an item of each iterable, up to
   * the end of the shortest. Gives the results in order: `for … of` blocks, `for await … of` does not.
   *
   * @param iterables and, if wanted, `{ timeoutMs, chunksize, buffersize }` after them.
   * @throws as `submit`; in the loop: the error of a call, which is the last result, as in Python up to 3.14; TimeoutError
   *   (`ERR_MP_TIMEOUT`). What is left is cancelled then, and when the loop is left.
   */
  map<R>(fn: Callable<never[], R>, ...iterables: (ExecutorMapOptions | Iterable<unknown>)[]): ImapIterator<Awaited<R>> {
    const callable = checkCallable(fn, 'map()');
    const { timeoutMs, chunksize, buffersize } = (
      areMapOptions(iterables.at(-1)) ? iterables.pop() : {}
    ) as ExecutorMapOptions;
    const timeout = checkTimeout(timeoutMs);
    const size = checkCount(chunksize, 'chunksize', 1);
    const ahead = checkCount(buffersize, 'buffersize', Infinity);
    for (const each of iterables) {
      if (isIterable(each)) continue;
      throw invalidArgument(`map() takes iterables, then { timeoutMs, chunksize, buffersize }, not ${inspect(each)}`);
    }
    this.#checkOpen('map()');
    const results = new ImapIterator<Awaited<R>>(this.#engine, {
      fn: callable,
      items: zip((iterables as Iterable<unknown>[]).map((each) => each[Symbol.iterator]())),
      isOrdered: true,
      isSpread: true,
      chunksize: size,
      window: Math.max(1, Math.floor(ahead / size)),
      timeoutMs: Infinity,
      retries: 0,
      deadline: performance.now() + timeout,
      outlivesClose: false,
      endsAtError: true,
      signal: undefined,
      teller: undefined,
    });
    owners.set(results, this);
    return results;
  }

  /**
   * Python: `shutdown(wait=True, *, cancel_futures=False)`. No more calls; blocks until all are done and the workers have ended. Repeatable.
   *
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  shutdown(options: ShutdownOptions = {}): void {
    checkShutdown(options, 'shutdown()');
    checkNames(options, ['wait', 'cancelFutures'], 'shutdown()');
    this.#close(options.cancelFutures ?? false, 'shutdown()');
    if (options.wait ?? true) this.#engine.waitUntilOver(Infinity, 'shutdown()');
  }

  /** `shutdown` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted. */
  async shutdownAsync(
    options: Pick<ShutdownOptions, 'cancelFutures'> & {
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    } = {},
  ): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options, 'cancelFutures');
    checkShutdown(options, 'shutdownAsync()');
    this.#close(options.cancelFutures ?? false, 'shutdownAsync()');
    if (!(await this.#engine.overAsync(timeoutMs, signal))) {
      throw new TimeoutError(`shutdownAsync(): not all calls are done within ${timeoutMs} ms`);
    }
  }

  #close(cancelFutures: boolean, what: string): void {
    this.#engine.checkMine(what);
    this.#engine.close();
    if (cancelFutures) this.#engine.giveUpWaiting(Future.cancellation);
  }

  /**
   * Python: `terminate_workers` (3.14). Ends the workers at once, by SIGTERM, and shuts down. Calls that no worker has begun with are
   * cancelled, others fail with BrokenProcessPool.
   */
  terminateWorkers(): void {
    this.#force('SIGTERM', 'terminateWorkers()');
  }

  /** Python: `kill_workers` (3.14). `terminateWorkers` by SIGKILL. */
  killWorkers(): void {
    this.#force('SIGKILL', 'killWorkers()');
  }

  #force(signal: 'SIGKILL' | 'SIGTERM', what: string): void {
    this.#engine.checkMine(what);
    this.#isForced = true;
    this.#engine.giveUpWaiting(Future.cancellation);
    this.#engine.terminate(
      signal,
      () => new BrokenProcessPool('the executor was forcefully shut down before this call was done'),
    );
  }

  /** Live workers' process ids. */
  get pids(): number[] {
    return this.#engine.workers.map((worker) => worker.pid as number);
  }

  /** `using executor = new ProcessPoolExecutor();` shuts it down at the end of the block. */
  [Symbol.dispose](): void {
    this.shutdown();
  }

  /** `await using` does so, and leaves the event loop turning. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdownAsync();
  }

  #checkOpen(what: string): void {
    if ((process as unknown as { _exiting?: boolean })._exiting === true) {
      throw new ProcessError('ERR_MP_CLOSED', `${what}: this process is exiting: new futures cannot be scheduled`);
    }
    if (this.#isForced)
      throw new ProcessError('ERR_MP_CLOSED', `${what}: the executor was forcefully shut down; make a new one`);
    this.#engine.checkOpen(what);
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form. */
  toString(): string {
    return `<${this.constructor.name} ${this.#engine.state}, at most ${this.#maxWorkers} workers>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }
}

function settle(future: Future, outcome: Outcome): void {
  if (!('error' in outcome)) future.setResult(outcome.value);
  else if (outcome.error === Future.cancellation) future.notifyCancelled();
  else future.setException(outcome.error);
}

const mapOptions = new Set(['timeoutMs', 'chunksize', 'buffersize']);

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === 'string' || (typeof value === 'object' && value !== null && Symbol.iterator in value);
}

/** Whether these are options, and not a bad iterable. */
function areMapOptions(value: unknown): value is ExecutorMapOptions {
  if (typeof value !== 'object' || value === null || isIterable(value)) return false;
  const { constructor } = value;
  return (
    (constructor === undefined || constructor === Object) && Object.keys(value).every((key) => mapOptions.has(key))
  );
}

/** The options of `shutdown` and `shutdownAsync`. */
function checkShutdown(options: ShutdownOptions, what: string): void {
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`${what} takes options, such as { cancelFutures: true }, not ${inspect(options)}`);
  }
  for (const key of ['wait', 'cancelFutures'] as const) {
    if (options[key] === undefined || typeof options[key] === 'boolean') continue;
    throw invalidArgument(`${what}: ${key} must be true or false, not ${inspect(options[key])}`);
  }
}

/** Arrays of an item of each, up to the end of the shortest. No generator: one that has ended still has the last of them. */
function zip(iterators: Iterator<unknown>[]): IterableIterator<unknown[], undefined> {
  const end = (): IteratorReturnResult<undefined> => {
    for (const iterator of iterators.splice(0)) iterator.return?.();
    return { done: true, value: undefined };
  };
  return {
    [Symbol.iterator]() {
      return this;
    },
    next() {
      const items: unknown[] = [];
      try {
        for (const iterator of iterators) {
          const next = iterator.next();
          if (next.done === true) return end();
          items.push(next.value);
        }
      } catch (error) {
        end();
        throw error;
      }
      return items.length === 0 ? end() : { done: false, value: items };
    },
    return: end,
  };
}
