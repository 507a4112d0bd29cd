import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Failure } from './failure.mjs';
import { at, readJson } from './paths.mjs';

/** What every script needs: a supported system and the Node versions that package.json names. Costs no child process. */
export function checkSystem() {
  if (process.platform !== 'linux' && process.platform !== 'darwin') {
    throw new Failure(
      `node-multiprocessing runs on Linux and macOS, and this system is ${process.platform}: on Windows use WSL 2.`,
    );
  }
  const { engines } = readJson(at('package.json'));
  if (!satisfies(process.versions.node, engines.node)) {
    throw new Failure(
      `This is Node ${process.versions.node}, and Node ${engines.node} is needed: install one from https://nodejs.org.`,
    );
  }
}

/** What a build of the addon needs besides: a Rust toolchain and a linker. */
export function checkBuildTools() {
  const wanted = /^rust-version = "(.+)"$/m.exec(readFileSync(at('Cargo.toml'), 'utf8'))[1];
  const cure = `install Rust ${wanted} or newer with rustup from https://rustup.rs (or run \`rustup update\`), then open a new shell.`;
  for (const tool of ['cargo', 'rustc']) {
    const run = spawnSync(tool, ['--version'], { cwd: at(), encoding: 'utf8' });
    if (run.error?.code === 'ENOENT') throw new Failure(`\`${tool}\` is not on PATH: ${cure}`);
    const found = /\d+\.\d+\.\d+/.exec(run.stdout ?? '')?.[0];
    if (!found) throw new Failure(`\`${tool} --version\` failed (${(run.stderr ?? '').trim()}): ${cure}`);
    if (compare(found, wanted) < 0) throw new Failure(`\`${tool}\` is version ${found}: ${cure}`);
  }
  if (spawnSync('cc', ['--version'], { stdio: 'ignore' }).error) {
    const packages =
      process.platform === 'darwin' ? '`xcode-select --install`' : 'the package `gcc` or `build-essential`';
    throw new Failure(`Rust needs a C linker, and there is no \`cc\` on PATH: install one with ${packages}.`);
  }
}

/** Just enough of semver for an `engines` range such as `^20.19.0 || >=22.12.0`. */
export function satisfies(version, range) {
  return range.split('||').some((part) => {
    const [, operator, floor] = /^(\^|>=)(\d+\.\d+\.\d+)$/.exec(part.trim());
    const sameMajor = Number.parseInt(version, 10) === Number.parseInt(floor, 10);
    return compare(version, floor) >= 0 && (operator === '>=' || sameMajor);
  });
}

function compare(a, b) {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number));
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
