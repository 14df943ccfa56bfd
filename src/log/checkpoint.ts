/**
 * The `recovery-point` file: what is known to be whole and synced, so that opening after a crash has to
 * look only at what came later. It names every sealed segment with its exact size (a segment that was
 * cut off between two batches could not be told otherwise) and the checksums of its indexes, where the
 * log begins, and, after a clean close, the active segment too.
 *
 * It is written anew each time: a temporary file, synced, renamed over the old one, and the directory
 * synced. It only ever saves work: without it, or with a damaged one, everything is read again.
 *
 *     0       4       6       8      12       16       24                      24 + 64 n
 *     +-------+-------+-------+-------+--------+--------+------ - - - ------+
 *     | magic |version| flags |CRC-32C| count  | first  |   n segments      |
 *     |"VRCP" |  u16  |  u16  |  u32  |  n u32 | offset |   64 bytes each   |
 *     +-------+-------+-------+-------+--------+--------+------ - - - ------+
 *
 * A segment, all big-endian:
 *
 *     0        8        16        24         32        40       44       48       52       56      60    64
 *     +--------+--------+---------+----------+---------+--------+--------+--------+--------+-------+------+
 *     |  base  |  next  |   max   |offset of | created | bytes  | offset |  time  | offset | time  |absent|
 *     | offset | offset |timestamp| that one |  at ms  |  u32   |entries |entries |  CRC   |  CRC  | u32  |
 *     +--------+--------+---------+----------+---------+--------+--------+--------+--------+-------+------+
 *
 * The checksum covers everything but itself. Flag 1: the log was closed, and the last segment is the
 * active one.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { readInt64, writeInt64 } from '../record/format.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { CHECKPOINT_FILE, CHECKPOINT_TEMPORARY_FILE } from './names.ts';
import { readWhole, replaceFile, type SyncGuard } from './whole-file.ts';

const MAGIC = 0x56524350;
const VERSION = 1;
const FLAG_CLEAN = 1;
const HEADER_BYTES = 24;
const SEGMENT_BYTES = 64;
const CRC_POSITION = 8;
const CRC_BYTES = 4;

/** What a checkpoint says of a segment. */
export interface SegmentState {
  baseOffset: number;
  /** The offset behind its last record. */
  nextOffset: number;
  /** The newest timestamp, or -Infinity where there is no record. */
  maxTimestamp: number;
  /** Relative offset of the batch that has it. */
  maxTimestampOffset: number;
  /** Wall-clock time at which it was begun. */
  createdAtMs: number;
  /** Length of the `.log`. */
  bytes: number;
  offsetEntries: number;
  timeEntries: number;
  offsetCrc: number;
  timeCrc: number;
  /** Offsets that have no record any more, since compaction removed it. */
  absentOffsets: number;
}

export interface Checkpoint {
  /** The first offset that can be read. */
  firstOffset: number;
  /** The log was closed, and the last segment is the active one. */
  isClean: boolean;
  segments: SegmentState[];
}

/** Stands for no timestamp at all; the least that a record can have is greater by one. */
const NO_TIMESTAMP = -(2 ** 53);

function toDisk(timestamp: number): number {
  return timestamp === -Infinity ? NO_TIMESTAMP : timestamp;
}

function fromDisk(timestamp: number): number {
  return timestamp === NO_TIMESTAMP ? -Infinity : timestamp;
}

/** The checksum of a file that has it at position 8, as a checkpoint has: of everything else in it. */
export function checksum(memory: Memory, bytes: Uint8Array): number {
  const { kernels, slabs, u8 } = memory;
  const slab = slabs.allocate(bytes.length, 'checkpoint');
  u8.set(bytes, slab.address);
  const head = kernels.crc32c(slab.address, CRC_POSITION, 0);
  const rest = CRC_POSITION + CRC_BYTES;
  const crc = kernels.crc32c(slab.address + rest, bytes.length - rest, head) >>> 0;
  slab.release();
  return crc;
}

