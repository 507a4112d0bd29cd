import { once } from 'node:events';
import dgram from 'node:dgram';
import net from 'node:net';
import { afterAll, describe, expect, it } from 'vitest';

import { handedOverDescriptors } from '../../src/fork/hand-over.ts';

type WithHandle = { _handle: { fd: number } };

const server = net.createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
await once(socket, 'connect');
const datagrams = dgram.createSocket('udp4');
await new Promise<void>((resolve) => datagrams.bind(0, '127.0.0.1', resolve));
const fdOf = (item: unknown): number => (item as WithHandle)._handle.fd;

afterAll(() => {
  socket.destroy();
  server.close();
  datagrams.close();
});

describe('sockets among the arguments', () => {
  it('are found at any depth of plain data, once each', () => {
    const cyclic: Record<string, unknown> = { socket };
    cyclic['self'] = cyclic;
    const found = handedOverDescriptors([
      1,
      'x',
      null,
      undefined,
      { a: [server] },
      new Map([[socket, new Set([server])]]),
      cyclic,
      Object.assign(Object.create(null), { socket }),
    ]);
    expect(found.sort()).toEqual([fdOf(server), fdOf(socket)].sort());
  });

  it('datagram sockets too', () => {
    const found = handedOverDescriptors([datagrams]);
    expect(found).toHaveLength(1);
    expect(found[0]).toBeGreaterThan(2);
  });

  it('not what is closed, nor what an object of a class of its own holds', () => {
    expect(handedOverDescriptors([new net.Socket(), net.createServer()])).toEqual([]);
    expect(
      handedOverDescriptors([
        new (class {
          held = socket;
        })(),
      ]),
    ).toEqual([]);
    expect(handedOverDescriptors(undefined)).toEqual([]);
  });
});
