import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { nodeBinary } from '../helpers/nodes.ts';
import { hasPython } from '../helpers/python.ts';
import { TEST_TIMEOUT_MS, fixture, killGroup, runPassing, runProgram } from '../helpers/run.ts';

const program = fixture('shared-memory/blocks.mjs');
const withGc = { nodeArgs: ['--expose-gc'] };

describe('shared memory', { timeout: TEST_TIMEOUT_MS }, () => {
  it.each([
    ['MP157 created, attached to by name', 'create and attach'],
    ['MP157 an attached block has its own size, whatever is asked for', 'size of an attached block'],
    ['MP157 missing and taken names', 'missing and taken names'],
    ['MP157 a second unlink, from whichever handle', 'second unlink'],
    ['MP157 MP158 a made-up name that is taken is not used', 'name clash'],
    ['MP157 MP159 bad sizes', 'bad sizes'],
    ['MP157 bad options', 'bad options'],
    ['MP160 MP161 serialised and rebuilt, or no longer there', 'serialised'],
    ['MP162 in children, by name and by object', 'children'],
    ['made by a child, after its end', 'a child made it'],
    ['unlinked by another process', 'unlink by any process'],
    ['of many that unlink at the same time, one succeeds', 'one of many unlinks'],
    ['unlinked while a child has it', 'unlinked while others have it'],
    ['many create or attach at the same time', 'create or attach at the same time'],
    ['killed at any moment: a block is there as a whole or not at all', 'killed at any moment'],
    ['names of any characters', 'good names'],
    ['is for its user only', 'permissions'],
    ['more than the system has is refused', 'what the system refuses'],
    ['printed form', 'printed form'],
    ['an attached stranger leaves it in place', 'unrelated programs'],
    ['what others have unlinked is not kept open', 'unlinked by others'],
  ])('%s', async (_, name) => {
    await runPassing(program, [name]);
  });

  it.each([
    ['closed: views are empty', 'closed'],
    ['closed while native calls are at work on it', 'closed while native calls are at work'],
    ['dropped 5,000 times: nothing is left', 'dropped'],
    ['dropped in a child', 'dropped in a child'],
    ['dropped: its buffer stays usable', 'dropped, but its buffer is in use'],
    ['dropped: its name leads to it still', 'dropped after somebody learned its name'],
    ['transferred buffers', 'transferred'],
    ['in worker threads that are terminated', 'in worker threads'],
  ])('%s', async (_, name) => {
    await runPassing(program, [name], withGc);
  });

  it('beyond the limit on file sizes', async () => {
    const script = 'ulimit -f 100; exec "$@"';
    await runPassing('-c', [script, 'sh', nodeBinary, program, 'limit on file sizes'], { command: '/bin/sh' });
  });

  it.runIf(hasPython)('MP157 shared with Python, both ways', async () => {
    await runPassing(program, ['python']);
  });

  it('nothing is left after kill -9 of every process, but what was named', async () => {
    const name = `nmp-test-kept-${process.pid}`;
    const path = `/dev/shm/${name}`;
    try {
      // The name that was given is left behind, which the runner complains of.
      const complaint = await runProgram(program, ['to be killed', name], {
        when: { seen: 'ready', react: (child) => killGroup(child.pid as number) },
      }).catch(String);
      expect(complaint).toContain(`left behind (exit code null, signal SIGKILL):\n${path}\n---`);
      const others = [...complaint.toString().matchAll(/ready (\S+)/g)].map(([, other]) => other as string);
      expect(others).toHaveLength(1);
      const found = await runProgram(fixture('shared-memory/attacher.mjs'), others);
      expect(found.lines).toEqual(['ENOENT']);
      const kept = execFileSync('head', ['-c', '10', path], { encoding: 'utf8' });
      expect(kept).toBe('still here');
    } finally {
      rmSync(path, { force: true });
    }
    expect(existsSync(path)).toBe(false);
  });
});
