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
const seats: Seat[] = [];
let ownName = 'MainProcess';

const collected = new FinalizationRegistry<number>((handle) => native.freeShared(handle));

function seatOf(arena: number): Seat {
  let seat = seats[arena];
  if (seat === undefined) {
    native.memberIds().forEach((id, index) => (seats[index] ??= { id }));
    native.setMemberName(ownName);
    seat = seats[arena] as Seat;
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
  const { buffer, handle, arena } = native.allocateShared(byteLength, alignment);
  collected.register(buffer, handle);
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
  if (seats.length === 0) return;
  native.memberIds().forEach((id, index) => {
    if (seats[index]) seats[index].id = id;
  });
}

/** What this process is called where others speak of it. */
export function setOwnName(name: string): void {
  ownName = name;
  if (seats.length > 0) native.setMemberName(name);
}
