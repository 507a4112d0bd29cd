import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import type { Program } from '../harness/helper.ts';
import { compile, foreign, nodeProgram, pythonProgram } from '../harness/programs.ts';

/** The helper programs, found or built once for a whole run. */
export interface Programs {
  readonly ours: Program;
  readonly rivals: Program;
  readonly python: Program;
  readonly c: Program;
}

/** Says that it is up, to a parent process or thread, and stays. */
const IDLE = `
setInterval(() => {}, 1 << 30);
const { parentPort } = require('node:worker_threads');
if (parentPort) parentPort.postMessage("up");
else process.send("up");
`;

export function preparePrograms(python: string, cc: string): Programs {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-lifecycle-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // CommonJS: what Node starts fastest.
  const emptyScript = path.join(directory, 'empty.cjs');
  writeFileSync(emptyScript, '');
  const idleScript = path.join(directory, 'idle.cjs');
  writeFileSync(idleScript, IDLE);
  const node = (role: string): Program => {
    const source = new URL('./node-helper.ts', import.meta.url);
    return nodeProgram(source, role, emptyScript, path.join(directory, `${role}.json`), idleScript);
  };
  return {
    ours: node('ours'),
    rivals: node('rivals'),
    python: pythonProgram(python, 'lifecycle.py'),
    c: compile(cc, foreign('lifecycle.c'), path.join(directory, 'lifecycle')),
  };
}
