// The helper of the start method forkserver.
import { describe, expect, it } from 'vitest';

import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram, type RunOptions } from '../helpers/run.ts';

describe('the helper', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['is killed at random: each child does its work, a new helper comes', 'helper killed'],
    ['ends itself: that is an error that says so', 'helper ends'],
    ['MP026 survives SIGINT', 'helper interrupted'],
    ['MP028 MP029 has no address: none but its owner can speak to it, so there is no secret', 'helper is private'],
    ['has spares and preloaded modules, and follows changes of environment', 'spares and preloading'],
  ])('%s', async (_, name) => {
    await runPassing(fixture('spawn/spawn.mjs'), [name], { env: { MP_METHOD: 'forkserver' } });
  });
});

describe('preloaded modules', { timeout: TEST_TIMEOUT_MS }, () => {
  const program = fixture('forkserver/preload.mjs');

  /** Three children, one after the other, of a helper with these modules: what they say, and what else is printed. */
  async function children(modules: string[], onError = 'ignore', options: RunOptions = {}) {
    const args = ['children', JSON.stringify(modules), onError];
    const { code, json, lines, stderr } = await runProgram(program, args, options);
    expect({ code, last: lines.at(-1) }, stderr).toEqual({ code: 0, last: 'passed' });
    expect(json).toHaveLength(3);
    for (const said of json) expect(said['argv']).toEqual(args);
    return { preloaded: json.map((said) => said['preloaded']), lines, stderr };
  }

  it('MP211 may make locks and use a context', async () => {
    const { preloaded, stderr } = await children(['./modules/locks.mjs']);
    expect(preloaded).toEqual(Array.from({ length: 3 }, () => ['locks', 'fork']));
    expect(stderr).toBe('');
  });

  it('share their memory with the children of the helper, beside that of the parent', async () => {
    await runPassing(program, ['shared memory']);
  });

  it('MP254 print once', async () => {
    const { lines } = await children(['./modules/prints.mjs']);
    expect(lines.filter((line) => line.startsWith('preloaded'))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('without an end of line'))).toHaveLength(1);
  });

  it.each([['__main__'], [program]])('MP259 MP260 FX128 the main module (%s) runs once in each', async (main) => {
    const { lines, stderr } = await children([main], 'fail', { env: { MP_SCRIPT: 'print' } });
    const said = lines.filter((line) => line.startsWith('main: '));
    const args = ['children', JSON.stringify([main]), 'fail'].join(',');
    expect(said).toEqual([`main: parent ${args}`, `main: helper ${args}`]);
    expect(stderr).toBe('');
  });

  it('MP252 are looked for in the working directory, NODE_PATH and by the conditions of the parent', async () => {
    await runPassing(program, ['search paths'], { nodeArgs: ['--conditions=special'] });
  });

  it.each([
    ['FX119', ['./modules/throws.cjs']],
    ['FX131', ['/no/such/module.js', 'no-such-package']],
  ])('%s are ignored if they fail', async (_, modules) => {
    const { preloaded, stderr } = await children([...modules, './modules/quiet.mjs']);
    expect(preloaded).toEqual(Array.from({ length: 3 }, () => ['quiet']));
    expect(stderr).toBe('');
  });

  it.each([
    ['FX121', './modules/throws.cjs', 'modules/throws.cjs could not be preloaded: RangeError: in a module'],
    ['FX130', '/no/such/module.js', 'no/such/module.js could not be preloaded: Error'],
    ['FX130', 'no-such-package', 'no-such-package could not be preloaded: Error'],
  ])('%s warn if they fail and that is wanted: %s', async (_, module, warning) => {
    const { preloaded, stderr } = await children([module, './modules/quiet.mjs'], 'warn');
    expect(preloaded).toEqual(Array.from({ length: 3 }, () => ['quiet']));
    expect(stderr.split('\n')[0]).toContain(warning);
    expect(stderr.match(/could not be preloaded/g)).toHaveLength(1);
  });

  const script = { env: { MP_SCRIPT: 'throw in helper' } };

  it('FX127 so may the main module', async () => {
    expect((await children(['__main__'], 'ignore', script)).stderr).toBe('');
  });

  it('FX126 and warn', async () => {
    const { stderr } = await children(['__main__'], 'warn', script);
    expect(stderr).toMatch(
      /^node-multiprocessing: .*preload\.mjs could not be preloaded: RangeError: in the main module/,
    );
    expect(stderr.match(/could not be preloaded/g)).toHaveLength(1);
  });

  it.each([
    [
      'FX122',
      './test/fixtures/forkserver/modules/throws.cjs',
      /throws\.cjs could not be preloaded: RangeError: in a module/,
    ],
    ['FX122', '/no/such/module.js', /ERR_MODULE_NOT_FOUND/],
    ['FX125', '__main__', /preload\.mjs could not be preloaded: RangeError: in the main module/],
  ])('%s are reason to start nothing if that is wanted: %s', async (_, module, why) => {
    const { json } = await runPassing(program, ['refused', module], script);
    expect(json).toEqual(Array.from({ length: 2 }, () => ({ message: expect.stringMatching(why) as string })));
  });

  it('FX132 can be many, the main module among them', async () => {
    const { preloaded, stderr } = await children(['__main__', './modules/prints.mjs', './modules/quiet.mjs'], 'fail');
    expect(preloaded).toEqual(Array.from({ length: 3 }, () => ['prints', 'quiet']));
    expect(stderr).toBe('');
  });

  it('FX124 other words are refused', async () => {
    await runPassing(program, ['other values']);
  });
});
