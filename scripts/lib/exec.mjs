// Runs a program in a process group of its own, so that it can be ended whole: a test that hangs in a blocking call, or
// one that leaves a child behind, must not outlive the run.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { root } from './paths.mjs';

/**
 * Resolves once the program has ended and its group is gone. `capture` passes the output on and returns it too; without
 * it the program writes straight to our terminal.
 */
export function runInGroup(command, args, { env = {}, capture = false, timeoutMs = 0 } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ['ignore', capture ? 'pipe' : 'inherit', capture ? 'pipe' : 'inherit'],
      detached: true,
    });
    const killGroup = (signal) => {
      try {
        process.kill(-child.pid, signal);
      } catch {
        // Nobody is left in it.
      }
    };
    // A group of its own does not get the terminal's signals: pass them on, and end as one that was interrupted.
    const forward = (signal) => {
      killGroup(signal);
      setTimeout(killGroup, 2_000, 'SIGKILL').unref();
      child.once('close', () => process.exit(128 + constants.signals[signal]));
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
    for (const signal of signals) process.on(signal, forward);

    let output = '';
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from?.setEncoding('utf8').on('data', (text) => {
        output += text;
        to.write(text);
      });
    }
    let timedOut = false;
    const watchdog =
      timeoutMs > 0 &&
      setTimeout(() => {
        timedOut = true;
        console.error(`${command}: still running after ${Math.round(timeoutMs / 60_000)} minutes, killed.`);
        killGroup('SIGKILL');
      }, timeoutMs);

    child.on('error', (error) => {
      console.error(`${command} could not be started: ${error.message}`);
      finish(null);
    });
    // 'exit', not 'close': a process left behind could hold the pipes open for ever. Killing the group closes them.
    child.on('exit', () => killGroup('SIGKILL'));
    child.on('close', finish);

    function finish(code) {
      clearTimeout(watchdog);
      for (const signal of signals) process.removeListener(signal, forward);
      resolve({ code, timedOut, output });
    }
  });
}
