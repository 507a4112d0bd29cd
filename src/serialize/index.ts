/**
 * Values as bytes, for queues: everything that structured clone carries, and errors with what they carry.
 */
import { deserialize, serialize } from 'node:v8';

import { ProcessError } from '../errors.ts';
import { isInheritOnly } from '../synchronize/acquirable.ts';
import { LAST_TAG, readSmall, writeSmall } from './small.ts';

/** First bytes of messages that are not for the short path. */
const Kind = { v8: 0x80, buffer: 0x81, bytes: 0x82, error: 0x83 } as const;

/** Longer messages are copied once only, to where they stay. */
const SMALL = 8192;

/** A message that does not fit the memory for small ones: the bytes of its parts, one after the other. */
export type Parts = readonly Uint8Array[];

/**
 * Writes `value` into `bytes` from `at`, or returns the parts of its message if that is too small.
 *
 * @returns where it ends, or the parts.
 * @throws ProcessError `ERR_MP_NOT_SERIALIZABLE`.
 */
export function encode(bytes: Buffer, at: number, value: unknown): number | Parts {
  let end: number;
  try {
    end = writeSmall(bytes, at, value);
  } catch (cause) {
    throw notSerializable(cause);
  }
  if (end >= 0) return end;
  const parts = encodeParts(value);
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  if (length > Math.min(bytes.length - at, SMALL)) return parts;
  end = at;
  for (const part of parts) {
    bytes.set(part, end);
    end += part.length;
  }
  return end;
}

function encodeParts(value: unknown): Parts {
  if (Buffer.isBuffer(value)) return [Uint8Array.of(Kind.buffer), value];
  if (value instanceof Uint8Array && Object.getPrototypeOf(value) === Uint8Array.prototype) {
    return [Uint8Array.of(Kind.bytes), value];
  }
  try {
    refuse(value, new Set());
    if (value instanceof Error) return [Uint8Array.of(Kind.error), serialize(describeError(value, new Map()))];
    return [Uint8Array.of(Kind.v8), serialize(value)];
  } catch (cause) {
    throw notSerializable(cause);
  }
}

/** V8 would make plain objects of what only inheritance can carry. */
function refuse(value: unknown, seen: Set<object>): void {
  if (typeof value !== 'object' || value === null || seen.has(value)) return;
  seen.add(value);
  // Throws, with the reason.
  if (isInheritOnly(value)) JSON.stringify(value);
  if (ArrayBuffer.isView(value)) return;
  if (value instanceof Map) {
    for (const [key, item] of value) {
      refuse(key, seen);
      refuse(item, seen);
    }
  } else if (value instanceof Set) {
    for (const item of value) refuse(item, seen);
  } else {
    for (const item of Object.values(value)) refuse(item, seen);
  }
}

/** Reads what `encode` wrote in `bytes` from `at` to `end`. Large parts are views of `bytes` if those are `owned`. */
export function decode(bytes: Buffer, at: number, end: number, owned: boolean): unknown {
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
    case Kind.error: {
      let value: unknown;
      try {
        // Typed arrays come as views of the bytes that are read.
        value = deserialize(owned ? rest : Buffer.from(new Uint8Array(rest).buffer));
      } catch (cause) {
        throw corrupt('V8 cannot read it', cause);
      }
      return kind === Kind.error ? rebuildError(value as ErrorParts, new Map()) : value;
    }
    default:
      throw corrupt(`an unknown kind ${kind}`);
  }
}

const corrupt = (what: string, cause?: unknown): ProcessError =>
  new ProcessError('ERR_MP_CORRUPT', `a message from another process cannot be rebuilt: ${what}`, { cause });

function notSerializable(cause: unknown): ProcessError {
  if (cause instanceof ProcessError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ProcessError('ERR_MP_NOT_SERIALIZABLE', `the value cannot be sent to another process: ${reason}`, {
    cause,
  });
}

/** What an error is made of. */
interface ErrorParts {
  readonly id: number;
  readonly class: string;
  readonly own: Record<string, unknown>;
  readonly cause?: ErrorParts | { value: unknown } | undefined;
  readonly errors?: (ErrorParts | { value: unknown })[] | undefined;
}

type ErrorClass = new (message?: string) => Error;
const builtins = new Map<string, ErrorClass>(
  [Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError].map((Class) => [Class.name, Class]),
);

function describeError(error: Error, seen: Map<Error, number>): ErrorParts {
  const before = seen.get(error);
  if (before !== undefined) return { id: before, class: '', own: {} };
  const id = seen.size;
  seen.set(error, id);
  const part = (value: unknown): ErrorParts | { value: unknown } =>
    value instanceof Error ? describeError(value, seen) : { value };
  const { message, stack, name } = error;
  const own: Record<string, unknown> = { message, stack, name };
  for (const [key, value] of Object.entries(error)) {
    if (key !== 'cause' && key !== 'errors' && isCarried(value)) own[key] = value;
  }
  return {
    id,
    class: error.constructor?.name ?? name,
    own,
    cause: 'cause' in error ? part(error.cause) : undefined,
    errors: error instanceof AggregateError ? Array.from(error.errors as unknown[], part) : undefined,
  };
}

/** Of an error, what cannot be carried is left out: better a poorer error than another one. */
function isCarried(value: unknown): boolean {
  try {
    serialize(value);
    return true;
  } catch {
    return false;
  }
}

function rebuildError(parts: ErrorParts, made: Map<number, Error>): Error {
  const before = made.get(parts.id);
  if (before !== undefined) return before;
  const Class = parts.errors === undefined ? (builtins.get(parts.class) ?? Error) : undefined;
  const error = Class === undefined ? new AggregateError([]) : new Class();
  made.set(parts.id, error);
  const part = (value: ErrorParts | { value: unknown }): unknown =>
    'value' in value ? value.value : rebuildError(value, made);
  const hidden = (key: string, value: unknown): void => {
    Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
  };
  for (const [key, value] of Object.entries(parts.own)) {
    if (key === 'name' && value === error.name) continue;
    if (key === 'message' || key === 'stack' || key === 'name') hidden(key, value);
    else (error as unknown as Record<string, unknown>)[key] = value;
  }
  if (parts.cause !== undefined) hidden('cause', part(parts.cause));
  if (parts.errors !== undefined) hidden('errors', parts.errors.map(part));
  return error;
}
