/**
 * What a helper and its owner tell each other. Descriptors go beside.
 */

import type { Preload } from './preload.ts';

/** The first message to a helper. */
export interface Hello {
  readonly owner: { readonly name: string; readonly pid: number };
  readonly argv: readonly string[];
  /** The number for its shared memory, which its children have beside that of their parent. */
  readonly arena: number;
  readonly preload: Preload;
}

/** For children that wait for work: spares. */
export interface Request {
  /** Those that were asked for before more modules were needed are told by it. */
  readonly generation: number;
  /** URLs of modules that they need. */
  readonly modules: readonly string[];
  readonly count: number;
}

/**
 * A spare. With it come the channel over which it will be told what to do, a descriptor that is readable once it has ended, and the
 * one over which the helper tells how. Or why there is none.
 */
export type Offer = { readonly generation: number } & (
  { readonly pid: number } | { readonly code: string; readonly message: string }
);
