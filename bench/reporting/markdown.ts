import { format, resolveConfig } from 'prettier';

import { inRepository } from './results.ts';

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [head, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export const prettyMarkdown = (text: string): Promise<string> => pretty(text, 'x.md');

/** As `npm run lint` wants it. */
export async function pretty(text: string, name: string): Promise<string> {
  const filepath = inRepository(name);
  return format(text, { ...(await resolveConfig(filepath)), filepath });
}
