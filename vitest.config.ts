import { defineConfig } from 'vitest/config';

const report = process.env.MP_TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Processes, never threads: a library that forks must not live inside a runner's worker threads.
    pool: 'forks',
    // One file at a time: system tests count processes, descriptors and memory, and time what they wait for.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 10_000,
    // The library as users get it: Node itself loads the compiled files and the addon, not the runner's module loader.
    server: { deps: { external: [/\/dist\//, /\.node$/, /\/index\.cjs$/] } },
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
