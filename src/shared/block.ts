/**
 * Pieces of memory that a process shares with the children forked from it.
 */
import { isMainThread } from 'node:worker_threads';

import { ProcessError } from '../errors.ts';
import { native } from '../native.ts';

/** This process's number in an arena, by which the words in it name their holder; another one in each process. */
export interface Seat {
  id: number;
}

/** A piece of zero-filled shared memory. It is free again once `buffer` has been garbage-collected. */
export interface Block {
  readonly buffer: ArrayBuffer;
  /** What native calls know it by. */
  readonly handle: number;
  readonly seat: Seat;
}

/** By number of the arena. */
const seats = new Map<number, Seat>();
let ownName = 'MainProcess';

const collected = new FinalizationRegistry<number>((handle) => native.freeShared(handle));

function seatOf(arena: number): Seat {
  let seat = seats.get(arena);
  if (seat === undefined) {
    for (const { arena: number, id } of native.seats()) if (!seats.has(number)) seats.set(number, { id });
    native.setMemberName(ownName);
    seat = seats.get(arena) as Seat;
  }
  return seat;
}

/**
 * Allocates shared memory.
 *
 * @throws ProcessError `ERR_MP_WORKER_THREAD` in a worker thread, from which nothing can be inherited.
 */
export function allocate(byteLength: number, alignment = 64): Block {
  checkCanShare();
  if (given) return find(given.shift() as number, byteLength);
  const { buffer, handle, arena } = native.allocateShared(byteLength, alignment);
  collected.register(buffer, handle);
  return { buffer, handle, seat: seatOf(arena) };
}

/** Blocks that `allocate` finds instead of making new ones. */
let given: number[] | undefined;

/** Whether an object is being made anew of blocks that hold what they should. */
export const hasBlocks = (): boolean => given !== undefined;

/** Has `make` find these blocks whenever it allocates. */
export function withBlocks<T>(handles: readonly number[], make: () => T): T {
  const before = given;
  given = [...handles];
  try {
    return make();
  } finally {
    given = before;
  }
}

/** Blocks of the parent's that this process has met: an address belongs to one buffer only. */
const found = new Map<number, WeakRef<ArrayBuffer>>();

function find(handle: number, byteLength: number): Block {
  const known = found.get(handle)?.deref();
  const arena = Math.floor(handle / 2 ** 36);
  if (known !== undefined) return { buffer: known, handle, seat: seatOf(arena) };
  const { buffer } = native.sharedAt(handle, byteLength);
  found.set(handle, new WeakRef(buffer));
  return { buffer, handle, seat: seatOf(arena) };
}

/** @throws ProcessError `ERR_MP_WORKER_THREAD` in a worker thread, from which nothing can be inherited. */
export function checkCanShare(): void {
  if (!isMainThread) {
    throw new ProcessError(
      'ERR_MP_WORKER_THREAD',
      'what processes share can only be made in the main thread, which is the one that forks; ' +
        'between worker threads use SharedArrayBuffer and Atomics',
    );
  }
}

/** Child: it has seats of its own. */
export function renewSeats(): void {
  if (seats.size === 0) return;
  for (const { arena, id } of native.seats()) {
    const seat = seats.get(arena);
    if (seat) seat.id = id;
  }
}

/** What this process is called where others speak of it. */
export function setOwnName(name: string): void {
  ownName = name;
  if (seats.size > 0) native.setMemberName(name);
}
