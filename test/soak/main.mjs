// `npm run soak [-- --minutes N --seed S --lanes L]`: everything at random for as long as one likes, then an account of
// everything. Ends with code 1 and the seed if anything was off.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { describe, namesLeft, processes } from './accounts.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    lanes: { type: 'string', default: '3' },
  },
});
for (const [name, value] of Object.entries(values)) {
  if (!(Number(value) > 0)) throw new Error(`--${name} must be a positive number, not ${value}`);
}
const again = `npm run soak -- --minutes ${values.minutes} --seed ${values.seed} --lanes ${values.lanes}`;
console.log(again);

const folder = mkdtempSync(join(tmpdir(), 'soak-'));
const prefix = `soak-${process.pid}`;
const program = fileURLToPath(new URL('program.mjs', import.meta.url));
// In a session of its own: whatever belongs to it is found.
const child = spawn(process.execPath, ['--expose-gc', program, values.minutes, values.seed, values.lanes], {
  detached: true,
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, TMPDIR: folder, SOAK_PREFIX: prefix },
});
const left = () =>
  processes().filter(({ session, state, ppid }) => session === child.pid && (state !== 'Z' || ppid === process.pid));
const killAll = () => {
  for (const { pid, state } of left()) {
    if (state !== 'Z') process.kill(pid, 'SIGKILL');
  }
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    killAll();
    process.exitCode = 1;
  });
}
const problems = [];
const [code, signal] = await new Promise((resolve) => child.once('exit', (...how) => resolve(how)));
if (code !== 0) {
  problems.push(`ended with ${signal ?? `code ${code}`}`);
  for (const process of left()) problems.push(`at the end: ${describe(process)}`);
} else {
  const deadline = performance.now() + 5_000;
  while (left().length > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
  for (const process of left()) problems.push(`left behind: ${describe(process)}`);
  for (const name of namesLeft(prefix)) problems.push(`left behind: /dev/shm/${name}`);
  for (const name of readdirSync(folder)) problems.push(`left behind: ${name} in the folder for temporary files`);
}
killAll();
rmSync(folder, { recursive: true, force: true });
for (const problem of problems) console.error(problem);
console.log(problems.length === 0 ? 'OK' : `FAILED, to repeat: ${again}`);
process.exitCode = problems.length === 0 ? 0 : 1;
