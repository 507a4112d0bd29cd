// What the pages say, without running it: the links between them, and that no public name is left out.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { anchorsOf, linksOf, pagesOf, readPage } from '../helpers/markdown.ts';
import { hasPython } from '../helpers/python.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = pagesOf('./', 'docs/', 'docs/internals/', 'bench/', '.github/').filter((page) => existsSync(root + page));

describe('links', () => {
  it.each(pages)('of %s lead somewhere', (page) => {
    const broken = linksOf(page).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = '', anchor] = decodeURI(link).split('#');
      const target = path === '' ? page : posix.join(posix.dirname(page), path);
      if (target.startsWith('..') || !existsSync(root + target)) return true;
      return anchor !== undefined && (statSync(root + target).isDirectory() || !anchorsOf(target).has(anchor));
    });
    expect(broken).toEqual([]);
  });
});

/** What stands between backticks in these pages, as words. */
function wordsOf(...pages: string[]): Set<string> {
  return new Set(
    pages.flatMap((page) => readPage(page).match(/`[^`\n]+`/g) ?? []).flatMap((code) => code.match(/\w+/g) ?? []),
  );
}

describe('public names', () => {
  it('are named in a page for users', () => {
    const names = [...readPage('src/index.ts').matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) =>
      list.split(',').flatMap((item) => /(\w+)\s*$/.exec(item)?.[1] ?? []),
    );
    expect(names.length).toBeGreaterThan(100);
    const words = wordsOf('README.md', ...pagesOf('docs/'));
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });

  it.skipIf(!hasPython)('of Python are named in the page for those who come from there', () => {
    const { stdout, stderr } = spawnSync('python3', ['-c', namesOfPython], { encoding: 'utf8' });
    const names = stdout.split(/\s+/).filter((name) => name !== '');
    expect(names.length, stderr).toBeGreaterThan(100);
    const words = wordsOf('docs/coming-from-python.md');
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });
});

/** Prints what modules say is public, and what the classes have that people use. Managers have their own lists. */
const namesOfPython = `
import concurrent.futures as futures
import importlib
import multiprocessing as mp
from multiprocessing import connection, pool, shared_memory

modules = """connection forkserver managers pool process queues reduction resource_sharer resource_tracker
    shared_memory sharedctypes spawn synchronize util""".split()
names = set(mp.__all__) | set(futures.__all__)
for module in modules:
    names |= set(importlib.import_module('multiprocessing.' + module).__all__)
things = [mp.Process(), connection.Connection, mp.Queue(), mp.JoinableQueue(), mp.SimpleQueue(), mp.Lock(), mp.RLock(),
    mp.Semaphore(), mp.Condition(), mp.Event(), mp.Barrier(1), mp.Value('i'), mp.Array('i', 1), pool.Pool,
    pool.AsyncResult, pool.IMapIterator, shared_memory.SharedMemory, shared_memory.ShareableList, futures.Future,
    futures.ProcessPoolExecutor, mp.process.parent_process() or mp.process.current_process()]
for thing in things:
    names |= set(dir(thing))
print(*sorted(name for name in names if not name.startswith('_')))
`;
