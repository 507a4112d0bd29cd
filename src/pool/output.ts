/**
 * Whose output a line is.
 */

/** Has each line that this process prints begin with `name`. */
export function prefixOutput(name: string): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (text: string, ...rest: unknown[]) => boolean;
    let isAtBegin = true;
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) => {
      const encoding = typeof rest[0] === 'string' ? (rest[0] as BufferEncoding) : 'utf8';
      const text = typeof chunk === 'string' ? Buffer.from(chunk, encoding).toString() : Buffer.from(chunk).toString();
      const lines = text.split('\n').map((line, index, all) => {
        const begins = index > 0 || isAtBegin;
        return begins && (line !== '' || index < all.length - 1) ? `[${name}] ${line}` : line;
      });
      isAtBegin = text === '' ? isAtBegin : text.endsWith('\n');
      return write(lines.join('\n'), ...rest.filter((each) => typeof each === 'function'));
    }) as typeof stream.write;
  }
}
