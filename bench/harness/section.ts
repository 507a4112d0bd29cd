import { stripVTControlCharacters } from 'node:util';

import Table from 'cli-table3';
import pc from 'picocolors';

import { Unavailable } from './helper.ts';
import type { Range } from './statistics.ts';

/** What the values of a section are: times and sizes are better when small, `times` (a speed) when large. */
export type Unit = 'ns' | 'bytes' | 'times';

/** One contender's figures. */
export interface Measured {
  readonly id: string;
  readonly label: string;
  /** Of this package. */
  readonly ours: boolean;
  readonly median: number;
  readonly p10?: number;
  readonly p90?: number;
  readonly count?: number;
}

/** What a section hands back: a table for people, and the figures themselves. */
export interface SectionResult {
  readonly id: string;
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Printed below the table: what was left out and why, what to watch out for. */
  readonly notes: readonly string[];
  /** What should have been measured and went wrong. */
  readonly failures: readonly string[];
  readonly unit?: Unit;
  readonly measured?: readonly Measured[];
  /** Every sample, for `--json`. */
  readonly data: unknown;
}

const NOTHING = '–';

/** A time in the unit that suits it, with three significant digits. */
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

const formats: Readonly<Record<Unit, (value: number) => string>> = {
  ns: duration,
  bytes: megabytes,
  times: (value) => `${value.toFixed(2)} ×`,
};

export const inUnit = (value: number, unit: Unit): string => formats[unit](value);

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

export const plain = (text: string): string => stripVTControlCharacters(text);

function unitOf(ns: number): [scale: number, unit: string] {
  const size = Math.abs(ns);
  if (size < 1e3) return [1, 'ns'];
  return size < 1e6 ? [1e3, 'µs'] : [1e6, 'ms'];
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (size < 10) return value.toFixed(2);
  return size < 100 ? value.toFixed(1) : value.toFixed(0);
}
