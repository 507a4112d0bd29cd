// Tests of a user: in vitest's pool of processes, inside of which the package forks.
export async function vitest(app) {
  app.write('vitest.config.mjs', "export default { test: { pool: 'forks', include: ['exercise.test.ts'] } };\n");
  await app.node(app.tool('vitest/vitest.mjs'), 'run', '--reporter=dot');
}
