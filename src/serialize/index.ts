/** Values as bytes, and back. */
import { deserialize, serialize } from 'node:v8';

/** @internal A value as bytes: `head`, then `parts`. */
export interface Encoded {
  readonly head: Uint8Array;
  readonly parts: readonly Uint8Array[];
}

/** @internal The bytes of a value. @throws if it cannot be carried. */
export function encode(value: unknown): Encoded {
  return { head: serialize(value), parts: [] };
}

/** @internal The value of bytes. `owned`: what is made of them may lie in them. */
export function decode(bytes: Uint8Array, { owned = false }: { readonly owned?: boolean } = {}): unknown {
  return deserialize(owned ? bytes : Buffer.from(bytes));
}
