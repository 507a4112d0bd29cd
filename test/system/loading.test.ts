// What the import says when there is no addon for this system. Each case has a copy of the package, without the addon,
// inside the working tree, where its dependencies are found.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, runProgram } from '../helpers/run.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let program: string;

beforeAll(() => {
  mkdirSync(join(root, '.cache'), { recursive: true });
  folder = mkdtempSync(join(root, '.cache', 'loading-'));
  for (const file of ['package.json', 'index.cjs', 'dist']) {
    cpSync(join(root, file), join(folder, file), { recursive: true });
  }
  program = join(folder, 'program.mjs');
  // A system that this is not; and no other addon in place of the one that is missing.
  writeFileSync(
    program,
    `const [platform, arch] = process.argv.slice(2);
    for (const [key, value] of Object.entries({ platform, arch })) {
      if (value) Object.defineProperty(process, key, { value });
    }
    delete process.env.NAPI_RS_NATIVE_LIBRARY_PATH;
    const error = await import('./dist/index.js').then(() => ({}), (error) => error);
    console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message, cause: typeof error.cause }));`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

async function load(...system: string[]): Promise<{ code: string; message: string }> {
  const { json, stderr } = await runProgram(program, system);
  expect(json, stderr).toHaveLength(1);
  return json[0] as { code: string; message: string };
}

describe('the import of a package without an addon', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['win32', 'x64', /macOS.*not on win32-x64; on Windows use WSL 2$/],
    ['freebsd', 'x64', /not on freebsd-x64$/],
    ['linux', 'riscv64', /not on linux-riscv64$/],
    ['darwin', 'ia32', /not on darwin-ia32$/],
  ])('names the supported systems on %s-%s', async (platform, arch, message) => {
    expect(await load(platform, arch)).toMatchObject({
      name: 'ProcessError',
      code: 'ERR_MP_UNSUPPORTED_PLATFORM',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it.each([
    [
      'linux',
      'x64',
      /the package node-multiprocessing-linux-x64-(gnu|musl) is missing\..*--omit=optional.*"npm install"$/,
    ],
    ['linux', 'arm64', /the package node-multiprocessing-linux-arm64-(gnu|musl) is missing/],
    ['darwin', 'arm64', /the package node-multiprocessing-darwin-arm64 is missing/],
  ])('names the package that is missing on %s-%s', async (platform, arch, message) => {
    expect(await load(platform, arch)).toMatchObject({
      code: 'ERR_MP_NATIVE_LOAD',
      message: expect.stringMatching(message) as unknown,
      cause: 'object',
    });
  });

  it('says why an addon that is there cannot be loaded', async () => {
    for (const libc of ['gnu', 'musl']) {
      const installed = join(folder, 'node_modules', `node-multiprocessing-linux-x64-${libc}`);
      mkdirSync(installed, { recursive: true });
      writeFileSync(join(installed, 'package.json'), '{ "main": "addon.node" }');
      writeFileSync(join(installed, 'addon.node'), 'not a library, however long this text may be made');
    }
    expect(await load('linux', 'x64')).toMatchObject({
      code: 'ERR_MP_NATIVE_LOAD',
      message: expect.stringMatching(/it cannot be loaded \(.*addon\.node: .+\)/) as unknown,
    });
  });
});
