import type { Programs } from './programs.ts';

/** What a run of this suite was asked for, and what it runs with. */
export interface Context {
  readonly programs: Programs;
  readonly rounds: number;
  /** First rounds that are run and thrown away. */
  readonly discard: number;
  readonly bytes: number;
  readonly selected: (id: string) => boolean;
}
