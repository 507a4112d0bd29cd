// Makes the tarballs that a release would upload: the package itself, and the one with the addon for this platform.
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../lib/failure.mjs';
import { npm } from '../lib/npm.mjs';
import { at, readJson, root } from '../lib/paths.mjs';
import { makePackageFolders } from '../npm-dirs.mjs';

/** Lays out the folders of all platforms as the release does, and adds the addon that was built here. */
export async function makePlatformPackages(folder) {
  await makePackageFolders(folder);
  const { binaryName } = readJson(at('package.json')).napi;
  for (const name of readdirSync(root)) {
    if (!name.startsWith(`${binaryName}.`) || !name.endsWith('.node')) continue;
    const platform = name.slice(binaryName.length + 1, -'.node'.length);
    copyFileSync(at(name), join(folder, platform, name));
  }
}

/** The folder of the one package that this platform would install. */
export function platformPackage(packages) {
  const libc = process.report.getReport().header.glibcVersionRuntime ? 'gnu' : 'musl';
  const name = process.platform === 'linux' ? `linux-${process.arch}-${libc}` : `${process.platform}-${process.arch}`;
  const folder = join(packages, name);
  if (!existsSync(folder) || !readdirSync(folder).some((file) => file.endsWith('.node'))) {
    throw new Failure(`smoke: ${folder} holds no addon.`);
  }
  return folder;
}

/** Packs a folder; resolves with the path of the tarball, its sizes in bytes, and the paths of its files. */
export async function pack(folder, destination) {
  const args = ['--json', '--ignore-scripts', '--pack-destination', destination];
  const { ok, output, stdout } = await npm('pack', folder, ...args);
  if (!ok) throw new Failure(`${output.trimEnd()}\nsmoke: \`npm pack\` failed, see above.`);
  const [{ name, filename, size, unpackedSize, files }] = Object.values(JSON.parse(stdout));
  return { name, path: join(destination, filename), size, unpackedSize, files: files.map(({ path }) => path) };
}
