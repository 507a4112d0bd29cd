/**
 * Where the package is, whatever file of it this has become part of.
 */
import { existsSync } from 'node:fs';

function find(): URL {
  let folder = new URL('.', import.meta.url);
  while (!existsSync(new URL('package.json', folder))) {
    const parent = new URL('..', folder);
    if (parent.href === folder.href) throw new Error(`no package.json above ${import.meta.url}`);
    folder = parent;
  }
  return folder;
}

/** URL of the folder of `package.json`, with a slash at its end. */
export const packageRoot = find();
