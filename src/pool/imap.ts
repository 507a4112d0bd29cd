/**
 * Calls of a function for items as they come: `imap` and `imapUnordered`.
 */
import { ProcessError, TimeoutError, invalidArgument } from '../errors.ts';
import { checkTimeout } from '../options.ts';
import { race } from '../wait.ts';
import type { AnyFunction } from './functions.ts';
import type { Teller } from './progress.ts';
import { Mode } from './protocol.ts';
import type { Runner } from './runner.ts';
import { Task, type Outcome } from './task.ts';

/** What is to be done. */
export interface ImapCall {
  readonly fn: AnyFunction;
  readonly items: AsyncIterable<unknown> | Iterable<unknown>;
  readonly isOrdered: boolean;
  readonly isSpread: boolean;
  readonly chunksize: number;
  /** How many chunks may be under way or unread. */
  readonly window: number;
  readonly timeoutMs: number;
  readonly retries: number;
  /** By when all results are to be there, as `performance.now()` has it. */
  readonly deadline: number;
  /** The input is read to its end though the pool has been closed. */
  readonly outlivesClose: boolean;
  /** The first error is the last result. */
  readonly endsAtError: boolean;
  readonly signal: AbortSignal | undefined;
  readonly teller: Teller | undefined;
}

/** A chunk, or an error of the input. */
interface Entry {
  readonly task: Task | undefined;
  outcome: Outcome | undefined;
}

/**
 * Python: `multiprocessing.pool.IMapIterator`. Results of `imap` or `imapUnordered`, as they come; `for … of` blocks,
 * `for await … of` does not. Whoever leaves the loop gives up what has not been begun.
 */
