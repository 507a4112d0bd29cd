/**
 * Functions and classes by the module and the name under which another process can import them.
 */
import { createRequire } from 'node:module';
import type { Session } from 'node:inspector';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';

import { ProcessError } from '../errors.ts';
import { loadedModules } from './loaded-modules.ts';

const require = createRequire(import.meta.url);

/** Where a function is to be found. */
export interface Place {
  /** URL of its module. */
  readonly module: string;
  /** Under which of these exports, the first that is it: names, with a dot before a static method; '' for all of `module.exports`. */
  readonly exports: readonly string[];
  /** Its source text, by which it is recognised. Absent if the user has named it. */
  readonly source?: string;
}

/** Anything that can be called or constructed. */
type Callable = (...args: never[]) => unknown;

const places = new WeakMap<Callable, Place>();

/**
 * Finds where `fn` can be imported from.
 *
 * @throws ProcessError `ERR_MP_NOT_IMPORTABLE` if it cannot.
 */
export function locate(fn: Callable): Place {
  let place = places.get(fn);
  if (place === undefined) places.set(fn, (place = inCommonJs(fn) ?? inLoadedModules(fn) ?? inItsScript(fn)));
  return place;
}

/** Says where `fn` is to be found. */
export function placeAt(fn: Callable, place: Place): void {
  places.set(fn, place);
}

/** Gives static methods, too. */
function* membersOf(name: string, value: unknown): Generator<readonly [string, unknown]> {
  yield [name, value];
  if (typeof value !== 'function') return;
  for (const key of Object.getOwnPropertyNames(value)) {
    if (key === 'prototype' || key === 'arguments' || key === 'caller') continue;
    // Not by a getter, which may do whatever it likes.
    yield [`${name}.${key}`, Object.getOwnPropertyDescriptor(value, key)?.value];
  }
}

function read(object: object, key: string): unknown {
  try {
    return (object as Record<string, unknown>)[key];
  } catch {
    // A getter of the program's own.
    return undefined;
  }
}

function inCommonJs(fn: Callable): Place | undefined {
  const source = Function.prototype.toString.call(fn);
  for (const module of Object.values(require.cache)) {
    const exports: unknown = module?.exports;
    if (module === undefined || exports === null || (typeof exports !== 'object' && typeof exports !== 'function'))
      continue;
    const place = (name: string): Place => ({ module: pathToFileURL(module.filename).href, exports: [name], source });
    if (exports === fn) return place('');
    for (const key of Object.keys(exports)) {
      for (const [name, value] of membersOf(key, read(exports, key))) if (value === fn) return place(name);
    }
  }
  return undefined;
}

function inLoadedModules(fn: Callable): Place | undefined {
  // Of several that export it, the one that the others have it from.
  for (const [module, namespace] of loadedModules().toReversed()) {
    // Object.keys() would fail for a module that is still being evaluated.
    for (const key of Object.getOwnPropertyNames(namespace)) {
      for (const [name, value] of membersOf(key, read(namespace, key))) {
        if (value === fn) return { module, exports: [name], source: Function.prototype.toString.call(fn) };
      }
    }
  }
  return undefined;
}

