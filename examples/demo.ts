// npm run demo            plays the programs of this folder one after the other
// npm run demo -- NAME    plays one, by name or number;  npm run demo -- --list  names them
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import colors from 'picocolors';
import { processTable } from './lib/process-table.ts';

interface Program {
  number: number;
  name: string;
  watch: string;
  env?: Record<string, string>;
}

const programs: Program[] = [
  {
    number: 1,
    name: 'start-with-target',
    watch: 'Four processes from a target and its args. 主 does not wait for them, the program does.',
  },
  {
    number: 2,
    name: 'start-with-subclass',
    watch: 'The same with a subclass of Process: start() calls run() in the child.',
  },
  {
    number: 3,
    name: 'memory-is-isolated',
    watch: 'The child sets n to 0. The parent still sees 100.',
  },
  {
    number: 4,
    name: 'zombie',
    watch: 'Z in the third column is a zombie. join(), the event loop, or waitpid() makes it go away.',
    env: { CHILDREN: '300' }, // ten thousand when the program is run by itself
  },
  {
    number: 5,
    name: 'orphan',
    watch: 'The child outlives its father. The last number, its new parent, is no longer the father.',
  },
  {
    number: 6,
    name: 'pid-and-name',
    watch: 'Names given and names made up; no pid before start().',
  },
  {
    number: 7,
    name: 'join',
    watch: 'Three processes of one second each, joined after about one second in all.',
  },
  {
    number: 8,
    name: 'join-orders',
    watch: 'Where the 4 comes is decided by where the joins are: first, last, strictly in order.',
  },
  {
    number: 9,
    name: 'terminate-and-is-alive',
    watch: 'Just after terminate() the child may still be alive. A moment later it is not.',
  },
  {
    number: 10,
    name: 'daemon',
    watch: 'The daemon (123) ends with its parent, before its end123. The other child says its end456.',
  },
  {
    number: 11,
    name: 'echo-server',
    watch: 'A dozen clients at once, each connection in a process of its own.',
  },
  {
    number: 11,
    name: 'echo-pool',
    watch: 'Forty clients, and still three processes: the workers of a pool share the listening socket.',
  },
  {
    number: 12,
    name: 'tickets-without-lock',
    watch: 'One ticket, ten buyers: count how many get it (购票成功).',
  },
  {
    number: 13,
    name: 'tickets-with-lock',
    watch: 'A lock around the purchase only: ten look-ups at once, one buyer.',
  },
  {
    number: 14,
    name: 'tickets-with-join',
    watch: 'One by one there is one buyer, but now even looking is slow.',
  },
  {
    number: 15,
    name: 'print-in-turn',
    watch: 'Without a lock all are running before one is done; with it they take turns.',
  },
  {
    number: 16,
    name: 'queue',
    watch: 'Full, Empty, and how many messages a second go from one process to two others.',
  },
  {
    number: 17,
    name: 'pipe',
    watch: 'Parent and child talk over one pipe; the parent learns at once that the child was killed.',
  },
  {
    number: 17,
    name: 'semaphore',
    watch: 'Five guests, three seats: never more than three are at the table.',
  },
  {
    number: 17,
    name: 'event',
    watch: 'Three cars wait for the green light; the fourth finds it green.',
  },
  {
    number: 17,
    name: 'pool',
    watch: 'Three cooks: one dish, many dishes, dishes as they come. One cook is killed; the kitchen goes on.',
  },
  {
    number: 18,
    name: 'hash-folder',
    watch: 'All files of a folder, on all CPUs, with a progress bar on a terminal.',
  },
];

const pipe = colors.dim('  │ ');
const seconds = (since: number) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Each program leads a process group of its own, so that all its descendants can be found and ended: these are they. */
const groups = new Set<number>();
let running: ChildProcess | undefined;
let ending = false;

/** What is left of all programs played. A zombie that init has adopted is init's, and about to go. */
function leftovers() {
  const table = processTable();
  const ours = new Set(table.filter((entry) => groups.has(entry.pgid)).map((entry) => entry.pid)).add(process.pid);
  return table.filter((entry) => groups.has(entry.pgid) && (entry.state !== 'Z' || ours.has(entry.ppid)));
}

