import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Program } from './helper.ts';

/** The sources that no TypeScript compiler copies; the same place seen from bench/ and from its compiled twin. */
export const foreign = (name: string): string => fileURLToPath(new URL(`../../bench/foreign/${name}`, import.meta.url));

/** A helper in Python, if that can fork. */
export function pythonProgram(python: string, name: string): Program {
  try {
    execFileSync(python, ['-c', 'import multiprocessing as m; m.get_context("fork")'], { stdio: 'pipe' });
    return { file: python, args: [foreign(name)] };
  } catch (error) {
    return { unavailable: `no Python that can fork as '${python}' (${reason(error)})` };
  }
}

/** A helper in C, compiled to `output`. */
export function compile(cc: string, source: string, output: string, flags: readonly string[] = []): Program {
  try {
    execFileSync(cc, ['-O2', ...flags, '-o', output, source], { stdio: 'pipe' });
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
