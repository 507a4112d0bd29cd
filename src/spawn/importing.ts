/**
 * A child that imports the module of its target must not start children while it does: they would do the same, and so on.
 */
import { ProcessError } from '../errors.ts';

let isImporting = false;

/** Does `action`, which imports modules. */
export async function whileImporting(action: () => Promise<void>): Promise<void> {
  isImporting = true;
  try {
    await action();
  } finally {
    isImporting = false;
  }
}

/** @throws ProcessError `ERR_MP_UNGUARDED_MAIN` in a child that is importing its target's module. */
export function checkNotImporting(deed = 'a process was started', harm = ': that would never end'): void {
  if (!isImporting) return;
  throw new ProcessError(
    'ERR_MP_UNGUARDED_MAIN',
    `${deed} while a child imported the module of its target${harm}. Do that in the main program only: ` +
      'if (isMainProcess()) { … }, if (import.meta.main) { … } (Node 24), or if (require.main === module) { … }',
  );
}
