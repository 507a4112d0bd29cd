/**
 * Python's `multiprocessing.Queue`, `SimpleQueue` and `JoinableQueue`: messages between any number of processes.
 */
import { inspect } from 'node:util';

import type { Kind } from '../index.js';
import { channels } from './diagnostics.ts';
import { Empty, Full, ProcessError, ShutDown, invalidArgument } from './errors.ts';
import { refuseToSerialize } from './inherit-only.ts';
import { fast, native } from './native.ts';
import { checkInteger, checkTimeout, checkWaitOptions, type WaitOptions } from './options.ts';
import { FRAME, code, explain, findMemory, input, out, putMessage, writing } from './queues/messages.ts';
import { decode, encode } from './serialize/index.ts';
import { checkCanShare } from './shared/block.ts';
import { addKind, passable } from './shared/passing.ts';
import { AsyncTurns } from './synchronize/turns.ts';
import { waitSettled } from './synchronize/waits.ts';

const collected = new FinalizationRegistry<number>((number) => native.queueClose(number));

/** The number of a queue of the parent's that the next constructor gives an object. */
let opened: number | undefined;

/** What `Queue` and `SimpleQueue` have in common. */
export abstract class AnyQueue<T> {
  readonly #number: number;
  readonly #max: number;
  #isClosed = false;
  #isUsed = false;
  readonly #getters: AsyncTurns;
  readonly #putters: AsyncTurns;
  /** Those that wait for items without getting them. */
  readonly #onlookers: AsyncTurns;