/** Plays one program, its output live and indented. False when it failed. */
async function play({ number, name, watch, env }: Program): Promise<boolean> {
  console.log(`\n${colors.bold(colors.cyan(`${String(number).padStart(2)}  ${name}`))}\n    ${colors.dim(watch)}`);
  const begin = performance.now();
  const file = fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: { ...env, ...process.env },
  });
  running = child;
  if (child.pid !== undefined) groups.add(child.pid);
  createInterface({ input: child.stdout }).on('line', (line) => console.log(pipe + line));
  createInterface({ input: child.stderr }).on('line', (line) => console.log(pipe + colors.red(line)));
  await once(child, 'close'); // ended, and so has everybody else who could write to our pipes (the orphan, for instance)
  running = undefined;

  const { exitCode, signalCode } = child;
  if (!ending) {
    const ok = exitCode === 0;
    console.log(
      ok
        ? `  ${colors.green('✓')} ${colors.dim(seconds(begin))}`
        : `  ${colors.red(`✗ ${signalCode ?? `exit code ${exitCode}`}`)}`,
    );
  }
  return exitCode === 0;
}

/** Plays them all. True when each did well and nothing is left of them in the process table. */
async function playAll(chosen: Program[]): Promise<boolean> {
  if (chosen.length > 1) {
    console.log(
      colors.bold('node-multiprocessing:'),
      `${chosen.length} small programs, half a minute. Ctrl-C ends it.`,
    );
  }
  const begin = performance.now();
  const failed: string[] = [];
  for (const program of chosen) {
    if (!(await play(program))) failed.push(program.name);
    if (ending) return false;
  }

  const left = leftovers();
  console.log(
    colors.bold(`\n${chosen.length} program${chosen.length === 1 ? '' : 's'} in ${seconds(begin)}.`),
    left.length === 0 ? colors.green('No child and no zombie is left.') : colors.red('Left in the process table:'),
  );
  for (const { pid, ppid, state, command } of left) console.log(`  ${pid} ${ppid} ${state} ${command}`);
  if (failed.length > 0) console.log(colors.red(`Failed: ${failed.join(', ')}`));
  return left.length === 0 && failed.length === 0;
}

function killGroups(signal: NodeJS.Signals): void {
  for (const group of new Set(leftovers().map((entry) => entry.pgid))) {
    try {
      process.kill(-group, signal);
    } catch {
      // gone by itself
    }
  }
}

/** Ends the program being played with all its children, says goodbye and leaves. */
async function end(signal: NodeJS.Signals, exitCode: number): Promise<void> {
  if (ending) return killGroups('SIGKILL'); // asked twice
  ending = true;
  killGroups('SIGTERM');
  for (let i = 0; leftovers().length > 0 || running !== undefined; i++) {
    if (i === 50) killGroups('SIGKILL'); // a second has passed
    if (i === 500) break;
    await delay(20);
  }
  const left = leftovers().map((entry) => entry.pid);
  console.log(
    `\nStopped by ${signal}; ${left.length === 0 ? 'all processes have ended' : `still there: ${left}`}. Bye.`,
  );
  process.exit(exitCode);
}

process.on('SIGINT', () => void end('SIGINT', 130));
process.on('SIGTERM', () => void end('SIGTERM', 143));
process.on('SIGHUP', () => void end('SIGHUP', 129));
process.stdout.on('error', () => {
  // nobody reads any more (`npm run demo | head`)
  killGroups('SIGKILL');
  process.exit(0);
});

const command = new Command('demo')
  .description('Plays the example programs of node-multiprocessing.')
  .argument('[name]', 'name or number of one program; all when left out')
  .option('-l, --list', 'list the programs')
  .option('--no-color', 'plain text')
  .parse();
const [name] = command.args;

if (command.opts<{ list?: boolean }>().list) {
  for (const { number, name, watch } of programs)
    console.log(`${String(number).padStart(2)}  ${name.padEnd(24)}${colors.dim(watch)}`);
} else {
  const chosen = name === undefined ? programs : programs.filter((p) => p.name === name || String(p.number) === name);
  if (chosen.length === 0) command.error(`no program "${name}"; --list names them`);
  process.exitCode = (await playAll(chosen)) ? 0 : 1;
}
