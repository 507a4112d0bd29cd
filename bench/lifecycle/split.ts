import { Helper, numberIn, Unavailable } from '../harness/helper.ts';
import { duration, type SectionResult, spread, unmeasured } from '../harness/section.ts';
import { median, summarize } from '../harness/statistics.ts';
import type { Parent } from './contenders.ts';
import type { Context } from './context.ts';

/** The stages that the package reports for its last fork, in the order in which they happen. */
const STAGES = [
  ['quietNs', 'wait until all threads are quiet'],
  ['mappingsNs', 'find and open the mappings'],
  ['forkNs', 'fork, until it returns in the parent'],
  ['childSetupNs', 'child: from fork to the target'],
  ['runNs', 'child: the target'],
  ['exitNs', 'child: flush and exit'],
  ['reapNs', 'parent: notice and reap'],
] as const;

/** Where the time of `start()` and `join()` goes; nothing when the package was built without `lastForkTimings`. */
export async function splitSection(context: Context, parent: Parent): Promise<SectionResult | undefined> {
  const id = `split/${parent.id}`;
  if (!context.selected(`${id}/process`)) return undefined;
  const title = `Where the time of start() and join() goes, ${parent.label(context.bytes)}`;
  try {
    const measured = await measure(context, parent);
    return measured && report(id, title, measured);
  } catch (error) {
    return error instanceof Unavailable ? undefined : unmeasured(id, title, error);
  }
}

interface Measured {
  readonly totals: readonly number[];
  readonly stages: ReadonlyMap<string, readonly number[]>;
}

async function measure(context: Context, parent: Parent): Promise<Measured | undefined> {
  await using helper = await Helper.start(context.programs.ours);
  if (parent.id !== 'small') await helper.request(`grow ${parent.id} ${context.bytes}`);
  const totals: number[] = [];
  const stages = new Map<string, number[]>(STAGES.map(([name]) => [name, []]));
  for (let round = 0; round < context.discard + context.rounds; round += 1) {
    const answer = await helper.request('sample process');
    const split = answer['split'] as Record<string, number> | null | undefined;
    if (split === undefined || split === null) return undefined;
    if (round < context.discard) continue;
    totals.push(numberIn(answer, 'ns'));
    for (const [name, samples] of stages) {
      const ns = split[name];
      if (ns !== undefined) samples.push(ns);
    }
  }
  return { totals, stages };
}

function report(id: string, title: string, { totals, stages }: Measured): SectionResult {
  const whole = median(totals);
  const row = (label: string, samples: readonly number[]): string[] => [
    label,
    duration(median(samples)),
    spread(summarize(samples)),
    `${((100 * median(samples)) / whole).toFixed(0)} %`,
  ];
  const measured = STAGES.filter(([name]) => stages.get(name)?.length === totals.length);
  // Stages of parent and child can overlap, so what is left over may be negative.
  const leftOver = totals.map(
    (total, i) => total - measured.reduce((sum, [name]) => sum + (stages.get(name)?.[i] ?? 0), 0),
  );
  return {
    id,
    title,
    head: ['', 'median', 'p10–p90', 'of the whole'],
    rows: [
      ...measured.map(([name, label]) => row(label, stages.get(name) ?? [])),
      row('everything else', leftOver),
      row('whole', totals),
    ],
    notes: [],
    failures: [],
    data: {
      whole: summarize(totals),
      stages: Object.fromEntries(measured.map(([name]) => [name, summarize(stages.get(name) ?? [])])),
    },
  };
}
