// What the pages say, without running it: the links between them, and that no public name is left out.
import { existsSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { anchorsOf, linksOf, pagesOf, readPage, wordsOf } from '../helpers/markdown.ts';

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

describe('public names', () => {
  it('are named in a page for users', () => {
    const names = [...readPage('src/index.ts').matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) =>
      list.split(',').flatMap((item) => /(\w+)\s*$/.exec(item)?.[1] ?? []),
    );
    expect(names.length).toBeGreaterThan(100);
    const words = wordsOf('README.md', ...pagesOf('docs/'));
    expect(names.filter((name) => !words.has(name))).toEqual([]);
  });
});
