// Two copies would mean two tables of children.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import * as imported from 'node-multiprocessing';

const require = createRequire(import.meta.url);
assert.equal(require('node-multiprocessing').Process, imported.Process);
assert.match(require('node-multiprocessing/package.json').version, /^\d+\.\d+\.\d+/);
assert.equal(require.resolve('node-multiprocessing').startsWith(import.meta.dirname ?? process.cwd()), true);
console.log('done');
