// Children of this very process, which is a worker of vitest's: it was made by child_process.fork(), and its channel is in use
// by whoever runs the tests.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { Process, activeChildren, isMainProcess } from 'node-multiprocessing';

const directory = mkdtempSync(join(tmpdir(), 'inside-vitest-'));
const path = join(directory, 'word');
afterAll(() => rmSync(directory, { recursive: true }));

/** Leaves word for the parent. */
const leave = (word: string): void => writeFileSync(path, `${word} ${process.pid} ${typeof process.send}`);

function start(target: () => unknown): Process {
  const child = new Process({ target });
  child.start();
  return child as Process;
}

describe('in a worker of vitest', () => {
  it('the worker is a process with a channel', () => {
    expect(process.connected).toBe(true);
    expect(isMainProcess()).toBe(true);
  });

  it.each(['sync', 'async'])('a closure runs in a child, without the channel: %s', async (kind) => {
    const word = `from ${kind} ${Math.random()}`;
    const later = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      leave(word);
    };
    const child = start(kind === 'sync' ? () => leave(word) : later);
    const { pid } = child;
    if (kind === 'sync') expect(child.join()).toBe(true);
    else expect(await child.joinAsync()).toBe(true);
    expect(child.exitCode).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe(`${word} ${pid} undefined`);
    child.close();
  });

  it.each(['sync', 'async'])('an error ends a child with 1: %s', async (kind) => {
    const fail = (): never => {
      // What it says of the error is not for whoever reads the output of the tests.
      closeSync(2);
      openSync('/dev/null', 'w');
      throw new Error('of the child');
    };
    const child = start(kind === 'sync' ? fail : async () => fail());
    expect(await child.joinAsync()).toBe(true);
    expect(child.exitCode).toBe(1);
    child.close();
  });

  it('a child may exit, which vitest would not let a test do', () => {
    for (const code of [0, 7]) {
      const child = start(() => process.exit(code));
      child.join();
      expect(child.exitCode).toBe(code);
      child.close();
    }
    expect(activeChildren()).toEqual([]);
    expect(process.connected).toBe(true);
  });
});
