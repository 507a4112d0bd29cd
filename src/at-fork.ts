/** Python: `os.register_at_fork`. Functions that run around every fork made through this package. */
import { invalidArgument } from './errors.ts';
import { checkFunction } from './options.ts';

/** Functions to run around a fork. */
export interface AtForkHooks {
  /** In the parent before the fork; last registered first. */
  readonly before?: (() => void) | undefined;
  /** In the parent after the fork; first registered first. Runs after a failed fork too. */
  readonly afterInParent?: (() => void) | undefined;
  /** In the child before its own code; first registered first. */
  readonly afterInChild?: (() => void) | undefined;
}

const hooks: AtForkHooks[] = [];

/**
 * Python: `os.register_at_fork(before, after_in_parent, after_in_child)`.
 *
 * Registers functions to run around every fork, for ever. `before` functions run in reverse order of registration, the
 * others in order. An error in one of them becomes a warning and does not stop the fork, as in Python.
 *
 * @throws TypeError (`ERR_MP_INVALID_ARG`) without any function.
 */
export function registerAtFork({ before, afterInParent, afterInChild }: AtForkHooks): void {
  checkFunction(before, 'before');
  checkFunction(afterInParent, 'afterInParent');
  checkFunction(afterInChild, 'afterInChild');
  if (!before && !afterInParent && !afterInChild) {
    throw invalidArgument('registerAtFork() needs at least one of before, afterInParent, afterInChild');
  }
  hooks.push({ before, afterInParent, afterInChild });
}

/** @internal What was registered. */
export function atForkHooks(): readonly AtForkHooks[] {
  return hooks;
}

/** @internal */
export function runAtFork(moment: keyof AtForkHooks, registered: readonly AtForkHooks[] = hooks): void {
  const ordered = moment === 'before' ? [...registered].reverse() : registered;
  for (const hook of ordered) {
    try {
      hook[moment]?.();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : new Error(String(error)), {
        type: 'AtForkWarning',
        detail: `a function registered with registerAtFork({ ${moment} }) failed`,
      } as never);
    }
  }
}

/** @internal Number of registrations, which must not grow over generations of children. */
export function atForkCount(): number {
  return hooks.length;
}
