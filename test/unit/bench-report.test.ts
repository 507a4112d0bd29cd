import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { FILES, filled } from '../../bench/reporting/figures.ts';
import { reportOf } from '../../bench/reporting/report.ts';
import { inRepository, loadResults } from '../../bench/reporting/results.ts';

const REMEDY = '`npm run bench -- --report` writes them';

describe('figures of the benchmarks', () => {
  const results = loadResults();

  test.each(FILES)(`those of %s are those that were measured: ${REMEDY}`, async (name) => {
    const text = readFileSync(inRepository(name), 'utf8');
    expect(text).toContain('<!-- bench:');
    expect(text).toBe(await filled(text, results));
  });

  test.each(['docs/performance.md', 'bench/report/report.md'])('the plots of %s are there', (name) => {
    const file = inRepository(name);
    const plots = [...readFileSync(file, 'utf8').matchAll(/\]\(([^)]+\.svg)\)/g)].map(([, plot = '']) => plot);
    expect(plots).not.toEqual([]);
    expect(plots.filter((plot) => !existsSync(path.join(path.dirname(file), plot)))).toEqual([]);
  });

  test(`so is the report: ${REMEDY}`, async () => {
    expect(readFileSync(inRepository('bench/report/report.md'), 'utf8')).toBe(await reportOf(results));
  });
});
