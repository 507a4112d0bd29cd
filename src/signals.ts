/** Names and numbers of signals. */
import { constants } from 'node:os';

const names = new Map<number, string>();
for (const [name, number] of Object.entries(constants.signals)) {
  // Aliases such as SIGIOT come after the usual name or are not it.
  if (!names.has(number)) names.set(number, name);
}

/** `SIGTERM` for 15; `signal 40` for one without a name. */
export function signalName(signal: number): string {
  return names.get(signal) ?? `signal ${signal}`;
}

/** The number of a signal given by number or name. */
export function signalNumber(signal: number | string): number | undefined {
  if (typeof signal === 'number') return Number.isInteger(signal) && signal >= 0 && signal <= 64 ? signal : undefined;
  return (constants.signals as Record<string, number>)[signal];
}
