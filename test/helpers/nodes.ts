// Which Node the programs under test run on. vitest itself can stay on the Node it needs:
// `MP_NODE=/path/to/node npm test -- test/system`.
import { execFileSync } from 'node:child_process';

/** The binary in MP_NODE, or the one that runs the tests. */
export const nodeBinary: string = process.env['MP_NODE'] || process.execPath;

/** All binaries under test; for `describe.each`. */
export const nodeBinaries: readonly string[] = [nodeBinary];

/** Such as `22.12.0`. */
export const nodeVersion: string =
  nodeBinary === process.execPath
    ? process.versions.node
    : execFileSync(nodeBinary, ['--print', 'process.versions.node'], { encoding: 'utf8' }).trim();

export const nodeMajor: number = Number.parseInt(nodeVersion, 10);
