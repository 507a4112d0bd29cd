import type { SectionResult } from './section.ts';

/** What a run was asked for. */
export interface Run {
  readonly rounds: number;
  /** First rounds that are run and thrown away. */
  readonly discard: number;
  /** Size of a large parent. */
  readonly bytes: number;
  readonly python: string;
  readonly cc: string;
  /** Whether `--only` asks for a section or a contender, such as `start/heap/python-fork`. */
  readonly selected: (id: string) => boolean;
}

/** What is measured about one part of the package. */
export interface Suite {
  readonly name: string;
  readonly description: string;
  /** If not asked for otherwise. */
  readonly rounds: number;
  readonly discard: number;
  sections(run: Run): AsyncIterable<SectionResult>;
}
