/**
 * How a child that is not forked tells of an error and ends.
 */
import { inspect } from 'node:util';

import { native } from '../native.ts';

/** Python's "Process NAME:" and the stack; then the end. */
export function report(name: string, error: unknown): never {
  let text = 'an error that cannot be printed';
  try {
    text = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  } catch {
    // A program's own way of printing may throw.
  }
  try {
    native.writeAll(2, Buffer.from(`Process ${name}:\n${text}\n`));
  } catch {
    // Standard error is closed: nobody to tell.
  }
  process.exit(process.exitCode ?? 1);
}
