import { rotated } from '../harness/compare.ts';
import { numberIn } from '../harness/helper.ts';
import type { Memory } from '../harness/memory.ts';
import { duration, megabytes, ratio, type SectionResult, spread } from '../harness/section.ts';
import { summarize } from '../harness/statistics.ts';
import { contenders, Entrant, fill, type Parent, PYTHON_FORK, PYTHON_PROCESS } from './contenders.ts';
import type { Context } from './context.ts';

/** Start and join of a trivial target: every contender once a round, so that a slow moment of the machine hits all alike. */
export async function startSection(context: Context, parent: Parent): Promise<SectionResult | undefined> {
  const id = `start/${parent.id}`;
  const entrants = contenders
    .filter((one) => (parent.only?.includes(one.id) ?? true) && context.selected(`${id}/${one.id}`))
    .map((one) => new Entrant(one));
  if (entrants.length === 0) return undefined;
  for (const entrant of entrants) await entrant.enter(context.programs);
  await fill(entrants, parent, context.bytes);
  for (let round = 0; round < context.discard + context.rounds; round += 1) {
    for (const entrant of rotated(entrants, round)) {
      await entrant.attempt(async (helper) => {
        const ns = numberIn(await helper.request(`sample ${entrant.contender.sample}`), 'ns');
        if (round >= context.discard) entrant.samples.push(ns);
      });
    }
  }
  for (const entrant of entrants) await entrant.leave();
  return report(id, parent, entrants, context);
}

function report(id: string, parent: Parent, entrants: readonly Entrant[], context: Context): SectionResult {
  const results = entrants.map((entrant) => ({
    contender: entrant.contender.id,
    label: entrant.contender.label,
    out: entrant.out ?? null,
    memory: entrant.memory ?? null,
    ...summarize(entrant.samples),
    samples: entrant.samples,
  }));
  const medianOf = (contender: string): number =>
    results.find((one) => one.contender === contender && one.out === null)?.median ?? Number.NaN;
  const baselines = { process: medianOf(PYTHON_PROCESS), fork: medianOf(PYTHON_FORK) };
  const measured = results.filter((one) => one.out === null);
  return {
    id,
    title: `Start and end, ${parent.label(context.bytes)}`,
    head: ['', 'median', 'p10–p90', '÷ multiprocessing', '÷ os.fork', 'resident', 'page tables'],
    rows: measured.map((one) => [
      one.label,
      duration(one.median),
      spread(one),
      ratio(one.median / baselines.process),
      ratio(one.median / baselines.fork),
      megabytes(one.memory?.residentBytes),
      megabytes(one.memory?.pageTableBytes),
    ]),
    notes: [...entrants.flatMap(skipped), ...measured.flatMap(hugePages)],
    failures: entrants.flatMap(({ contender, out }) =>
      out?.failed === true ? [`${contender.label}: ${out.reason}`] : [],
    ),
    unit: 'ns',
    measured: measured.map(({ contender, label, count, median, p10, p90 }) => {
      const ours = contenders.find(({ id }) => id === contender)?.program === 'ours';
      return { id: contender, label, ours, count, median, p10, p90 };
    }),
    data: results,
  };
}

const skipped = ({ contender, out }: Entrant): string[] =>
  out?.failed === false ? [`${contender.label}: skipped: ${out.reason}`] : [];

const hugePages = ({ label, memory }: { label: string; memory: Memory | null }): string[] =>
  (memory?.hugeBytes ?? 0) > 0.05 * (memory?.residentBytes ?? 0)
    ? [`${label}: ${megabytes(memory?.hugeBytes)} in huge pages, which a fork copies for next to nothing`]
    : [];
