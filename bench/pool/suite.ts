import { compare, type Contender, type Figure } from '../harness/compare.ts';
import { numberIn, type Program } from '../harness/helper.ts';
import {
  installPackages,
  nodeProgram,
  pythonProgram,
  pythonProgramWithPackages,
  withArgument,
} from '../harness/programs.ts';
import { ratio, type SectionResult } from '../harness/section.ts';
import type { Run, Suite } from '../harness/suite.ts';

interface Case {
  readonly id: string;
  readonly title: string;
  /** What is asked of a contender, if not by the name of the case. */
  readonly request?: string;
  readonly count: number;
  readonly figure?: Figure;
  /** Each sample in a new program, which need not keep what it took. */
  readonly fresh?: boolean;
}

const tasksPerSecond = (count: number): Figure => ({
  head: 'tasks/s',
  of: (ns) => (count / ns) * 1e9,
  show: (value) => Math.round(value).toLocaleString('en'),
});
const speedUp: Figure = {
  head: 'speed-up',
  of: (ns, answer) => numberIn(answer, 'alone') / ns,
  show: ratio,
  unit: 'times',
};
const INPUT_BYTES = 256 << 20;
const gigabytesPerSecond: Figure = { head: 'GB/s', of: (ns) => INPUT_BYTES / ns, show: ratio };

const cases: readonly Case[] = [
  { id: 'cold', title: "A program's first pool of two, to its first result", request: 'open', count: 1, fresh: true },
  { id: 'again', title: 'A further pool of two in the same program', request: 'open', count: 1 },
  { id: 'chunks', title: '10,000 trivial tasks in chunks', count: 10_000, figure: tasksPerSecond(10_000) },
  { id: 'each', title: '10,000 trivial tasks one by one', count: 10_000, figure: tasksPerSecond(10_000) },
  { id: 'blocks', title: '1,000 results of 10 KiB, one by one', count: 1000, figure: tasksPerSecond(1000) },
  { id: 'cpu', title: 'Speed-up by two workers: fib(27), 64 times', request: 'cpu', count: 64, figure: speedUp },
  {
    id: 'input',
    title: '8 tasks with 256 MiB between them',
    count: INPUT_BYTES,
    figure: gigabytesPerSecond,
    fresh: true,
  },
];

const BASE = 'our-pool';
const PYTHON = 'python-pool';

const inNode: Readonly<Record<string, string>> = {
  [BASE]: 'our Pool',
  'our-pool-async': 'our Pool, async',
  'our-executor': 'our ProcessPoolExecutor',
  'our-pool-forkserver': 'our Pool, forkserver',
  'our-pool-spawn': 'our Pool, spawn',
  piscina: 'piscina (threads)',
  tinypool: 'tinypool (threads)',
  'workerpool-thread': 'workerpool (threads)',
  'workerpool-process': 'workerpool (processes)',
  'poolifier-thread': 'poolifier (threads)',
  'poolifier-cluster': 'poolifier (cluster)',
  'jest-worker-thread': 'jest-worker (threads)',
  'jest-worker-process': 'jest-worker (processes)',
  'multiprocess-pool': 'multiprocess-pool (processes)',
};
const inPython: Readonly<Record<string, string>> = {
  [PYTHON]: 'Python Pool',
  'python-executor': 'Python ProcessPoolExecutor',
};
const inEquippedPython: Readonly<Record<string, string>> = { loky: 'loky (Python)' };

const OTHER_METHODS = ['our-pool-forkserver', 'our-pool-spawn'];

/** Who takes part in some cases only. */
function takesPart(contender: string, id: string): boolean {
  if (OTHER_METHODS.includes(contender)) return id === 'cold' || id === 'again';
  // Of the pools on npm one has chunks. It speaks JSON.
  if (contender === 'multiprocess-pool') return id !== 'blocks' && id !== 'input';
  return true;
}

export const pool: Suite = {
  name: 'pool',
  description: 'pools: ours, those on npm, Python with loky',
  rounds: 7,
  discard: 1,
  sections,
};

async function* sections(run: Run): AsyncGenerator<SectionResult> {
  const contenders = prepare(run.python);
  for (const { id, title, request = id, count, figure, fresh } of cases) {
    const section = await compare(
      {
        id: `pool/${id}`,
        title,
        contenders: contenders.filter((contender) => takesPart(contender.id, id)),
        request: () => `${request} ${count}`,
        figure,
        over: { '÷ our Pool': BASE, '÷ Python Pool': PYTHON },
        fresh,
      },
      run,
    );
    if (section !== undefined) yield section;
  }
}

function prepare(python: string): Contender[] {
  const missing = installPackages('pools');
  const node = (id: string): Program =>
    missing === undefined || id.startsWith('our-')
      ? nodeProgram(new URL('./node-helper.ts', import.meta.url), id)
      : { unavailable: missing };
  const plain = pythonProgram(python, 'pools/pools.py');
  const equipped = pythonProgramWithPackages(python, 'pools/pools.py');
  const all = (labels: Readonly<Record<string, string>>, program: (id: string) => Program): Contender[] =>
    Object.entries(labels).map(([id, label]) => ({ id, label, ours: id.startsWith('our-'), program: program(id) }));
  return [
    ...all(inNode, node),
    ...all(inPython, (id) => withArgument(plain, id)),
    ...all(inEquippedPython, (id) => withArgument(equipped, id)),
  ];
}
