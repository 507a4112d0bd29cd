import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface Entry {
  pid: number;
  ppid: number;
  pgid: number;
  /** S sleeps, R runs, Z is a zombie. */
  state: string;
  command: string;
}

/** The line that `ps` shows for this pid, or `undefined` when the process table has none. */
export function psLine(pid: number): string | undefined {
  const ps = spawnSync('ps', ['-o', 'pid,ppid,stat,comm', '-p', String(pid)], { encoding: 'utf8' });
  const line = ps.status === 0 ? ps.stdout.split('\n').find((text) => text.trim().startsWith(`${pid} `)) : undefined;
  if (line !== undefined) return line.trim();
  const entry = fromProc(pid); // no ps here, or one that does not know -p
  return entry && `${entry.pid} ${entry.ppid} ${entry.state} ${entry.command}`;
}

/** All processes of this machine: from /proc, or from `ps` where there is no /proc (macOS). */
export function processTable(): Entry[] {
  try {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.map((pid) => fromProc(Number(pid))).filter((entry) => entry !== undefined);
  } catch {
    const ps = spawnSync('ps', ['-A', '-o', 'pid=,ppid=,pgid=,stat=,comm='], { encoding: 'utf8' });
    return ps.stdout
      .split('\n')
      .map((line) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S)\S*\s+(.*)$/.exec(line))
      .filter((match) => match !== null)
      .map(([, pid, ppid, pgid, state = '?', command = '']) => ({
        pid: Number(pid),
        ppid: Number(ppid),
        pgid: Number(pgid),
        state,
        command,
      }))
      .filter((entry) => entry.pid !== ps.pid);
  }
}

/** The children of a process that are in the process table, zombies included. */
export function childrenOf(pid: number): Entry[] {
  return processTable().filter((entry) => entry.ppid === pid);
}

/** /proc/PID/stat is `pid (command) state ppid pgid …`; the command may contain blanks and brackets. */
function fromProc(pid: number): Entry | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')');
    const [state = '?', ppid, pgid] = stat.slice(end + 2).split(' ');
    return { pid, ppid: Number(ppid), pgid: Number(pgid), state, command: stat.slice(stat.indexOf('(') + 1, end) };
  } catch {
    return undefined; // it has ended meanwhile
  }
}
