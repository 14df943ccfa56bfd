/** Which segments may go: a pure decision, that the log carries out. */

/** What the decision needs to know of a segment. */
export interface RetentionSegment {
  /** The offset behind its last record. */
  nextOffset: number;
  bytes: number;
  /** The newest timestamp in it. */
  maxTimestamp: number;
  isSealed: boolean;
}

export interface RetentionLimits {
  /** What the log may take; the oldest segments go first. */
  bytes: number;
  /** How old the newest record of a segment may be. */
  ageMs: number;
  /** Everything below this offset is gone already. */
  firstOffset: number;
}

/**
 * Chooses how many segments, from the oldest on, are to be removed. The active one never is.
 *
 * @param segments from the oldest to the newest
 * @param now wall-clock time in milliseconds
 */
export function chooseExpired(
  segments: readonly RetentionSegment[],
  limits: RetentionLimits,
  now: number,
): number {
  let total = 0;
  for (const segment of segments) total += segment.bytes;
  let count = 0;
  for (const segment of segments) {
    if (!segment.isSealed) break;
    const isBelow = segment.nextOffset <= limits.firstOffset;
    // Without it the log would still be as large as it may be: nothing is removed that fits.
    const isSurplus = total - segment.bytes >= limits.bytes;
    const isOld = now - segment.maxTimestamp > limits.ageMs;
    if (!isBelow && !isSurplus && !isOld) break;
    total -= segment.bytes;
    count++;
  }
  return count;
}
