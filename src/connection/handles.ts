/**
 * Objects that travel as descriptors: found in a value, replaced by placeholders, and made anew at the other end.
 */
import { closeSync } from 'node:fs';
import { createRequire } from 'node:module';
import type dgram from 'node:dgram';
import type net from 'node:net';
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from '../errors.ts';

const require = createRequire(import.meta.url);
const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };

/** How one kind of object travels. */
export interface Carrier<T extends object, D> {
  readonly kind: string;
  /** Whether `object` is of this kind. */
  is(object: object): boolean;
  /** Its descriptor, and what else it is made of. */
  take(object: T): { readonly fd: number; readonly details: D };
  /** The object at the other end; `fd` is its own. */
  make(fd: number, details: D): T;
}

interface WithHandle {
  _handle?: { readonly fd?: number } | null;
}

/** The descriptor of an open socket or server of Node's. @throws TypeError if there is none. */
export function descriptorOf(object: object): number {
  const fd = udpDescriptor(object) ?? (object as WithHandle)._handle?.fd;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw invalidArgument(
    `a ${object.constructor.name} that is not open has no descriptor to pass: ${inspect(object, { depth: 0 })}`,
  );
}

function udpDescriptor(object: object): number | undefined {
  const state = Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === 'state symbol');
  return state && (object as Record<symbol, { handle?: { fd?: number } }>)[state]?.handle?.fd;
}

/** Whether `object` is an instance of a class of a module of Node's, which is not loaded for that. */
function isOf(object: object, module: string, name: string): boolean {
  if (!moduleLoadList.includes(`NativeModule ${module}`)) return false;
  return object instanceof (require(`node:${module}`) as Record<string, new () => object>)[name]!;
}

const carriers: Carrier<never, never>[] = [];

/** Lets objects of one more kind travel. */
export function addCarrier<T extends object, D>(carrier: Carrier<T, D>): void {
  carriers.push(carrier as unknown as Carrier<never, never>);
}

addCarrier<net.Socket, { readonly allowHalfOpen: boolean }>({
  kind: 'net.Socket',
  is: (object) => isOf(object, 'net', 'Socket'),
  take: (socket) => ({ fd: descriptorOf(socket), details: { allowHalfOpen: socket.allowHalfOpen } }),
  make: (fd, details) =>
    new (require('node:net') as typeof net).Socket({ fd, readable: true, writable: true, ...details }),
});

addCarrier<net.Server, { readonly allowHalfOpen: boolean; readonly pauseOnConnect: boolean }>({
  kind: 'net.Server',
  is: (object) => isOf(object, 'net', 'Server'),
  take: (server) => {
    const { allowHalfOpen, pauseOnConnect } = server as net.Server & {
      allowHalfOpen: boolean;
      pauseOnConnect: boolean;
    };
    return { fd: descriptorOf(server), details: { allowHalfOpen, pauseOnConnect } };
  },
  make: (fd, details) => new (require('node:net') as typeof net).Server(details).listen({ fd }),
});

addCarrier<dgram.Socket, { readonly type: dgram.SocketType }>({
  kind: 'dgram.Socket',
  is: (object) => isOf(object, 'dgram', 'Socket'),
  take: (socket) => ({
    fd: descriptorOf(socket),
    details: { type: (socket as dgram.Socket & { type: dgram.SocketType }).type },
  }),
  make: (fd, { type }) => {
    const socket = (require('node:dgram') as typeof dgram).createSocket(type);
    return socket.bind({ fd } as unknown as dgram.BindOptions);
  },
});

/** What is sent for a value that has such objects in it. */
interface Envelope {
  /** The value, with an empty object in the place of each. */
  readonly value: unknown;
  /** Those empty objects, which stay the same objects, and what belongs there. */
  readonly handles: readonly { readonly place: object; readonly kind: string; readonly details: unknown }[];
}

const isPlain = (object: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
};

/** Sets a property of plain data, `__proto__` too. */
function put(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Takes `value` apart; undefined if nothing in it, at any depth of plain data, travels as a descriptor. */
export function pack(value: unknown): { readonly envelope: Envelope; readonly descriptors: number[] } | undefined {
  const descriptors: number[] = [];
  const handles: Envelope['handles'][number][] = [];
  const copies = new Map<object, object>();
  const copied = <T extends object>(item: object, copy: T): T => {
    copies.set(item, copy);
    return copy;
  };
  const visit = (item: unknown): unknown => {
    if (typeof item !== 'object' || item === null) return item;
    const known = copies.get(item);
    if (known) return known;
    const carrier = carriers.find(({ is }) => is(item));
    if (carrier) {
      const { fd, details } = carrier.take(item as never);
      const place = copied(item, {});
      handles.push({ place, kind: carrier.kind, details });
      descriptors.push(fd);
      return place;
    }
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
    if (!Array.isArray(item) && !isPlain(item)) return item;
    const copy = copied(item, Array.isArray(item) ? Object.assign([], { length: item.length }) : {});
    for (const [key, part] of Object.entries(item)) put(copy, key, visit(part));
    return copy;
  };
  const envelope = { value: visit(value), handles };
  return descriptors.length === 0 ? undefined : { envelope, descriptors };
}

/** Closes descriptors that nobody will. */
export function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}

/** Puts a value together again. The descriptors are its objects' own, or closed if that fails. */
export function unpack(decode: () => unknown, descriptors: readonly number[]): unknown {
  const left = [...descriptors];
  try {
    const { value, handles } = (decode() ?? {}) as Partial<Envelope>;
    if (!Array.isArray(handles) || handles.length !== descriptors.length) {
      throw new ProcessError(
        'ERR_MP_CORRUPT',
        'descriptors have arrived that no value refers to: receive them with recvHandle()',
      );
    }
    const objects = new Map<unknown, object>();
    for (const { place, kind, details } of handles as Envelope['handles']) {
      const carrier = carriers.find((each) => each.kind === kind);
      if (!carrier)
        throw new ProcessError(
          'ERR_MP_CORRUPT',
          `a descriptor has arrived for a ${inspect(kind)}, which is not known here`,
        );
      objects.set(place, carrier.make(left[0] as number, details as never));
      left.shift();
    }
    return replace(value, objects);
  } catch (error) {
    closeAll(left);
    throw error;
  }
}

/** Puts objects in the places of their stand-ins, in a value that is nobody else's. */
function replace(value: unknown, objects: ReadonlyMap<unknown, object>): unknown {
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
    } else if (Array.isArray(item) || isPlain(item)) {
      for (const [key, part] of Object.entries(item)) put(item, key, visit(part));
    }
    return item;
  };
  return visit(value);
}