  /** @internal */
  constructor(max: number) {
    checkCanShare();
    findMemory();
    this.#max = max;
    this.#number = opened ?? native.queueCreate(max);
    this.#getters = new AsyncTurns('items', this.#number);
    this.#putters = new AsyncTurns('room', this.#number);
    this.#onlookers = new AsyncTurns('items', this.#number);
    collected.register(this, this.#number, this);
    passable(this, (pass) => {
      const { handle, file } = native.queuePass(this.numberFor('start()'));
      pass(file);
      return { kind: this.kind, handles: [], details: { handle, max } };
    });
  }

  /** Python: `empty`. Whether there is no item, exactly. @throws ProcessError `ERR_MP_CLOSED` after `close()`. */
  empty(): boolean {
    return this.length() === 0;
  }

  /**
   * Python: `close`. This process has done with the queue; items stay for the others. Repeatable.
   *
   * Whoever waits here in `getAsync` or `putAsync` gets the error that later calls get.
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    collected.unregister(this);
    native.queueClose(this.#number);
    this.#getters.end();
    this.#putters.end();
    this.#onlookers.end();
  }

  /** `using queue = new Queue();` closes it at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Always refused, as in Python. @throws ProcessError `ERR_MP_INHERIT_ONLY`. */
  toJSON(): never {
    return refuseToSerialize(this);
  }

  /** Printable form: `<Queue 3/10>`, `<Queue closed>`. */
  toString(): string {
    const state = this.#isClosed
      ? 'closed'
      : `${fast.queueLength(this.#number)}${this.#max === 0 ? '' : `/${this.#max}`}`;
    return `<${this.constructor.name} ${state}>`;
  }

  /** @internal */
  [inspect.custom](): string {
    return this.toString();
  }

  /** @internal */
  protected abstract get kind(): keyof typeof kinds;

  /** @internal */
  protected get number(): number {
    return this.#number;
  }

  /** @internal Its number, for a wait. */
  numberFor(what: string): number {
    if (this.#isClosed) throw closedError(this, what);
    return this.#number;
  }

  /** @internal Waits until there is something, or the queue is shut down, or closed here. @throws the reason of `signal`. */
  async itemsAsync(signal: AbortSignal): Promise<void> {
    const attempt = (): true | undefined => this.#isClosed || native.queuePeek(this.#number) || undefined;
    await this.#onlookers.take(attempt, Infinity, signal);
  }

  /** @internal */
  protected get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @internal Whether this process has put or got something. */
  protected get isUsed(): boolean {
    return this.#isUsed;
  }

  /** @internal */
  protected get max(): number {
    return this.#max;
  }

  /** @internal */
  protected length(): number {
    if (this.#isClosed) throw closedError(this, 'empty()');
    return fast.queueLength(this.#number);
  }

  /** @internal Puts an item. @returns false if there is no room in time. */
  protected putItem(item: T, timeoutMs: number): boolean {
    if (this.#isClosed) throw closedError(this, 'put()');
    this.#isUsed = true;
    if (channels.queueWait.hasSubscribers && timeoutMs > 0) {
      return this.#observed('put', timeoutMs, (timeout) => this.#put(item, timeout) || undefined) ?? false;
    }
    return this.#put(item, timeoutMs);
  }

  #put(item: T, timeoutMs: number): boolean {
    const result = putMessage(this.#number, item, timeoutMs);
    return result > 0 || (explain(result, 'put()') ?? false);
  }

  /** @internal Gets an item. @returns it in an array, so that any item can be told from none in time. */
  protected getItem(timeoutMs: number): [T] | undefined {
    if (this.#isClosed) throw closedError(this, 'get()');
    this.#isUsed = true;
    if (channels.queueWait.hasSubscribers && timeoutMs > 0) {
      return this.#observed('get', timeoutMs, (timeout) => this.#get(timeout));
    }
    return this.#get(timeoutMs);
  }

  #get(timeoutMs: number): [T] | undefined {
    const result = fast.queueGet(this.#number, timeoutMs);
    if (result >= 0) return [decode(input, 0, result, false) as T];
    if (result !== code.tooLong) return explain(result, 'get()');
    return this.#getLarge(timeoutMs);
  }

  #getLarge(timeoutMs: number): [T] | undefined {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const bytes = Buffer.allocUnsafeSlow(native.queueLastLength());
      const left = Math.max(deadline - performance.now(), 0);
      const result = native.queueGetInto(this.#number, bytes, left);
      if (result > 0) return [decode(bytes, 0, native.queueLastLength(), true) as T];
      // Somebody else was faster, and the next one is larger.
      if (result !== code.tooLong) return explain(result, 'get()');
    }
  }

  #observed<R>(
    operation: 'get' | 'put',
    timeoutMs: number,
    attempt: (timeoutMs: number) => R | undefined,
  ): R | undefined {
    const atOnce = attempt(0);
    if (atOnce !== undefined) return atOnce;
    const since = performance.now();
    const result = attempt(timeoutMs);
    const done = result !== undefined;
    channels.queueWait.publish({ queue: this, operation, waitedMs: performance.now() - since, done });
    return result;
  }

  /** @internal */
  protected async putItemAsync(item: T, timeoutMs: number, signal: AbortSignal | undefined): Promise<boolean> {
    return (await this.#putters.take(() => this.putItem(item, 0) || undefined, timeoutMs, signal)) ?? false;
  }

  /** @internal */
  protected getItemAsync(timeoutMs: number, signal: AbortSignal | undefined): Promise<[T] | undefined> {
    return this.#getters.take(() => this.getItem(0), timeoutMs, signal);
  }

  /** @internal Puts items, as many as there is room for in time. @returns how many. */
  protected putItems(items: readonly T[], timeoutMs: number): number {
    if (this.#isClosed) throw closedError(this, 'putMany()');
    this.#isUsed = true;
    const deadline = performance.now() + timeoutMs;
    const left = (): number => (timeoutMs === 0 ? 0 : Math.max(deadline - performance.now(), 0));
    let done = 0;
    while (done < items.length) {
      // As many as fit the memory for small ones.
      const ends: number[] = [];
      let end = 0;
      writing((room) => {
        for (let i = done; i < items.length && end + FRAME < room.length; i += 1) {
          const encoded = encode(room, end + FRAME, items[i]);
          if (typeof encoded !== 'number') break;
          room.writeUInt32LE(encoded - end - FRAME, end);
          ends.push((end = encoded));
        }
      });
      if (ends.length === 0) {
        if (!this.putItem(items[done] as T, left())) return done;
        done += 1;
        continue;
      }
      let [written, next] = [0, 0];
      while (written < end) {
        const result = fast.queuePutMany(this.#number, end - written, left());
        if (result < 0) {
          explain(result, 'putMany()');
          return done;
        }
        written += result;
        out.copyWithin(0, result, result + end - written);
        for (; next < ends.length && (ends[next] as number) <= written; next += 1) done += 1;
      }
    }
    return done;
  }

  /** @internal Gets up to `max` items, waiting for the first. */
  protected getItems(max: number, timeoutMs: number): T[] {
    if (this.#isClosed) throw closedError(this, 'getMany()');
    this.#isUsed = true;
    const count = fast.queueGetMany(this.#number, max, timeoutMs);
    if (count === code.tooLong) return this.#getLarge(timeoutMs) ?? [];
    if (count < 0) return explain(count, 'getMany()') ?? [];
    const items: T[] = [];
    let at = 0;
    let failure: { error: unknown } | undefined;
    for (let i = 0; i < count; i += 1) {
      const begin = at + FRAME;
      at = begin + input.readUInt32LE(at);
      try {
        items.push(decode(input, begin, at, false) as T);
      } catch (error) {
        failure = { error };
      }
    }
    // One that cannot be rebuilt is not to take the others with it.
    if (items.length === 0 && failure) throw failure.error;
    return items;
  }

  /** @internal */
  protected shutItDown(immediate: boolean): void {
    if (this.#isClosed) throw closedError(this, 'shutdown()');
    native.queueShutDown(this.#number, immediate);
  }
}

function closedError(queue: object, what: string): ProcessError {
  return new ProcessError('ERR_MP_CLOSED', `${what}: this ${queue.constructor.name} is closed in this process`);
}

function timeoutOf(block: unknown, timeoutMs: number | undefined): number {
  if (typeof block !== 'boolean') throw invalidArgument(`block must be true or false, not ${inspect(block)}`);
  const timeout = checkTimeout(timeoutMs);
  return block ? timeout : 0;
}

/**
 * Python: `multiprocessing.Queue(maxsize=0)`. First in, first out, for any number of processes on either side. Processes forked
 * after it was made share it, by closure or through `args`.
 *
 * ```ts
 * const queue = new Queue<string>();
 * new Process({ target: () => queue.put('hello') }).start();
 * console.log(queue.get());
 * ```
 *
 * Different from Python: an item is in shared memory, whole and in its place, when `put` returns. Nothing has to be flushed or
 * joined: the process may end or be killed right after, and can be joined before the queue is read. A process that is killed
 * in a call leaves a queue that works.
 */
export class Queue<T = unknown> extends AnyQueue<T> {
  /** @internal */
  protected override get kind(): keyof typeof kinds {
    return 'Queue';
  }

  /**
   * @param maxsize most items; 0 or less for any number. @default 0
   * @throws TypeError (`ERR_MP_INVALID_ARG`) for what is no whole number; ProcessError `ERR_MP_WORKER_THREAD` in a worker
   *   thread.
   */
  constructor(maxsize = 0) {
    super(Math.min(Math.max(checkInteger(maxsize, 'maxsize'), 0), 0x7fff_ffff));
  }

  /**
   * Python: `put(obj, block=True, timeout=None)`. Appends an item; waits asleep while the queue is full.
   *
   * @param item anything that structured clone carries, Buffers and errors; see docs/values.md.
   * @param block false: try once, whatever the timeout.
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @throws Full (`ERR_MP_FULL`) if there was no room in time.
   * @throws ProcessError `ERR_MP_NOT_SERIALIZABLE` for what cannot be carried; nothing is put then.
   * @throws ShutDown (`ERR_MP_SHUT_DOWN`) after `shutdown()`; ProcessError `ERR_MP_CLOSED` after `close()` (Python: ValueError).
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   * @throws Error `ENOMEM` if there is no memory for it.
   */
  put(item: T, block = true, timeoutMs?: number): void {
    const timeout = block === true && timeoutMs === undefined ? Infinity : timeoutOf(block, timeoutMs);
    if (!this.putItem(item, timeout)) throw new Full('put(): the queue is full');
  }

  /** Python: `put_nowait`. `put` that does not wait. @throws as `put`. */
  putNowait(item: T): void {
    this.put(item, false);
  }

  /**
   * `put` that leaves the event loop turning. Items of this process are put in the order of the calls.
   *
   * @throws the reason of `signal`, once it is aborted; otherwise as `put`.
   */
  async putAsync(item: T, options?: WaitOptions): Promise<void> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    if (!(await this.putItemAsync(item, timeoutMs, signal))) throw new Full('putAsync(): the queue is full');
  }

  /**
   * Puts several items, in order; faster than one by one. Python has none.
   *
   * @param block false: put what there is room for at once.
   * @param timeoutMs milliseconds for all of them; negative is 0; without it the wait has no end.
   * @throws Full (`ERR_MP_FULL`) if there was no room for all of them in time; its `done` says how many were put. Otherwise as
   *   `put`: items before the one that cannot be carried may have been put.
   */
  putMany(items: Iterable<T>, block = true, timeoutMs?: number): void {
    const timeout = timeoutOf(block, timeoutMs);
    if (typeof items !== 'object' || items === null || !(Symbol.iterator in items)) {
      throw invalidArgument(`putMany() takes an iterable of items, not ${inspect(items)}`);
    }
    const all = Array.isArray(items) ? (items as T[]) : [...items];
    const done = this.putItems(all, timeout);
    if (done < all.length) throw new Full(`putMany(): the queue is full, ${done} of ${all.length} were put`, done);
  }

  /**
   * Python: `get(block=True, timeout=None)`. Removes and returns the oldest item; waits for one asleep.
   *
   * @param block false: try once, whatever the timeout.
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python: seconds.)
   * @throws Empty (`ERR_MP_EMPTY`) if there was none in time.
   * @throws ProcessError `ERR_MP_CORRUPT` for an item that cannot be rebuilt; it is gone then, and the queue goes on.
   * @throws ShutDown (`ERR_MP_SHUT_DOWN`) once the queue was shut down and is empty; ProcessError `ERR_MP_CLOSED` after `close()`
   *   (Python: ValueError).
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  get(block = true, timeoutMs?: number): T {
    const timeout = block === true && timeoutMs === undefined ? Infinity : timeoutOf(block, timeoutMs);
    const got = this.getItem(timeout);
    if (got === undefined) throw new Empty('get(): the queue is empty');
    return got[0];
  }

  /** Python: `get_nowait`. `get` that does not wait. @throws as `get`. */
  getNowait(): T {
    return this.get(false);
  }

  /**
   * `get` that leaves the event loop turning. Any number of them costs one thread in all; they are served in order.
   *
   * @throws the reason of `signal`, once it is aborted; otherwise as `get`.
   */
  async getAsync(options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    const got = await this.getItemAsync(timeoutMs, signal);
    if (got === undefined) throw new Empty('getAsync(): the queue is empty');
    return got[0];
  }

  /**
   * Removes and returns items that are there, at least one, waiting for that; faster than one by one. Python has none.
   *
   * @param max most items; it may be fewer though there are more. @default 1000
   * @param block false: try once, whatever the timeout.
   * @param timeoutMs milliseconds to wait for the first; negative is 0; without it the wait has no end.
   * @throws as `get`.
   */
  getMany(max = 1000, block = true, timeoutMs?: number): T[] {
    if (checkInteger(max, 'max') < 1) throw invalidArgument(`max must be at least 1, not ${max}`, RangeError);
    const items = this.getItems(max, timeoutOf(block, timeoutMs));
    if (items.length === 0) throw new Empty('getMany(): the queue is empty');
    return items;
  }

  /** Items, until the queue is shut down and empty, or closed here. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      let item: T;
      try {
        item = await this.getAsync();
      } catch (error) {
        if (error instanceof ShutDown || (this.isClosed && (error as ProcessError).code === 'ERR_MP_CLOSED')) return;
        throw error;
      }
      yield item;
    }
  }

  /** Python: `qsize`. How many items there are, exactly. @throws ProcessError `ERR_MP_CLOSED` after `close()`. */
  qsize(): number {
    return this.length();
  }

  /**
   * Python: `empty`. Whether there is no item, exactly.
   *
   * @throws ProcessError `ERR_MP_CLOSED` (Python: OSError) after `close()`, unless this process never used the queue.
   */
  override empty(): boolean {
    return (this.isClosed && !this.isUsed) || super.empty();
  }

  /** Python: `full`. Whether there is no room. @throws ProcessError `ERR_MP_CLOSED` after `close()`. */
  full(): boolean {
    const length = this.length();
    return this.max > 0 && length >= this.max;
  }

  /**
   * Python: `queue.Queue.shutdown` (3.13). No item can be put any more, by nobody; those that are there can be got.
   *
   * @param immediate they cannot either: they are thrown away, and `join()` counts them as done. @default false
   */
  shutdown(immediate = false): void {
    if (typeof immediate !== 'boolean') {
      throw invalidArgument(`immediate must be true or false, not ${inspect(immediate)}`);
    }
    this.shutItDown(immediate);
  }

  /** Python: `join_thread`. Returns at once: there is no thread, as an item is in the queue when `put` returns. */
  joinThread(): void {
    if (!this.isClosed) throw new ProcessError('ERR_MP_STILL_RUNNING', 'joinThread() comes after close()');
  }

  /** Python: `cancel_join_thread`. Does nothing: there is nothing that could be lost. */
  cancelJoinThread(): void {}
}

/**
 * Python: `multiprocessing.JoinableQueue(maxsize=0)`. A `Queue` that knows how many of its items are done with.
 */
export class JoinableQueue<T = unknown> extends Queue<T> {
  /** @internal */
  protected override get kind(): keyof typeof kinds {
    return 'JoinableQueue';
  }

  /**
   * Python: `task_done`. An item that was got is done with.
   *
   * @throws ProcessError `ERR_MP_NOT_LOCKED` (Python: ValueError) if all that were put are.
   */
  taskDone(): void {
    if (this.isClosed) throw closedError(this, 'taskDone()');
    if (native.queueTaskDone(this.number)) return;
    throw new ProcessError('ERR_MP_NOT_LOCKED', 'taskDone() was called more often than items were put');
  }

  /**
   * Python: `join`. Waits asleep until all items that were put are done with.
   *
   * @param timeoutMs milliseconds; negative is 0; without it the wait has no end. (Python has none.)
   * @returns true if they are, false after the timeout.
   * @throws InterruptedError when the program's own SIGINT, SIGTERM or SIGHUP listener has to run.
   */
  join(timeoutMs?: number): boolean {
    if (this.isClosed) throw closedError(this, 'join()');
    const result = native.queueJoin(this.number, checkTimeout(timeoutMs));
    return result > 0 || (explain(result, 'join()') ?? false);
  }

  /** `join` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted. */
  async joinAsync(options?: WaitOptions): Promise<boolean> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    if (this.isClosed) throw closedError(this, 'joinAsync()');
    signal?.throwIfAborted();
    if (native.queueUnfinished(this.number) === 0) return true;
    const kind: Kind = 'end';
    return (await waitSettled(() => native.awaitShared(kind, this.number, false), timeoutMs, signal)) !== undefined;
  }
}

/** Python: `multiprocessing.SimpleQueue()`. A queue without a limit, and without timeouts. */
export class SimpleQueue<T = unknown> extends AnyQueue<T> {
  /** @internal */
  protected override get kind(): keyof typeof kinds {
    return 'SimpleQueue';
  }

  /** @throws ProcessError `ERR_MP_WORKER_THREAD` in a worker thread. */
  constructor() {
    super(0);
  }

  /** Python: `put`. Appends an item. @throws as `put` of `Queue`. */
  put(item: T): void {
    this.putItem(item, Infinity);
  }

  /** Python: `get`. Removes and returns the oldest item; waits for one asleep. @throws as `get` of `Queue`. */
  get(): T {
    return (this.getItem(Infinity) as [T])[0];
  }

  /** `get` that leaves the event loop turning. @throws the reason of `signal`, once it is aborted. */
  async getAsync(options?: WaitOptions): Promise<T> {
    const { timeoutMs, signal } = checkWaitOptions(options);
    const got = await this.getItemAsync(timeoutMs, signal);
    if (got === undefined) throw new Empty('getAsync(): the queue is empty');
    return got[0];
  }
}

const kinds = {
  Queue: (max: number) => new Queue(max),
  JoinableQueue: (max: number) => new JoinableQueue(max),
  SimpleQueue: () => new SimpleQueue(),
};

for (const [kind, make] of Object.entries(kinds)) {
  addKind<{ handle: number; max: number }>(kind, ({ handle, max }, claim) => {
    opened = native.queueOpen(handle, claim());
    try {
      return make(max);
    } finally {
      opened = undefined;
    }
  });
}
