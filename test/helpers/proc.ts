// What the kernel says about processes.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** One row of the process table. */
export interface ProcessState {
  pid: number;
  ppid: number;
  pgid: number;
  session: number;
  /** `R` running, `S` sleeping, `T` stopped, `Z` zombie, … */
  state: string;
  command: string;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The row of one process; undefined if there is none. */
export function processState(pid: number): ProcessState | undefined {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === undefined || stat === '') return undefined;
  // The name is in parentheses and may itself contain some.
  const end = stat.lastIndexOf(')');
  const [state = '?', ppid, pgid, session] = stat.slice(end + 2).split(' ');
  return {
    pid,
    ppid: Number(ppid),
    pgid: Number(pgid),
    session: Number(session),
    state,
    command: stat.slice(stat.indexOf('(') + 1, end),
  };
}

/** All processes there are. */
export function processTable(): ProcessState[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processState(Number(name)) ?? []);
}

/** The processes of a process group or session, dead or alive. */
export function processesOfGroup(pgid: number): ProcessState[] {
  return processTable().filter((process) => process.pgid === pgid || process.session === pgid);
}

/** Those of a group or session that live or that this process has to reap: a foreign zombie is its parent's affair. */
export function leftOfGroup(pgid: number): ProcessState[] {
  // An orphan may stay a zombie for ever, as not every first process reaps.
  return processesOfGroup(pgid).filter(({ state, ppid }) => state !== 'Z' || ppid === process.pid);
}

/** One line about what a process is doing. */
export function describeProcess({ pid, ppid, state, command }: ProcessState): string {
  const where = read(`/proc/${pid}/wchan`) || '?';
  const cmdline = read(`/proc/${pid}/cmdline`)?.split('\0').join(' ').trim() || `[${command}]`;
  const threads = (() => {
    try {
      return readdirSync(`/proc/${pid}/task`).length;
    } catch {
      return 0;
    }
  })();
  return `pid ${pid} ppid ${ppid} state ${state} wchan ${where} threads ${threads} cmdline ${cmdline}`;
}

/** How names of this package begin; others come and go as other programs please. */
const OUR_NAMES = /^(?:sem\.)?(?:node-multiprocessing|nmp)/;

/** Names of this package in the directory of POSIX shared memory and semaphores. */
export function sharedMemoryNames(): Set<string> {
  try {
    return new Set(readdirSync('/dev/shm').filter((name) => OUR_NAMES.test(name)));
  } catch {
    return new Set();
  }
}

/** Whether some process has the name mapped or open. */
export function isSharedMemoryInUse(name: string): boolean {
  const path = `/dev/shm/${name}`;
  return processTable().some(({ pid }) => {
    if (read(`/proc/${pid}/maps`)?.includes(path)) return true;
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`) === path;
        } catch {
          return false;
        }
      });
    } catch {
      return false;
    }
  });
}
