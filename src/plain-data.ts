/**
 * Going through what a process is given.
 */

/**
 * Calls `visit` with each object in `value`, once, at any depth of arrays, plain objects, maps and sets.
 *
 * @param visit returns true if the object is none of these to go on into.
 */
export function visitData(value: unknown, visit: (item: object) => boolean): void {
  const seen = new Set<object>();
  const go = (item: unknown): void => {
    if (typeof item !== 'object' || item === null || seen.has(item)) return;
    seen.add(item);
    if (visit(item)) return;
    if (Array.isArray(item) || item instanceof Set) {
      for (const part of item) go(part);
    } else if (item instanceof Map) {
      for (const [key, part] of item) {
        go(key);
        go(part);
      }
    } else if (Object.getPrototypeOf(item) === Object.prototype || Object.getPrototypeOf(item) === null) {
      for (const part of Object.values(item)) go(part);
    }
  };
  go(value);
}
