/** Sizes and bounds of a log. */

import { countLost } from './damage.ts';
import type { Segment } from './segment.ts';

/** What a log knows of one of its segments. */
export interface SegmentInfo {
  baseOffset: number;
  nextOffset: number;
  bytes: number;
  indexBytes: number;
  /** The newest timestamp, or undefined where there is no record. */
  maxTimestamp: number | undefined;
  isSealed: boolean;
}

export interface LogInfo {
  name: string;
  partition: number;
  firstOffset: number;
  nextOffset: number;
  records: number;
  /** Records that are known to be lost: a repair has noted them, or the recovery mode goes on without them. */
  lostRecords: number;
  /** Records that compaction has removed; their offsets are given to no other. */
  removedRecords: number;
  bytes: number;
  indexBytes: number;
  segments: SegmentInfo[];
}

/** Puts together what is known of a log. */
export function describeLog(
  list: readonly Segment[],
  log: Pick<LogInfo, 'name' | 'partition' | 'firstOffset' | 'nextOffset'>,
): LogInfo {
  const segments = list.map((segment) => ({
    baseOffset: segment.baseOffset,
    nextOffset: segment.nextOffset,
    bytes: segment.bytes,
    indexBytes: segment.indexBytes,
    maxTimestamp: segment.maxTimestamp === -Infinity ? undefined : segment.maxTimestamp,
    isSealed: segment.isSealed,
  }));
  const { firstOffset, nextOffset } = log;
  const lostRecords = countLost(list, firstOffset, nextOffset);
  const removedRecords = list.reduce((sum, { absentOffsets }) => sum + absentOffsets, 0);
  return {
    ...log,
    // Where a log begins within a segment, some of what was removed there may lie before its beginning.
    records: Math.max(0, nextOffset - firstOffset - lostRecords - removedRecords),
    lostRecords,
    removedRecords,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    indexBytes: segments.reduce((sum, { indexBytes }) => sum + indexBytes, 0),
    segments,
  };
}
