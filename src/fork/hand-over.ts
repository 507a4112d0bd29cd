/**
 * Sockets and servers among a process's arguments: the child goes on using them, while all others are silenced in it.
 */
import { descriptorOf, isServer, isSocket, isUdpSocket } from '../node-handles.ts';
import { visitData } from '../plain-data.ts';

/** Descriptors of the `net.Socket`s, `net.Server`s and `dgram.Socket`s found in `value`, at any depth of plain data. */
export function handedOverDescriptors(value: unknown): number[] {
  const found = new Set<number>();
  visitData(value, (item) => {
    if (!isSocket(item) && !isServer(item) && !isUdpSocket(item)) return false;
    const fd = descriptorOf(item);
    if (fd !== undefined && fd > 2) found.add(fd);
    return true;
  });
  return [...found];
}
