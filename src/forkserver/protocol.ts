/**
 * What a helper and its owner tell each other. Descriptors go beside.
 */

/** The first message. */
export interface Hello {
  readonly owner: { readonly name: string; readonly pid: number };
  readonly argv: readonly string[];
  /** URLs of modules to import at once. */
  readonly preload: readonly string[];
  readonly spares: number;
}

/** For a child. With it come the channel over which it will be told what to do, and the one over which its end is to be told. */
export interface Request {
  /** URLs of modules that it needs. */
  readonly modules: readonly string[];
}

/** The answer to a request. With a pid comes a descriptor that is readable once that process has ended. */
export type Reply = { readonly pid: number } | { readonly code: string; readonly message: string };
