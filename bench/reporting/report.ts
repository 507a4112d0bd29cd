/** Writes bench/report/ and the tables of the documents from the saved results. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { environmentLines } from '../harness/environment.ts';
import { FILES, filled } from './figures.ts';
import { pretty, prettyMarkdown, table } from './markdown.ts';
import { inRepository, loadResults, RESULTS, type Results, type SavedSection } from './results.ts';

const FOLDER = path.dirname(RESULTS);

const INTRODUCTION = `
# Benchmark report

Made by \`npm run bench\`; not edited by hand. [../README.md](../README.md) says what is measured and how the comparison is made fair,
[docs/performance.md](../../docs/performance.md) what it means for a program.

**median** and **p10–p90**, the range of the middle 80 % of the samples, are over all rounds. **÷** columns are ratios of medians: 0.5 is
twice as fast. In the plots the best is on top, ours is blue, the whisker is p10–p90, and the scale is logarithmic where one bar is 20
times another.
`;

export async function saveResults(results: Results): Promise<void> {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(RESULTS, await pretty(JSON.stringify(results), 'results.json'));
}

export async function writeReport(): Promise<void> {
  const results = loadResults();
  // Loaded for this alone: it is large.
  const { plot } = await import('./plot.ts');
  for (const name of readdirSync(FOLDER)) if (name.endsWith('.svg')) rmSync(path.join(FOLDER, name));
  for (const section of results.sections) {
    if (isPlotted(section)) writeFileSync(path.join(FOLDER, plotName(section)), plot(section));
  }
  writeFileSync(path.join(FOLDER, 'report.md'), await reportOf(results));
  for (const name of FILES) {
    const file = inRepository(name);
    writeFileSync(file, await filled(readFileSync(file, 'utf8'), results));
  }
}

export function reportOf({ environment, sections }: Results): Promise<string> {
  const parts = [...new Set(sections.map(({ suite }) => suite))].map((name) => {
    const texts = sections.filter(({ suite }) => suite === name).map(sectionText);
    return `## ${name}\n\n${texts.join('\n\n')}`;
  });
  const load = `load ${environment.load.toFixed(1)} when it began`;
  const lines = [...environmentLines(environment), load].map((line) => `- ${line}`);
  return prettyMarkdown(`${INTRODUCTION}\n${lines.join('\n')}\n\n${parts.join('\n\n')}\n`);
}

const isPlotted = ({ measured = [] }: SavedSection): boolean => measured.length > 1;
const plotName = ({ id }: SavedSection): string => `${id.replace('/', '-')}.svg`;

function sectionText(section: SavedSection): string {
  const { id, title, suite, head, rows, notes, failures, rounds, seconds, date } = section;
  const command = `npm run bench -- ${suite} --only '^${id}/'`;
  const parts = [
    `### ${title}`,
    ...(isPlotted(section) ? [`![${title}](${plotName(section)})`] : []),
    ...(rows.length > 0 ? [table(head, rows)] : []),
    ...[...notes, ...failures.map((failure) => `**Failed**: ${failure}`)].map((note) => `- ${note}`),
    `${rounds} rounds in ${seconds.toFixed(0)} s on ${date.slice(0, 10)}: \`${command}\``,
  ];
  return parts.join('\n\n');
}
