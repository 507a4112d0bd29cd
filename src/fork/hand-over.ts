/**
 * Sockets and servers among a process's arguments: the child goes on using them, while all others are silenced in it.
 */
import { createRequire } from 'node:module';
import type dgram from 'node:dgram';
import type net from 'node:net';

import { visitData } from '../plain-data.ts';

const require = createRequire(import.meta.url);
const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };

type WithHandle = { _handle?: { fd?: number } | null };

class Nothing {}

/** Descriptors of the `net.Socket`s, `net.Server`s and `dgram.Socket`s found in `value`, at any depth of plain data. */
export function handedOverDescriptors(value: unknown): number[] {
  const found = new Set<number>();
  // Without these modules there is no socket to be found.
  const { Socket, Server } = moduleLoadList.includes('NativeModule net')
    ? (require('node:net') as typeof net)
    : { Socket: Nothing, Server: Nothing };
  const { Socket: UdpSocket } = moduleLoadList.includes('NativeModule dgram')
    ? (require('node:dgram') as typeof dgram)
    : { Socket: Nothing };
  const add = (fd: number | undefined): void => {
    if (typeof fd === 'number' && fd > 2) found.add(fd);
  };
  visitData(value, (item) => {
    if (item instanceof Socket || item instanceof Server) {
      add((item as WithHandle)._handle?.fd);
      return true;
    }
    if (!(item instanceof UdpSocket)) return false;
    const state = Object.getOwnPropertySymbols(item).find((symbol) => symbol.description === 'state symbol');
    add((item as unknown as Record<symbol, { handle?: { fd?: number } }>)[state as symbol]?.handle?.fd);
    return true;
  });
  return [...found];
}
