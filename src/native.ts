/**
 * Loads the addon. The generated loader is CommonJS so that a failure can be caught here and explained.
 */
import { createRequire } from 'node:module';

import type * as Binding from '../index.js';
import { ProcessError } from './errors.ts';
import { packageRoot } from './package-root.ts';

export type Native = typeof Binding;

const ARCHITECTURES = ['x64', 'arm64'];

function load(): Native {
  const { platform, arch } = process;
  if (platform !== 'linux' && platform !== 'darwin') throw unsupported();
  try {
    // From a file of that folder: not all test runners take a folder.
    return createRequire(new URL('package.json', packageRoot))('./index.cjs') as Native;
  } catch (cause) {
    // Not asked before: who builds the addon on another one may use it.
    if (!ARCHITECTURES.includes(arch)) throw unsupported(cause);
    throw new ProcessError('ERR_MP_NATIVE_LOAD', `no native addon for ${platform}-${arch}: ${reason(cause)}`, {
      cause,
    });
  }
}

function unsupported(cause?: unknown): ProcessError {
  return new ProcessError(
    'ERR_MP_UNSUPPORTED_PLATFORM',
    'node-multiprocessing runs on Linux (x64, arm64; glibc, musl) and macOS (x64, arm64), not on ' +
      `${process.platform}-${process.arch}${process.platform === 'win32' ? '; on Windows use WSL 2' : ''}`,
    cause === undefined ? undefined : { cause },
  );
}

/** What became of the files that the loader has tried, and what to do about it. */
function reason(error: unknown): string {
  const attempts: string[] = [];
  for (let next = error; next instanceof Error; next = next.cause) attempts.push(next.message);
  const broken = attempts.find((message) => !message.startsWith('Cannot find '));
  if (broken?.includes('addon') && process.execArgv.some((option) => /^--(experimental-)?permission$/.test(option)))
    return `the permission model keeps it out (${broken}); start Node with --allow-addons`;
  if (broken !== undefined) return `it cannot be loaded (${broken}); the system may be older than it needs`;
  const name = new RegExp(
    `^Cannot find module '(node-multiprocessing-${process.platform}-${process.arch}[a-z-]*)'`,
    'm',
  );
  const missing = name.exec(attempts.join('\n'))?.[1];
  if (missing === undefined) return 'see the cause';
  return (
    `the package ${missing} is missing. It is an optional dependency: npm leaves it out with --omit=optional, and ` +
    'sometimes when package-lock.json or node_modules come from another system. Remove both and run "npm install"'
  );
}

export const native: Native = load();

/** What is called most often, by a shorter way. */
export const fast = native.fastCalls();
