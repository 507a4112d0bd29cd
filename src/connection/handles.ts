/**
 * Sockets and servers of Node's travel over connections as descriptors.
 */
import { closeSync } from 'node:fs';
import type dgram from 'node:dgram';
import type net from 'node:net';
import { inspect } from 'node:util';

import { ProcessError, invalidArgument } from '../errors.ts';
import { native } from '../native.ts';
import { descriptorOf, isInstance, isServer, isSocket, isUdpSocket, nodeModule } from '../node-handles.ts';
import { addFamily, type PassDescriptor } from '../serialize/forms.ts';

/** Closes descriptors that nobody will. */
export function closeAll(descriptors: readonly number[]): void {
  for (const fd of descriptors) closeSync(fd);
}

/** Gathers the descriptors that go with a message. @throws RangeError for too many. */
export const passing = (descriptors: number[]): PassDescriptor => {
  return (fd) => {
    if (descriptors.push(fd) <= native.CONNECTION_MAX_DESCRIPTORS) return;
    throw invalidArgument(
      `a message can carry ${native.CONNECTION_MAX_DESCRIPTORS} sockets and connections, not more`,
      RangeError,
    );
  };
};

/** Has the descriptor of an object go with the message. */
export function passNow(pass: PassDescriptor, object: object, fd: number): void {
  if (pass) return pass(fd);
  throw new ProcessError(
    'ERR_MP_INHERIT_ONLY',
    `a ${object.constructor.name} cannot be put into a queue: send it over a Pipe, or pass it in args`,
  );
}

/** The descriptor of an open socket or server of Node's. @throws TypeError if there is none. */
export function openDescriptorOf(object: object): number {
  const fd = descriptorOf(object);
  if (fd !== undefined) return fd;
  throw invalidArgument(
    `a ${object.constructor.name} that is not open has no descriptor to pass: ${inspect(object, { depth: 0 })}`,
  );
}

addFamily<net.Socket, { readonly allowHalfOpen: boolean }>(isSocket, {
  name: 'net.Socket',
  take: (socket, pass) => {
    if (isInstance(socket, 'tls', 'TLSSocket')) {
      throw invalidArgument('a TLSSocket cannot be sent: the keys of its session stay in this process');
    }
    passNow(pass, socket, openDescriptorOf(socket));
    return { allowHalfOpen: socket.allowHalfOpen };
  },
  make: (details, claim) => new (nodeModule('net').Socket)({ fd: claim(), readable: true, writable: true, ...details }),
  discard: (socket) => socket.destroy(),
});

interface ServerDetails {
  readonly allowHalfOpen: boolean;
  readonly pauseOnConnect: boolean;
}

addFamily<net.Server, ServerDetails>(isServer, {
  name: 'net.Server',
  take: (server, pass) => {
    passNow(pass, server, openDescriptorOf(server));
    const { allowHalfOpen, pauseOnConnect } = server as net.Server & ServerDetails;
    return { allowHalfOpen, pauseOnConnect };
  },
  make: (details, claim) => new (nodeModule('net').Server)(details).listen({ fd: claim() }),
  discard: (server) => server.close(),
});

addFamily<dgram.Socket, { readonly type: dgram.SocketType }>(isUdpSocket, {
  name: 'dgram.Socket',
  take: (socket, pass) => {
    passNow(pass, socket, openDescriptorOf(socket));
    return { type: (socket as dgram.Socket & { type: dgram.SocketType }).type };
  },
  make: ({ type }, claim) =>
    nodeModule('dgram')
      .createSocket(type)
      .bind({ fd: claim() } as unknown as dgram.BindOptions),
  discard: (socket) => socket.close(),
});
