/**
 * Messages between a pool and its workers: a few bytes of facts, then a value. A worker leaves word of each that it takes.
 */
import { ProcessError } from '../errors.ts';
import { fast, native } from '../native.ts';
import { FRAME, code, explain, findMemory, input, putMessage } from '../queues/messages.ts';
import { decode } from '../serialize/index.ts';
import { checkCanShare } from '../shared/block.ts';
import { passable } from '../shared/passing.ts';
import { AsyncTurns } from '../synchronize/turns.ts';

/** Bytes of facts before each value. */
export const FACTS = 32;

/** A message that was taken. */
export class Message {
  readonly #bytes: Buffer;
  readonly #at: number;
  readonly #end: number;
  readonly #isOwned: boolean;

  constructor(bytes: Buffer, at: number, end: number, isOwned: boolean) {
    if (end - at <= FACTS) throw new ProcessError('ERR_MP_CORRUPT', 'a message of a pool is too short');
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.#isOwned = isOwned;
  }

  /** The word of facts at `index`. */
  word(index: number): number {
    return this.#bytes.readUInt32LE(this.#at + 4 * index);
  }

  /** The number of facts at `index`, each of which is as long as two words. */
  double(index: number): number {
    return this.#bytes.readDoubleLE(this.#at + 8 * index);
  }

  /** Its value. @throws ProcessError `ERR_MP_CORRUPT`, `ERR_MP_NOT_DESERIALIZABLE`. */
  value(): unknown {
    return decode(this.#bytes, this.#at + FACTS, this.#end, this.#isOwned);
  }

  /** The same, for as long as one likes. */
  keep(): Message {
    if (this.#isOwned) return this;
    const bytes = Buffer.from(this.#bytes.subarray(this.#at, this.#end));
    return new Message(bytes, 0, bytes.length, true);
  }

  /** All of it, to be put again. */
  copy(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, this.#at, this.#end);
  }
}

const collected = new FinalizationRegistry<number>((number) => native.queueClose(number));

/** The number of a channel of the parent's that the next constructor gives an object. */
let opened: number | undefined;

/** A queue of messages. */
export class Channel {
  /** That of the parent, which has passed the descriptor `file`. */
  static open(handle: number, file: number): Channel {
    opened = native.queueOpen(handle, file);
    try {
      return new Channel();
    } finally {
      opened = undefined;
    }
  }

  readonly number: number;
  readonly #turns: AsyncTurns;
  #isClosed = false;
  #isShutDown = false;

  constructor() {
    checkCanShare();
    findMemory();
    this.number = opened ?? native.queueCreate(0);
    this.#turns = new AsyncTurns('items', this.number);
    collected.register(this, this.number, this);
    passable(this, (pass) => {
      const { handle, file } = native.queuePass(this.number);
      pass(file);
      return { kind: 'Channel', handles: [], details: handle };
    });
  }

  /** Whether this process has shut it down. */
  get isShutDown(): boolean {
    return this.#isShutDown;
  }

  /** How many messages there are. */
  get length(): number {
    return fast.queueLength(this.number);
  }

  /** The number of the oldest message: how many were taken before, in 32 bits. */
  get taken(): number {
    return fast.queueTaken(this.number) >>> 0;
  }

  /** Appends a message. @throws ProcessError `ERR_MP_NOT_SERIALIZABLE` and others for what cannot be carried. */
  put(facts: Uint8Array, value: unknown): void {
    const result = putMessage(this.number, value, Infinity, facts);
    if (result <= 0) explain(result, 'a pool');
  }

  /** Appends one that was taken. */
  putAgain(message: Uint8Array): void {
    const result = native.queuePutParts(this.number, [message], Infinity);
    if (result <= 0) explain(result, 'a pool');
  }

  /**
   * Takes the oldest message. It has to be looked at before anything else is taken in this process.
   *
   * @param claim where to leave word of it.
   * @returns undefined if there was none in time.
   * @throws ShutDown
   */
  take(claim: number | undefined, timeoutMs: number): Message | undefined {
    const length =
      claim === undefined ? fast.queueGet(this.number, timeoutMs) : fast.queueTake(this.number, timeoutMs, claim);
    if (length >= 0) return new Message(input, 0, length, false);
    if (length !== code.tooLong) return explain(length, 'a pool');
    for (;;) {
      const bytes = Buffer.allocUnsafeSlow(native.queueLastLength());
      const result = native.queueGetInto(this.number, bytes, timeoutMs, claim);
      if (result > 0) return new Message(bytes, 0, native.queueLastLength(), true);
      // Somebody else was faster, and the next one is larger.
      if (result !== code.tooLong) return explain(result, 'a pool');
    }
  }

  /** `take` that leaves the event loop turning. @returns undefined once it is closed. */
  takeAsync(claim: number): Promise<Message | undefined> {
    // Others may run before it is looked at.
    return this.#turns.take(() => this.take(claim, 0)?.keep(), Infinity, undefined);
  }

  /** Takes those that are there, or the first ones of them, blocking until there is one, or for `timeoutMs` milliseconds. */
  takeAll(timeoutMs = 0): Message[] {
    const count = fast.queueGetMany(this.number, 0xffff_ffff, timeoutMs);
    if (count === code.tooLong) return [this.take(undefined, 0) as Message];
    if (count < 0) return explain(count, 'a pool') ?? [];
    let end = 0;
    const begins: number[] = [];
    for (let i = 0; i < count; i += 1) {
      begins.push(end + FRAME);
      end += FRAME + input.readUInt32LE(end);
    }
    begins.push(end + FRAME);
    // What becomes of the first may use the memory for messages.
    const bytes = Buffer.from(input.subarray(0, end));
    return Array.from({ length: count }, (_, i) => {
      return new Message(bytes, begins[i] as number, (begins[i + 1] as number) - FRAME, false);
    });
  }

  /** Waits until there is something, or it is closed here. @throws the reason of `signal`. */
  async itemsAsync(signal: AbortSignal): Promise<void> {
    await this.#turns.take(() => this.#isClosed || native.queuePeek(this.number) || undefined, Infinity, signal);
  }

  /** Nothing may be put any more; `immediate`: nor taken. */
  shutdown(immediate: boolean): void {
    if (this.#isClosed) return;
    this.#isShutDown = true;
    native.queueShutDown(this.number, immediate);
  }

  /** This process has done with it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    collected.unregister(this);
    native.queueClose(this.number);
    this.#turns.end();
  }
}
