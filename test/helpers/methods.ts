// Start methods, for suites that run for each.

/** In the order in which they came. Programs under test take theirs from MP_METHOD, see test/fixtures/process/lib.mjs. */
export const methods = ['fork', 'spawn', 'forkserver'] as const;

/** Those that do not copy the parent. */
export const importing = ['spawn', 'forkserver'] as const;
