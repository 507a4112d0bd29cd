/** A target that does nothing. */
export default function nothing(): void {}
