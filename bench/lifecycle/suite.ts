import { writeFileSync } from 'node:fs';

import { Command, InvalidArgumentError } from 'commander';

import { describeEnvironment, environmentLines } from '../harness/environment.ts';
import { printSection, type SectionResult } from '../harness/report.ts';
import { parents } from './contenders.ts';
import type { Context } from './context.ts';
import { memorySection } from './memory.ts';
import { cpuSection } from './cpu.ts';
import { preparePrograms } from './programs.ts';
import { spawnSection } from './spawn.ts';
import { splitSection } from './split.ts';
import { startSection } from './start.ts';

interface Options {
  readonly rounds: number;
  readonly discard: number;
  readonly size: number;
  readonly only?: RegExp;
  readonly json?: string;
  readonly python: string;
  readonly cc: string;
}

export function lifecycleCommand(): Command {
  return new Command('lifecycle')
    .description('start and end of a process: ours, Python, child_process, worker_threads and C')
    .option('--rounds <n>', 'measured rounds of each section', positive, 40)
    .option('--discard <n>', 'first rounds that are thrown away', whole, 5)
    .option('--only <regex>', "sections and contenders, such as 'start/heap', 'python' or 'cpu/json'", regex)
    .option('--size <mb>', 'size of a large parent in MB', positive, 500)
    .option('--json <file>', 'write all results to a file')
    .option('--python <command>', 'the Python to compare with', 'python3')
    .option('--cc <command>', 'the C compiler', 'cc')
    .action(run);
}

async function run(options: Options, command: Command): Promise<void> {
  const environment = describeEnvironment(options.python, options.cc);
  for (const line of environmentLines(environment)) console.log(line);
  console.log(`${options.rounds} rounds after ${options.discard} discarded ones`);
  const context: Context = {
    programs: preparePrograms(options.python, options.cc),
    rounds: options.rounds,
    discard: options.discard,
    bytes: options.size * 1e6,
    selected: (id) => options.only?.test(id) ?? true,
  };
  const sections: SectionResult[] = [];
  for await (const section of all(context)) {
    printSection(section);
    sections.push(section);
  }
  if (sections.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
  if (sections.length === 0)
    command.error('nothing measured: no section matches --only, or the package does not report it');
  if (options.json !== undefined) {
    const { rounds, discard, size } = options;
    const results = sections.map(({ id, title, notes, failures, data }) => ({ id, title, notes, failures, data }));
    writeFileSync(
      options.json,
      `${JSON.stringify({ environment, rounds, discard, sizeMb: size, sections: results }, null, 2)}\n`,
    );
  }
}

async function* all(context: Context): AsyncGenerator<SectionResult> {
  const [small, heap] = parents;
  const ordinary = parents.filter(({ only }) => only === undefined);
  const sections = [
    ...parents.map((parent) => () => startSection(context, parent)),
    ...ordinary.map((parent) => () => splitSection(context, parent)),
    () => cpuSection(context),
    () => memorySection(context),
    ...[small, heap].map((parent) => () => parent && spawnSection(context, parent)),
  ];
  for (const section of sections) {
    const result = await section();
    if (result !== undefined) yield result;
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number, please');
  return value;
}

function positive(text: string): number {
  const value = whole(text);
  if (value === 0) throw new InvalidArgumentError('at least 1, please');
  return value;
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
