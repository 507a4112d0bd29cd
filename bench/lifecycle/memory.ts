import { Helper, Unavailable } from '../harness/helper.ts';
import { memoryOf } from '../harness/memory.ts';
import { megabytes, type SectionResult } from '../harness/section.ts';
import { median } from '../harness/statistics.ts';
import type { Context } from './context.ts';
import type { Programs } from './programs.ts';

const TITLE = 'Memory of an idle child, beside its parent and its siblings';
/** Idle children of each sort. */
const CHILDREN = 10;
/** A child that has come up settles down. */
const SETTLE_MS = 300;

interface Kind {
  readonly id: string;
  readonly label: string;
  readonly program: keyof Programs;
}

const kinds: readonly Kind[] = [
  { id: 'fork', label: 'our Process, fork', program: 'ours' },
  { id: 'forkserver', label: 'our Process, forkserver', program: 'ours' },
  { id: 'spawn', label: 'our Process, spawn', program: 'ours' },
  { id: 'child_process.fork', label: 'child_process.fork', program: 'rivals' },
  { id: 'worker_threads', label: 'worker_threads (growth of the process)', program: 'rivals' },
  { id: 'python-fork', label: 'Python multiprocessing, fork', program: 'python' },
  { id: 'python-forkserver', label: 'Python multiprocessing, forkserver', program: 'python' },
  { id: 'python-spawn', label: 'Python multiprocessing, spawn', program: 'python' },
];

/** Of one child. */
interface Taken {
  /** What would be free without it. */
  readonly privateBytes: number;
  /** That and its share of what it has in common with others. */
  readonly proportionalBytes: number;
}

/** What an idle child takes: private memory, and that with its share of what is shared, as the kernel counts. */
export async function memorySection(context: Context): Promise<SectionResult | undefined> {
  const wanted = kinds.filter(({ id }) => context.selected(`memory/${id}`));
  if (wanted.length === 0) return undefined;
  const data: (Taken & { readonly kind: string; readonly label: string })[] = [];
  const notes: string[] = [];
  const failures: string[] = [];
  for (const { id, label, program } of wanted) {
    try {
      data.push({ kind: id, label, ...(await measure(context.programs, program, id.replace('python-', ''))) });
    } catch (error) {
      if (error instanceof Unavailable) notes.push(`${label}: skipped: ${error.message}`);
      else failures.push(`${label}: ${(error as Error).message}`);
    }
  }
  const rows = data.map((one) => [one.label, megabytes(one.privateBytes), megabytes(one.proportionalBytes)]);
  return {
    id: 'memory',
    title: TITLE,
    head: ['', 'private', 'with its share'],
    rows,
    notes,
    failures,
    unit: 'bytes',
    measured: data.map(({ kind, label, privateBytes }) => {
      const ours = kinds.find(({ id }) => id === kind)?.program === 'ours';
      return { id: kind, label, ours, median: privateBytes };
    }),
    data,
  };
}

async function measure(programs: Programs, program: keyof Programs, kind: string): Promise<Taken> {
  if (process.platform !== 'linux') throw new Unavailable('only Linux tells what is private');
  await using helper = await Helper.start(programs[program]);
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const own = (pid: number): Taken => {
    const { privateBytes = 0, proportionalBytes = 0 } = memoryOf(pid);
    return { privateBytes, proportionalBytes };
  };
  // The first one makes what all have in common.
  await helper.request(`idle ${kind}`);
  await settle();
  const before = own(helper.pid);
  const pids: unknown[] = [];
  for (let i = 0; i < CHILDREN; i += 1) pids.push((await helper.request(`idle ${kind}`))['pid']);
  await settle();
  const taken = pids.filter((pid) => typeof pid === 'number').map(own);
  const after = own(helper.pid);
  await helper.request('release');
  const middle = (field: keyof Taken): number =>
    taken.length > 0 ? median(taken.map((one) => one[field])) : (after[field] - before[field]) / CHILDREN;
  return { privateBytes: middle('privateBytes'), proportionalBytes: middle('proportionalBytes') };
}
