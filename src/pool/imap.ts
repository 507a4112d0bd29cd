/**
 * Calls of a function for items as they come: `imap` and `imapUnordered`.
 */
import { ProcessError, TimeoutError, invalidArgument } from '../errors.ts';
import { checkTimeout } from '../options.ts';
import { race } from '../wait.ts';
import type { Engine } from './engine.ts';
import type { AnyFunction } from './functions.ts';
import type { Teller } from './progress.ts';
import { Mode } from './protocol.ts';
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
  readonly #engine: Engine;
  readonly #call: ImapCall;
  readonly #source: AsyncIterator<unknown> | Iterator<unknown>;
  readonly #isAsync: boolean;
  /** Those under way or unread, in order, and of these those that are done, as they came. */
  readonly #entries = new Set<Entry>();
  readonly #done = new Set<Entry>();
  /** Values of the chunk that is being read. */
  #values: unknown[] = [];
  #at = 0;
  #count = 0;
  #isExhausted = false;
  #isEnded = false;
  /** A pull of an asynchronous input that is under way. */
  #isPulling = false;
  /** Who waits for anything to happen. */
  #sleepers: (() => void)[] = [];
  readonly #onAbort = (): void => {
    const error = this.#call.signal?.reason as unknown;
    this.#giveUp(error, true);
    this.#isExhausted = true;
    const entry: Entry = { task: undefined, outcome: { error } };
    this.#forget();
    this.#entries.add(entry);
    this.#done.add(entry);
    this.#wake();
  };

  /** @internal */
  constructor(engine: Engine, call: ImapCall) {
    this.#engine = engine;
    this.#call = call;
    const { items, signal } = call;
    if (typeof items === 'object' && items !== null && Symbol.asyncIterator in items) {
      this.#isAsync = true;
      this.#source = items[Symbol.asyncIterator]();
    } else if (typeof items === 'string' || (typeof items === 'object' && items !== null && Symbol.iterator in items)) {
      this.#isAsync = false;
      this.#source = (items as Iterable<unknown>)[Symbol.iterator]();
    } else {
      throw invalidArgument(`imap() takes an iterable or an asynchronous one, not ${String(items)}`);
    }
    if (signal?.aborted) this.#onAbort();
    signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (!this.#isAsync) this.#fill();
  }

  get #hasRoom(): boolean {
    return !this.#isExhausted && this.#entries.size < this.#call.window;
  }

  /** Has as many chunks under way as there may be. Several at once: whoever sleeps is woken less often. */
  #fill(): void {
    if (this.#entries.size > this.#call.window / 2) return;
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
      if (chunk.length > 0) tasks.push(this.#add(chunk));
    }
    if (tasks.length > 0) this.#engine.submit(tasks);
  }

  /** The input has failed: items of a chunk that is not complete are lost, as in Python. */
  #fail(error: unknown): void {
    this.#isExhausted = true;
    const entry: Entry = { task: undefined, outcome: { error } };
    this.#entries.add(entry);
    this.#done.add(entry);
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
      settle: (outcome) => {
        entry.outcome = outcome;
        this.#done.add(entry);
        teller?.advance(length, this.#count);
        this.#wake();
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
        return;
      }
      if (this.#isEnded) return;
      if (chunk.length > 0) this.#engine.submit([this.#add(chunk)]);
    }
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
      else if (this.#call.endsAtError) this.#leave();
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
    if (this.#isAsync) {
      throw new ProcessError('ERR_MP_INVALID_STATE', 'the items come from an asynchronous iterable: use `for await`');
    }
    const timeout = checkTimeout(timeoutMs);
    if (!this.#isEnded) this.#fill();
    let result = this.#take();
    if (result === undefined) {
      const isDone = (): boolean => this.#ready() !== undefined;
      const left = Math.max(this.#call.deadline - performance.now(), 0);
      if (!this.#engine.waitUntil(isDone, Math.min(timeout, left), 'imap()')) {
        if (timeout > left) throw this.#late();
        throw new TimeoutError(`next(): there is no result within ${timeout} ms`);
      }
      result = this.#take() as IteratorResult<T, undefined>;
    }
    return result;
  }

  /** `next` that leaves the event loop turning. */
  async nextAsync(): Promise<IteratorResult<T, undefined>> {
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
      if (!isInTime && this.#ready() === undefined) throw this.#late();
    }
  }

  /** The whole has taken too long. */
  #late(): TimeoutError {
    this.#leave();
    return new TimeoutError('not all results are there within timeoutMs');
  }

  #keepFilling(): void {
    if (!this.#isAsync) this.#fill();
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
      if (task && outcome === undefined) this.#engine.giveUp(task, error, mayStop);
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
    this.#isExhausted = true;
    this.#forget();
    this.#call.signal?.removeEventListener('abort', this.#onAbort);
    this.#call.teller?.end();
  }

  /** Leaves it: what has not been begun is given up, and the input is closed. */
  return(): IteratorResult<T, undefined> {
    this.#leave();
    return { done: true, value: undefined };
  }

  #leave(): void {
    if (this.#isEnded) return;
    this.#giveUp(new ProcessError('ERR_MP_CANCELLED', 'nobody waits for it any more'), false);
    this.#end();
    if (!this.#isAsync) (this.#source as Iterator<unknown>).return?.();
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
        this.#leave();
        await this.#source.return?.();
        return { done: true, value: undefined };
      },
    };
  }
}
