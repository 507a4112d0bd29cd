/**
 * What the workers of a pool of threads run: tasks, one after the other.
 */
import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { workerData, type MessagePort } from 'node:worker_threads';

import { encode } from '../serialize/index.ts';
import { load, resolve, type Place } from '../spawn/locate.ts';
import { callFor } from './calls.ts';
import type { AnyFunction } from './functions.ts';
import { Life, type Mode } from './protocol.ts';

/** A task for a thread. */
export interface ThreadTask {
  readonly fn: number;
  /** Where the function is, the first time. */
  readonly place: Place | undefined;
  readonly mode: Mode;
  readonly args: readonly unknown[];
}

/** What a thread says. */
export interface ThreadAnswer {
  readonly tookMs: number;
  readonly value?: unknown;
  /** An error as other processes get it, and the item that it is about. */
  readonly failure?: { readonly error: Uint8Array; readonly item: number };
  /** It is ready for tasks; or not, for the reason that comes with it, and is to be ended. */
  readonly isReady?: boolean;
}

/** What a thread is given. */
export interface ThreadKit {
  readonly port: MessagePort;
  /** Counts what all threads have said. */
  readonly bell: Int32Array;
  /** What is known of this thread while nobody can hear it: its id in the system, and its exit code plus one. */
  readonly life: Int32Array;
  readonly initializer: Place | undefined;
  readonly initargs: readonly unknown[];
}

const functions: AnyFunction[] = [];

/** The system's id of this thread; 0 where it does not tell. */
function threadId(): number {
  try {
    return Number(basename(readlinkSync('/proc/thread-self')));
  } catch {
    return 0;
  }
}

function bytesOf(error: unknown): Uint8Array {
  try {
    const parts = encode(Buffer.alloc(0), 0, error);
    return new Uint8Array(Buffer.concat(parts as readonly Uint8Array[]));
  } catch (cause) {
    return bytesOf(cause);
  }
}

async function find(place: Place): Promise<AnyFunction> {
  await load(place.module);
  return resolve(place) as AnyFunction;
}

/** Does tasks for as long as there are any. */
export async function serveThread({ port, bell, life, initializer, initargs }: ThreadKit): Promise<void> {
  Atomics.store(life, Life.id, threadId());
  process.on('exit', (code) => Atomics.store(life, Life.exited, code + 1));
  const say = (answer: ThreadAnswer): void => {
    port.postMessage(answer);
    Atomics.add(bell, 0, 1);
    Atomics.notify(bell, 0);
  };
  const run = async ({ fn, place, mode, args }: ThreadTask): Promise<void> => {
    const begin = performance.now();
    let item = 0;
    const begins = (next: number): void => {
      item = next;
    };
    const tookMs = (): number => performance.now() - begin;
    try {
      if (place) functions[fn] = await find(place);
      const value = await callFor(functions[fn] as AnyFunction, mode, args, begins);
      say({ tookMs: tookMs(), value });
    } catch (error) {
      say({ tookMs: tookMs(), failure: { error: bytesOf(error), item } });
    }
  };
  if (initializer) {
    try {
      await (
        await find(initializer)
      )(...(initargs as never[]));
    } catch (error) {
      say({ tookMs: 0, failure: { error: bytesOf(error), item: 0 }, isReady: false });
      // It is ended by whoever hears that: what a thread says just before its end can be lost.
      port.ref();
      return;
    }
  }
  port.on('message', (task: ThreadTask) => void run(task));
  say({ tookMs: 0, isReady: true });
}

if (workerData !== null && typeof workerData === 'object' && 'threadKit' in workerData) {
  void serveThread((workerData as { threadKit: ThreadKit }).threadKit);
}
