/**
 * Values as bytes, and back: everything that structured clone carries, and what has a form of its own: errors, objects of
 * registered classes, connections, sockets.
 */
import { deserialize, serialize } from 'node:v8';

import { ProcessError } from '../errors.ts';
import { addErrorForm } from './errors.ts';
import type { ClaimDescriptor, PassDescriptor } from './forms.ts';
import { LAST_TAG, readSmall, writeSmall, writeSmallList } from './small.ts';
import { needsEnvelope, putTogether, takeApart } from './stand-ins.ts';

addErrorForm();

/** First bytes of messages that are not for the short path. */
const Kind = { v8: 0x80, buffer: 0x81, bytes: 0x82, envelope: 0x83 } as const;

/** Longer messages are copied once only, to where they stay. */
const SMALL = 8192;

/** A message that does not fit the memory for small ones: the bytes of its parts, one after the other. */
export type Parts = readonly Uint8Array[];

/** An array of a pool's own making: it has no properties but its items. */
export class List {
  readonly items: readonly unknown[];

  constructor(items: readonly unknown[]) {
    this.items = items;
  }
}

/**
 * Writes `value`, or the array that a `List` holds, into `bytes` from `at`, or returns the parts of its message if that is too small.
 *
 * @param pass has descriptors go with the message, if they can.
 * @returns where it ends, or the parts.
 * @throws ProcessError `ERR_MP_NOT_SERIALIZABLE`, `ERR_MP_INHERIT_ONLY`.
 */
export function encode(bytes: Buffer, at: number, value: unknown, pass?: PassDescriptor): number | Parts {
  let end: number;
  try {
    end = value instanceof List ? writeSmallList(bytes, at, value.items) : writeSmall(bytes, at, value);
  } catch (cause) {
    throw notSerializable(cause);
  }
  if (end >= 0) return end;
  const parts = encodeParts(value instanceof List ? value.items : value, pass);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > Math.min(bytes.length - at, SMALL)) return parts;
  end = at;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return end;
}

function encodeParts(value: unknown, pass: PassDescriptor): Parts {
  if (Buffer.isBuffer(value)) return [Uint8Array.of(Kind.buffer), value];
  if (value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype) {
    return [Uint8Array.of(Kind.bytes), value];
  }
  try {
    if (needsEnvelope(value)) return [Uint8Array.of(Kind.envelope), serialize(takeApart(value, pass))];
    return [Uint8Array.of(Kind.v8), serialize(value)];
  } catch (cause) {
    throw notSerializable(cause);
  }
}

const noDescriptor: ClaimDescriptor = () => {
  throw corrupt('a descriptor should have come with it');
};

/**
 * Reads what `encode` wrote in `bytes` from `at` to `end`.
 *
 * @param owned large parts may be views of `bytes`.
 * @param claim takes the descriptors that came with it.
 * @throws ProcessError `ERR_MP_CORRUPT`, `ERR_MP_NOT_DESERIALIZABLE`.
 */
export function decode(
  bytes: Buffer,
  at: number,
  end: number,
  owned: boolean,
  claim: ClaimDescriptor = noDescriptor,
): unknown {
  const kind = bytes[at];
  if (kind === undefined || at >= end) throw corrupt('it is empty');
  if (kind <= LAST_TAG) return readSmall(bytes, at, end);
  const rest = bytes.subarray(at + 1, end);
  switch (kind) {
    case Kind.buffer:
      return owned ? rest : Buffer.from(rest);
    case Kind.bytes:
      // An aligned beginning, as of any that is made anew.
      return new Uint8Array(rest);
    case Kind.v8:
    case Kind.envelope: {
      let value: unknown;
      try {
        // Typed arrays come as views of the bytes that are read.
        value = deserialize(owned ? rest : Buffer.from(new Uint8Array(rest).buffer));
      } catch (cause) {
        throw corrupt('V8 cannot read it', cause);
      }
      return kind === Kind.envelope ? open(value, claim) : value;
    }
    default:
      throw corrupt(`an unknown kind ${kind}`);
  }
}

function open(envelope: unknown, claim: ClaimDescriptor): unknown {
  try {
    return putTogether(envelope, claim);
  } catch (cause) {
    if (cause instanceof ProcessError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ProcessError('ERR_MP_NOT_DESERIALIZABLE', `an object of a message cannot be made: ${reason}`, { cause });
  }
}

const corrupt = (what: string, cause?: unknown): ProcessError =>
  new ProcessError('ERR_MP_CORRUPT', `a message from another process cannot be rebuilt: ${what}`, { cause });

function notSerializable(cause: unknown): unknown {
  if (cause instanceof ProcessError || (cause as { code?: unknown } | null)?.code === 'ERR_MP_INVALID_ARG')
    return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ProcessError('ERR_MP_NOT_SERIALIZABLE', `the value cannot be sent to another process: ${reason}`, {
    cause,
  });
}
