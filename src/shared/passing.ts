/**
 * Objects in shared memory on their way to a child that is not forked, and so does not have them.
 */
import { inheritedOnly, isInheritOnly, refuseToSerialize } from '../inherit-only.ts';
import { addFamily, type ClaimDescriptor, type PassDescriptor } from '../serialize/forms.ts';
import { withBlocks } from './block.ts';

/** What such an object is made of. */
export interface Passed<D = unknown> {
  /** Its class, or that which it extends. */
  readonly kind: string;
  /** Its blocks, in the order in which its constructor allocates them. */
  readonly handles: readonly number[];
  readonly details: D;
}

type Pack = (pass: NonNullable<PassDescriptor>) => Passed;

const packs = new WeakMap<object, Pack>();
const makers = new Map<string, (details: never, claim: ClaimDescriptor) => object>();

/** A child is being started that gets what is serialised now. */
let isStarting = false;

/** Whether functions, and objects in shared memory, can be carried now. */
export const isStartingChild = (): boolean => isStarting;

/** Does `action` with everything being carried that a child can get when it is started. */
export function whileStartingChild<T>(action: () => T): T {
  const before = isStarting;
  isStarting = true;
  try {
    return action();
  } finally {
    isStarting = before;
  }
}

/** Lets `object` go to children that are started, and, if it is `onlyThere`, nowhere else. */
export function passable(object: object, pack: Pack, { onlyThere = true } = {}): void {
  packs.set(object, pack);
  if (onlyThere) inheritedOnly(object);
}

/** How objects of a kind are made anew, by a constructor that finds their blocks when it allocates. */
export function addKind<D>(kind: string, make: (details: D, claim: ClaimDescriptor) => object): void {
  makers.set(kind, make);
}

addFamily<object, Passed>((object) => packs.has(object) && (isStarting || isInheritOnly(object)), {
  name: 'shared',
  take: (object, pass) => {
    if (!isStarting || pass === undefined) return refuseToSerialize(object);
    return (packs.get(object) as Pack)(pass);
  },
  make: ({ kind, handles, details }, claim) => {
    const make = makers.get(kind);
    if (make === undefined) throw new TypeError(`an unknown kind of shared object: ${kind}`);
    return withBlocks(handles, () => make(details as never, claim));
  },
});
