/**
 * Looks at bytes of a segment that are no valid batch: what is wrong with them, and where the next batch
 * is that is whole.
 *
 * @module
 */

import { BATCH_BYTES_MAX, BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, SLACK_BYTES } from '../../memory/layout.ts';
import type { Memory } from '../../memory/memory.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_LENGTH_POSITION,
  CRC_POSITION,
  LAST_DELTA_POSITION,
  MAGIC_POSITION,
  RECORD_COUNT_POSITION,
  readInt64,
} from '../../record/format.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { formatChecksum, formatCount, plural } from '../format.ts';

/** A batch that lies across the border of two windows is found if it is not larger than half of one. */
const SEARCH_WINDOW_BYTES = 16 * 1024 * 1024;
const CHECK_WINDOW_BYTES = 1024 * 1024;
const MAGIC = 2;

/** A part of a segment that holds no valid batch. */
export interface Damage {
  position: number;
  /** The byte behind it: where the next valid batch begins, or the end of the file. */
  end: number;
  /** What is wrong with it, in words. */
  reason: string;
  /** Whether it is what a write leaves behind that a crash cut short: nothing follows that is known to be valid. */
  isTail: boolean;
  /** Where something behind it looks like a batch, but as well may be a part of a value. */
  unconfirmedPosition?: number;
  /** The records that are lost, both inclusive; unknown where nothing follows. */
  offsets?: { first: number; last: number };
}

/** Whether there are only zeros from `position` to the end: space that was filled ahead of its use. */
export async function isZero(file: VfsFile, position: number, end: number): Promise<boolean> {
  const window = Buffer.allocUnsafe(CHECK_WINDOW_BYTES);
  const zeros = Buffer.alloc(CHECK_WINDOW_BYTES);
  for (let at = position; at < end; at += window.length) {
    const bytes = await file.read(window.subarray(0, Math.min(window.length, end - at)), at);
    if (bytes === 0) return true;
    if (window.compare(zeros, 0, bytes, 0, bytes) !== 0) return false;
  }
  return true;
}

/**
 * Says why the bytes at `position` are not a batch.
 *
 * @param end where the file ends
 */
export async function reasonOf(
  memory: Memory,
  file: VfsFile,
  position: number,
  end: number,
): Promise<string> {
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  const bytes = await file.read(header, position);
  if (bytes < BATCH_HEADER_BYTES)
    return `the header of a batch is cut off after ${bytes} of ${BATCH_HEADER_BYTES} bytes`;
  const length = header.readInt32BE(BATCH_LENGTH_POSITION);
  const size = length + BATCH_PREFIX_BYTES;
  if (length < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES || size > BATCH_BYTES_MAX) {
    return `the length of a batch cannot be ${formatCount(length)}`;
  }
  const magic = header.readInt8(MAGIC_POSITION);
  if (magic !== MAGIC) return `the magic number of a batch is ${MAGIC}, not ${magic}`;
  if (position + size > end) {
    return `a batch of ${formatCount(size)} bytes is cut off after ${formatCount(end - position)}`;
  }
  const stored = header.readUInt32BE(CRC_POSITION);
  const computed = await checksum(memory, file, position + ATTRIBUTES_POSITION, position + size);
  if (computed !== stored) {
    return `the checksum is ${formatChecksum(stored)}, and that of the bytes is ${formatChecksum(computed)}`;
  }
  const data = new DataView(header.buffer, header.byteOffset, header.length);
  const offset = readInt64(data, 0);
  if (!Number.isSafeInteger(offset) || offset < 0) return `no record can have the offset ${offset}`;
  const count = header.readInt32BE(RECORD_COUNT_POSITION);
  const lastDelta = header.readInt32BE(LAST_DELTA_POSITION);
  return `${plural(count, 'record')}, the last ${formatCount(lastDelta)} behind the first, cannot be in a batch of ${formatCount(size)} bytes`;
}

async function checksum(memory: Memory, file: VfsFile, start: number, end: number): Promise<number> {
  const slab = memory.slabs.allocate(CHECK_WINDOW_BYTES + SLACK_BYTES, 'checksum window');
  try {
    let crc = 0;
    for (let at = start; at < end; ) {
      const bytes = await file.read(memory.buffer(slab.address, Math.min(CHECK_WINDOW_BYTES, end - at)), at);
      if (bytes === 0) break;
      crc = memory.kernels.crc32c(slab.address, bytes, crc);
      at += bytes;
    }
    return crc >>> 0;
  } finally {
    slab.release();
  }
}

/**
 * Finds the next bytes behind damage that look like a batch, wherever they lie; a value may hold some, too.
 *
 * @param from the first position to try
 * @param end where the file ends
 * @param minOffset what its base offset is at least
 * @returns its position, or undefined where there is none
 */
export async function findNextBatch(
  memory: Memory,
  file: VfsFile,
  from: number,
  end: number,
  minOffset: number,
): Promise<number | undefined> {
  const slab = memory.slabs.allocate(SEARCH_WINDOW_BYTES, 'search window');
  const windowBytes = slab.bytes - SLACK_BYTES;
  try {
    for (let at = from; at + BATCH_HEADER_BYTES <= end; at += windowBytes / 2) {
      const bytes = await file.read(memory.buffer(slab.address, Math.min(windowBytes, end - at)), at);
      const found = memory.kernels.findBatch(slab.address, bytes, minOffset, Number.MAX_SAFE_INTEGER);
      if (found >= 0) return at + found - slab.address;
    }
    return undefined;
  } finally {
    slab.release();
  }
}
