/**
 * What is known about the batches of a segment without looking at them: where its last one ends, where known
 * losses lie, and which batches its index names. A batch that is found somewhere behind damage is measured
 * against that.
 *
 * @module
 */

import type { DamagedRange, Segment } from './segment.ts';

export interface Landmarks {
  /** The offset behind the last batch of the part that is looked at; undefined where nobody knows it. */
  readonly endOffset: number | undefined;
  /** Places where the chain of batches is known to break, and where it goes on. */
  readonly gaps: readonly DamagedRange[];
  /** The last offset of the batch that begins at a position, where an index names it. */
  readonly lastOffsetAt: (position: number) => number | undefined;
  /** Whether compaction has removed records, so that few bytes may stand for many offsets. */
  readonly isSparse: boolean;
}

/** Of a segment that is being read for the first time. */
export const NO_LANDMARKS: Landmarks = {
  endOffset: undefined,
  gaps: [],
  lastOffsetAt: () => undefined,
  isSparse: false,
};

/**
 * Of a segment that is open.
 *
 * @param limit where the part of it ends that is looked at
 */
export function landmarksOf(segment: Segment, limit: number): Landmarks {
  return {
    endOffset: limit === segment.bytes ? segment.nextOffset : undefined,
    gaps: segment.damaged,
    isSparse: segment.absentOffsets > 0,
    lastOffsetAt(position) {
      const last = segment.index?.lastOffsetAt(position);
      return last === undefined ? undefined : segment.baseOffset + last;
    },
  };
}
