/**
 * Objects that want to know which child gets them.
 */
import { visitData } from '../plain-data.ts';

/** The method of such an object, called in the parent with the child's pid. */
export const handedTo: unique symbol = Symbol('handedTo');

interface Receiver {
  [handedTo](pid: number): void;
}

const isReceiver = (item: object): item is Receiver => handedTo in item;

/** The objects in `value`, at any depth of plain data, that want to know. */
export function receiversIn(value: unknown): readonly Receiver[] {
  const receivers: Receiver[] = [];
  visitData(value, (item) => {
    if (!isReceiver(item)) return false;
    receivers.push(item);
    return true;
  });
  return receivers;
}
