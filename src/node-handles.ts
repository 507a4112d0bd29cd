/**
 * The descriptors of Node's sockets and servers.
 */
import { createRequire } from 'node:module';
import type dgram from 'node:dgram';
import type net from 'node:net';
import type tls from 'node:tls';

const require = createRequire(import.meta.url);
const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };

interface Modules {
  readonly net: typeof net;
  readonly dgram: typeof dgram;
  readonly tls: typeof tls;
}

/** A module of Node's that is loaded only where it is needed. */
export const nodeModule = <M extends keyof Modules>(name: M): Modules[M] => require(`node:${name}`) as Modules[M];

/** Whether `object` is an instance of a class of a module of Node's. Without the module there is none. */
export function isInstance<M extends keyof Modules>(
  object: object,
  module: M,
  name: keyof Modules[M] & string,
): boolean {
  if (!moduleLoadList.includes(`NativeModule ${module}`)) return false;
  return object instanceof (nodeModule(module)[name] as new () => object);
}

export const isSocket = (object: object): object is net.Socket => isInstance(object, 'net', 'Socket');
export const isServer = (object: object): object is net.Server => isInstance(object, 'net', 'Server');
export const isUdpSocket = (object: object): object is dgram.Socket => isInstance(object, 'dgram', 'Socket');

type WithFd = { readonly fd?: number } | null | undefined;

/** The descriptor of a socket or server of Node's; undefined if it is not open. */
export function descriptorOf(object: object): number | undefined {
  let handle: WithFd;
  if (isUdpSocket(object)) {
    const state = Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === 'state symbol');
    handle = (object as unknown as Record<symbol, { handle?: WithFd }>)[state as symbol]?.handle;
  } else {
    handle = (object as { _handle?: WithFd })._handle;
  }
  const fd = handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : undefined;
}
