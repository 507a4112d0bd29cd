/**
 * Importing a module that is named as a program would name it, not by this package's own place.
 */
import Module, { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { load } from '../spawn/locate.ts';

type Import = (name: string) => Promise<unknown>;

/** The `import()` that the code of `file` would have. */
function importOf(file: string): Import {
  const module = new Module(file) as Module & { _compile(code: string, file: string): void };
  module._compile('module.exports = (name) => import(name)', file);
  return module.exports as Import;
}

/** Imports a module by its URL, or a package by its name, looked for from the working directory and then in NODE_PATH. */
export async function importModule(module: string): Promise<void> {
  if (/^(file|data|node):/.test(module)) return load(module);
  const here = join(process.cwd(), 'preload.cjs');
  try {
    await importOf(here)(module);
  } catch (error) {
    if ((error as NodeJS.ErrnoException | null)?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    let found: string;
    try {
      // ES modules do not know NODE_PATH.
      found = createRequire(here).resolve(module);
    } catch {
      throw error;
    }
    await load(pathToFileURL(found).href);
  }
}
