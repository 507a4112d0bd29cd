/**
 * What is known of each worker of a pool, whatever becomes of it: the task that it holds, and how it stands.
 */
import { native } from '../native.ts';
import { allocate } from '../shared/block.ts';
import { passable } from '../shared/passing.ts';

/** Bytes of a slot. */
const SIZE = 64;
/** Words in a slot. */
const at = { claim: 0, isReady: 1, item: 6 } as const;
/** Numbers in a slot, each as long as two words. */
const doubleAt = { since: 1, memory: 2 } as const;

/** How a worker stands to the task of its claim. */
const state = { running: native.CLAIM_FRESH, finished: 2, condemned: 3 } as const;

/** Bits of a task's number that a claim holds. */
const NUMBER = 2 ** (32 - native.CLAIM_SHIFT) - 1;

/** A row of slots in shared memory. */
export class Slots {
  readonly length: number;
  readonly #handle: number;
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;

  constructor(length: number) {
    const { buffer, handle } = allocate(length * SIZE);
    this.length = length;
    this.#handle = handle;
    this.#words = new Int32Array(buffer, 0, (length * SIZE) / 4);
    this.#doubles = new Float64Array(buffer, 0, (length * SIZE) / 8);
    passable(this, () => ({ kind: 'Slots', handles: [handle], details: length }));
  }

  /** Where the worker leaves word of what it takes. */
  claimOf(slot: number): number {
    return this.#handle + slot * SIZE;
  }

  /** A new worker has it. */
  clear(slot: number): void {
    this.#words.fill(0, (slot * SIZE) / 4, ((slot + 1) * SIZE) / 4);
  }

  #word(slot: number, index: number): number {
    return (slot * SIZE) / 4 + index;
  }

  /** The worker is ready for tasks. */
  setReady(slot: number): void {
    Atomics.store(this.#words, this.#word(slot, at.isReady), 1);
  }

  isReady(slot: number): boolean {
    return Atomics.load(this.#words, this.#word(slot, at.isReady)) !== 0;
  }

  /** The number, without its highest bits, of the task that the worker has taken last; undefined if none. */
  claimed(slot: number): number | undefined {
    const word = Atomics.load(this.#words, this.#word(slot, at.claim));
    return word === 0 ? undefined : word >>> native.CLAIM_SHIFT;
  }

  /** Worker: it is at that item of its task. */
  setItem(slot: number, item: number): void {
    this.#words[this.#word(slot, at.item)] = item;
  }

  item(slot: number): number {
    return this.#words[this.#word(slot, at.item)] as number;
  }

  /** When it took it, on the monotonic clock. */
  since(slot: number): number {
    return this.#doubles[(slot * SIZE) / 8 + doubleAt.since] as number;
  }

  /** Bytes that the worker had when it last looked; 0 if it never did. */
  memory(slot: number): number {
    return this.#doubles[(slot * SIZE) / 8 + doubleAt.memory] as number;
  }

  setMemory(slot: number, bytes: number): void {
    this.#doubles[(slot * SIZE) / 8 + doubleAt.memory] = bytes;
  }

  /** Whether the worker is at work on task `number`. */
  runs(slot: number, number: number): boolean {
    return Atomics.load(this.#words, this.#word(slot, at.claim)) === claim(number, state.running);
  }

  /** Worker: task `number` is done. False if it is to die for it. */
  finish(slot: number, number: number): boolean {
    return this.#change(slot, number, state.finished);
  }

  /** The worker is to die, if it is still at work on task `number`. */
  condemn(slot: number, number: number): boolean {
    return this.#change(slot, number, state.condemned);
  }

  #change(slot: number, number: number, to: number): boolean {
    const from = claim(number, state.running);
    return Atomics.compareExchange(this.#words, this.#word(slot, at.claim), from, claim(number, to)) === from;
  }
}

function claim(number: number, state: number): number {
  return (number << native.CLAIM_SHIFT) | state;
}

/** How many tasks lie between a number, whole, and one without its highest bits. */
export function distance(from: number, to: number): number {
  return (to - from) & NUMBER;
}
