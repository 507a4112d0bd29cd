// What can be told of a tarball from outside.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Failure } from '../lib/failure.mjs';
import { readJson } from '../lib/paths.mjs';

/** Scripts that npm runs in the project of whoever installs the package. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepare'];

/** No script at install, and maps that hold their sources: those are not in the tarball. */
export function inspect({ name, path, files }, folder) {
  execFileSync('tar', ['-xzf', path, '-C', folder]);
  const read = (file) => readJson(join(folder, 'package', file));
  const { scripts = {} } = read('package.json');
  const problems = [
    ...INSTALL_SCRIPTS.filter((script) => script in scripts).map((script) => `has a script "${script}"`),
    // npm would compile at install.
    ...(files.includes('binding.gyp') ? ['holds binding.gyp'] : []),
    ...['LICENSE', 'README.md'].filter((file) => !files.includes(file)).map((file) => `holds no ${file}`),
    ...files
      .filter((file) => file.endsWith('.map') && !holdsSources(read(file)))
      .map((file) => `has sources in ${file} that are not there`),
  ];
  if (problems.length > 0) throw new Failure(problems.map((problem) => `smoke: ${name} ${problem}`).join('\n'));
}

const holdsSources = ({ sources, sourcesContent = [] }) =>
  sources.every((_, index) => typeof sourcesContent[index] === 'string');

/** What publint and "Are the types wrong?" have to say about it. */
export async function lintPackage(app, { path }) {
  await app.node(app.tool('publint/src/cli.js'), 'run', path, '--strict');
  // `require()` of an ES module works in every Node that the package supports.
  await app.node(
    app.tool('@arethetypeswrong/cli/dist/index.js'),
    path,
    '--no-color',
    '--ignore-rules',
    'cjs-resolves-to-esm',
  );
}
