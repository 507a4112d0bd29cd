import Table from 'cli-table3';
import pc from 'picocolors';

import { Unavailable } from './helper.ts';
import type { Range } from './statistics.ts';

/** What a section hands back: a table for people, `data` for programs (`--json`). */
export interface SectionResult {
  readonly id: string;
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Printed below the table: what was left out and why, what to watch out for. */
  readonly notes: readonly string[];
  /** What should have been measured and went wrong. */
  readonly failures: readonly string[];
  readonly data: unknown;
}

const NOTHING = '–';

/** Nanoseconds as µs or ms with three significant digits. */
export function duration(ns: number | undefined): string {
  if (ns === undefined || !Number.isFinite(ns)) return NOTHING;
  const [scale, unit] = unitOf(ns);
  return `${digits(ns / scale)} ${unit}`;
}

/** The middle 80 % of the samples, in the unit of the larger end. */
export function spread({ p10, p90 }: Range): string {
  if (!Number.isFinite(p10) || !Number.isFinite(p90)) return NOTHING;
  const [scale, unit] = unitOf(p90);
  return `${digits(p10 / scale)}–${digits(p90 / scale)} ${unit}`;
}

export function ratio(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? NOTHING : value.toFixed(2);
}

export function megabytes(bytes: number | undefined): string {
  if (bytes === undefined) return NOTHING;
  const value = bytes / 1e6;
  return `${value < 10 ? value.toFixed(1) : value.toFixed(0)} MB`;
}

export const good = (text: string): string => pc.green(text);
export const bad = (text: string): string => pc.red(text);

/** A section that could not be measured. */
export function unmeasured(id: string, title: string, error: unknown): SectionResult {
  const message = error instanceof Error ? error.message : String(error);
  const [notes, failures] = error instanceof Unavailable ? [[`skipped: ${message}`], []] : [[], [message]];
  return { id, title, head: [], rows: [], notes, failures, data: null };
}

export function printSection(section: SectionResult): void {
  const table = new Table({
    head: [...section.head],
    colAligns: section.head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  table.push(...section.rows.map((row) => [...row]));
  console.log(`\n${pc.bold(section.title)}  ${pc.dim(section.id)}`);
  if (section.rows.length > 0) console.log(table.toString());
  for (const note of section.notes) console.log(pc.dim(`  ${note}`));
  for (const failure of section.failures) console.log(bad(`  FAILED: ${failure}`));
}

function unitOf(ns: number): [scale: number, unit: string] {
  return Math.abs(ns) < 1e6 ? [1e3, 'µs'] : [1e6, 'ms'];
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size < 10) return value.toFixed(2);
  return size < 100 ? value.toFixed(1) : value.toFixed(0);
}
