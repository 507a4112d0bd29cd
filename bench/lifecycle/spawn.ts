import { Helper, numberIn } from '../harness/helper.ts';
import { bad, duration, good, type SectionResult, unmeasured } from '../harness/section.ts';
import { median, summarize } from '../harness/statistics.ts';
import type { Parent } from './contenders.ts';
import type { Context } from './context.ts';

const FORKS = 50;
const RATIO_WANTED = 1.15;

/** Samples of `child_process.spawn`: until the call returns, and until the program's exit event. */
interface Samples {
  readonly call: number[];
  readonly exit: number[];
}

interface Results {
  readonly forker: { readonly before: Samples; readonly after: Samples };
  readonly control: { readonly before: Samples; readonly after: Samples };
}

/**
 * Whether our forks make the program's later `child_process.spawn` slower, which they would if memory that Node keeps out of a
 * fork stayed in. A second program that never forks is measured in turn with the first, so that the machine's moods cancel out.
 */
export async function spawnSection(context: Context, parent: Parent): Promise<SectionResult | undefined> {
  const id = `spawn/${parent.id}`;
  if (!context.selected(`${id}/process`)) return undefined;
  const title = `child_process.spawn before and after ${FORKS} forks, ${parent.label(context.bytes)}`;
  try {
    return report(id, title, await measure(context, parent));
  } catch (error) {
    return unmeasured(id, title, error);
  }
}

async function measure(context: Context, parent: Parent): Promise<Results> {
  await using forker = await Helper.start(context.programs.ours);
  await using control = await Helper.start(context.programs.ours);
  if (parent.id !== 'small') {
    for (const helper of [forker, control]) await helper.request(`grow ${parent.id} ${context.bytes}`);
  }
  const results: Results = {
    forker: { before: { call: [], exit: [] }, after: { call: [], exit: [] } },
    control: { before: { call: [], exit: [] }, after: { call: [], exit: [] } },
  };
  for (const phase of ['before', 'after'] as const) {
    for (let round = 0; round < context.discard + context.rounds; round += 1) {
      for (const [name, helper] of Object.entries({ forker, control }) as ['forker' | 'control', Helper][]) {
        const answer = await helper.request('sample spawn');
        if (round < context.discard) continue;
        results[name][phase].call.push(numberIn(answer, 'callNs'));
        results[name][phase].exit.push(numberIn(answer, 'ns'));
      }
    }
    if (phase === 'after') break;
    for (let fork = 0; fork < FORKS; fork += 1) await forker.request('sample process');
  }
  return results;
}

function report(id: string, title: string, { forker, control }: Results): SectionResult {
  const data = (['call', 'exit'] as const).map((what) => {
    const medians = {
      before: median(forker.before[what]),
      after: median(forker.after[what]),
      controlBefore: median(control.before[what]),
      controlAfter: median(control.after[what]),
    };
    return {
      what,
      ...medians,
      ratio: medians.after / medians.before / (medians.controlAfter / medians.controlBefore),
      samples: { before: summarize(forker.before[what]), after: summarize(forker.after[what]) },
    };
  });
  return {
    id,
    title,
    head: ['', 'before', 'after', 'never forked: before', 'after', 'ratio'],
    rows: data.map((one) => [
      one.what === 'call' ? 'until spawn() returns' : 'until the exit event',
      duration(one.before),
      duration(one.after),
      duration(one.controlBefore),
      duration(one.controlAfter),
      one.ratio <= RATIO_WANTED ? good(one.ratio.toFixed(2)) : bad(one.ratio.toFixed(2)),
    ]),
    notes: [],
    failures: [],
    data,
  };
}
