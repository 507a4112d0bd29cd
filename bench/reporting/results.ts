/** What bench/report/results.json holds: what the report, the tables of docs/performance.md and that of the README are made from. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { Environment } from '../harness/environment.ts';
import type { Measured, SectionResult } from '../harness/section.ts';

export interface SavedSection extends Omit<SectionResult, 'data'> {
  readonly suite: string;
  readonly rounds: number;
  readonly date: string;
  /** How long it took. */
  readonly seconds: number;
}

export interface Results {
  readonly environment: Environment;
  readonly sections: readonly SavedSection[];
}

/** A file of the repository; the same place seen from bench/ and from its compiled twin. */
export const inRepository = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

export const RESULTS = inRepository('bench/report/results.json');

export const loadResults = (): Results => JSON.parse(readFileSync(RESULTS, 'utf8')) as Results;

/** What was saved before, with sections measured anew in their places. Only figures of one machine and the same versions go together. */
export function merged(results: Results): Results {
  if (!existsSync(RESULTS)) return results;
  const saved = loadResults();
  const what = ({ load: _, ...environment }: Environment): string => JSON.stringify(environment);
  if (what(saved.environment) !== what(results.environment)) {
    throw new Error(`${RESULTS} is of another machine or other versions: measure everything`);
  }
  for (const { id, measured } of saved.sections) {
    const now = results.sections.find((section) => section.id === id);
    const lost = now && measured?.find((one) => now.measured?.every((other) => other.id !== one.id));
    if (lost) throw new Error(`${id} was measured without ${lost.label}: a section is saved as a whole`);
  }
  const fresh = new Map(results.sections.map((section) => [section.id, section]));
  const replaced = saved.sections.map((section) => fresh.get(section.id) ?? section);
  const isSaved = new Set(saved.sections.map(({ id }) => id));
  return {
    environment: results.environment,
    sections: [...replaced, ...results.sections.filter(({ id }) => !isSaved.has(id))],
  };
}

/** The figures of one contender, such as `start/small/process`. */
export function figuresOf({ sections }: Results, id: string): Measured | undefined {
  const section = sections.find((section) => id.startsWith(`${section.id}/`));
  return section?.measured?.find((one) => `${section.id}/${one.id}` === id);
}
