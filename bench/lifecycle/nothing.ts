/** A target in a module of its own, for children that import it. */
export function nothing(): void {}
