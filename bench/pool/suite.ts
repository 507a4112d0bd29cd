import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError } from 'commander';

import { describeEnvironment, environmentLines } from '../harness/environment.ts';
import { Helper, numberIn, Unavailable, type Program } from '../harness/helper.ts';
import { installPackages, pythonProgram, pythonProgramWithPackages } from '../harness/programs.ts';
import { duration, printSection, ratio, spread, type SectionResult } from '../harness/report.ts';
import { median, summarize } from '../harness/statistics.ts';

interface Options {
  readonly rounds: number;
  readonly only?: RegExp;
  readonly json?: string;
  readonly python: string;
}

interface Case {
  readonly id: string;
  readonly title: string;
  /** What is asked of a contender, if not by the name of the case. */
  readonly request?: string;
  readonly count: number;
  /** What more there is to say of a sample than its time. */
  readonly figure?: Figure;
  /** Each sample in a new program, which need not keep what it took. */
  readonly fresh?: boolean;
}

interface Sample {
  readonly ns: number;
  /** The same work without a pool. */
  readonly alone: number;
  readonly count: number;
}

interface Figure {
  readonly head: string;
  readonly of: (sample: Sample) => number;
  readonly show: (value: number) => string;
}

const tasksPerSecond: Figure = {
  head: 'tasks/s',
  of: ({ ns, count }) => (count / ns) * 1e9,
  show: (value) => Math.round(value).toLocaleString('en'),
};
const speedUp: Figure = { head: 'speed-up', of: ({ ns, alone }) => alone / ns, show: ratio };
const gigabytesPerSecond: Figure = { head: 'GB/s', of: ({ ns, count }) => count / ns, show: ratio };

const cases: readonly Case[] = [
  { id: 'cold', title: "a program's first pool of two, to its first result", request: 'open', count: 1, fresh: true },
  { id: 'again', title: 'a further pool of two in the same program', request: 'open', count: 1 },
  { id: 'chunks', title: '10,000 trivial tasks in chunks', count: 10_000, figure: tasksPerSecond },
  { id: 'each', title: '10,000 trivial tasks one by one', count: 10_000, figure: tasksPerSecond },
  { id: 'blocks', title: '1,000 results of 10 KiB, one by one', count: 1000, figure: tasksPerSecond },
  { id: 'cpu', title: 'fib(27), 64 times', count: 64, figure: speedUp },
  {
    id: 'input',
    title: '8 tasks with 256 MiB between them',
    count: 256 << 20,
    figure: gigabytesPerSecond,
    fresh: true,
  },
];

const BASE = 'our-pool';
const PYTHON = 'python-pool';
const inNode = [
  BASE,
  'our-pool-async',
  'our-executor',
  'our-pool-forkserver',
  'our-pool-spawn',
  'piscina',
  'tinypool',
  'workerpool-thread',
  'workerpool-process',
  'poolifier-thread',
  'poolifier-cluster',
  'jest-worker-thread',
  'jest-worker-process',
  'multiprocess-pool',
];
const inPython = [PYTHON, 'python-executor'];
const inEquippedPython = ['loky'];

/** Who takes part in some cases only. */
const only: Record<string, (id: string) => boolean> = {
  'our-pool-forkserver': (id) => id === 'cold' || id === 'again',
  'our-pool-spawn': (id) => id === 'cold' || id === 'again',
  'multiprocess-pool': (id) => id !== 'blocks' && id !== 'input', // it speaks JSON
};

export function poolCommand(): Command {
  return new Command('pool')
    .description('pools: ours, those on npm, and Python with loky')
    .option('--rounds <n>', 'measured rounds', positive, 7)
    .option('--only <regex>', "cases and contenders, such as 'cold', 'python' or 'each/piscina'", regex)
    .option('--json <file>', 'write all results to a file')
    .option('--python <command>', 'the Python to compare with', 'python3')
    .action(run);
}

