/**
 * Settings of other modules that a child which is no copy of its parent gets from it.
 */

/** Of one module. Its value must be plain data. */
export interface Setting<T> {
  /** The value; undefined if it is what it was at first. */
  get(): T | undefined;
  set(value: T): void;
}

const all = new Map<string, Setting<unknown>>();

/** Has children get a setting. */
export function addSetting<T>(name: string, setting: Setting<T>): void {
  all.set(name, setting as Setting<unknown>);
}

/** What is not as it was at first. */
export function changedSettings(): Record<string, unknown> {
  const values = [...all].map(([name, setting]) => [name, setting.get()] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** Child: has the settings of its parent. */
export function applySettings(values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) all.get(name)?.set(value);
}
