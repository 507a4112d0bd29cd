#!/usr/bin/env node
import { writeFileSync } from 'node:fs';

import { Argument, Command, InvalidArgumentError } from 'commander';

import { describeEnvironment, environmentLines } from './harness/environment.ts';
import { usualPython } from './harness/programs.ts';
import { plain, printSection, type SectionResult } from './harness/section.ts';
import type { Run, Suite } from './harness/suite.ts';
import { lifecycle } from './lifecycle/suite.ts';
import { lock } from './lock/suite.ts';
import { pool } from './pool/suite.ts';
import { queue } from './queue/suite.ts';
import { saveResults, writeReport } from './reporting/report.ts';
import { merged, type Results, type SavedSection } from './reporting/results.ts';

interface Options {
  readonly rounds?: number;
  readonly only?: RegExp;
  readonly size: number;
  readonly save?: boolean;
  readonly report?: boolean;
  readonly json?: string;
  readonly python: string;
  readonly cc: string;
}

const suites: readonly Suite[] = [lifecycle, lock, queue, pool];

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => process.exit(1)); // helpers are ended by the exit handlers
}

async function run(names: readonly string[], options: Options, command: Command): Promise<void> {
  if (options.report === true) return writeReport();
  const isEverything = names.length === 0 && options.only === undefined;
  const saves = options.save ?? isEverything;
  const save = async (results: Results): Promise<void> => {
    try {
      await saveResults(isEverything ? results : merged(results));
    } catch (error) {
      command.error((error as Error).message);
    }
  };
  const environment = describeEnvironment(options.python, options.cc);
  for (const line of [...environmentLines(environment), `load ${environment.load.toFixed(1)}`]) console.log(line);
  const began = performance.now();
  const sections: (SavedSection & Pick<SectionResult, 'data'>)[] = [];
  for (const suite of suites.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const rounds = options.rounds ?? suite.rounds;
    const request: Run = {
      rounds,
      discard: Math.min(suite.discard, rounds),
      bytes: options.size * 1e6,
      python: options.python,
      cc: options.cc,
      selected: (id) => options.only?.test(id) ?? true,
    };
    let last = performance.now();
    for await (const section of suite.sections(request)) {
      printSection(section);
      const now = performance.now();
      const seconds = (now - last) / 1000;
      last = now;
      console.error(`  ${rounds} rounds, ${seconds.toFixed(0)} s; ${((now - began) / 60_000).toFixed(1)} min in all`);
      sections.push({ suite: suite.name, rounds, date: new Date().toISOString(), seconds, ...section });
      // At once, so that a run that is interrupted has measured something.
      if (saves) await save({ environment, sections: sections.map(toSave) });
    }
  }
  if (sections.some(({ failures }) => failures.length > 0)) process.exitCode = 1;
  if (sections.length === 0) command.error('nothing measured: --only matches no section and no contender');
  if (options.json !== undefined) {
    writeFileSync(options.json, `${JSON.stringify({ environment, sections }, null, 2)}\n`);
  }
  if (!saves) return;
  await writeReport();
  console.log('\nbench/report/report.md is written.');
}

/** As it is told, without the samples and without the colours of a terminal. */
function toSave({ data: _, ...section }: SavedSection & Pick<SectionResult, 'data'>): SavedSection {
  const rounded = section.measured?.map(({ median, p10, p90, ...one }) => ({
    ...one,
    median: significant(median),
    ...(p10 !== undefined && { p10: significant(p10) }),
    ...(p90 !== undefined && { p90: significant(p90) }),
  }));
  return {
    ...section,
    seconds: Math.round(section.seconds),
    rows: section.rows.map((cells) => cells.map(plain)),
    ...(rounded && { measured: rounded }),
  };
}

function significant(value: number): number {
  return Number(value.toPrecision(5));
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on, please');
  return value;
}

function regex(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}

await new Command('bench')
  .description(
    'Benchmarks of node-multiprocessing. Without arguments it measures everything, which takes about 25 minutes, and writes bench/report/.',
  )
  .addArgument(new Argument('[suites...]', 'what to measure').choices(suites.map(({ name }) => name)))
  .option(
    '--rounds <n>',
    `measured rounds (${suites.map(({ name, rounds }) => `${name}: ${rounds}`).join(', ')})`,
    positive,
  )
  .option('--only <regex>', "sections and contenders, such as 'start/heap', 'python' or 'queue/int/our-queue'", regex)
  .option('--size <mb>', 'size of a large parent in MB', positive, 500)
  .option('--save', 'put what was measured into bench/report/ and the tables of the documents')
  .option('--report', 'measure nothing, write bench/report/ and the tables from what was saved')
  .option('--json <file>', 'write all samples to a file')
  .option('--python <command>', 'the Python to compare with', usualPython())
  .option('--cc <command>', 'the C compiler', 'cc')
  .addHelpText('after', `\n${suites.map(({ name, description }) => `  ${name.padEnd(10)} ${description}`).join('\n')}`)
  .action(run)
  .parseAsync();
