// The project of a user: it has the packed packages installed, and programs in it run as on the user's machine.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Failure } from '../lib/failure.mjs';
import { npm } from '../lib/npm.mjs';
import { at, readJson } from '../lib/paths.mjs';

const HERE = at('scripts', 'smoke');
/** A watchdog for hangs. */
const TIMEOUT_MS = 5 * 60_000;
/** Tools that the repository has anyway, in the versions of its package.json. */
const OWN_TOOLS = ['@types/node', '@typescript/native', 'esbuild', 'tsx', 'typescript', 'vitest'];

/** Installs the tarballs into a new project. No script of any package runs, so there is none that could compile. */
export async function createApp(folder, tarballs) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "name": "app", "private": true, "type": "module" }\n');
  const { ok, output } = await npm(
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...tarballs,
  );
  if (!ok) throw new Failure(`${output.trimEnd()}\nsmoke: the packages could not be installed, see above.`);
  const { packages } = readJson(join(folder, 'node_modules', '.package-lock.json'));
  const scripted = Object.keys(packages).filter((path) => packages[path].hasInstallScript);
  if (scripted.length > 0) throw new Failure(`smoke: something runs at install in ${scripted.join(', ')}`);
  cpSync(join(HERE, 'app'), folder, { recursive: true });
  return new App(folder);
}

class App {
  constructor(folder) {
    this.folder = folder;
  }

  /** Runs a program of the project, or code of a tool, with Node; resolves with what it printed. */
  async node(...args) {
    const { code, stdout, stderr } = await this.run(process.execPath, args);
    if (code !== 0) throw new Failure(`${stdout}${stderr}\nsmoke: \`node ${args.join(' ')}\` ended with ${code}`);
    return stdout;
  }

  run(command, args, more = {}) {
    // Without what would let the working tree's files stand in for those of the tarball, or change what Node does.
    const { NODE_PATH: _path, NODE_OPTIONS: _options, NAPI_RS_NATIVE_LIBRARY_PATH: _library, ...env } = process.env;
    const options = { cwd: this.folder, env: { ...env, ...more }, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' };
    return new Promise((resolve) => {
      execFile(command, args, options, (error, stdout, stderr) => {
        resolve({ code: error ? (error.signal ?? error.code) : 0, stdout, stderr });
      });
    });
  }

  /** Fails unless the program has said that it came to its end, and nothing else. */
  async expectDone(args, { node = process.execPath, env = {} } = {}) {
    const { code, stdout, stderr } = await this.run(node, args, env);
    if (code === 0 && stdout === 'done\n' && stderr === '') return;
    const settings = Object.entries(env).map(([key, value]) => `${key}=${value} `);
    const command = `${settings.join('')}node ${args.join(' ')}`;
    throw new Failure(`${stdout}${stderr}\nsmoke: \`${command}\` ended with ${code}`);
  }

  /** The same with each way to start a process that there is on this system. */
  async expectDoneByAllMethods(file) {
    const methods = process.platform === 'linux' ? ['fork', 'forkserver', 'spawn'] : ['spawn'];
    for (const method of methods) await this.expectDone([file], { env: { SMOKE_START_METHOD: method } });
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text);
    return name;
  }

  read(name) {
    return readFileSync(join(this.folder, name), 'utf8');
  }

  /** The file of a tool that is run by Node, such as `typescript/bin/tsc`. */
  tool(path) {
    return join(this.folder, '..', 'node_modules', path);
  }

  /**
   * Puts the tools into the folder above. Only those that are named: what they depend on could stand in for something
   * that the package has forgotten to depend on.
   */
  addTools() {
    const more = Object.keys(readJson(join(HERE, 'package.json')).dependencies);
    for (const [modules, names] of [
      [at('node_modules'), OWN_TOOLS],
      [join(HERE, 'node_modules'), more],
    ]) {
      for (const name of names) {
        mkdirSync(dirname(this.tool(name)), { recursive: true });
        symlinkSync(join(modules, name), this.tool(name));
      }
    }
  }
}