/** Where it should be exported, by the text of the script that it is in. */
function inItsScript(fn: Callable): Place {
  const { url, text } = scriptOf(fn);
  if (!/^file:|^\//.test(url))
    throw notImportable(fn, url === '' ? 'it is in no file' : `it is in ${url}, which is no file`);
  const source = Function.prototype.toString.call(fn);
  const { parse } = require('es-module-lexer') as typeof import('es-module-lexer');
  let found: { readonly name: string; readonly local: string | undefined }[];
  try {
    found = parse(text)[1].flatMap((each) =>
      each.type === 'direct' && !each.typeOnly ? [{ name: each.name, local: each.localName }] : [],
    );
  } catch (error) {
    throw notImportable(fn, `the exports of ${url} cannot be read: ${(error as Error).message}`);
  }
  const direct = found.filter(({ name, local }) => name === fn.name || local === fn.name).map(({ name }) => name);
  // Methods have no keyword and no arrow before their body; whose they are, the other process sees.
  const isMethod = !/^(async\s+)?(function|class|\()/.test(source) && !/^(async\s+)?[\w$]+\s*=>/.test(source);
  const asMethod = isMethod ? found.map(({ name }) => `${name}.${fn.name}`) : [];
  const exports = [...direct, ...asMethod];
  if (exports.length === 0) throw notImportable(fn, `${url} does not export it`);
  return { module: url.startsWith('/') ? pathToFileURL(url).href : url, exports, source };
}

/** The script that a function is in: its URL and its text, as it is run. */
function scriptOf(fn: Callable): { readonly url: string; readonly text: string } {
  const { Session: Inspector } = require('node:inspector') as { Session: new () => Session };
  const session = new Inspector();
  const post = (method: string, parameters: object = {}): Record<string, unknown> => {
    let answer: Record<string, unknown> = {};
    // In this process, it answers before it returns.
    session.post(method, parameters, (error, result) => {
      if (error) throw error;
      answer = result as Record<string, unknown>;
    });
    return answer;
  };
  session.connect();
  try {
    const global = globalThis as unknown as Record<symbol, unknown>;
    const name = `node-multiprocessing ${String(performance.now())}`;
    global[Symbol.for(name)] = fn;
    let objectId: string | undefined;
    try {
      const expression = `globalThis[Symbol.for(${JSON.stringify(name)})]`;
      ({ objectId } = post('Runtime.evaluate', { expression })['result'] as { objectId?: string });
    } finally {
      delete global[Symbol.for(name)];
    }
    const { internalProperties = [] } = post('Runtime.getProperties', { objectId, ownProperties: true }) as {
      internalProperties?: { name: string; value?: { value?: { scriptId: string } } }[];
    };
    const scriptId = internalProperties.find((each) => each.name === '[[FunctionLocation]]')?.value?.value?.scriptId;
    if (scriptId === undefined) return { url: '', text: '' };
    let url = '';
    session.on('Debugger.scriptParsed', ({ params }) => {
      if (params.scriptId === scriptId) ({ url } = params);
    });
    post('Debugger.enable');
    const { scriptSource } = post('Debugger.getScriptSource', { scriptId }) as { scriptSource: string };
    return { url, text: scriptSource };
  } finally {
    session.disconnect();
  }
}

function notImportable(fn: Callable, why: string): ProcessError {
  const what =
    fn.name === '' ? 'a function without a name' : `${/^class\b/.test(String(fn)) ? 'class' : 'function'} ${fn.name}`;
  return new ProcessError(
    'ERR_MP_NOT_IMPORTABLE',
    `${what} cannot be carried to a child that is not forked: ${why}. Export it from the top of a module, pass ` +
      "{ module, export } in its place, or use the start method 'fork', for which any function will do",
  );
}

/** Modules that were imported for functions, by URL. */
const modules = new Map<string, unknown>();

/** Whether a module was imported that way. */
export const isLoaded = (url: string): boolean => modules.has(url);

/** Imports a module, so that `resolve` finds what is in it. */
export async function load(url: string): Promise<void> {
  if (!modules.has(url)) modules.set(url, await import(url));
}

/** The function at a place, whose module was loaded. @throws ProcessError `ERR_MP_NOT_IMPORTABLE` if it is not there. */
export function resolve({ module, exports, source }: Place): Callable {
  const namespace = modules.get(module) as Record<string, unknown>;
  for (const path of exports) {
    // What CommonJS exports, `import` has under `default`; under their names, too, what it could make out.
    for (const root of [namespace, namespace['default']]) {
      let value: unknown = root;
      for (const key of path === '' ? [] : path.split('.'))
        value = (value as Record<string, unknown> | null | undefined)?.[key];
      if (typeof value === 'function' && (source === undefined || Function.prototype.toString.call(value) === source)) {
        return value as Callable;
      }
    }
  }
  throw new ProcessError(
    'ERR_MP_NOT_IMPORTABLE',
    `${module} has no export ${exports.map((each) => inspect(each)).join(' or ')} that is ` +
      `${source === undefined ? 'a function' : 'the function that was meant (it may be one made by another function, or the file has changed)'}`,
  );
}
