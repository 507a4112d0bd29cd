import type { Run } from '../harness/suite.ts';
import type { Programs } from './programs.ts';

/** What a run of this suite was asked for, and what it runs with. */
export interface Context extends Run {
  readonly programs: Programs;
}
