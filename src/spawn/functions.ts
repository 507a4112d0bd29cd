/**
 * Functions and classes in what a child is given: they travel as the place from which they can be imported.
 */
import { addFamily } from '../serialize/forms.ts';
import { isStartingChild } from '../shared/passing.ts';
import { locate, resolve, type Place } from './locate.ts';

/** Modules that the child has to import, of what is being serialised. */
let needed: Set<string> | undefined;

/** Does `action` and tells which modules the child has to import before it can read what was serialised. */
export function gatherModules<T>(action: () => T): { readonly result: T; readonly modules: string[] } {
  const before = needed;
  const mine = (needed = new Set());
  try {
    return { result: action(), modules: [...mine] };
  } finally {
    needed = before;
  }
}

/** Has the child import a module. */
export function needModule(url: string): void {
  needed?.add(url);
}

addFamily<(...args: never[]) => unknown, Place>((object) => typeof object === 'function' && isStartingChild(), {
  name: 'function',
  take: (fn) => {
    const place = locate(fn);
    needModule(place.module);
    return place;
  },
  make: (place) => resolve(place),
});
