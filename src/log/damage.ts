/** Says of damaged bytes in a segment exactly which offsets are lost. */

import type { VarveError } from '../errors.ts';
import { corruptSegment, type Segment } from './segment.ts';
import { findBehind } from './segment-scan.ts';

/**
 * Makes the error for a place where a segment stops being batches.
 *
 * @param position of the first byte that is no batch
 * @param offset that the batch there should begin with
 * @param limit where the bytes of the segment end
 */
export async function describeDamage(
  segment: Segment,
  position: number,
  offset: number,
  limit: number,
): Promise<VarveError> {
  const behind = await findBehind(segment.context.memory, await segment.open(), position, limit, offset);
  return corruptSegment(segment, position, offset, (behind.first?.offset ?? segment.nextOffset) - 1);
}
