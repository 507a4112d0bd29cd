import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Program } from './helper.ts';

/** The sources that no TypeScript compiler copies; the same place seen from bench/ and from its compiled twin. */
export const foreign = (name: string): string => fileURLToPath(new URL(`../../bench/foreign/${name}`, import.meta.url));

/** A helper in TypeScript, or what it was compiled to. */
export function nodeProgram(source: URL, ...args: readonly string[]): Program {
  const file = fileURLToPath(source);
  const compiled = import.meta.url.endsWith('.js') ? file.replace(/\.ts$/, '.js') : file;
  return { file: process.execPath, args: [...process.execArgv, compiled, ...args] };
}

export const withArgument = (program: Program, argument: string): Program =>
  'args' in program ? { ...program, args: [...program.args, argument] } : program;

/** The same with all its processes and threads on one processor. */
export function onOneProcessor(program: Program): Program {
  if ('unavailable' in program) return program;
  try {
    const allowed = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
    const first = /: (\d+)/.exec(allowed)?.[1] ?? '0';
    return { file: 'taskset', args: ['-c', first, program.file, ...program.args] };
  } catch (error) {
    return { unavailable: `no taskset (${reason(error)})` };
  }
}

/**
 * The Python of the distribution, if there is one: it was built with optimisation by profile, and those of version managers
 * often were not.
 */
export function usualPython(): string {
  return existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3';
}

/** A helper in Python, if that can fork. */
export function pythonProgram(python: string, name: string): Program {
  try {
    execFileSync(python, ['-c', 'import multiprocessing as m; m.get_context("fork")'], { stdio: 'pipe' });
    return { file: python, args: [foreign(name)] };
  } catch (error) {
    return { unavailable: `no Python that can fork as '${python}' (${reason(error)})` };
  }
}

/** The same, with the packages of bench/foreign/requirements.txt, in an environment of its own. */
export function pythonProgramWithPackages(python: string, name: string): Program {
  const plain = pythonProgram(python, name);
  if (!('file' in plain)) return plain;
  try {
    const version = execFileSync(python, ['-c', 'import sys, zlib; print(zlib.crc32(sys.version.encode()))'], {
      encoding: 'utf8',
    });
    const folder = fileURLToPath(new URL(`../../.cache/bench-python-${version.trim()}`, import.meta.url));
    const file = path.join(folder, 'bin', 'python');
    const requirements = foreign('requirements.txt');
    const installed = path.join(folder, 'requirements.txt');
    if (!existsSync(installed) || readFileSync(installed, 'utf8') !== readFileSync(requirements, 'utf8')) {
      execFileSync(plain.file, ['-m', 'venv', folder], { stdio: 'pipe' });
      execFileSync(file, ['-m', 'pip', 'install', '--quiet', '--requirement', requirements], { stdio: 'pipe' });
      copyFileSync(requirements, installed);
    }
    return { ...plain, file };
  } catch (error) {
    return { unavailable: `its packages cannot be installed for '${python}' (${reason(error)})` };
  }
}

/** What a helper in Node imports from npm, beside it in a folder of bench/foreign; the reason, if that cannot be installed. */
export function installPackages(folder: string): string | undefined {
  const at = (name: string): string => foreign(path.join(folder, name));
  try {
    const installed = statSync(at('node_modules/.package-lock.json'), { throwIfNoEntry: false });
    if (installed === undefined || installed.mtimeMs < statSync(at('package-lock.json')).mtimeMs) {
      execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', at('.')], {
        stdio: 'pipe',
      });
    }
    return undefined;
  } catch (error) {
    return `its packages cannot be installed (${reason(error)})`;
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
