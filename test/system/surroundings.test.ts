// Children that are started in odd places.
import { describe, expect, it } from 'vitest';

import { nodeMajor, nodeVersion } from '../helpers/nodes.ts';
import { TEST_TIMEOUT_MS, fixture, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('process/surroundings.mjs');
const minor = Number(nodeVersion.split('.')[1]);
/** With functions of the program's own, and unflagged. */
const hasSqlite = nodeMajor > 22 || (nodeMajor === 22 && minor >= 13);

describe('surroundings', () => {
  it.runIf(hasSqlite)(
    'inside a function that SQLite calls: the child ends by itself and says why, the parent goes on',
    { timeout: TEST_TIMEOUT_MS },
    async () => {
      const { code, lines, stderr } = await runProgram(program, ['sqlite'], { nodeArgs: ['--no-warnings'] });
      expect({ code, lines }, stderr).toEqual({ code: 0, lines: ['passed'] });
      expect(stderr).toContain('node-multiprocessing');
    },
  );

  it('inside the evaluation of a vm module: refused', { timeout: TEST_TIMEOUT_MS }, () =>
    runPassing(program, ['module'], { nodeArgs: ['--no-warnings', '--experimental-vm-modules'] }),
  );

  it('loaded into a context of node:vm, as Jest does: refused', { timeout: TEST_TIMEOUT_MS }, async () => {
    const nodeArgs = ['--no-warnings', '--experimental-vm-modules'];
    const { code, lines } = await runProgram(fixture('process/foreign-context.mjs'), [], { nodeArgs });
    expect({ code, lines }).toEqual({ code: 0, lines: Array(2).fill('ERR_MP_FORK_INSIDE_VM true') });
  });

  it(
    'with a write on an encrypted connection under way: the parent alone hears of its end',
    { timeout: TEST_TIMEOUT_MS },
    () => runPassing(program, ['tls']),
  );

  it('a debugger of the parent does not stop a child', { timeout: TEST_TIMEOUT_MS }, () =>
    // For WebSocket, with which this program debugs another.
    runPassing(program, ['debugger'], { nodeArgs: nodeMajor < 22 ? ['--experimental-websocket'] : [] }),
  );
});