/** Encodes a checkpoint. */
export function encodeCheckpoint(memory: Memory, checkpoint: Checkpoint): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + checkpoint.segments.length * SEGMENT_BYTES);
  const data = new DataView(bytes.buffer);
  data.setUint32(0, MAGIC);
  data.setUint16(4, VERSION);
  data.setUint16(6, checkpoint.isClean ? FLAG_CLEAN : 0);
  data.setUint32(12, checkpoint.segments.length);
  writeInt64(data, 16, checkpoint.firstOffset);
  let at = HEADER_BYTES;
  for (const segment of checkpoint.segments) {
    writeInt64(data, at, segment.baseOffset);
    writeInt64(data, at + 8, segment.nextOffset);
    writeInt64(data, at + 16, toDisk(segment.maxTimestamp));
    writeInt64(data, at + 24, segment.maxTimestampOffset);
    writeInt64(data, at + 32, segment.createdAtMs);
    data.setUint32(at + 40, segment.bytes);
    data.setUint32(at + 44, segment.offsetEntries);
    data.setUint32(at + 48, segment.timeEntries);
    data.setUint32(at + 52, segment.offsetCrc);
    data.setUint32(at + 56, segment.timeCrc);
    data.setUint32(at + 60, segment.absentOffsets);
    at += SEGMENT_BYTES;
  }
  data.setUint32(CRC_POSITION, checksum(memory, bytes));
  return bytes;
}

/**
 * Decodes a checkpoint.
 *
 * @returns it, or undefined where the bytes are none
 * @throws VarveError `VERSION` where it is whole but of a newer format
 */
export function decodeCheckpoint(memory: Memory, bytes: Uint8Array): Checkpoint | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.getUint32(0) !== MAGIC) return undefined;
  if (data.getUint32(CRC_POSITION) !== checksum(memory, bytes)) return undefined;
  if (data.getUint16(4) !== VERSION) {
    throw new VarveError(
      'VERSION',
      `the recovery point has format ${data.getUint16(4)}; this build knows ${VERSION}`,
    );
  }
  const count = data.getUint32(12);
  if (bytes.length !== HEADER_BYTES + count * SEGMENT_BYTES) return undefined;
  const segments: SegmentState[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += SEGMENT_BYTES) {
    segments.push({
      baseOffset: readInt64(data, at),
      nextOffset: readInt64(data, at + 8),
      maxTimestamp: fromDisk(readInt64(data, at + 16)),
      maxTimestampOffset: readInt64(data, at + 24),
      createdAtMs: readInt64(data, at + 32),
      bytes: data.getUint32(at + 40),
      offsetEntries: data.getUint32(at + 44),
      timeEntries: data.getUint32(at + 48),
      offsetCrc: data.getUint32(at + 52),
      timeCrc: data.getUint32(at + 56),
      absentOffsets: data.getUint32(at + 60),
    });
  }
  return { firstOffset: readInt64(data, 16), isClean: (data.getUint16(6) & FLAG_CLEAN) !== 0, segments };
}

/** Reads the checkpoint in a log's directory; undefined where there is none, or a damaged one. */
export async function readCheckpoint(
  memory: Memory,
  vfs: Vfs,
  directory: string,
): Promise<Checkpoint | undefined> {
  const bytes = await readWhole(vfs, joinPath(directory, CHECKPOINT_FILE));
  return bytes === undefined ? undefined : decodeCheckpoint(memory, bytes);
}

/**
 * Replaces the checkpoint in a log's directory; when it returns, the new one is durable.
 *
 * @param guard what the two calls that make it durable are run by
 */
export async function writeCheckpoint(
  memory: Memory,
  vfs: Vfs,
  directory: string,
  checkpoint: Checkpoint,
  guard: SyncGuard = (sync) => sync(),
): Promise<void> {
  const bytes = encodeCheckpoint(memory, checkpoint);
  await replaceFile(vfs, directory, CHECKPOINT_FILE, CHECKPOINT_TEMPORARY_FILE, bytes, guard);
}
