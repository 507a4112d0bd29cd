/** A target that does nothing. */
export function nothing(): void {}
