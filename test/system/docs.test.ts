// Keeps the pages true: every ```ts block of the READMEs and docs/*.md is compiled against the built package, and those that are
// programs are run; ```js blocks are run alone.
//
// - A block that imports the package is a program. It must end by itself with code 0 and write nothing to standard error, unless
//   it is marked ```ts stderr. If it has comments `// prints: text`, at the end of lines or on their own, these are all lines
//   that it prints, in any order; `…` stands for any text.
// - Any other block is a piece, which is compiled only. It has all names of the package; what else it needs is declared in an HTML
//   comment right before it, `<!-- ts: declare const files: string[]; -->`.
// - A ```python block that says what it prints is run by Python, if there is one.
// - ```ts no_run is a program that is compiled only, ```ts ignore is neither compiled nor run.
import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { blocksOf, pagesOf, wordsOf, type Block } from '../helpers/markdown.ts';
import { hasPython } from '../helpers/python.ts';
import { TEST_TIMEOUT_MS, runProgram } from '../helpers/run.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
/** Below the package, so that its name leads to it. */
const folder = join(root, '.cache', `docs-${process.pid}`);

const pages = [...pagesOf('./').filter((page) => page.startsWith('README')), ...pagesOf('docs/')];
const all = pages.flatMap(blocksOf);
const blocks = all.filter(({ info }) => info[0] === 'ts' && !info.includes('ignore'));
const originals = all.filter((block) => block.info[0] === 'python' && promisedBy(block).length > 0);
const mayRun = ({ info }: Block): boolean => !info.includes('ignore') && !info.includes('no_run');
const isProgram = ({ code }: Block): boolean => /from 'node-multiprocessing'/.test(code);
const programs = all.filter((block) => isProgram(block) && ['ts', 'js'].includes(block.info[0] ?? '') && mayRun(block));

/** The lines that a block says it prints. */
function promisedBy({ code }: Block): string[] {
  return [...code.matchAll(/(?:\/\/|#).*?\bprints: (.*)$/gm)].map(([, text = '']) => text.trimEnd());
}

const titleOf = ({ page, line }: Block): string => `${page}:${line}`;
const nameOf = ({ page, line }: Block): string => `${page.replace(/\W/g, '-')}-${line}`;

/** A block as a module whose lines have the numbers that they have in the page. */
function moduleOf(block: Block): string {
  const { code, line, comment } = block;
  let prelude = '';
  if (!isProgram(block)) {
    const declared = /^\s*ts:(.*)$/s.exec(comment)?.[1] ?? '';
    const used = [...new Set(`${declared} ${code}`.match(/\b\w+\b/g))].filter((word) => exported.includes(word));
    const imported = used.length > 0 ? `import { ${used.join(', ')} } from 'node-multiprocessing';` : '';
    prelude = `export {}; ${imported} ${declared.replaceAll('\n', ' ')}`;
  }
  return `${prelude}${'\n'.repeat(line - 1)}${code}`;
}

let exported: readonly string[] = [];
/** What the compiler says, by the name of the block. */
const complaints = new Map<string, string[]>();

/** Compiles all blocks at once. */
async function compile(): Promise<void> {
  exported = Object.keys((await import('node-multiprocessing')) as object);
  mkdirSync(folder, { recursive: true });
  for (const block of blocks) writeFileSync(join(folder, `${nameOf(block)}.ts`), moduleOf(block));
  const options = {
    noEmit: false,
    allowImportingTsExtensions: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions: options, include: ['*.ts'] }),
  );
  const { stdout } = await promisify(execFile)(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], { cwd: folder }).catch(
    // It complains by its exit code, too.
    (error: { stdout: string }) => error,
  );
  for (const [text, name = ''] of stdout.matchAll(/^([\w-]+)\.ts\(.*$/gm)) {
    complaints.set(name, [...(complaints.get(name) ?? []), text]);
  }
}

/** Which of the lines that were promised did not come, and which came that were not promised. */
function compare(promised: readonly string[], lines: readonly string[]): { missing: string[]; surplus: string[] } {
  const surplus = [...lines];
  const missing = promised.filter((text) => {
    const pattern = new RegExp(`^${text.split('…').map(escape).join('.*')}$`);
    const index = surplus.findIndex((line) => pattern.test(line));
    if (index >= 0) surplus.splice(index, 1);
    return index < 0;
  });
  return { missing, surplus };
}

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

describe('docs', { timeout: TEST_TIMEOUT_MS }, () => {
  beforeAll(compile, TEST_TIMEOUT_MS);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each(blocks.map((block) => [titleOf(block), block] as const))('%s compiles', (_, block) => {
    expect(complaints.get(nameOf(block)) ?? []).toEqual([]);
  });

  it('have programs', () => expect(programs.length).toBeGreaterThan(0));

  it
    .skipIf(process.platform !== 'linux' /* most of them fork */)
    .each(programs.map((block) => [titleOf(block), block] as const))('%s runs', async (_, block) => {
    const isScript = block.info[0] === 'js';
    const file = join(folder, `${nameOf(block)}.${isScript ? 'mjs' : 'js'}`);
    if (isScript) writeFileSync(file, moduleOf(block));
    const { code, signal, stdout, stderr, lines } = await runProgram(file);
    expect({ code, signal, stderr }, stdout).toEqual({
      code: 0,
      signal: null,
      stderr: block.info.includes('stderr') ? expect.stringMatching(/./) : '',
    });
    const promised = promisedBy(block);
    if (promised.length > 0) expect(compare(promised, lines)).toEqual({ missing: [], surplus: [] });
  });

  it.skipIf(!hasPython).each(originals.map((block) => [titleOf(block), block] as const))(
    '%s runs',
    async (_, block) => {
      const file = join(folder, `${nameOf(block)}.py`);
      writeFileSync(file, block.code);
      const { code, stderr, lines } = await runProgram(file, [], { command: 'python3' });
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(compare(promisedBy(block), lines)).toEqual({ missing: [], surplus: [] });
    },
  );

  it.skipIf(!hasPython)('name all that is public in Python, for those who come from there', () => {
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
