/**
 * Classes of the program's own.
 */
import { inspect, types } from 'node:util';

import { invalidArgument } from '../errors.ts';
import { addErrorClass } from './errors.ts';
import { addClass, formNamed, formOf } from './forms.ts';
import { put } from './stand-ins.ts';

/** How objects of a registered class travel. */
export interface ClassOptions<T extends object, D = unknown> {
  /** What the class is called in messages; the same in all processes, and of no other class. @default the class's name */
  readonly name?: string | undefined;
  /** What an object is made of: anything that can be sent. @default its own enumerable properties */
  readonly serialize?: ((object: T) => D) | undefined;
  /** Makes the object of that. @default an object with these properties; the constructor is not called */
  readonly deserialize?: ((data: D) => T) | undefined;
}

/** A class, abstract or not, whatever its constructor takes. */
export type AnyClass<T extends object> = abstract new (...parameters: never[]) => T;

const registered = new Map<string, unknown>();

/**
 * Python: `multiprocessing.reduction.register(type, reduce)`, which is needed for fewer classes there. Objects of `Class`
 * (not of its subclasses) that are put into queues or sent over pipes come back as objects of `Class`; others, as with
 * structured clone, as plain objects. To be called in all processes that take part: before the fork, or at the top of a module.
 *
 * ```ts
 * class Point { constructor(public x = 0, public y = 0) {} }
 * registerClass(Point);
 * registerClass(Temperature, { serialize: (t) => t.kelvin, deserialize: (kelvin) => new Temperature(kelvin) });
 * ```
 *
 * A class with private fields, or one that extends `Map`, `Array` and the like, needs `serialize` and `deserialize`. Errors
 * do not: they keep their properties. Registering a class again replaces the options.
 *
 * @throws TypeError (`ERR_MP_INVALID_ARG`) for a bad argument, or a name that another class has.
 */
export function registerClass<T extends object, D = unknown>(
  Class: AnyClass<T>,
  options: ClassOptions<T, D> = {},
): void {
  if (typeof Class !== 'function' || typeof Class.prototype !== 'object') {
    throw invalidArgument(`expected a class, not ${inspect(Class)}`);
  }
  if (typeof options !== 'object' || options === null) {
    throw invalidArgument(`expected { name, serialize, deserialize }, not ${inspect(options)}`);
  }
  const { name = Class.name, serialize, deserialize } = options;
  if (typeof name !== 'string' || name === '') {
    throw invalidArgument(`the name of a class must be a string that is not empty: ${inspect(name)}`);
  }
  if (registered.has(name) ? registered.get(name) !== Class : formNamed(name) !== undefined) {
    throw invalidArgument(`there is a class ${name} already: pass another name with { name: '…' }`);
  }
  const prototype = Class.prototype as T;
  if (serialize === undefined && deserialize === undefined) {
    const base = builtinBase(prototype);
    if (base === 'Error') addErrorClass(name, prototype);
    else if (base === undefined) addPlain(name, prototype);
    else {
      throw invalidArgument(
        `${name} extends ${base}, whose content is not in its properties: pass { serialize, deserialize }`,
      );
    }
  } else {
    for (const [key, value] of Object.entries({ serialize, deserialize })) {
      if (typeof value !== 'function') {
        throw invalidArgument(`${key} must be a function, as serialize and deserialize go together: ${inspect(value)}`);
      }
    }
    addClass<T, D>(prototype, {
      name,
      take: serialize as (object: T) => D,
      make: (data) => checkMade(name, (deserialize as (data: D) => T)(data)),
    });
  }
  registered.set(name, Class);
}

function addPlain(name: string, prototype: object): void {
  addClass<object, Record<string, unknown>>(prototype, {
    name,
    take: (object) => {
      const properties = {};
      for (const [key, value] of Object.entries(object)) put(properties, key, value);
      return properties;
    },
    make: () => Object.create(prototype) as object,
    fill: (object, properties) => {
      for (const [key, value] of Object.entries(properties)) put(object, key, value);
    },
  });
}

function checkMade<T extends object>(name: string, object: T): T {
  if (typeof object === 'object' && object !== null) return object;
  throw invalidArgument(`deserialize of ${name} must return an object, not ${inspect(object)}`);
}

/** The class of JavaScript's own or Node's that a class extends, if its objects are more than their properties. */
function builtinBase(prototype: object): string | undefined {
  if (prototype instanceof Error) return 'Error';
  const base = [
    Array,
    Map,
    Set,
    Date,
    RegExp,
    Promise,
    WeakMap,
    WeakSet,
    ArrayBuffer,
    SharedArrayBuffer,
    DataView,
    Object.getPrototypeOf(Uint8Array) as new () => object,
    Number,
    String,
    Boolean,
    BigInt,
    Symbol,
    Function,
  ].find((Builtin) => prototype instanceof Builtin || prototype === Builtin.prototype);
  if (base) return base.name;
  return types.isProxy(prototype) ? 'a Proxy' : formOf(Object.create(prototype) as object)?.name;
}

registerClass(URL, { serialize: ({ href }) => href, deserialize: (href) => new URL(href) });
registerClass(URLSearchParams, { serialize: String, deserialize: (text) => new URLSearchParams(text) });
