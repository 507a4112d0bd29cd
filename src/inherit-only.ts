/**
 * Objects that only inheritance can carry to another process.
 */
import workerThreads from 'node:worker_threads';

import { ProcessError } from './errors.ts';

const { markAsUncloneable } = workerThreads as { markAsUncloneable?: (value: object) => void };

const inheritOnly = new WeakSet();

/** Whether only inheritance can carry `object` to another process. */
export const isInheritOnly = (object: object): boolean => inheritOnly.has(object);

/** Has structured clone (`postMessage`) refuse `object`, which would be something else at the other end. */
export function inheritedOnly(object: object): void {
  if (inheritOnly.has(object)) return;
  inheritOnly.add(object);
  if (markAsUncloneable) markAsUncloneable(object);
  // A property that cannot be cloned does it where Node has no word for it.
  else Object.defineProperty(object, 'inheritOnly', { value: (): void => {}, enumerable: true });
}

/** @throws ProcessError `ERR_MP_INHERIT_ONLY`, with Python's reason. */
export function refuseToSerialize(object: object): never {
  throw new ProcessError(
    'ERR_MP_INHERIT_ONLY',
    `a ${object.constructor.name} should only be shared between processes through inheritance: ` +
      'make it before the fork and use it in the target, or pass it in args',
  );
}
