// The Markdown pages of this package, as tests look at them.
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import GithubSlugger from 'github-slugger';
import MarkdownIt, { type Token } from 'markdown-it';

const root = fileURLToPath(new URL('../../', import.meta.url));
const parser = new MarkdownIt({ html: true });

/** A fenced block of code. */
export interface Block {
  /** Path of its page, from the root of the package. */
  readonly page: string;
  /** Line of its first line of code in the page, from 1 on. */
  readonly line: number;
  /** Words after the three backticks. */
  readonly info: readonly string[];
  readonly code: string;
  /** Text of the HTML comment right before it. */
  readonly comment: string;
}

/** Paths of the pages right in these folders, from the root of the package. */
export function pagesOf(...folders: string[]): string[] {
  return folders.flatMap((folder) =>
    readdirSync(new URL(folder, `file://${root}`))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `${folder}${name}`.replace(/^\.\//, ''))
      .toSorted(),
  );
}

export const readPage = (page: string): string => readFileSync(`${root}${page}`, 'utf8');

export function blocksOf(page: string): Block[] {
  const tokens = parser.parse(readPage(page), {});
  return tokens.flatMap((token, index) => {
    if (token.type !== 'fence') return [];
    const before = tokens[index - 1];
    const [, comment = ''] = (before?.type === 'html_block' && /^<!--(.*)-->\s*$/s.exec(before.content)) || [];
    const info = token.info.split(/\s+/).filter((word) => word !== '');
    return [{ page, line: (token.map?.[0] ?? 0) + 2, info, code: token.content, comment }];
  });
}

const textOf = ({ children }: Token): string =>
  (children ?? []).map(({ type, content }) => (type === 'text' || type === 'code_inline' ? content : '')).join('');

/** What can stand after `#` in a link to a page, as GitHub makes it from the headings. */
export function anchorsOf(page: string): Set<string> {
  const slugger = new GithubSlugger();
  const tokens = parser.parse(readPage(page), {});
  const headings = tokens.filter((_, index) => tokens[index - 1]?.type === 'heading_open');
  return new Set(headings.map((heading) => slugger.slug(textOf(heading))));
}

/** The targets of a page's links and pictures. */
export function linksOf(page: string): string[] {
  const tokens = parser.parse(readPage(page), {}).flatMap((token) => [token, ...(token.children ?? [])]);
  return tokens.flatMap((token) =>
    token.type.startsWith('html')
      ? [...token.content.matchAll(/(?:href|src|srcset)="([^"]+)"/g)].map(([, target = '']) => target)
      : (token.attrGet('href') ?? token.attrGet('src') ?? []),
  );
}

/** What stands between backticks in these pages, as words. */
export function wordsOf(...pages: string[]): Set<string> {
  return new Set(
    pages.flatMap((page) => readPage(page).match(/`[^`\n]+`/g) ?? []).flatMap((code) => code.match(/\w+/g) ?? []),
  );
}
