/**
 * Functions and classes in what a child is given: they travel as the place from which they can be imported.
 */
import { packageRoot } from '../package-root.ts';
import { addFamily, whileNotingForms } from '../serialize/forms.ts';
import { isStartingChild } from '../shared/passing.ts';
import { locate, resolve, type Place } from './locate.ts';

const FORM = 'function';

/** All of this package: a child that is given something of it has to know all kinds. */
export const thisPackage = new URL('dist/index.js', packageRoot).href;

/** Modules that the child has to import, of what is being serialised. */
let needed: Set<string> | undefined;

/** Does `action` and tells which modules the child has to import before it can read what was serialised. */
export function gatherModules<T>(action: () => T): { readonly result: T; readonly modules: string[] } {
  const before = needed;
  const mine = (needed = new Set());
  try {
    const result = whileNotingForms(({ name }) => {
      if (name !== FORM) mine.add(thisPackage);
    }, action);
    return { result, modules: [...mine] };
  } finally {
    needed = before;
  }
}

/** Has the child import a module. */
export function needModule(url: string): void {
  needed?.add(url);
}

addFamily<(...args: never[]) => unknown, Place>((object) => typeof object === 'function' && isStartingChild(), {
  name: FORM,
  take: (fn) => {
    const place = locate(fn);
    needModule(place.module);
    return place;
  },
  make: (place) => resolve(place),
});
