import { format, resolveConfig } from 'prettier';

import { inRepository } from './results.ts';

/** A table of figures, or of words. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  kind: 'figures' | 'words' = 'figures',
): string {
  const rule = head.map((_, column) => (column === 0 || kind === 'words' ? '---' : '---:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export const prettyMarkdown = (text: string): Promise<string> => pretty(text, 'x.md');

/** As `npm run lint` wants it. */
export async function pretty(text: string, name: string): Promise<string> {
  const filepath = inRepository(name);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}
