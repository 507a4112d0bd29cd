import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { Command, InvalidArgumentError } from 'commander';

import { describeEnvironment, environmentLines } from '../harness/environment.ts';
import { Helper, numberIn, Unavailable, type Program } from '../harness/helper.ts';
import { compile, foreign, pythonProgram } from '../harness/programs.ts';
import { printSection, ratio, type SectionResult } from '../harness/report.ts';
import { summarize } from '../harness/statistics.ts';

interface Options {
  readonly rounds: number;
  readonly json?: string;
  readonly python: string;
  readonly cc: string;
}

/** What is asked of each contender, once a round. */
const questions = [
  { id: 'lock', title: 'acquire + release of a free Lock', request: 'pair Lock 200000' },
  { id: 'rlock', title: 'acquire + release of a free RLock', request: 'pair RLock 200000' },
  { id: 'semaphore', title: 'acquire + release of a free Semaphore', request: 'pair Semaphore 200000' },
  { id: 'contended-2', title: 'counting under a Lock that 2 processes want', request: 'contended 2 200000' },
  { id: 'contended-4', title: 'counting under a Lock that 4 processes want', request: 'contended 4 100000' },
  { id: 'handover', title: 'there and back between two processes, by two semaphores', request: 'handover 20000' },
  { id: 'increment', title: 'one more in a shared integer, losing none', request: 'increment 400000' },
] as const;

export function lockCommand(): Command {
  return new Command('lock')
    .description('locks and semaphores: ours, Python, worker_threads and C')
    .option('--rounds <n>', 'measured rounds', positive, 15)
    .option('--json <file>', 'write all results to a file')
    .option('--python <command>', 'the Python to compare with', 'python3')
    .option('--cc <command>', 'the C compiler', 'cc')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const environment = describeEnvironment(options.python, options.cc);
  for (const line of environmentLines(environment)) console.log(line);
  console.log(`${options.rounds} rounds after a discarded one, all contenders in turn`);
  const directory = mkdtempSync(path.join(os.tmpdir(), 'bench-lock-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const helper = fileURLToPath(new URL(`./node-helper${path.extname(import.meta.url)}`, import.meta.url));
  const node = (role: string): Program => ({ file: process.execPath, args: [...process.execArgv, helper, role] });
  const programs = {
    ours: node('ours'),
    'Python multiprocessing': pythonProgram(options.python, 'lock.py'),
    'worker_threads, mutex on Atomics': node('threads'),
    'C, sem_t': compile(options.cc, foreign('lock.c'), path.join(directory, 'lock'), ['-pthread']),
  };
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
    for (const { id, request } of questions) {
      for (const [label, helper] of helpers) {
        const ns = numberIn(await helper.request(request), 'ns');
        if (round > 0) samples.set(`${id}/${label}`, [...(samples.get(`${id}/${label}`) ?? []), ns]);
      }
    }
  }
  for (const helper of helpers.values()) await helper.stop();
  const sections = questions.map(({ id, title }): SectionResult => {
    const results = [...helpers.keys()].map((label) => ({ label, ...summarize(samples.get(`${id}/${label}`) ?? []) }));
    const python = results.find(({ label }) => label.startsWith('Python'))?.median;
    return {
      id: `lock/${id}`,
      title,
      head: ['', 'median', 'p10–p90', '÷ Python', 'million/s'],
      rows: results.map(({ label, median, p10, p90 }) => [
        label,
        `${median.toFixed(1)} ns`,
        `${p10.toFixed(1)}–${p90.toFixed(1)} ns`,
        ratio(python === undefined ? undefined : median / python),
        (1e3 / median).toFixed(2),
      ]),
      notes: id === 'lock' ? notes : [],
      failures: id === 'lock' ? failures : [],
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
