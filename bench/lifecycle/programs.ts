import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Program } from '../harness/helper.ts';

/** The helper programs, found or built once for a whole run. */
export interface Programs {
  readonly ours: Program;
  readonly rivals: Program;
  readonly python: Program;
  readonly c: Program;
}

export function preparePrograms(python: string, cc: string): Programs {
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-lifecycle-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // CommonJS: what Node starts fastest.
  const emptyScript = path.join(directory, 'empty.cjs');
  writeFileSync(emptyScript, '');
  const extension = path.extname(fileURLToPath(import.meta.url));
  const nodeHelper = fileURLToPath(new URL(`./node-helper${extension}`, import.meta.url));
  const node = (role: string): Program => ({
    file: process.execPath,
    args: [...process.execArgv, nodeHelper, role, emptyScript, path.join(directory, `${role}.json`)],
  });
  return {
    ours: node('ours'),
    rivals: node('rivals'),
    python: pythonProgram(python),
    c: compile(cc, path.join(directory, 'lifecycle')),
  };
}

/** The sources that no TypeScript compiler copies; the same place seen from bench/ and from its compiled twin. */
const foreign = (name: string): string => fileURLToPath(new URL(`../../bench/foreign/${name}`, import.meta.url));

function pythonProgram(python: string): Program {
  try {
    execFileSync(python, ['-c', 'import multiprocessing as m; m.get_context("fork")'], { stdio: 'pipe' });
    return { file: python, args: [foreign('lifecycle.py')] };
  } catch (error) {
    return { unavailable: `no Python that can fork as '${python}' (${reason(error)})` };
  }
}

function compile(cc: string, output: string): Program {
  try {
    execFileSync(cc, ['-O2', '-o', output, foreign('lifecycle.c')], { stdio: 'pipe' });
    return { file: output, args: [] };
  } catch (error) {
    return { unavailable: `no working C compiler as '${cc}' (${reason(error)})` };
  }
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error && typeof error.code === 'string'
    ? error.code
    : (error.message.split('\n')[1] ?? error.message);
}
