// Hashes all files of a folder on all CPUs, with a progress bar: hash-folder [FOLDER]. Prints the largest files and one hash over all.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Pool, processCpuCount } from 'node-multiprocessing';

export function hash(file: string): { file: string; size: number; sha256: string } {
  const bytes = readFileSync(file);
  return { file, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const folder = process.argv[2] ?? fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .map((name) => join(folder, name))
  .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
  .toSorted();

using pool = new Pool();
const hashes = await pool.mapAsync(hash, files, { chunksize: 8, progress: true });

for (const { file, size, sha256 } of hashes.toSorted((a, b) => b.size - a.size).slice(0, 3)) {
  console.log(`${sha256.slice(0, 12)} ${String(size).padStart(8)} ${file.slice(folder.length + 1)}`);
}
const all = createHash('sha256');
for (const { sha256 } of hashes) all.update(sha256);
console.log(`${hashes.length} files on ${processCpuCount()} CPUs: ${all.digest('hex').slice(0, 16)}`);
