// The declarations, read in full by the compiler that we use and by the oldest one that is supported.
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
  await Promise.all(['typescript', 'typescript-oldest'].map((compiler) => check(app, compiler)));
}

async function check(app, compiler) {
  // TypeScript lets `require()` have an ES module from 5.8 on.
  const files = compiler === 'typescript' ? ['exercise.ts', 'exercise.cts'] : ['exercise.ts'];
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = { ...COMMON, module, moduleResolution };
    const config = app.write(`tsconfig.${compiler}.json`, JSON.stringify({ compilerOptions, files }));
    await app.node(app.tool(`${compiler}/bin/tsc`), '-p', config);
  }
}
