/**
 * The `cleaner-point` file: up to which offset a log was compacted. What lies before it has each key once; what lies
 * behind is looked at by the next compaction. It only saves work: without it, or with a damaged one, all of the log
 * counts as not compacted yet.
 *
 *     0       4       6       8      12       16       24
 *     +-------+-------+-------+-------+--------+--------+
 *     | magic |version| zero  |CRC-32C|  zero  | offset |     big-endian; the checksum covers all but itself
 *     |"VRCL" |  u16  |  u16  |  u32  |  u32   |  i64   |
 *     +-------+-------+-------+-------+--------+--------+
 *
 * It must never say more than is true: a deletion may be forgotten only where all that it deletes is gone. So it is
 * written after the segments that it speaks of are in place, and removed where a log ends before it.
 *
 * @module
 */

import type { Memory } from '../../memory/memory.ts';
import { readInt64, writeInt64 } from '../../record/format.ts';
import { joinPath } from '../../vfs/vfs.ts';
import { checksum } from '../checkpoint.ts';
import { CLEANER_FILE, CLEANER_TEMPORARY_FILE } from '../names.ts';
import type { SegmentContext } from '../segment.ts';
import { readWhole, replaceFile } from '../whole-file.ts';

const MAGIC = 0x5652434c;
const VERSION = 1;
const BYTES = 24;
const CRC_POSITION = 8;

/** Encodes a cleaner point. */
export function encodeCleanerPoint(memory: Memory, offset: number): Uint8Array {
  const bytes = new Uint8Array(BYTES);
  const data = new DataView(bytes.buffer);
  data.setUint32(0, MAGIC);
  data.setUint16(4, VERSION);
  writeInt64(data, 16, offset);
  data.setUint32(CRC_POSITION, checksum(memory, bytes));
  return bytes;
}

/** Decodes a cleaner point; 0 where the bytes are none of this version. */
export function decodeCleanerPoint(memory: Memory, bytes: Uint8Array): number {
  if (bytes.length !== BYTES) return 0;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole = data.getUint32(0) === MAGIC && data.getUint32(CRC_POSITION) === checksum(memory, bytes);
  return isWhole && data.getUint16(4) === VERSION ? readInt64(data, 16) : 0;
}

/**
 * Reads how far a log was compacted, when it is opened. A log that ends before that was cut off since: then it is
 * not to be believed, also not when the log has grown again.
 *
 * @param end base offset of the active segment
 */
export async function openCleanerPoint(context: SegmentContext, end: number): Promise<number> {
  const { memory, vfs, directory } = context;
  const path = joinPath(directory, CLEANER_FILE);
  const bytes = await readWhole(vfs, path);
  const offset = bytes === undefined ? 0 : decodeCleanerPoint(memory, bytes);
  if (offset <= end) return offset;
  await vfs.remove(path);
  await vfs.syncDir(directory);
  return 0;
}

/** Notes how far a log was compacted; when it returns, that is durable. */
export async function writeCleanerPoint(context: SegmentContext, offset: number): Promise<void> {
  const { memory, vfs, directory } = context;
  await replaceFile(vfs, directory, CLEANER_FILE, CLEANER_TEMPORARY_FILE, encodeCleanerPoint(memory, offset));
}
