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

import { ROW_BYTES, SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { readRow } from '../record/batch.ts';
import { LEADER_EPOCH_POSITION, readInt64 } from '../record/format.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { BatchScan } from './scan.ts';
import type { Segment } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';

const SEARCH_WINDOW_BYTES = 4 * 1024 * 1024;
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
}

/** A batch whose offset is not the one after its predecessor's breaks the chain like any damage. */
async function walk(segment: Segment, scan: BatchScan, index: SegmentIndex): Promise<void> {
  for (let count = await scan.next(); count > 0; count = await scan.next()) {
    index.reserve(count);
    for (let i = 0; i < count; i++) {
      const row = readRow(segment.context.memory, scan.rows + i * ROW_BYTES);
      if (row.baseOffset !== segment.nextOffset) return;
      segment.observe(scan.positionOf(row.address), row.size, row.lastOffset, row.maxTimestamp);
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
 * @returns where it stopped, or undefined where the whole file is batches
 */
export async function scanSegment(
  segment: Segment,
  file: VfsFile,
  fileBytes: number,
  knownBytes: number,
  wasSynced: () => Promise<boolean>,
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
    return { position, offset, kind: 'zeros', resume: undefined };
  }
  // A batch that begins at the break is whole but has not the offset that it must have: no checksum covers
  // that, so nothing is to be believed of it.
  const search = await findBehind(segment.context.memory, file, position + 1, fileBytes, offset);
  const isDamaged = wasKnown || search.syncedPosition > position;
  return { position, offset, kind: isDamaged ? 'damaged' : 'torn', resume: search.first };
}

/** What lies behind a break. */
export interface Behind {
  first: { position: number; offset: number } | undefined;
  /** The furthest that a batch behind the break says was synced. */
  syncedPosition: number;
}

/**
 * Looks for whole batches behind a break, at any byte.
 *
 * @param from the position of the break
 * @param minOffset the least offset that such a batch can have
 * @param isOne whether to stop at the first
 */
export async function findBehind(
  memory: Memory,
  file: VfsFile,
  from: number,
  fileBytes: number,
  minOffset: number,
  isOne = false,
): Promise<Behind> {
  const found: Behind = { first: undefined, syncedPosition: 0 };
  const slab = allocateWindow(memory, fileBytes - from);
  const room = slab.bytes - SLACK_BYTES;
  try {
    for (let position = from; position < fileBytes; ) {
      const window = memory.u8.subarray(slab.address, slab.address + Math.min(room, fileBytes - position));
      const bytes = await file.read(window, position);
      if (bytes === 0) break;
      const maxOffset = minOffset + (fileBytes - from);
      let address = slab.address;
      const end = slab.address + bytes;
      for (;;) {
        const hit = memory.kernels.findBatch(address, end - address, minOffset, maxOffset);
        if (hit < 0) break;
        found.first ??= { position: position + (hit - slab.address), offset: readInt64(memory.data, hit) };
        found.syncedPosition = Math.max(
          found.syncedPosition,
          memory.data.getInt32(hit + LEADER_EPOCH_POSITION),
        );
        if (isOne) return found;
        address = hit + 12 + memory.data.getInt32(hit + 8);
      }
      if (position + bytes >= fileBytes) break;
      // A batch that the window cut off is whole in the next one, which begins in the middle of this.
      position += Math.max(1, Math.max(address - slab.address, bytes >> 1));
    }
  } finally {
    slab.release();
  }
  return found;
}

function allocateWindow(memory: Memory, bytes: number): Slab {
  const large = Math.min(Math.max(bytes + SLACK_BYTES, SEARCH_WINDOW_BYTES), 16 * SEARCH_WINDOW_BYTES);
  return (
    memory.slabs.tryAllocate(large, 'recovery search') ??
    memory.slabs.allocate(SEARCH_WINDOW_BYTES, 'recovery search')
  );
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
