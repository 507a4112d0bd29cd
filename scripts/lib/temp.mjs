import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `work` with a new empty folder that is removed again, also when a signal or `process.exit` cuts the work short. */
export async function withTempFolder(work, parent = tmpdir()) {
  const folder = mkdtempSync(join(parent, 'node-multiprocessing-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once('exit', remove);
  try {
    return await work(folder);
  } finally {
    process.removeListener('exit', remove);
    remove();
  }
}
