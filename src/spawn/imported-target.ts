/**
 * A target that is named by hand.
 */
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { invalidArgument } from '../errors.ts';
import { load, placeAt, resolve } from './locate.ts';

/** A function by where it is exported, for what is not found by itself. */
export interface ImportedTarget {
  /** URL or absolute path of its module: `import.meta.url`, `__filename`. */
  readonly module: string | URL;
  /** Under which name it exports it; with a dot before a static method. @default 'default' */
  readonly export?: string | undefined;
}

/** The function that imports it and calls it. @throws TypeError (`ERR_MP_INVALID_ARG`) for what names none. */
export function importedTarget({ module, export: name = 'default' }: ImportedTarget): (...args: never[]) => unknown {
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument(`export must be the name of an export, not ${inspect(name)}`);
  }
  const place = { module: urlOf(module), exports: [name] };
  const target = async (...args: never[]): Promise<unknown> => {
    await load(place.module);
    return resolve(place)(...args);
  };
  placeAt(target, place);
  return target;
}

function urlOf(module: unknown): string {
  if (module instanceof URL) return module.href;
  if (typeof module === 'string' && module.startsWith('/')) return pathToFileURL(module).href;
  if (typeof module === 'string' && /^(file|data|node):/.test(module)) return module;
  throw invalidArgument(
    `module must be a URL or an absolute path, such as import.meta.url or __filename, not ${inspect(module)}`,
  );
}
