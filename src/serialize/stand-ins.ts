/**
 * Values with objects in them that travel in a form of their own: each is replaced by an empty object, and put back at the
 * other end. What is met twice stays one object, and cycles stay cycles.
 */
import { types } from 'node:util';

import { ProcessError } from '../errors.ts';
import { isInheritOnly, refuseToSerialize } from '../inherit-only.ts';
import { formNamed, formOf, takeIn, type ClaimDescriptor, type Form, type PassDescriptor } from './forms.ts';

/** What is sent for such a value. */
export interface Envelope {
  readonly value: unknown;
  /** The empty object, the name of the form, what the object is made of; what an object is made of comes before it. */
  readonly entries: readonly (readonly [place: object, name: string, details: unknown])[];
}

/** Functions travel in a form of their own, or not at all. */
const isObject = (item: unknown): item is object =>
  (typeof item === 'object' && item !== null) || (typeof item === 'function' && formOf(item) !== undefined);

/** Longer arrays are taken to be mostly holes. */
const MOST_ELEMENTS = 1 << 25;

/** Whether there are such objects in `value`. @throws ProcessError `ERR_MP_INHERIT_ONLY` for a lock or the like in it. */
export function needsEnvelope(value: unknown): boolean {
  let found = false;
  const seen = new Set<unknown>();
  const left: object[] = [];
  const add = (item: unknown): void => {
    if (!isObject(item) || seen.has(item)) return;
    seen.add(item);
    left.push(item);
  };
  add(value);
  for (let item = left.pop(); item !== undefined; item = left.pop()) {
    if (formOf(item)) found = true;
    else if (isInheritOnly(item)) refuseToSerialize(item);
    else if (item instanceof Map) {
      for (const [key, part] of item) {
        add(key);
        add(part);
      }
    } else if (item instanceof Set) for (const part of item) add(part);
    else if (Array.isArray(item) && item.length < MOST_ELEMENTS) for (const part of item) add(part);
    else if (!ArrayBuffer.isView(item)) for (const part of Object.values(item)) add(part);
  }
  return found;
}

/** Objects with content that is not in their properties. */
const isOpaque = (object: object): boolean =>
  ArrayBuffer.isView(object) ||
  types.isAnyArrayBuffer(object) ||
  types.isDate(object) ||
  types.isRegExp(object) ||
  types.isBoxedPrimitive(object) ||
  types.isPromise(object) ||
  types.isWeakMap(object) ||
  types.isWeakSet(object);

/** Sets a property of plain data, `__proto__` too. */
export function put(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Takes `value` apart, leaving it as it is. @throws what the objects' forms throw. */
export function takeApart(value: unknown, pass: PassDescriptor): Envelope {
  const entries: Envelope['entries'][number][] = [];
  const copies = new Map<object, object>();
  /** Objects that can only be made once all they refer to is there. */
  const underWay = new Set<object>();
  const copied = <T extends object>(item: object, copy: T): T => {
    copies.set(item, copy);
    return copy;
  };
  const visit = (item: unknown): unknown => {
    if (!isObject(item)) return item;
    if (underWay.has(item)) {
      throw new TypeError(`a ${item.constructor.name} refers to itself, through what its form is made of`);
    }
    const known = copies.get(item);
    if (known) return known;
    const form = formOf(item);
    if (form) {
      const place = copied(item, {});
      if (!form.fill) underWay.add(item);
      const details = visit(takeIn(form, item, pass));
      underWay.delete(item);
      entries.push([place, form.name, details]);
      return place;
    }
    if (isInheritOnly(item)) refuseToSerialize(item);
    if (item instanceof Map) {
      const copy = copied(item, new Map<unknown, unknown>());
      for (const [key, part] of item) copy.set(visit(key), visit(part));
      return copy;
    }
    if (item instanceof Set) {
      const copy = copied(item, new Set<unknown>());
      for (const part of item) copy.add(visit(part));
      return copy;
    }
    if (isOpaque(item)) return item;
    const copy = copied(item, Array.isArray(item) ? Object.assign([], { length: item.length }) : {});
    for (const [key, part] of Object.entries(item)) put(copy, key, visit(part));
    return copy;
  };
  return { value: visit(value), entries };
}

/** Puts a value together again. @throws TypeError, or worse, for what is no envelope; the forms' own errors. */
export function putTogether(envelope: unknown, claim: ClaimDescriptor): unknown {
  const { value, entries } = envelope as Envelope;
  const objects = new Map<unknown, object>();
  const made: (readonly [Form, object])[] = [];
  const make = (place: object, form: Form, details: unknown): void => {
    const object = form.make(details, claim);
    made.push([form, object]);
    objects.set(place, object);
  };
  try {
    const known = entries.map(([place, name, details]) => ({ place, form: checkForm(name), details }));
    for (const { place, form, details } of known) if (form.fill) make(place, form, details);
    const replace = replacer(objects);
    for (const { place, form, details } of known) {
      const whole = replace(details);
      if (form.fill) form.fill(objects.get(place) as object, whole);
      else make(place, form, whole);
    }
    return replace(value);
  } catch (error) {
    for (const [form, object] of made) form.discard?.(object);
    throw error;
  }
}

function checkForm(name: string): Form {
  const form = formNamed(name);
  if (form) return form;
  throw new ProcessError(
    'ERR_MP_NOT_DESERIALIZABLE',
    `a message has an object of class ${name}, which is not known here: call registerClass() in this process, too`,
  );
}

/** Puts objects in the places of their stand-ins, in data that is nobody else's. */
function replacer(objects: ReadonlyMap<unknown, object>): (value: unknown) => unknown {
  const seen = new Set<unknown>();
  const visit = (item: unknown): unknown => {
    const object = objects.get(item);
    if (object || typeof item !== 'object' || item === null || seen.has(item)) return object ?? item;
    seen.add(item);
    if (item instanceof Map) {
      const entries = [...item];
      item.clear();
      for (const [key, part] of entries) item.set(visit(key), visit(part));
    } else if (item instanceof Set) {
      const parts = [...item];
      item.clear();
      for (const part of parts) item.add(visit(part));
    } else if (!isOpaque(item)) {
      for (const [key, part] of Object.entries(item)) {
        const whole = visit(part);
        if (whole !== part) put(item, key, whole);
      }
    }
    return item;
  };
  return visit;
}
