import { compare, perSecond, type Contender } from '../harness/compare.ts';
import {
  nodeProgram,
  onOneProcessor,
  pythonProgram,
  pythonProgramWithPackages,
  withArgument,
} from '../harness/programs.ts';
import type { SectionResult } from '../harness/section.ts';
import type { Run, Suite } from '../harness/suite.ts';

interface Case {
  readonly id: string;
  readonly title: string;
  readonly request: string;
  readonly count: number;
  /** With one processor for all. */
  readonly onOne?: boolean;
}

/** What is asked of each contender, once a round: fewer messages of those that are slower. */
const cases: readonly Case[] = [
  { id: 'int', title: 'Small integers, 1 to 1', request: 'stream int 1 1', count: 200_000 },
  { id: 'object', title: 'Objects with 5 keys, 1 to 1', request: 'stream object 1 1', count: 100_000 },
  { id: '64k', title: 'Buffers of 64 KiB, 1 to 1', request: 'stream 65536 1 1', count: 8_000 },
  { id: '1m', title: 'Buffers of 1 MiB, 1 to 1', request: 'stream 1048576 1 1', count: 600 },
  { id: 'int-2-2', title: 'Small integers, 2 to 2', request: 'stream int 2 2', count: 200_000 },
  { id: 'int-1-4', title: 'Small integers, 1 to 4', request: 'stream int 1 4', count: 200_000 },
  { id: 'int-4-1', title: 'Small integers, 4 to 1', request: 'stream int 4 1', count: 200_000 },
  { id: 'roundtrip', title: 'A small message there and back', request: 'roundtrip', count: 20_000 },
  {
    id: 'roundtrip-alone',
    title: 'A small message there and back, both on one processor',
    request: 'roundtrip',
    count: 20_000,
    onOne: true,
  },
];

const PYTHON = 'python-queue';

const isBuffers = (id: string): boolean => id === '64k' || id === '1m';
const isOneToOne = (id: string): boolean => !id.startsWith('int-');

interface Entry {
  readonly label: string;
  /** The role of the helper, or its name in foreign/queues.py. */
  readonly role: string;
  readonly in: 'ours' | 'node' | 'python' | 'equipped python';
  /** A part of the messages is enough for those that take long over each; more are needed of those that take little. */
  readonly share?: number;
  readonly can?: (id: string) => boolean;
}

const inBatches = (id: string): boolean => !isBuffers(id) && !id.startsWith('roundtrip');

const entries: Readonly<Record<string, Entry>> = {
  'our-queue': { label: 'our Queue', role: 'queue', in: 'ours' },
  'our-queue-batches': { label: 'our Queue, batches of 1,000', role: 'batches', in: 'ours', share: 10, can: inBatches },
  'our-queue-async': { label: 'our Queue, await getAsync()', role: 'async', in: 'ours', can: isOneToOne },
  'our-pipe': { label: 'our Pipe', role: 'pipe', in: 'ours', can: isOneToOne },
  [PYTHON]: { label: 'Python Queue', role: 'Queue', in: 'python', share: 0.1 },
  'python-simplequeue': { label: 'Python SimpleQueue', role: 'SimpleQueue', in: 'python', share: 0.1 },
  'python-pipe': { label: 'Python Pipe', role: 'Pipe', in: 'python', share: 0.25, can: isOneToOne },
  'faster-fifo': { label: 'faster-fifo (Python)', role: 'faster-fifo', in: 'equipped python' },
  'faster-fifo-batches': {
    label: 'faster-fifo, batches of 1,000',
    role: 'faster-fifo-batches',
    in: 'equipped python',
    can: inBatches,
  },
  worker_threads: { label: 'worker_threads, postMessage', role: 'threads', in: 'node', can: isOneToOne },
  'worker_threads-blocking': {
    label: 'worker_threads, blocking',
    role: 'threads-blocking',
    in: 'node',
    can: isOneToOne,
  },
  'ipc-json': {
    label: 'child_process, json',
    role: 'ipc',
    in: 'node',
    share: 0.1,
    can: (id) => isOneToOne(id) && !isBuffers(id),
  },
  'ipc-advanced': {
    label: 'child_process, advanced',
    role: 'ipc-advanced',
    in: 'node',
    share: 0.1,
    can: isOneToOne,
  },
};

export const queue: Suite = {
  name: 'queue',
  description: 'queues and pipes: ours, Python, faster-fifo, worker_threads, child_process',
  rounds: 7,
  discard: 1,
  sections,
};

async function* sections(run: Run): AsyncGenerator<SectionResult> {
  const python = pythonProgram(run.python, 'queues.py');
  const equipped = pythonProgramWithPackages(run.python, 'queues.py');
  const contenders = Object.entries(entries).map(([id, entry]): Contender => {
    const { label, role } = entry;
    if (entry.in === 'python' || entry.in === 'equipped python') {
      return { id, label, ours: false, program: withArgument(entry.in === 'python' ? python : equipped, role) };
    }
    const program = nodeProgram(new URL('./node-helper.ts', import.meta.url), role);
    return { id, label, ours: entry.in === 'ours', program };
  });
  for (const { id, title, request, count, onOne } of cases) {
    const section = await compare(
      {
        id: `queue/${id}`,
        title,
        contenders: contenders
          .filter((contender) => entries[contender.id]?.can?.(id) ?? true)
          .map((contender) => (onOne ? { ...contender, program: onOneProcessor(contender.program) } : contender)),
        request: (contender) => `${request} ${Math.round(count * (entries[contender.id]?.share ?? 1))}`,
        figure: perSecond,
        over: { '÷ Python Queue': PYTHON },
      },
      run,
    );
    if (section !== undefined) yield section;
  }
}
