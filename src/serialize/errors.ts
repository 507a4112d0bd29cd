/**
 * Errors: with their class, message, stack, cause, errors, and own properties.
 */
import { serialize } from 'node:v8';
import { types } from 'node:util';

import { BufferTooShort, EOFError } from '../connection/errors.ts';
import * as ours from '../errors.ts';
import * as executor from '../executor/errors.ts';
import { RemoteTraceback, WorkerLostError } from '../pool/errors.ts';
import { AbandonedLockError } from '../synchronize/abandoned.ts';
import { addFamily, formOf, type Form } from './forms.ts';
import { needsEnvelope, put, takeApart } from './stand-ins.ts';

/** What an error is made of. */
interface Details {
  /** Name of the nearest class that the other end knows. */
  readonly class: string;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly own: Record<string, unknown>;
  /** In an array, as it may be undefined. */
  readonly cause?: readonly [unknown];
  readonly errors?: readonly unknown[];
}

const prototypes = new Map<string, object>();
const names = new Map<unknown, string>();

/** Lets errors of this class be that again at the other end. */
export function addErrorClass(name: string, prototype: object): void {
  prototypes.set(name, prototype);
  names.set(prototype, name);
}

for (const Class of [
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
  ours.ProcessError,
  ours.ForkError,
  ours.Empty,
  ours.Full,
  ours.ShutDown,
  ours.InterruptedError,
  ours.BrokenBarrierError,
  AbandonedLockError,
  EOFError,
  BufferTooShort,
  ours.TimeoutError,
  WorkerLostError,
  RemoteTraceback,
  executor.BrokenExecutor,
  executor.BrokenProcessPool,
  executor.CancelledError,
  executor.InvalidStateError,
]) {
  addErrorClass(Class.name, Class.prototype as object);
}

/** The class of all errors of another realm, as `node:vm` makes them, is found by name. */
function classOf(error: Error): string {
  for (let prototype: unknown = error; prototype; prototype = Object.getPrototypeOf(prototype)) {
    const name = names.get(prototype);
    if (name !== undefined) return name;
  }
  return prototypes.has(error.name) ? error.name : 'Error';
}

/** The name that tells what it is: `class Mine extends Error {}` inherits `Error`. */
function nameOf(error: Error, known: string): string {
  const { name, constructor } = error;
  return name === known && typeof constructor === 'function' && constructor.name !== '' ? constructor.name : name;
}

const form: Form<Error, Details> = {
  name: 'Error',
  take: (error) => {
    const { name, message, stack } = error;
    const own: Record<string, unknown> = {};
    // What is in it is asked about by itself; it may refer back.
    if (isTrying) return { class: 'Error', name, message, stack, own };
    for (const [key, value] of Object.entries(error)) {
      if (key !== 'cause' && key !== 'errors' && isCarried(value)) put(own, key, value);
    }
    const isDom = error instanceof DOMException;
    const known = isDom ? 'DOMException' : classOf(error);
    const { errors } = error as Partial<AggregateError>;
    return {
      class: known,
      name: isDom ? name : nameOf(error, known),
      message,
      stack,
      own,
      ...('cause' in error && { cause: [isCarried(error.cause) ? error.cause : undefined] as const }),
      ...(Array.isArray(errors) && { errors: errors.map((each) => (isCarried(each) ? each : undefined)) }),
    };
  },
  make: (details) => {
    if (details.class === 'DOMException') return new DOMException(String(details.message), String(details.name));
    const error = new Error();
    // The stack is that of the sender.
    Object.setPrototypeOf(error, prototypes.get(details.class) ?? Error.prototype);
    return error;
  },
  fill: (error, { class: known, name, message, stack, own, cause, errors }) => {
    const hidden = (key: string, value: unknown): void => {
      Object.defineProperty(error, key, { value, writable: true, configurable: true, enumerable: false });
    };
    hidden('stack', stack);
    if (known !== 'DOMException') {
      hidden('message', message);
      if (name !== error.name) hidden('name', name);
    }
    for (const [key, value] of Object.entries(own)) put(error, key, value);
    if (cause) hidden('cause', cause[0]);
    if (errors) hidden('errors', errors);
  },
};

/** Has errors travel so. */
export function addErrorForm(): void {
  addFamily((object) => types.isNativeError(object) || object instanceof Error, form);
}

/** Whether it is only asked if something can be carried. */
let isTrying = false;

/** Of an error, what cannot be carried is left out: better a poorer error than another one. */
function isCarried(value: unknown): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null) return true;
  const form = formOf(value);
  if (form) return form.discard === undefined;
  isTrying = true;
  try {
    serialize(needsEnvelope(value) ? takeApart(value, undefined) : value);
    return true;
  } catch {
    return false;
  } finally {
    isTrying = false;
  }
}
