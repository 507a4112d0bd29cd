/**
 * The ES modules that this program has loaded.
 */
import { cascadedLoader } from '../fork/internals.ts';

/** What a module exports, by name. */
type Namespace = Record<string, unknown>;

/** A module as Node's loader keeps it, in Node 20 to 26. */
interface Job {
  readonly module?: { getNamespace?(): Namespace };
}

interface Loader {
  readonly loadCache?: Iterable<readonly [url: string, jobsByType: Readonly<Record<string, Job | undefined>>]>;
}

let loader: Loader | null | undefined;

/**
 * Their URLs and what they export, those that others import after these. Empty where Node hides them.
 *
 * The debugger could tell as well, but that has V8 collect its whole heap.
 */
export function loadedModules(): (readonly [url: string, exports: Namespace])[] {
  const modules: (readonly [string, Namespace])[] = [];
  try {
    loader ??= (cascadedLoader() as Loader | undefined) ?? null;
    for (const [url, jobs] of loader?.loadCache ?? []) {
      for (const job of Object.values(jobs)) {
        const namespace = namespaceOf(job);
        if (namespace) modules.push([url, namespace]);
      }
    }
  } catch {
    // Another Node: what was found will do.
  }
  return modules;
}

function namespaceOf(job: Job | undefined): Namespace | undefined {
  try {
    return job?.module?.getNamespace?.();
  } catch {
    // It is still being loaded.
    return undefined;
  }
}
