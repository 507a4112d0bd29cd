// Content hashes decide what must be built again. Times would not do: a checkout, a copy or a branch switch sets them
// at will.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** All files below a folder, or the file itself; nothing if it does not exist. Hidden files and installed packages are left out. */
export function listFiles(path) {
  let entries;
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (error.code === 'ENOTDIR') return [path];
    if (error.code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => !entry.name.startsWith('.') && entry.name !== 'node_modules')
    .flatMap((entry) => {
      const child = join(path, entry.name);
      return entry.isDirectory() ? listFiles(child) : [child];
    })
    .toSorted();
}

/** One hash over the names and the contents of the files, and over any further text that matters. */
export function fingerprint(base, files, ...text) {
  const hash = createHash('sha256');
  for (const file of files) {
    const content = readFileSync(file);
    hash.update(`${relative(base, file)}\0${content.length}\0`).update(content);
  }
  return hash.update(JSON.stringify(text)).digest('hex');
}
