/**
 * Reads a whole segment after a crash: rebuilds its indexes and says where, and how, it stops making
 * sense. Nothing is changed here; `recovery.ts` decides and acts.
 *
 * The one hard question is whether bytes that are no batch are a write that the crash tore (nobody was
 * promised anything) or damage to what had been durable. Batches answer it themselves: each carries, as
 * its leader epoch, how far the segment had been synced when it was written. If any batch behind the
 * damage says "synced" of the damaged position, the damage is real; if none does, it lies in what was
 * being written when the machine stopped, where a crash may leave any bytes in any order.
 *
 * @module
 */

import { ROW_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { readRow } from '../record/batch.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { findBehind } from './behind.ts';
import { type Landmarks, NO_LANDMARKS } from './landmarks.ts';
import { BatchScan } from './scan.ts';
import type { Segment } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';

const ZERO_WINDOW_BYTES = 64 * 1024;

/** Where a segment stops being a chain of batches. */
export interface Break {
  position: number;
  /** The offset that should have come next. */
  offset: number;
  /**
   * - `torn`: it was never synced
   * - `damaged`: a batch behind it says that it had been
   * - `zeros`: nothing but zeros follows: space made ahead of its use
   */
  kind: 'torn' | 'damaged' | 'zeros';
  /** The next whole batch behind it. */
  resume: { position: number; offset: number } | undefined;
  /** The offset behind a whole batch at the end, whose base offset nothing confirms; 0 where there is none. */
  claimedOffset: number;
}

/** A batch whose offset is not the one after its predecessor's breaks the chain like any damage. */
async function walk(segment: Segment, scan: BatchScan, index: SegmentIndex): Promise<void> {
  for (let count = await scan.next(); count > 0; count = await scan.next()) {
    index.reserve(count);
    for (let i = 0; i < count; i++) {
      const row = readRow(segment.context.memory, scan.rows + i * ROW_BYTES);
      if (row.baseOffset !== segment.nextOffset) return;
      const absent = row.lastOffset + 1 - row.baseOffset - row.recordCount;
      segment.observe(scan.positionOf(row.address), row.size, row.lastOffset, row.maxTimestamp, absent);
      if (row.leaderEpoch > segment.syncedPosition)
        segment.syncedPosition = Math.min(row.leaderEpoch, segment.bytes);
    }
  }
}

/**
 * Reads on from `segment.bytes`, notes every batch in the segment and its index, and stops at the first
 * byte that does not belong to one.
 *
 * @param fileBytes length of the file
 * @param knownBytes how much of it a checkpoint says was whole
 * @param wasSynced asked where the chain breaks: whether something else proves that all of it had been synced
 * @param landmarks what is known of what lies behind a break
 * @returns where it stopped, or undefined where the whole file is batches
 */
export async function scanSegment(
  segment: Segment,
  file: VfsFile,
  fileBytes: number,
  knownBytes: number,
  wasSynced: () => Promise<boolean>,
  landmarks: Landmarks = NO_LANDMARKS,
): Promise<Break | undefined> {
  segment.index ??= new SegmentIndex(segment.context.memory, segment.context.indexIntervalBytes);
  const scan = new BatchScan(segment.context.memory, file, segment.bytes, fileBytes, true);
  try {
    await walk(segment, scan, segment.index);
  } finally {
    await scan.close();
  }
  const position = segment.bytes;
  if (position === fileBytes) return undefined;
  const offset = segment.nextOffset;
  const wasKnown = position < knownBytes || (await wasSynced());
  if (!wasKnown && (await isZero(segment.context.memory, file, position, fileBytes))) {
    return { position, offset, kind: 'zeros', resume: undefined, claimedOffset: 0 };
  }
  // A batch that begins at the break is whole but has not the offset that it must have: no checksum covers
  // that, so nothing is to be believed of it.
  const { memory } = segment.context;
  const search = await findBehind({
    memory,
    file,
    position,
    due: offset,
    least: offset,
    limit: fileBytes,
    landmarks: segment.absentOffsets > 0 ? { ...landmarks, isSparse: true } : landmarks,
    isThorough: !wasKnown,
  });
  const isDamaged = wasKnown || search.syncedPosition > position;
  const kind = isDamaged ? 'damaged' : 'torn';
  return { position, offset, kind, resume: search.first, claimedOffset: search.claimedOffset };
}

/** Whether there is nothing but zeros in a part of a file. */
export async function isZero(memory: Memory, file: VfsFile, from: number, to: number): Promise<boolean> {
  const slab = memory.slabs.allocate(ZERO_WINDOW_BYTES, 'recovery');
  try {
    for (let position = from; position < to; ) {
      const view = memory.u8.subarray(
        slab.address,
        slab.address + Math.min(ZERO_WINDOW_BYTES, to - position),
      );
      const bytes = await file.read(view, position);
      if (bytes === 0) return true;
      if (view.subarray(0, bytes).some((byte) => byte !== 0)) return false;
      position += bytes;
    }
    return true;
  } finally {
    slab.release();
  }
}
