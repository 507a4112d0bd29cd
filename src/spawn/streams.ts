/**
 * Spawned child: its standard streams write at once and completely, as those of a forked child do, so that nothing is lost however it
 * ends. Node alone does so for files and some pipes only.
 */
import { renewStandardStreams, renewalOf, type Stream } from '../fork/identity.ts';

/** Has the streams do so from their first use on; to make one takes Node a while, and many children print nothing. */
export function writeAtOnce(): void {
  for (const [fd, name] of [
    [1, 'stdout'],
    [2, 'stderr'],
  ] as const) {
    const { get: make } = Object.getOwnPropertyDescriptor(process, name) as { get: () => Stream };
    let stream: Stream | undefined;
    const get = (): Stream => {
      if (stream === undefined) {
        stream = make.call(process);
        renewStandardStreams([renewalOf(fd, stream)]);
      }
      return stream;
    };
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get });
  }
}
