/** Which segments are to be compacted, and when: pure decisions, which compactor.ts carries out. */

import { SEGMENT_BYTES_MAX } from '../../limits.ts';

/** What the decisions need to know of a sealed segment. */
export interface CleanableSegment {
  baseOffset: number;
  /** The offset behind its last record. */
  nextOffset: number;
  bytes: number;
  /** The newest timestamp in it. */
  maxTimestamp: number;
  /** When it was begun. */
  createdAtMs: number;
}

export interface CompactionRules {
  minCompactionLagMs: number;
  maxCompactionLagMs: number;
  minCleanableRatio: number;
}

export interface CleanablePlan {
  /** How many segments, from the first on, may be touched. */
  count: number;
  /** From here on records have not been compared with those before them. */
  firstDirty: number;
  /** The offset behind the last segment that may be touched. */
  end: number;
  dirtyBytes: number;
  /** The share of what was not compacted yet in all that may be touched; 0 where there is nothing. */
  ratio: number;
  /** Whether it is time. */
  isDue: boolean;
}

/**
 * Plans a compaction.
 *
 * @param segments the sealed ones, from the oldest to the newest
 * @param cleanedTo how far the log was compacted before
 * @param now wall-clock time in milliseconds
 */
export function planCompaction(
  segments: readonly CleanableSegment[],
  cleanedTo: number,
  rules: CompactionRules,
  now: number,
): CleanablePlan {
  const young = segments.findIndex(({ maxTimestamp }) => now - maxTimestamp < rules.minCompactionLagMs);
  const cleanable = young < 0 ? segments : segments.slice(0, young);
  const firstDirty = Math.max(cleanedTo, cleanable[0]?.baseOffset ?? 0);
  const end = cleanable.at(-1)?.nextOffset ?? firstDirty;
  const dirty = cleanable.filter(({ nextOffset }) => nextOffset > firstDirty);
  const bytes = cleanable.reduce((sum, segment) => sum + segment.bytes, 0);
  const dirtyBytes = dirty.reduce((sum, segment) => sum + segment.bytes, 0);
  const ratio = bytes === 0 ? 0 : dirtyBytes / bytes;
  const isOld = dirty.some(({ createdAtMs }) => now - createdAtMs > rules.maxCompactionLagMs);
  const isDue = dirtyBytes > 0 && (ratio >= rules.minCleanableRatio || isOld);
  return { count: cleanable.length, firstDirty, end, dirtyBytes, ratio, isDue };
}

/** A segment that is to be rewritten, and about how large it will be then. */
export interface RewritableSegment {
  baseOffset: number;
  nextOffset: number;
  bytes: number;
  estimatedBytes: number;
}

/** So many times the size of a segment is read for one at most: it takes a thread for as long. */
const GROUP_SEGMENTS_MAX = 8;
/** An estimate may be wrong a little. */
const ESTIMATE_SHARE = 0.9;

/**
 * Puts segments into groups, each of which becomes one segment: as many as will not be larger together than one may
 * be, and whose offsets are near enough to one another.
 */
export function groupSegments<T extends RewritableSegment>(
  segments: readonly T[],
  segmentBytes: number,
): T[][] {
  const groups: T[][] = [];
  const bytesMax = Math.min(segmentBytes * GROUP_SEGMENTS_MAX, SEGMENT_BYTES_MAX);
  let bytes = 0;
  let estimate = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    const first = group?.[0];
    const isNext = group?.at(-1)?.nextOffset === segment.baseOffset;
    const isNear = first !== undefined && segment.nextOffset - first.baseOffset <= 2 ** 31 - 1;
    bytes += segment.bytes;
    estimate += segment.estimatedBytes;
    const isSmall = bytes <= segmentBytes || (bytes <= bytesMax && estimate <= segmentBytes * ESTIMATE_SHARE);
    if (group !== undefined && isNext && isNear && isSmall) {
      group.push(segment);
    } else {
      groups.push([segment]);
      bytes = segment.bytes;
      estimate = segment.estimatedBytes;
    }
  }
  return groups;
}

/** What must be saved for a segment to be replaced by one with the same records. */
const SAVED_SHARE_MIN: number = 1 / 16;

/** Whether it is worth it to replace so many bytes by so many. */
export function isMuchSmaller(before: number, after: number): boolean {
  return after <= before * (1 - SAVED_SHARE_MIN);
}
