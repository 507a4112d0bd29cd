// Node alone: both module formats, TypeScript without a compiler, and the program that README.md begins with.
import { readFileSync } from 'node:fs';
import { Failure } from '../../lib/failure.mjs';
import { at } from '../../lib/paths.mjs';
import { installNodes } from '../../nodes.mjs';

const NAME = 'node-multiprocessing';

export async function imports(app) {
  await app.expectDoneByAllMethods('exercise.mjs');
}

export async function requires(app) {
  await app.expectDoneByAllMethods('exercise.cjs');
  await app.expectDone(['same-copy.mjs']);
}

/** On each supported Node; those that take types away by themselves get the TypeScript. */
export async function everyNode(app) {
  for (const [major, node] of await installNodes()) {
    await app.expectDone(major >= 22 ? ['--no-warnings', 'exercise.ts'] : ['exercise.mjs'], { node });
    await app.expectDone(['--no-warnings', 'exercise.cjs'], { node });
  }
}

export async function tsx(app) {
  await app.expectDone([app.tool('tsx/dist/cli.mjs'), 'exercise.ts']);
}

/** Its first program does what the comments after `console.log` in it say; another number does. */
export async function readme(app) {
  const blocks = [...readFileSync(at('README.md'), 'utf8').matchAll(/^```(?:ts|js)\n(.*?)^```$/gms)];
  const program = blocks.map(([, code]) => code).find((code) => code.includes(`from '${NAME}'`));
  const promised = [...(program ?? '').matchAll(/^console\.log\(.*; \/\/ (.+)$/gm)].map(([, text]) => text);
  if (promised.length === 0) throw new Failure('smoke: README.md has no program that says what it prints');
  const output = await app.node(app.write('readme.mjs', program));
  const withoutNumbers = (text) => text.replace(/\d+/g, '0');
  const lines = withoutNumbers(output).split('\n');
  const absent = promised.filter((text) => !lines.includes(withoutNumbers(text)));
  if (absent.length === 0) return;
  throw new Failure(`${output}\nsmoke: the program of README.md does not print: ${absent.join(', ')}`);
}
