// `node scripts/setup.mjs [examples] [bench]` makes a fresh clone ready to run. It may import nothing but Node's own
// modules, because it is what installs all others.
import { Failure, runProgram } from './lib/failure.mjs';
import { prepare } from './lib/prepare.mjs';

await runProgram(async () => {
  const extras = process.argv.slice(2);
  const unknown = extras.find((extra) => extra !== 'examples' && extra !== 'bench');
  if (unknown) throw new Failure(`setup: unknown argument '${unknown}', use 'examples' or 'bench'.`);
  await prepare({ extras });
});
