// `npm test [-- filter...]`: the whole suite from a fresh clone. Ends with one line that is true for all runners.
// With filters only vitest runs, on the files they name.
import { runProgram } from './lib/failure.mjs';
import { prepare } from './lib/prepare.mjs';
import { checkBuildTools } from './lib/requirements.mjs';
import { runCargoTests, runVitest, sum, summaryLine } from './lib/runners.mjs';

await runProgram(async () => {
  const filters = process.argv.slice(2);
  if (filters.length === 0) checkBuildTools();
  await prepare({ extras: ['examples', 'bench'] });
  const counts = [await runVitest(filters)];
  if (filters.length === 0) counts.push(await runCargoTests());
  const total = sum(counts);
  console.log(`\n${summaryLine(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
});
