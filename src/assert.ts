import { AssertionError } from 'node:assert';

/**
 * States what must be true if varve has no bug. It is always on: a wrong assumption must stop the
 * engine before it reaches the disk.
 *
 * @param condition what must hold
 * @param message the assumption, as a sentence
 * @throws AssertionError when it does not hold
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError({ message, stackStartFn: assert });
}