export class ImapIterator<T> implements IterableIterator<T>, AsyncIterable<T> {
  readonly #runner: Runner;
  readonly #call: ImapCall;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  /** @internal Only the event loop can read the input. */
  readonly isAsync: boolean;
  /** Those under way or unread, in order, and of these those that are done, as they came. */
  readonly #entries = new Set<Entry>();
  readonly #done = new Set<Entry>();
  /** Values of the chunk that is being read. */
  #values: unknown[] = [];
  #at = 0;
  #count = 0;
  #isExhausted = false;
  /** Nothing is made of the input any more, even if something comes. */
  #isClosed = false;
  #isEnded = false;
  /** The pool is to end: what nobody has read does not count. */
  #isReadOn = false;
  /** A pull of an asynchronous input that is under way. */
  #isPulling = false;
  /** Who waits for anything to happen. */
  #sleepers: (() => void)[] = [];
  readonly #onAbort = (): void => {
    const error = this.#call.signal?.reason as unknown;
    this.#giveUp(error, true);
    this.#forget();
    this.#closeAtOnce();
    this.#addError(error);
    this.#wake();
  };

  /** @internal */
  constructor(runner: Runner, call: ImapCall) {
    this.#runner = runner;
    this.#call = call;
    const { items, signal } = call;
    if (typeof items === 'object' && items !== null && Symbol.asyncIterator in items) {
      this.isAsync = true;
      this.#source = items[Symbol.asyncIterator]();
    } else if (typeof items === 'string' || (typeof items === 'object' && items !== null && Symbol.iterator in items)) {
      this.isAsync = false;
      this.#source = (items as Iterable<unknown>)[Symbol.iterator]();
    } else {
      throw invalidArgument(`imap() takes an iterable or an asynchronous one, not ${String(items)}`);
    }
    if (signal?.aborted) {
      this.#onAbort();
      return;
    }
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (call.outlivesClose) runner.addInput(this);
    if (!this.isAsync) this.#fill();
  }

  /** How many chunks are under way or unread. */
  get #load(): number {
    if (this.#isReadOn) return this.#entries.size - this.#done.size;
    return this.#entries.size + (this.#at < this.#values.length ? 1 : 0);
  }

  get #hasRoom(): boolean {
    return !this.#isExhausted && this.#load < this.#call.window;
  }

  /** @internal Makes tasks of the input, whether somebody reads what comes of them or not. */
  readOn(): void {
    this.#isReadOn = true;
    this.#keepFilling();
  }

  /** Has as many chunks under way as there may be. Several at once: whoever sleeps is woken less often. */
  #fill(): void {
    // What the input does may lead here again.
    if (this.#isPulling || this.#load > this.#call.window / 2) return;
    this.#isPulling = true;
    try {
      do {
        const tasks = this.#pull();
        if (tasks.length > 0) this.#runner.submit(tasks);
      } while (this.#isReadOn && this.#hasRoom);
    } finally {
      this.#isPulling = false;
    }
    this.#checkExhausted();
  }

  #pull(): Task[] {
    const tasks: Task[] = [];
    while (this.#hasRoom) {
      const chunk: unknown[] = [];
      try {
        while (chunk.length < this.#call.chunksize) {
          const next = (this.#source as Iterator<unknown>).next();
          if (next.done === true) {
            this.#isExhausted = true;
            break;
          }
          chunk.push(next.value);
        }
      } catch (error) {
        this.#fail(error);
        break;
      }
      if (this.#isClosed) break;
      if (chunk.length > 0) tasks.push(this.#add(chunk));
    }
    return tasks;
  }

  #checkExhausted(): void {
    if (this.#isExhausted) this.#runner.removeInput(this);
  }

  /** The input has failed: items of a chunk that is not complete are lost, as in Python. */
  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.#isExhausted = true;
    this.#addError(error);
  }

  /** It ends with this. */
  #addError(error: unknown): void {
    const entry: Entry = { task: undefined, outcome: { error } };
    this.#entries.add(entry);
    this.#done.add(entry);
  }

  /** Closes the input, as leaving a loop over it would. One that is being pulled from may have stalled: that is not awaited. */
  #close(): unknown {
    if (this.#isClosed) return undefined;
    this.#isClosed = true;
    const isOpen = !this.#isExhausted;
    this.#isExhausted = true;
    this.#checkExhausted();
    if (!isOpen) return undefined;
    if (!this.#isPulling) return this.#source.return?.();
    // One that is not asynchronous is at work itself, and cannot be closed.
    if (this.isAsync) (async () => this.#source.return?.())().catch(() => {});
    return undefined;
  }

  /** The same; nobody hears how that ends. */
  #closeAtOnce(): void {
    (async () => this.#close())().catch(() => {});
  }

  #add(chunk: readonly unknown[]): Task {
    const { fn, isSpread, timeoutMs, retries, teller } = this.#call;
    const index = this.#count;
    // What the task still needs of the chunk after it was sent.
    const { length } = chunk;
    this.#count += length;
    const task = new Task({
      fn,
      mode: isSpread ? Mode.starmap : Mode.map,
      args: chunk,
      index,
      timeoutMs: timeoutMs * length,
      retries,
      owner: {
        settle: (outcome) => {
          if (!this.#entries.has(entry)) return;
          entry.outcome = outcome;
          this.#done.add(entry);
          teller?.advance(length, this.#count);
          this.#wake();
        },
      },
    });
    const entry: Entry = { task, outcome: undefined };
    this.#entries.add(entry);
    return task;
  }

  /** The same from an asynchronous input; one pull at a time. */
  async #fillAsync(): Promise<void> {
    while (this.#hasRoom) {
      const chunk: unknown[] = [];
      try {
        while (chunk.length < this.#call.chunksize) {
          const next = await this.#source.next();
          if (next.done === true) {
            this.#isExhausted = true;
            break;
          }
          chunk.push(next.value);
        }
      } catch (error) {
        this.#fail(error);
        break;
      }
      if (this.#isClosed) return;
      if (chunk.length > 0) this.#runner.submit([this.#add(chunk)]);
    }
    this.#checkExhausted();
  }

  #wake(): void {
    for (const wake of this.#sleepers.splice(0)) wake();
  }

  /** The next one whose turn it is, if it is done. */
  #ready(): Entry | undefined {
    if (this.#call.isOrdered) {
      const [first] = this.#entries;
      return first?.outcome === undefined ? undefined : first;
    }
    for (const entry of this.#done) {
      // What is wrong with the input is told after all else.
      if (entry.task !== undefined || this.#entries.size === 1) return entry;
    }
    return undefined;
  }

  /** The next result, if there is one now. @throws the error of that task, or of the input. */
  #take(): IteratorResult<T, undefined> | undefined {
    if (this.#at < this.#values.length) {
      const value = this.#values[this.#at] as T;
      // Who has it lets go of it when he wants to.
      this.#values[this.#at++] = undefined;
      return { done: false, value };
    }
    if (this.#isEnded) return { done: true, value: undefined };
    const entry = this.#ready();
    if (entry === undefined) {
      if (!this.#isExhausted || this.#entries.size > 0) return undefined;
      this.#end();
      return { done: true, value: undefined };
    }
    this.#entries.delete(entry);
    this.#done.delete(entry);
    const outcome = entry.outcome as Outcome;
    if ('error' in outcome) {
      // With the input at its end, there is no more to come.
      if (entry.task === undefined) this.#end();
      else if (this.#call.endsAtError) void (async () => this.#leave())().catch(() => {});
      throw outcome.error;
    }
    this.#values = outcome.value as unknown[];
    this.#at = 0;
    return this.#take();
  }

  /**
   * Python: `next(timeout)`. The next result; blocks for it.
   *
   * @param timeoutMs milliseconds.
   * @throws the error of the task, after which it goes on with the next one; of the input, which ends it; TimeoutError
   *   (`ERR_MP_TIMEOUT`) if there is none in time, after which it can be asked again.
   */
  next(timeoutMs?: number): IteratorResult<T, undefined> {
    if (this.isAsync) {
      throw new ProcessError('ERR_MP_INVALID_STATE', 'the items come from an asynchronous iterable: use `for await`');
    }
    if (this.#at < this.#values.length) return this.#take() as IteratorResult<T, undefined>;
    const timeout = checkTimeout(timeoutMs);
    this.#runner.checkMine('imap()');
    if (!this.#isEnded) this.#fill();
    let result = this.#take();
    if (result === undefined) {
      const isDone = (): boolean => this.#ready() !== undefined;
      const left = Math.max(this.#call.deadline - performance.now(), 0);
      if (!this.#runner.waitUntil(isDone, Math.min(timeout, left), 'imap()')) {
        if (timeout > left) throw this.#late();
        throw new TimeoutError(`next(): there is no result within ${timeout} ms`);
      }
      result = this.#take() as IteratorResult<T, undefined>;
    }
    return result;
  }

  /** `next` that leaves the event loop turning. */
  async nextAsync(): Promise<IteratorResult<T, undefined>> {
    this.#runner.checkMine('imap()');
    for (;;) {
      if (!this.#isEnded) this.#keepFilling();
      const result = this.#take();
      if (result !== undefined) return result;
      const left = Math.max(this.#call.deadline - performance.now(), 0);
      const isInTime = await race(
        (done) => {
          this.#sleepers.push(done);
          return () => {};
        },
        left,
        undefined,
      );
      // What came in time is given, even if it was not heard then.
      if (!isInTime) this.#runner.look();
      if (!isInTime && this.#ready() === undefined) throw this.#late();
    }
  }

  /** The whole has taken too long. */
  #late(): TimeoutError {
    void (async () => this.#leave())().catch(() => {});
    return new TimeoutError('not all results are there within timeoutMs');
  }

  #keepFilling(): void {
    if (!this.isAsync) this.#fill();
    else if (this.#hasRoom && !this.#isPulling) {
      this.#isPulling = true;
      void this.#fillAsync().finally(() => {
        this.#isPulling = false;
        this.#wake();
      });
    }
  }

  #giveUp(error: unknown, mayStop: boolean): void {
    const { signal } = this.#call;
    signal?.removeEventListener('abort', this.#onAbort);
    for (const { task, outcome } of this.#entries) {
      if (task && outcome === undefined) this.#runner.giveUp(task, error, mayStop);
    }
  }

  #forget(): void {
    this.#entries.clear();
    this.#done.clear();
    this.#values = [];
    this.#at = 0;
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#forget();
    this.#closeAtOnce();
    this.#call.signal?.removeEventListener('abort', this.#onAbort);
    this.#call.teller?.end();
  }

  /** Leaves it: what has not been begun is given up, and the input is closed. */
  return(): IteratorResult<T, undefined> {
    const closing = this.#leave();
    if (this.isAsync) Promise.resolve(closing).catch(() => {});
    return { done: true, value: undefined };
  }

  /** What closing the input comes to. */
  #leave(): unknown {
    if (this.#isEnded) return undefined;
    this.#giveUp(new ProcessError('ERR_MP_CANCELLED', 'nobody waits for it any more'), false);
    try {
      return this.#close();
    } finally {
      this.#end();
    }
  }

  /** Itself: the iteration blocks. */
  [Symbol.iterator](): this {
    return this;
  }

  /** An iteration that leaves the event loop turning. */
  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => this.nextAsync(),
      return: async () => {
        await this.#leave();
        return { done: true, value: undefined };
      },
    };
  }
}
