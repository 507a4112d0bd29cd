// The declarations, read in full by the compilers that we use and by the oldest one that is supported.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

const COMMON = {
  target: 'es2022',
  lib: ['es2022'],
  types: ['node'],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
  noEmit: true,
};

export async function types(app) {
  copyFileSync(join(app.folder, 'exercise.ts'), join(app.folder, 'exercise.cts'));
  await Promise.all(['@typescript/native', 'typescript', 'typescript-oldest'].map((compiler) => check(app, compiler)));
}

async function check(app, compiler) {
  // TypeScript lets `require()` have an ES module from 5.8 on.
  const files = compiler === 'typescript-oldest' ? ['exercise.ts'] : ['exercise.ts', 'exercise.cts'];
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = { ...COMMON, module, moduleResolution };
    const config = app.write(`tsconfig.${compiler.replace('/', '-')}.json`, JSON.stringify({ compilerOptions, files }));
    await app.node(app.tool(`${compiler}/bin/tsc`), '-p', config);
  }
}
