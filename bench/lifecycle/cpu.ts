import { type Answer, Helper, Unavailable } from '../harness/helper.ts';
import { bad, duration, good, type SectionResult, unmeasured } from '../harness/section.ts';
import { median, quantile } from '../harness/statistics.ts';
import type { Context } from './context.ts';
import { kernels } from './kernels.ts';

const TITLE = 'Speed of CPU-bound code in a child (1.00: as fast as in the parent)';
const SPEED_WANTED = 0.95;
/** A sample runs for about 0.2 s, not for milliseconds, so fewer of them do. */
const ROUNDS_SHARE = 0.25;

/** One run of a kernel. */
interface Run {
  /** From the first call of a function that was never optimised. */
  readonly wholeNs: number;
  /** A slice of the last half, when all is compiled. */
  readonly hotNs: number;
}

interface Round {
  readonly parents: readonly [Run, Run];
  readonly children: readonly [Run, Run];
}

/** CPU-bound code in a child against the same code in its parent, each with a copy that was never optimised before. */
export async function cpuSection(context: Context): Promise<SectionResult | undefined> {
  const kinds = Object.keys(kernels).filter((kind) => context.selected(`cpu/${kind}`));
  if (kinds.length === 0) return undefined;
  const rounds = Math.max(3, Math.round(context.rounds * ROUNDS_SHARE));
  const results = new Map<string, Round[]>(kinds.map((kind) => [kind, []]));
  const failures: string[] = [];
  for (const [kind, samples] of results) {
    try {
      await using helper = await Helper.start(context.programs.ours);
      for (let round = 0; round < rounds + 1; round += 1) {
        const sample = await measure(helper, kind, round % 2 === 0);
        if (round > 0) samples.push(sample);
      }
    } catch (error) {
      if (error instanceof Unavailable) {
        return unmeasured('cpu', TITLE, error);
      }
      samples.length = 0;
      failures.push(`${kind}: ${(error as Error).message}`);
    }
  }
  return report(results, failures);
}

/** Parent and child twice, the other one first in the next round: two runs of each also show how much the machine varies. */
async function measure(helper: Helper, kind: string, parentFirst: boolean): Promise<Round> {
  const one = async (where: string): Promise<Run> => run(await helper.request(`cpu ${kind} ${where}`));
  const order = parentFirst ? ['parent', 'child', 'parent', 'child'] : ['child', 'parent', 'child', 'parent'];
  const runs: Run[] = [];
  for (const where of order) runs.push(await one(where));
  const [first, second, third, fourth] = runs as [Run, Run, Run, Run];
  return parentFirst
    ? { parents: [first, third], children: [second, fourth] }
    : { parents: [second, fourth], children: [first, third] };
}

function run(answer: Answer): Run {
  const slices = answer['slicesNs'] as number[];
  return {
    wholeNs: slices.reduce((sum, slice) => sum + slice, 0),
    hotNs: median(slices.slice(slices.length / 2)),
  };
}

function report(results: ReadonlyMap<string, readonly Round[]>, failures: readonly string[]): SectionResult {
  const measured = [...results].filter(([, rounds]) => rounds.length > 0);
  const data = measured.map(([kind, rounds]) => ({
    kind,
    parentNs: median(rounds.flatMap(({ parents }) => parents.map((one) => one.wholeNs))),
    childNs: median(rounds.flatMap(({ children }) => children.map((one) => one.wholeNs))),
    whole: speeds(rounds, (one) => one.wholeNs),
    hot: speeds(rounds, (one) => one.hotNs),
    rounds,
  }));
  return {
    id: 'cpu',
    title: TITLE,
    head: ['', 'parent', 'child', 'speed from cold', 'once hot', 'p10–p90', 'parent against itself'],
    rows: data.map((one) => [
      one.kind,
      duration(one.parentNs),
      duration(one.childNs),
      verdict(one.whole.median),
      verdict(one.hot.median),
      `${one.hot.p10.toFixed(2)}–${one.hot.p90.toFixed(2)}`,
      `${one.hot.selfLow.toFixed(2)}–${one.hot.selfHigh.toFixed(2)}`,
    ]),
    notes: [],
    failures,
    unit: 'times',
    measured: data.map(({ kind, hot: { median, p10, p90 } }) => ({
      id: kind,
      label: kind,
      ours: true,
      median,
      p10,
      p90,
    })),
    data,
  };
}

/** Compared within each round, so that a slow minute of the machine cancels out. */
function speeds(rounds: readonly Round[], of: (run: Run) => number) {
  const ratios = rounds.map(({ parents, children }) => {
    return (of(parents[0]) + of(parents[1])) / (of(children[0]) + of(children[1]));
  });
  const self = rounds.map(({ parents }) => of(parents[0]) / of(parents[1]));
  return {
    median: median(ratios),
    p10: quantile(ratios, 0.1),
    p90: quantile(ratios, 0.9),
    selfLow: quantile(self, 0.1),
    selfHigh: quantile(self, 0.9),
  };
}

function verdict(speed: number): string {
  return speed >= SPEED_WANTED ? good(speed.toFixed(2)) : bad(speed.toFixed(2));
}
