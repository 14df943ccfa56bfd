/** Looks up where the records of a time begin. */

import type { Segment } from './segment.ts';

/**
 * An offset before which every record is older than a timestamp.
 *
 * @param segments from the oldest to the newest
 * @returns it, or undefined where all records are older
 */
export async function offsetBefore(
  segments: readonly Segment[],
  timestamp: number,
): Promise<number | undefined> {
  const segment = segments.find(({ maxTimestamp }) => maxTimestamp >= timestamp);
  if (segment === undefined) return undefined;
  // Without a pause since it was looked up, or it might be gone.
  segment.pin();
  try {
    return segment.baseOffset + (await segment.loadIndex()).offsetBefore(timestamp);
  } finally {
    await segment.unpin();
  }
}
