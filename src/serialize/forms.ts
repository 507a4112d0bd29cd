/**
 * Objects that structured clone would refuse or make something else of, and the form in which they travel.
 */

/**
 * Has a descriptor go with the message. Absent where none can. `settle` is told, once, whether the message was sent.
 */
export type PassDescriptor = ((fd: number, settle?: (sent: boolean) => void) => void) | undefined;

/** Takes the next descriptor that came with the message; it is the caller's own. */
export type ClaimDescriptor = () => number;

/** How objects of one kind travel. */
export interface Form<T extends object = object, D = unknown> {
  /** The kind's name in messages. */
  readonly name: string;
  /** What the object is made of: anything that can be sent. */
  readonly take: (object: T, pass: PassDescriptor) => D;
  /**
   * Makes the object. With `fill` it is made before anything else, of what in `details` is no such object itself, so
   * that others, and it itself, can refer to it.
   */
  readonly make: (details: D, claim: ClaimDescriptor) => T;
  /** Gives it what it is made of. */
  readonly fill?: (object: T, details: D) => void;
  /** Lets go of an object that nobody will get. */
  readonly discard?: (object: T) => void;
}

interface Family {
  readonly is: (object: object) => boolean;
  readonly form: Form;
}

const byName = new Map<string, Form>();
const byPrototype = new Map<unknown, Form>();
const families: Family[] = [];

/** What V8 does right. */
const plain = new Set<unknown>([
  null,
  ...[Object, Array, Map, Set, Date, RegExp, ArrayBuffer, Buffer, Uint8Array].map(
    ({ prototype }) => prototype as object,
  ),
]);

const untyped = <T extends object, D>(form: Form<T, D>): Form => form as unknown as Form;

/** Gives all objects for which `is` holds a form. */
export function addFamily<T extends object, D>(is: (object: object) => boolean, form: Form<T, D>): void {
  families.push({ is, form: untyped(form) });
  byName.set(form.name, untyped(form));
}

/** Gives objects with just this prototype a form. */
export function addClass<T extends object, D>(prototype: T, form: Form<T, D>): void {
  byPrototype.set(prototype, untyped(form));
  byName.set(form.name, untyped(form));
}

/** The form in which `object` travels; undefined if V8 knows how. */
export function formOf(object: object): Form | undefined {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (plain.has(prototype)) return undefined;
  return byPrototype.get(prototype) ?? families.find(({ is }) => is(object))?.form;
}

let onUse: ((form: Form) => void) | undefined;

/** Does `action` and tells `used` of each form that something is given meanwhile. */
export function whileNotingForms<T>(used: (form: Form) => void, action: () => T): T {
  const before = onUse;
  onUse = used;
  try {
    return action();
  } finally {
    onUse = before;
  }
}

/** What `object` is made of, in its form. */
export function takeIn(form: Form, object: object, pass: PassDescriptor): unknown {
  onUse?.(form);
  return form.take(object, pass);
}

/** The form of that name. */
export function formNamed(name: string): Form | undefined {
  return byName.get(name);
}
