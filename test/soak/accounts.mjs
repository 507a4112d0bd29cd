// What a program has, and what may be left of it when it is idle.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path) {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** All processes: pid, parent, state letter, session. */
export function processes() {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const stat = read(`/proc/${pid}/stat`);
      if (stat === '') return [];
      const [state, ppid, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(pid), ppid: Number(ppid), state, session: Number(session) }];
    });
}

export function describe({ pid, ppid, state }) {
  const command = read(`/proc/${pid}/cmdline`).split('\0').join(' ').trim();
  return `pid ${pid} ppid ${ppid} state ${state} wchan ${read(`/proc/${pid}/wchan`)} ${command}`;
}

/** Names in the directory of shared memory that are ours and that no process uses. */
export function namesLeft(prefix) {
  const ours = list('/dev/shm').filter(
    (name) => /^(?:sem\.)?(?:node-multiprocessing|nmp)/.test(name) || name.startsWith(prefix),
  );
  if (ours.length === 0) return [];
  const used = list('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .map((pid) => {
      const links = list(`/proc/${pid}/fd`).map((fd) => {
        try {
          return readlinkSync(`/proc/${pid}/fd/${fd}`);
        } catch {
          return '';
        }
      });
      return read(`/proc/${pid}/maps`) + links.join('\n');
    });
  return ours.filter((name) => !used.some((text) => text.includes(`/dev/shm/${name}`)));
}

/** What this process has, as numbers that must not grow. */
export function holdings() {
  const counts = {};
  const count = (what) => (counts[what] = (counts[what] ?? 0) + 1);
  for (const fd of list('/proc/self/fd')) {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`).replace(/\d+/g, '');
      // The directory that is being read.
      if (!target.startsWith('/proc//fd')) count(`descriptor ${target}`);
    } catch {
      // It was that of the directory.
    }
  }
  for (const line of read('/proc/self/maps').split('\n')) {
    if (/ r?-?w?-?x?-?s /.test(line) || / ...s /.test(line))
      count(`shared mapping ${line.slice(73).trim() || 'without a name'}`);
  }
  for (const { ppid, state } of processes()) if (ppid === process.pid) count(state === 'Z' ? 'zombie' : 'child');
  return counts;
}

/** What `now` has more of than `before`. */
export function growth(before, now) {
  return Object.entries(now)
    .filter(([what, number]) => number > (before[what] ?? 0))
    .map(([what, number]) => `${what}: ${number}, ${before[what] ?? 0} before`);
}

export const residentBytes = () => process.memoryUsage.rss();
