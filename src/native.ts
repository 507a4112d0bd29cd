/**
 * Loads the addon. The generated loader is CommonJS so that a failure can be caught here and explained.
 */
import { createRequire } from 'node:module';

import type * as Binding from '../index.js';
import { ProcessError } from './errors.ts';
import { packageRoot } from './package-root.ts';

export type Native = typeof Binding;

function load(): Native {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new ProcessError(
      'ERR_MP_UNSUPPORTED_PLATFORM',
      `node-multiprocessing runs on Linux (x64, arm64; glibc, musl) and macOS (x64, arm64), not on ${process.platform}; ` +
        'on Windows use WSL 2',
    );
  }
  try {
    // From a file, not from the folder: Jest takes the folder above that.
    return createRequire(new URL('index.cjs', packageRoot))('./index.cjs') as Native;
  } catch (cause) {
    throw new ProcessError(
      'ERR_MP_NATIVE_LOAD',
      `the native addon for ${process.platform}-${process.arch} could not be loaded, the cause says why; reinstall with ` +
        'optional dependencies (npm install --include=optional), keep node-multiprocessing out of a bundle ("external"), or ' +
        'allow addons under --permission (--allow-addons)',
      { cause },
    );
  }
}

export const native: Native = load();

/** What is called most often, by a shorter way. */
export const fast = native.fastCalls();
