// Bundles that leave the package outside work, started in any way; a bundle that has swallowed it says what to do.
import { createRequire } from 'node:module';
import { Failure } from '../../lib/failure.mjs';

const NAME = 'node-multiprocessing';

export async function esbuild(app) {
  const { build } = load(app, 'esbuild');
  for (const [format, extension] of [
    ['esm', 'mjs'],
    ['cjs', 'cjs'],
  ]) {
    await expectBoth(app, (isExternal) => {
      const outfile = `esbuild-${isExternal ? 'external' : 'whole'}.${extension}`;
      const external = isExternal ? [NAME] : [];
      const input = { absWorkingDir: app.folder, entryPoints: ['exercise.ts'], bundle: true, platform: 'node' };
      return build({ ...input, external, format, outfile, minify: true, logLevel: 'silent' }).then(() => outfile);
    });
  }
}

export async function webpack(app) {
  for (const [type, extension] of [
    ['module', 'mjs'],
    ['commonjs', 'cjs'],
  ]) {
    await expectBoth(app, async (isExternal) => {
      const filename = `webpack-${isExternal ? 'external' : 'whole'}.${extension}`;
      const isModule = type === 'module';
      await runWebpack(load(app, 'webpack'), {
        context: app.folder,
        entry: './exercise.mjs',
        mode: 'production',
        optimization: { minimize: false },
        target: 'node20',
        externals: isExternal ? { [NAME]: `${type} ${NAME}` } : {},
        experiments: { outputModule: isModule },
        output: {
          path: app.folder,
          filename,
          // Children that are not forked find their targets among the exports.
          library: { type: isModule ? 'module' : 'commonjs2' },
          ...(isModule && { module: true, chunkFormat: 'module' }),
        },
      });
      return filename;
    });
  }
}

async function expectBoth(app, bundle) {
  await app.expectDoneByAllMethods(await bundle(true));
  const whole = await bundle(false);
  const { code, stderr } = await app.run(process.execPath, [whole]);
  if (code === 1 && stderr.includes("code: 'ERR_MP_BUNDLED'")) return;
  throw new Failure(`${stderr}\nsmoke: ${whole} has the package in it, and does not say that this cannot work`);
}

function runWebpack(webpack, options) {
  return new Promise((resolve, reject) => {
    webpack(options, (error, stats) => {
      if (error) reject(error);
      else if (stats.hasErrors()) reject(new Failure(stats.toString({ all: false, errors: true })));
      else resolve();
    });
  });
}

/** A tool that is used as a library. */
const load = (app, name) => createRequire(app.tool('package.json'))(name);
