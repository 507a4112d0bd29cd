import { spawn } from 'node:child_process';
import { root } from './paths.mjs';

/**
 * Runs npm in the root of the repository and keeps its output back: mostly only a failure is worth reading. `output` is
 * all that it printed, `stdout` the part that programs read.
 */
export function npm(...args) {
  const cli = process.env.npm_execpath;
  const [command, prefix] = cli?.endsWith('npm-cli.js') ? [process.execPath, [cli]] : ['npm', []];
  const options = { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], detached: true };
  const child = spawn(command, [...prefix, ...args], options);
  // The whole group: npm does not always pass a signal on to what it runs.
  const stop = () => child.pid && process.kill(-child.pid);
  process.once('exit', stop);
  let output = '';
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    output += text;
  });
  return new Promise((resolve) => {
    child.on('error', (error) => {
      resolve({ ok: false, output: `${command} could not be started: ${error.message}`, stdout });
    });
    child.on('close', (code) => resolve({ ok: code === 0, output, stdout }));
  }).finally(() => process.removeListener('exit', stop));
}
