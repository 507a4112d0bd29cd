/**
 * What the helper of `forkserver` imports ahead of need.
 */
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';

/** What is to be done about a module that cannot be preloaded. */
export type PreloadFailure = 'ignore' | 'warn' | 'fail';

const failures: readonly unknown[] = ['ignore', 'warn', 'fail'];

/** Options of `setForkserverPreload`. */
export interface PreloadOptions {
  /**
   * What happens if a module cannot be imported: nothing, as a target that needs it says so then; a warning on standard error;
   * or `start()` is refused. @default 'ignore'
   */
  readonly onError?: PreloadFailure | undefined;
}

/** What a helper is to import at once. */
export interface Preload {
  /** URLs; or names of packages, which are looked for from the helper's working directory. */
  readonly modules: readonly string[];
  readonly onError: PreloadFailure;
}

let wanted: Preload = { modules: [], onError: 'ignore' };

/** What the next helper is to import. */
export const wantedPreload = (): Preload => wanted;

/** Python's name for the main program. */
const MAIN = '__main__';

function mainModule(): string {
  try {
    // As Node finds it: a directory, or a file without its extension, will do.
    return pathToFileURL(createRequire(import.meta.url).resolve(resolve(process.argv[1] ?? ''))).href;
  } catch {
    throw invalidArgument(`there is no file of a main program that could be preloaded as '${MAIN}'`);
  }
}

function locator(module: unknown): string {
  if (module instanceof URL) return module.href;
  if (module === MAIN) return mainModule();
  if (typeof module !== 'string' || module === '') {
    throw invalidArgument(`a module is named by a URL, a path or the name of a package, not ${inspect(module)}`);
  }
  return /^\.{0,2}\//.test(module) ? pathToFileURL(resolve(module)).href : module;
}

/**
 * Python: `multiprocessing.set_forkserver_preload(module_names, *, on_error='ignore')`. Modules that the helper imports before it forks, so
 * that its children have them at once, and share their memory. Those of targets come by themselves with their first use. Takes
 * effect with the next helper, so call it before the first start.
 *
 * @param modules URLs, paths (from the working directory), names of packages, or `'__main__'`, the main program.
 * @throws TypeError (`ERR_MP_INVALID_ARG`) for anything else, or for another `onError`.
 */
export function setForkserverPreload(modules: readonly (string | URL)[], options: PreloadOptions = {}): void {
  if (!Array.isArray(modules)) throw invalidArgument(`expected a list of modules, not ${inspect(modules)}`);
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`expected { onError }, not ${inspect(options)}`);
  }
  const { onError = 'ignore' } = options;
  if (!failures.includes(onError)) {
    throw invalidArgument(`onError must be 'ignore', 'warn' or 'fail', not ${inspect(onError)}`);
  }
  wanted = { modules: modules.map(locator), onError };
}
