import { type Answer, Helper, numberIn, type Program, Unavailable } from './helper.ts';
import { duration, type Measured, ratio, type SectionResult, spread, type Unit } from './section.ts';
import { median, summarize } from './statistics.ts';
import type { Run } from './suite.ts';

export interface Contender {
  readonly id: string;
  readonly label: string;
  readonly ours: boolean;
  readonly program: Program;
}

/** What more there is to say of a sample than its time. */
export interface Figure {
  readonly head: string;
  readonly of: (ns: number, answer: Answer) => number;
  readonly show: (value: number) => string;
  /** It, not the time, is what contenders are compared by. */
  readonly unit?: Unit;
}

export const perSecond: Figure = {
  head: 'per second',
  of: (ns) => 1e9 / ns,
  show: (value) => Math.round(value).toLocaleString('en'),
};

/** The same question to several contenders. */
export interface Comparison {
  readonly id: string;
  readonly title: string;
  readonly contenders: readonly Contender[];
  readonly request: (contender: Contender) => string;
  readonly figure: Figure | undefined;
  /** Columns with ratios: their heads, and the contenders that the others are divided by. */
  readonly over: Readonly<Record<string, string>>;
  /** Each sample in a new program. */
  readonly fresh?: boolean | undefined;
}

interface Sample {
  readonly ns: number;
  readonly answer: Answer;
}

/**
 * Each contender is a program of its own, started for this comparison alone. One sample of each a round, and another one goes
 * first in each round, so that a slow moment of the machine hits all alike.
 */
export async function compare(comparison: Comparison, run: Run): Promise<SectionResult | undefined> {
  const contenders = comparison.contenders.filter(({ id }) => run.selected(`${comparison.id}/${id}`));
  if (contenders.length === 0) return undefined;
  const notes: string[] = [];
  const failures: string[] = [];
  const helpers = new Map<Contender, Helper>();
  const samples = new Map(contenders.map((contender) => [contender, [] as Sample[]]));
  const sampleOf = async (contender: Contender): Promise<Sample> => {
    const helper = helpers.get(contender) ?? (await Helper.start(contender.program));
    helpers.set(contender, helper);
    const answer = await helper.request(comparison.request(contender));
    if (comparison.fresh === true) {
      helpers.delete(contender);
      await helper.stop();
    }
    return { ns: numberIn(answer, 'ns'), answer };
  };
  for (let round = 0; round < run.discard + run.rounds; round += 1) {
    for (const contender of rotated([...samples.keys()], round)) {
      try {
        const sample = await sampleOf(contender);
        if (round >= run.discard) samples.get(contender)?.push(sample);
      } catch (error) {
        (error instanceof Unavailable ? notes : failures).push(`${contender.label}: ${(error as Error).message}`);
        samples.delete(contender);
        helpers.get(contender)?.kill();
      }
    }
  }
  for (const helper of helpers.values()) await helper.stop();
  return { ...report(comparison, samples), notes, failures };
}

function report({ id, title, figure, over }: Comparison, samples: ReadonlyMap<Contender, readonly Sample[]>) {
  const results = [...samples].map(([{ program: _, ...contender }, taken]) => {
    const figures = figure ? taken.map(({ ns, answer }) => figure.of(ns, answer)) : [];
    return { contender, figures, times: summarize(taken.map(({ ns }) => ns)), samples: taken.map(({ ns }) => ns) };
  });
  const medianOf = (id: string): number =>
    results.find(({ contender }) => contender.id === id)?.times.median ?? Number.NaN;
  return {
    id,
    title,
    head: ['', 'median', 'p10–p90', ...(figure ? [figure.head] : []), ...Object.keys(over)],
    rows: results.map(({ contender, times, figures }) => [
      contender.label,
      duration(times.median),
      spread(times),
      ...(figure ? [figure.show(median(figures))] : []),
      ...Object.values(over).map((base) => ratio(times.median / medianOf(base))),
    ]),
    unit: figure?.unit ?? ('ns' as const),
    measured: results.map(({ contender, times, figures }): Measured => {
      return { ...contender, ...(figure?.unit === undefined ? times : summarize(figures)) };
    }),
    data: results,
  };
}

/** Another one goes first in each round. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
