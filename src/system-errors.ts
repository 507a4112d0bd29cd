/**
 * Errors of the operating system that say what they are about, as Node's own do with paths.
 */
import { inspect } from 'node:util';

/**
 * Runs a native call on something with a name.
 *
 * @param meanings what codes mean here; others keep the system's words.
 * @param details what else the message should say.
 * @throws Error with `code`, `errno`, `syscall` and, as `path`, the name.
 */
export function explained<T>(
  meanings: Readonly<Record<string, string>>,
  name: string | undefined,
  details: readonly string[],
  action: () => T,
): T {
  try {
    return action();
  } catch (cause) {
    const { code = '', errno, syscall, message } = cause as NodeJS.ErrnoException;
    if (syscall === undefined) throw cause;
    const subject = [...(name === undefined ? [] : [inspect(name)]), ...details].join(', ');
    throw Object.assign(new Error(`${code}: ${meanings[code] ?? message}, ${syscall} ${subject}`), {
      errno,
      code,
      syscall,
      ...(name !== undefined && { path: name }),
    });
  }
}
