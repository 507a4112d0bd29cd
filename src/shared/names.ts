/**
 * Names of shared memory: what a user may give, and how others are made up.
 */
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';

/** Longest name, in bytes of UTF-8. */
const MAX_BYTES = process.platform === 'darwin' ? 30 : 255;

/** How often another name is tried; a second time is rare enough. */
const ATTEMPTS = 100;

/** A name that POSIX shared memory can have. @throws TypeError or RangeError (`ERR_MP_INVALID_ARG`). */
export function checkName(name: unknown): string {
  if (typeof name !== 'string') throw invalidArgument(`name must be a string, not ${inspect(name)}`);
  const bytes = Buffer.from(name);
  const flaw =
    name === '' || name === '.' || name === '..'
      ? `must not be ${inspect(name)}`
      : name.includes('\0')
        ? 'must not contain a NUL character'
        : name.includes('/')
          ? "must not contain '/', not even at its beginning"
          : bytes.toString() !== name
            ? 'must be well-formed Unicode'
            : undefined;
  if (flaw !== undefined) throw invalidArgument(`name ${flaw}: ${inspect(name)}`);
  if (bytes.length > MAX_BYTES) {
    throw invalidArgument(`name must have ${MAX_BYTES} bytes at most, not ${bytes.length}`, RangeError);
  }
  return name;
}

/** Makes up names; tests put something else in its place. */
export const nameGenerator = {
  /** A name that says which process made it, and that nobody can guess. */
  next: (): string => `nmp_${process.pid}_${randomBytes(8).toString('hex')}`,
};

/** Calls `make` with made-up names until one is not taken. */
export function withFreshName<T>(make: (name: string) => T): T {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return make(nameGenerator.next());
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt === ATTEMPTS) throw error;
    }
  }
}
