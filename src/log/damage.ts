/** Says of damaged bytes in a segment exactly which offsets are lost, and of offsets whether they are known to be. */

import type { VarveError } from '../errors.ts';
import { ROW_BYTES } from '../memory/layout.ts';
import { readRow } from '../record/batch.ts';
import { findBehind } from './behind.ts';
import { landmarksOf } from './landmarks.ts';
import { BatchScan } from './scan.ts';
import { corruptSegment, type Segment } from './segment.ts';

/**
 * Makes the error for a place where a segment stops being batches.
 *
 * @param position of the first byte that is no batch
 * @param offset that the batch there should begin with; undefined where that is to be found out
 * @param limit where the bytes of the segment end
 * @param wanted an offset that is lost for certain
 */
export async function describeDamage(
  segment: Segment,
  position: number,
  offset: number | undefined,
  limit: number,
  wanted: number,
): Promise<VarveError> {
  // A known loss right before it is another one.
  const known = segment.damaged.find(({ start, end }) => position >= start && position < end);
  if (known !== undefined && wanted > known.lastOffset && known.end < limit)
    return await describeDamage(segment, known.end, known.lastOffset + 1, limit, wanted);
  const due = offset ?? (await offsetAt(segment, position));
  const first = due ?? wanted;
  const behind = await findBehind({
    memory: segment.context.memory,
    file: await segment.open(),
    position,
    due,
    least: first,
    limit,
    landmarks: landmarksOf(segment, limit),
    isThorough: false,
  });
  return corruptSegment(segment, position, first, (behind.first?.offset ?? segment.nextOffset) - 1);
}

/** The offset that belongs to a position, from the batches before it; undefined where they are damaged too. */
async function offsetAt(segment: Segment, position: number): Promise<number | undefined> {
  const { memory } = segment.context;
  // What lies before a known loss is known.
  const known = segment.damaged.findLast(({ start, end }) => end > start && end <= position);
  const scan = new BatchScan(memory, await segment.open(), known?.end ?? 0, position, true);
  let offset = known === undefined ? segment.baseOffset : known.lastOffset + 1;
  try {
    for (let count = await scan.next(); count > 0; count = await scan.next()) {
      for (let i = 0; i < count; i++) {
        const row = readRow(memory, scan.rows + i * ROW_BYTES);
        if (row.baseOffset !== offset) return undefined;
        offset = row.lastOffset + 1;
      }
    }
    return scan.position === position ? offset : undefined;
  } finally {
    await scan.close();
  }
}

/** @throws VarveError `CORRUPT` where the record is known to be lost */
export function checkKept(segment: Segment, offset: number): void {
  for (const { start, firstOffset, lastOffset } of segment.damaged) {
    const isLost = offset >= firstOffset && offset <= lastOffset;
    if (isLost) throw corruptSegment(segment, start, firstOffset, lastOffset);
  }
}

/** How many offsets from `from` to before `to` are known to be lost. */
export function countLost(segments: readonly Segment[], from: number, to: number): number {
  let count = 0;
  for (const { damaged } of segments) {
    for (const { firstOffset, lastOffset } of damaged) {
      count += Math.max(0, Math.min(lastOffset + 1, to) - Math.max(firstOffset, from));
    }
  }
  return count;
}
