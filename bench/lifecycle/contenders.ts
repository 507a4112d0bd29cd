import { Helper, Unavailable } from '../harness/helper.ts';
import { growTo, type Memory, memoryOf } from '../harness/memory.ts';
import type { Programs } from './programs.ts';

/** One way of starting something and waiting for its end. */
export interface Contender {
  readonly id: string;
  readonly label: string;
  readonly program: keyof Programs;
  readonly sample: string;
}

export const OURS = 'process';
export const PYTHON_PROCESS = 'python-process';
export const PYTHON_FORK = 'python-fork';

export const contenders: readonly Contender[] = [
  { id: OURS, label: 'our Process, fork', program: 'ours', sample: 'process' },
  { id: 'forkserver', label: 'our Process, forkserver', program: 'ours', sample: 'forkserver' },
  { id: 'forkserver-many', label: 'our Process, forkserver, 20 at once', program: 'ours', sample: 'forkserver-many' },
  { id: 'spawn', label: 'our Process, spawn', program: 'ours', sample: 'spawn-process' },
  { id: 'node', label: 'node -e 0', program: 'rivals', sample: 'node-e-0' },
  { id: 'fork', label: 'our fork(), _exit, waitpid', program: 'ours', sample: 'fork' },
  { id: PYTHON_PROCESS, label: 'Python multiprocessing, fork', program: 'python', sample: 'process' },
  { id: 'python-forkserver', label: 'Python multiprocessing, forkserver', program: 'python', sample: 'forkserver' },
  { id: 'python-spawn', label: 'Python multiprocessing, spawn', program: 'python', sample: 'spawn' },
  { id: PYTHON_FORK, label: 'Python os.fork, _exit, waitpid', program: 'python', sample: 'fork' },
  {
    id: 'child-process-fork',
    label: 'child_process.fork, empty script',
    program: 'rivals',
    sample: 'child_process.fork',
  },
  { id: 'worker-threads', label: 'worker_threads, empty script', program: 'rivals', sample: 'worker_threads' },
  { id: 'c', label: 'C fork, _exit, waitpid', program: 'c', sample: 'fork' },
];

/** How large the parent is, and what of. */
export interface Parent {
  readonly id: 'small' | 'heap' | 'buffers' | 'gigabyte';
  /** What of it. @default its id */
  readonly kind?: 'heap' | 'buffers';
  /** Its size, whatever else is asked for. */
  readonly bytes?: number;
  /** The contenders that have one: that many fit into memory. */
  readonly only?: readonly string[];
  readonly label: (bytes: number) => string;
}

const GIGABYTE = 1e9;

const size = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

export const parents: readonly Parent[] = [
  { id: 'small', label: () => 'small parent' },
  { id: 'heap', label: (bytes) => `parent with ${size(bytes)} of small objects` },
  { id: 'buffers', label: (bytes) => `parent with ${size(bytes)} of buffers` },
  {
    id: 'gigabyte',
    kind: 'heap',
    bytes: GIGABYTE,
    only: [OURS, 'forkserver', 'spawn', PYTHON_PROCESS, 'child-process-fork'],
    label: () => `parent with ${size(GIGABYTE)} of small objects`,
  },
];

/** A contender in its own program, ready for samples; or why it is out. */
export class Entrant {
  readonly contender: Contender;
  readonly samples: number[] = [];
  memory: Memory | undefined;
  out: { readonly reason: string; readonly failed: boolean } | undefined;
  #helper: Helper | undefined;

  constructor(contender: Contender) {
    this.contender = contender;
  }

  async enter(programs: Programs): Promise<void> {
    await this.attempt(async () => {
      this.#helper = await Helper.start(programs[this.contender.program]);
    });
  }

  /** Does something with the helper, unless this contender is out already; a failure puts it out for good. */
  async attempt(work: (helper: Helper) => Promise<void>): Promise<void> {
    if (this.out !== undefined) return;
    try {
      await work(this.#helper as Helper);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.out = { reason, failed: !(error instanceof Unavailable) };
      this.#helper?.kill();
    }
  }

  async leave(): Promise<void> {
    await this.attempt(async (helper) => {
      this.memory = memoryOf(helper.pid);
    });
    await this.#helper?.stop();
  }
}

/**
 * Makes every parent the same size: the Node programs allocate `bytes` themselves, and all the others follow until they are as
 * large in resident memory as the first Node program is then.
 */
export async function fill(entrants: readonly Entrant[], parent: Parent, usual: number): Promise<void> {
  const { kind = parent.id, bytes = usual } = parent;
  if (parent.id === 'small') return;
  let reference: number | undefined;
  for (const node of [true, false]) {
    for (const entrant of entrants) {
      const isNode = entrant.contender.program === 'ours' || entrant.contender.program === 'rivals';
      if (isNode !== node) continue;
      await entrant.attempt(async (helper) => {
        if (isNode) await helper.request(`grow ${kind} ${bytes}`);
        else await growTo(helper, reference ?? bytes, kind);
        reference ??= memoryOf(helper.pid).residentBytes;
      });
    }
  }
}
