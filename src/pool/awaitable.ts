/**
 * What can be awaited like a promise, and costs one only if it is.
 */

/** Something that will have a value, or fail. */
export abstract class Awaitable<T> implements PromiseLike<T> {
  #promise: Promise<T> | undefined;

  /** @internal Settles the promise once there is something to settle it with. */
  protected abstract settlePromise(resolve: (value: T) => void, reject: (error: unknown) => void): void;

  #asPromise(): Promise<T> {
    return (this.#promise ??= new Promise((resolve, reject) => this.settlePromise(resolve, reject)));
  }

  /** As of a promise. */
  // oxlint-disable-next-line unicorn/no-thenable -- it is to be awaited
  then<R = T, E = never>(
    onValue?: ((value: T) => PromiseLike<R> | R) | null,
    onError?: ((error: unknown) => E | PromiseLike<E>) | null,
  ): Promise<E | R> {
    return this.#asPromise().then(onValue, onError);
  }

  /** As of a promise. */
  catch<E = never>(onError?: ((error: unknown) => E | PromiseLike<E>) | null): Promise<E | T> {
    return this.then(undefined, onError);
  }

  /** As of a promise. */
  finally(onEnd?: (() => void) | null): Promise<T> {
    return this.#asPromise().finally(onEnd);
  }
}
