/** Python: `multiprocessing.process.AuthenticationString`. */
import { inspect } from 'node:util';

import { invalidArgument } from './errors.ts';
import { native } from './native.ts';

/**
 * Python: `multiprocessing.process.AuthenticationString`. Secret bytes that are not to leave the program: they refuse to be turned into
 * JSON and are not printed.
 */
export class AuthenticationString extends Uint8Array {
  /** A new secret of 32 bytes. */
  static random(): AuthenticationString {
    const key = new AuthenticationString(32);
    native.fillRandom(key);
    return key;
  }

  /** From bytes or text. @throws TypeError (`ERR_MP_INVALID_ARG`) for anything else. */
  static fromKey(key: unknown): AuthenticationString {
    if (typeof key === 'string') return new AuthenticationString(Buffer.from(key));
    if (key instanceof Uint8Array) return new AuthenticationString(key);
    throw invalidArgument(`authkey must be a Uint8Array or a string, not ${inspect(key)}`);
  }

  /** @throws TypeError always. */
  toJSON(): never {
    throw invalidArgument('an authkey is not to be written anywhere: it passes to children on its own');
  }

  /** @internal */
  [inspect.custom](): string {
    return `AuthenticationString(${this.length})`;
  }
}
