// How programs are laid out and run, for children that import what is in them.
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, describe, expect, it } from 'vitest';

import { nodeBinary } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, runProgram, type RunOptions } from '../helpers/run.ts';

/** Its children say where they found what they run. */
const commonjs = (target = '') => `#!/usr/bin/env node
const { Queue, getContext } = require('node-multiprocessing');
${target || "const work = (queue) => queue.put('done by the program');"}
module.exports = { work };
if (require.main === module) {
  const queue = new Queue();
  const p = new (getContext(process.argv[2]).Process)({ target: work, args: [queue] });
  p.start();
  p.join();
  console.log(p.exitCode, queue.get(true, 0));
}
`;

const esModule = (target: string, ask = 'queue.get(true, 0)') => `
import { Process, Queue, Semaphore, isMainProcess, setStartMethod } from 'node-multiprocessing';
${target}
if (isMainProcess()) {
  setStartMethod(process.argv[2]);
  const queue = new Queue();
  const p = new Process({ target: work, args: [queue] });
  p.start();
  p.join();
  console.log(p.exitCode, ${ask});
}
`;

const files: Record<string, string> = {
  'extensionless/program': commonjs(),
  'directory/index.js': commonjs(),
  'with main/package.json': JSON.stringify({ main: 'lib/start' }),
  'with main/lib/start.js': commonjs(),
  'package/package.json': JSON.stringify({ name: 'package', type: 'module', imports: { '#far': './src/far/away.js' } }),
  'package/src/bin/main.js': esModule(`
    import { work } from './sibling.js';
    export { work };`),
  'package/src/bin/sibling.js': `
    import { word } from '#far';
    export const work = (queue) => queue.put(word);`,
  'package/src/far/away.js': "export const word = 'done by a sibling';",
  'node_modules/tool/package.json': JSON.stringify({ name: 'tool', main: './lib/main.js', bin: './lib/main.js' }),
  'node_modules/tool/lib/main.js': commonjs("const work = require('tool/lib/work.js');"),
  'node_modules/tool/lib/work.js': "module.exports = (queue) => queue.put('done by the tool');",
  'options.mjs': esModule(
    `const facts = () => JSON.stringify([process.execArgv, typeof gc, process.noDeprecation, Error.stackTraceLimit]);
    export const work = (queue) => queue.put(facts());`,
    'facts() === queue.get(true, 0), facts()',
  ),
  'module level.mjs': esModule(`
    export const semaphore = new Semaphore(3);
    export function work(queue) {
      semaphore.acquire();
      queue.put(semaphore.getValue());
    }`),
};

const root = realpathSync(mkdtempSync(join(tmpdir(), 'programs 程序 ')));
for (const [path, text] of Object.entries(files)) {
  mkdirSync(join(root, dirname(path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
mkdirSync(join(root, 'node_modules/.bin'));
chmodSync(join(root, 'node_modules/tool/lib/main.js'), 0o755);
symlinkSync('../tool/lib/main.js', join(root, 'node_modules/.bin/tool'));
symlinkSync(fileURLToPath(new URL('../..', import.meta.url)), join(root, 'node_modules/node-multiprocessing'));
afterAll(() => rmSync(root, { recursive: true }));

describe.each(['fork', 'spawn', 'forkserver'])('start method %s', { timeout: TEST_TIMEOUT_MS }, (method) => {
  async function run(path: string, options: RunOptions = {}) {
    const { code, stdout, stderr } = await runProgram(join(root, path), [method], { cwd: tmpdir(), ...options });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout;
  }

  it.each([
    ['FX135 a CommonJS file without an extension', 'extensionless/program', 'the program'],
    ['FX138 a directory with an index.js', 'directory', 'the program'],
    ['FX138 a directory with a package.json that names the main file', 'with main', 'the program'],
    ['FX142 a file of a package, with siblings', 'package/src/bin/main.js', 'a sibling'],
    ['FX145 a package that is run by its directory', 'node_modules/tool', 'the tool'],
  ])('%s', async (_, path, who) => {
    expect(await run(path)).toBe(`0 done by ${who}\n`);
  });

  it('FX145 a package that is run by its name', async () => {
    const { PATH = '' } = process.env;
    const env = { PATH: [join(root, 'node_modules/.bin'), dirname(nodeBinary), PATH].join(':') };
    const { stdout, stderr } = await runProgram('tool', [method], { command: '/usr/bin/env', env });
    expect({ stdout, stderr }).toEqual({ stdout: '0 done by the tool\n', stderr: '' });
  });

  it('MP198 options of Node hold in children', async () => {
    const nodeArgs = ['--no-deprecation', '--expose-gc', '--stack-trace-limit=7'];
    const facts = JSON.stringify([nodeArgs, 'function', true, 7]);
    expect(await run('options.mjs', { nodeArgs })).toBe(`0 true ${facts}\n`);
  });

  it('MP250 a semaphore at the top level of the main module is nobody’s leak', async () => {
    expect(await run('module level.mjs')).toBe('0 2\n');
  });
});
