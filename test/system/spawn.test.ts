// Children that are no copies of their parent.
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';

import { describe, expect, it } from 'vitest';

import { nodeMajor, nodeVersion } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('spawn/spawn.mjs');
const tsx = createRequire(import.meta.url).resolve('tsx');
const minor = Number(nodeVersion.split('.')[1]);
const stripsTypes = nodeMajor > 22 || (nodeMajor === 22 && minor >= 18);

describe.each(['spawn', 'forkserver'])('start method %s', { timeout: TEST_TIMEOUT_MS }, (method) => {
  const env = { MP_METHOD: method };

  it.each([
    ['targets are found by module and name: named, renamed, default, static, async, classes, by hand', 'functions'],
    ['who a child is', 'identity'],
    ['everything that processes share goes to a child in args', 'everything'],
    ['a target whose module does not import the package can be given all of that', 'no import'],
    ['a child that is killed with a lock, or while it starts; a large argument', 'death'],
    ['a child in a loop is ended by terminate()', 'terminate'],
    ['MP022 children have none of the descriptors of their siblings', 'descriptors'],
    ['waiting for sentinels and queues', 'waits'],
    ['sockets and servers in args', 'sockets'],
  ])('%s', async (_, name) => {
    await runPassing(program, [name], { env });
  });

  it('what cannot be carried is refused before there is a process', async () => {
    const { code, stdout, stderr } = await runProgram(program, ['refused'], { env });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr.match(/ERR_MP_NOT_IMPORTABLE/g)).toHaveLength(2);
    expect(stderr).toMatch(/answer.* that is the function that was meant/);
    expect(stderr).toMatch(/no export 'nothing'/);
    expect(stderr).toMatch(/ERR_MODULE_NOT_FOUND/);
  });

  it('each end is told, with its exit code', async () => {
    const { code, stdout, stderr } = await runProgram(program, ['endings'], { env });
    expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'passed\n' });
    expect(stderr).toMatch(/^Process ends by throw:\nRangeError: thrown\n {4}at/m);
    expect(stderr).toMatch(/^Process ends by reject:\nRangeError: rejected\n/m);
    expect(stderr).toMatch(/^Process ends by never: its target awaits a promise/m);
    expect(stderr).toMatch(/^Process ends by callback:\nError: in a callback\n/m);
  });

  it('all that a child prints arrives', async () => {
    const { lines, code } = await runProgram(program, ['print'], { env });
    expect(code).toBe(0);
    expect(lines).toEqual([...Array.from({ length: 20_000 }, (_, i) => `line ${i}`), 'passed']);
  });

  it('a daemon ends with its parent, which is killed', async () => {
    // Whatever is left is found by whoever runs it.
    const { signal, json } = await runProgram(program, ['daemon'], {
      env,
      when: { seen: '}', react: (parent) => void parent.kill('SIGKILL') },
    });
    expect(signal).toBe('SIGKILL');
    expect(json).toEqual([{ child: expect.any(Number) as number }]);
  });

  it.each(['unguarded.mjs', 'unguarded-method.mjs'])(
    'MP200 without a guard it is refused in the child: %s',
    async (main) => {
      const { code, lines, stderr } = await runProgram(fixture(`spawn/${main}`), [method]);
      expect({ code, lines }).toEqual({ code: 0, lines: ['1'] });
      expect(stderr.match(/ERR_MP_UNGUARDED_MAIN/g)).toHaveLength(1);
    },
  );

  const files: [file: string, nodeArgs: string[]][] = [
    ['program.mjs', []],
    ['program.cjs', []],
    ['program.ts', ['--import', tsx]],
    ...(stripsTypes ? [['program.ts', ['--no-warnings']] as [string, string[]]] : []),
  ];
  it.each(files)('%s with its target in itself, run from elsewhere (%j)', async (file, nodeArgs) => {
    const { code, stdout, stderr } = await runProgram(fixture(`spawn/a path 中文/${file}`), [method], {
      nodeArgs,
      cwd: tmpdir(),
    });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0 done\n', stderr: '' });
  });
});

describe('start method fork', { timeout: TEST_TIMEOUT_MS }, () => {
  it('MP200 needs no guard', async () => {
    const { code, stdout, stderr } = await runProgram(fixture('spawn/unguarded.mjs'), ['fork']);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'worked\n0\n', stderr: '' });
  });
});
