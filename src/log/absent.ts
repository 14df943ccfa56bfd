/** What is said of a record that is not there. */

import { VarveError } from '../errors.ts';

/** The error for a record that compaction has removed. */
export function removedError(offset: number): VarveError {
  return new VarveError(
    'OUT_OF_RANGE',
    `offset ${offset} cannot be read: compaction has removed its record`,
    {
      offsets: { first: offset, last: offset },
    },
  );
}