async function run(options: Options, command: Command): Promise<void> {
  const environment = describeEnvironment(options.python, 'cc');
  for (const line of environmentLines(environment)) console.log(line);
  console.log(`${options.rounds} rounds after a discarded one, all contenders in turn`);
  const programs = preparePrograms(options.python);
  const sections: SectionResult[] = [];
  for (const one of cases) {
    const contenders = [...programs].filter(
      ([label]) => (only[label]?.(one.id) ?? true) && (options.only?.test(`${one.id}/${label}`) ?? true),
    );
    if (contenders.length === 0) continue;
    const section = await measure(one, new Map(contenders), options.rounds);
    printSection(section);
    sections.push(section);
  }
  if (sections.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
  if (sections.length === 0) command.error('nothing measured: --only matches no case and no contender');
  if (options.json !== undefined) {
    const results = sections.map(({ id, title, notes, failures, data }) => ({ id, title, notes, failures, data }));
    writeFileSync(
      options.json,
      `${JSON.stringify({ environment, rounds: options.rounds, sections: results }, null, 2)}\n`,
    );
  }
}

function preparePrograms(python: string): Map<string, Program> {
  const helper = fileURLToPath(new URL(`./node-helper${path.extname(import.meta.url)}`, import.meta.url));
  const missing = installPackages('pools');
  const node = (name: string): Program =>
    missing === undefined || name.startsWith('our-')
      ? { file: process.execPath, args: [...process.execArgv, helper, name] }
      : { unavailable: missing };
  const named = (program: Program, name: string): Program =>
    'args' in program ? { ...program, args: [...program.args, name] } : program;
  const plain = pythonProgram(python, 'pools/pools.py');
  const equipped = pythonProgramWithPackages(python, 'pools/pools.py');
  return new Map([
    ...inNode.map((name) => [name, node(name)] as const),
    ...inPython.map((name) => [name, named(plain, name)] as const),
    ...inEquippedPython.map((name) => [name, named(equipped, name)] as const),
  ]);
}

/** All contenders in one case: one sample of each a round, and another one goes first in each round. */
async function measure(one: Case, programs: Map<string, Program>, rounds: number): Promise<SectionResult> {
  const notes: string[] = [];
  const failures: string[] = [];
  const helpers = new Map<string, Helper>();
  const samples = new Map([...programs.keys()].map((label) => [label, [] as Sample[]]));
  const sampleOf = async (label: string, program: Program): Promise<Sample> => {
    const helper = helpers.get(label) ?? (await Helper.start(program));
    helpers.set(label, helper);
    const answer = await helper.request(`${one.request ?? one.id} ${one.count}`);
    const ns = numberIn(answer, 'ns');
    if (one.fresh === true) {
      helpers.delete(label);
      await helper.stop();
    }
    return { ns, alone: 'alone' in answer ? numberIn(answer, 'alone') : ns, count: one.count };
  };
  for (let round = 0; round <= rounds; round += 1) {
    const labels = [...samples.keys()];
    const first = round % labels.length;
    for (const label of [...labels.slice(first), ...labels.slice(0, first)]) {
      try {
        const sample = await sampleOf(label, programs.get(label) as Program);
        if (round > 0) samples.get(label)?.push(sample);
      } catch (error) {
        (error instanceof Unavailable ? notes : failures).push(`${label}: ${(error as Error).message}`);
        samples.delete(label);
        helpers.get(label)?.kill();
      }
    }
  }
  for (const helper of helpers.values()) await helper.stop();
  return report(one, samples, notes, failures);
}

function report(
  { id, title, figure }: Case,
  samples: ReadonlyMap<string, readonly Sample[]>,
  notes: readonly string[],
  failures: readonly string[],
): SectionResult {
  const times = (label: string): number[] | undefined => samples.get(label)?.map(({ ns }) => ns);
  const over = (value: number, label: string): string => {
    const base = times(label);
    return ratio(base === undefined ? undefined : value / median(base));
  };
  const results = [...samples].map(([label, taken]) => ({ label, ...summarize(times(label) ?? []), taken }));
  return {
    id: `pool/${id}`,
    title,
    head: ['', 'median', 'p10–p90', ...(figure ? [figure.head] : []), `÷ ${BASE}`, `÷ ${PYTHON}`],
    rows: results.map(({ label, taken, ...summary }) => [
      label,
      duration(summary.median),
      spread(summary),
      ...(figure ? [figure.show(median(taken.map(figure.of)))] : []),
      over(summary.median, BASE),
      over(summary.median, PYTHON),
    ]),
    notes,
    failures,
    data: results,
  };
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on, please');
  return value;
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
