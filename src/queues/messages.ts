/**
 * Messages on their way into a queue and out of it, and the memory that small ones go through.
 */
import { InterruptedError, ShutDown } from '../errors.ts';
import { fast, native } from '../native.ts';
import { encode } from '../serialize/index.ts';
import { signalName } from '../signals.ts';

/** What native calls answer that come to nothing; one from `interrupted` down is that minus the signal. */
export const code = { timedOut: -1, shutDown: -2, tooLong: -3, interrupted: -100 } as const;

/** Bytes before each message of several. */
export const FRAME = 4;

/** Memory that small messages are written to and read from. Found once there is a queue. */
export let out: Buffer;
export let input: Buffer;

/** Finds the memory for small messages. */
export function findMemory(): void {
  if (out !== undefined) return;
  const scratch = native.queueScratch();
  out = Buffer.from(scratch.out);
  input = Buffer.from(scratch.input);
}

/** A getter of a value that is being written may put something itself. */
let isWriting = false;

/** Memory to write a message to, unless somebody is at that already. */
const nowhere = Buffer.alloc(0);

/** Has `write` write to the memory for small messages, or, if that is in use, to none. */
export function writing<T>(write: (room: Buffer) => T): T {
  const wasWriting = isWriting;
  isWriting = true;
  try {
    return write(wasWriting ? nowhere : out);
  } finally {
    isWriting = wasWriting;
  }
}

/**
 * Appends a message to a queue.
 *
 * @param head bytes before the value.
 * @returns as the native call.
 */
export function putMessage(queue: number, value: unknown, timeoutMs: number, head?: Uint8Array): number {
  const wasWriting = isWriting;
  isWriting = true;
  try {
    const encoded = encode(wasWriting ? nowhere : out, wasWriting ? 0 : (head?.length ?? 0), value);
    isWriting = wasWriting;
    if (typeof encoded === 'number') {
      if (head) out.set(head, 0);
      return fast.queuePut(queue, encoded, timeoutMs);
    }
    return native.queuePutParts(queue, (head ? [head, ...encoded] : encoded) as Uint8Array[], timeoutMs);
  } finally {
    isWriting = wasWriting;
  }
}

/** What a call came to that has not put or got anything; undefined for "not in time". @throws if that is for good. */
export function explain(result: number, what: string): undefined {
  if (result === code.timedOut) return undefined;
  if (result === code.shutDown) throw new ShutDown(`${what}: the queue was shut down`);
  throw new InterruptedError(what, signalName(code.interrupted - result));
}
