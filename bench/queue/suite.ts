import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError } from 'commander';

import { describeEnvironment, environmentLines } from '../harness/environment.ts';
import { Helper, numberIn, Unavailable, type Program } from '../harness/helper.ts';
import { pythonProgram, pythonProgramWithPackages } from '../harness/programs.ts';
import { printSection, ratio, type SectionResult } from '../harness/report.ts';
import { summarize } from '../harness/statistics.ts';

interface Options {
  readonly rounds: number;
  readonly only?: string;
  readonly json?: string;
  readonly python: string;
}

/** What is asked of each contender, once a round: fewer messages of those that are slower. */
const questions = [
  { id: 'int', title: 'small integers, 1 to 1', request: 'stream int 1 1', count: 200_000 },
  { id: 'object', title: 'objects with 5 keys, 1 to 1', request: 'stream object 1 1', count: 100_000 },
  { id: '64k', title: 'buffers of 64 KiB, 1 to 1', request: 'stream 65536 1 1', count: 8_000 },
  { id: '1m', title: 'buffers of 1 MiB, 1 to 1', request: 'stream 1048576 1 1', count: 600 },
  { id: 'int-2-2', title: 'small integers, 2 to 2', request: 'stream int 2 2', count: 200_000 },
  { id: 'int-1-4', title: 'small integers, 1 to 4', request: 'stream int 1 4', count: 200_000 },
  { id: 'int-4-1', title: 'small integers, 4 to 1', request: 'stream int 4 1', count: 200_000 },
  { id: 'roundtrip', title: 'there and back', request: 'roundtrip', count: 20_000 },
] as const;

/** A part of the messages is enough for those that take long over each; more are needed of those that take little. */
const share: Record<string, number> = {
  'ours, batches': 10,
  'Python Queue': 0.1,
  'Python SimpleQueue': 0.1,
  'Python Pipe': 0.25,
  'child_process, json': 0.1,
  'child_process, advanced': 0.1,
};
/** Who cannot do what. */
const only: Record<string, (id: string) => boolean> = {
  'our Pipe': (id) => !id.startsWith('int-'),
  'Python Pipe': (id) => !id.startsWith('int-'),
  'faster-fifo, batches': (id) => id.startsWith('int') || id === 'object',
  'ours, batches': (id) => id.startsWith('int') || id === 'object',
  worker_threads: (id) => !id.startsWith('int-'),
  'child_process, json': (id) => id === 'int' || id === 'object' || id === 'roundtrip',
  'child_process, advanced': (id) => !id.startsWith('int-'),
};

export function queueCommand(): Command {
  return new Command('queue')
    .description('queues and pipes: ours, Python, faster-fifo, worker_threads and child_process')
    .option('--rounds <n>', 'measured rounds', positive, 7)
    .option('--only <cases>', `some of the cases, by name: ${questions.map(({ id }) => id).join(',')}`)
    .option('--json <file>', 'write all results to a file')
    .option('--python <command>', 'the Python to compare with', 'python3')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const environment = describeEnvironment(options.python, 'cc');
  for (const line of environmentLines(environment)) console.log(line);
  console.log(`${options.rounds} rounds after a discarded one, all contenders in turn`);
  const helper = fileURLToPath(new URL(`./node-helper${path.extname(import.meta.url)}`, import.meta.url));
  const node = (role: string): Program => ({ file: process.execPath, args: [...process.execArgv, helper, role] });
  const python = (name: string): Program => {
    const program = pythonProgram(options.python, 'queues.py');
    return 'args' in program ? { ...program, args: [...program.args, name] } : program;
  };
  const equipped = pythonProgramWithPackages(options.python, 'queues.py');
  const withPackages = (name: string): Program =>
    'args' in equipped ? { ...equipped, args: [...equipped.args, name] } : equipped;
  const programs = {
    ours: node('ours'),
    'ours, batches': node('batches'),
    'our Pipe': node('pipe'),
    'Python Queue': python('Queue'),
    'Python SimpleQueue': python('SimpleQueue'),
    'Python Pipe': python('Pipe'),
    'faster-fifo': withPackages('faster-fifo'),
    'faster-fifo, batches': withPackages('faster-fifo-batches'),
    worker_threads: node('threads'),
    'child_process, json': node('ipc'),
    'child_process, advanced': node('ipc-advanced'),
  };
  const wanted = options.only?.split(',');
  const asked = questions.filter(({ id }) => wanted?.includes(id) ?? true);
  const notes: string[] = [];
  const failures: string[] = [];
  const helpers = new Map<string, Helper>();
  for (const [label, program] of Object.entries(programs)) {
    try {
      helpers.set(label, await Helper.start(program));
    } catch (error) {
      (error instanceof Unavailable ? notes : failures).push(`${label}: ${(error as Error).message}`);
    }
  }
  const samples = new Map<string, number[]>();
  for (let round = 0; round <= options.rounds; round += 1) {
    for (const { id, request, count } of asked) {
      for (const [label, helper] of helpers) {
        if (only[label]?.(id) === false) continue;
        const messages = Math.round(count * (share[label] ?? 1));
        const ns = numberIn(await helper.request(`${request} ${messages}`), 'ns');
        if (round > 0) samples.set(`${id}/${label}`, [...(samples.get(`${id}/${label}`) ?? []), ns]);
      }
    }
  }
  for (const helper of helpers.values()) await helper.stop();
  const sections = asked.map(({ id, title }): SectionResult => {
    const measured = [...helpers.keys()].filter((label) => samples.has(`${id}/${label}`));
    const results = measured.map((label) => ({ label, ...summarize(samples.get(`${id}/${label}`) ?? []) }));
    const python = results.find(({ label }) => label === 'Python Queue')?.median;
    return {
      id: `queue/${id}`,
      title,
      head: ['', 'median', 'p10–p90', '÷ Python Queue', 'million/s'],
      rows: results.map(({ label, median, p10, p90 }) => [
        label,
        `${median.toFixed(1)} ns`,
        `${p10.toFixed(1)}–${p90.toFixed(1)} ns`,
        ratio(python === undefined ? undefined : median / python),
        (1e3 / median).toFixed(2),
      ]),
      notes: id === asked[0]?.id ? notes : [],
      failures: id === asked[0]?.id ? failures : [],
      data: results,
    };
  });
  for (const section of sections) printSection(section);
  if (failures.length > 0) process.exitCode = 1;
  if (options.json !== undefined) {
    const results = sections.map(({ id, title, data }) => ({ id, title, data }));
    writeFileSync(
      options.json,
      `${JSON.stringify({ environment, rounds: options.rounds, sections: results }, null, 2)}\n`,
    );
  }
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on, please');
  return value;
}
