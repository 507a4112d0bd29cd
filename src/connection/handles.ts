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

/** What goes with a message. */
export class Passage {
  readonly descriptors: number[] = [];
  #settles: ((sent: boolean) => void)[] = [];

  /** @throws RangeError for too many. */
  readonly pass: NonNullable<PassDescriptor> = (fd, settle) => {
    if (settle) this.#settles.push(settle);
    if (this.descriptors.push(fd) <= native.CONNECTION_MAX_DESCRIPTORS) return;
    throw invalidArgument(
      `a message can carry ${native.CONNECTION_MAX_DESCRIPTORS} sockets and connections, not more`,
      RangeError,
    );
  };

  /** Says, the first time it is called, whether the message was sent. */
  readonly settle = (sent: boolean): void => {
    for (const settle of this.#settles.splice(0)) settle(sent);
  };
}

/** Has the descriptor of an object go with the message. */
export function passNow(pass: PassDescriptor, object: object, fd: number, settle?: (sent: boolean) => void): void {
  if (pass) return pass(fd, settle);
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

interface SocketDetails {
  readonly allowHalfOpen: boolean;
  /** What was read already. */
  readonly read: Buffer | null;
}

interface StreamHandle {
  reading?: boolean;
  readStop?(): void;
}

/** Takes out of a socket what it has read, and has it read no more. */
function takeRead(socket: net.Socket): Buffer | null {
  socket.pause();
  const read = socket.read() as Buffer | string | null;
  const handle = (socket as net.Socket & { _handle?: StreamHandle | null })._handle;
  if (handle?.readStop) {
    handle.reading = false;
    handle.readStop();
  }
  return typeof read === 'string' ? Buffer.from(read, socket.readableEncoding ?? 'utf8') : read;
}

/** The connection goes on elsewhere: this process lets go of it, once it has sent what it has to send. */
function letGo(socket: net.Socket): void {
  if (socket.writableLength === 0) socket.destroy();
  else socket.once('drain', () => socket.destroy());
}

addFamily<net.Socket, SocketDetails>(isSocket, {
  name: 'net.Socket',
  take: (socket, pass) => {
    if (isInstance(socket, 'tls', 'TLSSocket')) {
      throw invalidArgument('a TLSSocket cannot be sent: the keys of its session stay in this process');
    }
    const fd = openDescriptorOf(socket);
    let read: Buffer | null = null;
    passNow(pass, socket, fd, (sent) => {
      if (sent) letGo(socket);
      else if (read !== null) socket.unshift(read);
    });
    read = takeRead(socket);
    return { allowHalfOpen: socket.allowHalfOpen, read };
  },
  make: ({ allowHalfOpen, read }, claim) => {
    const socket = new (nodeModule('net').Socket)({ fd: claim(), readable: true, writable: true, allowHalfOpen });
    if (read !== null) socket.unshift(read);
    return socket;
  },
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
