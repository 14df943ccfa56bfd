/**
 * The bytes of a time index; docs/FORMAT.md says the same. All numbers are little-endian; positions and counts
 * are doubles, because they have no 64-bit integers that are fast here.
 *
 *     0        8       12       16       20       24      32      40       48       52       56       60      64
 *     +--------+--------+--------+--------+--------+-------+-------+--------+--------+--------+--------+-------+
 *     | magic  |  crc   |version | blocks |reading | start |  end  | lines  |  head  |  tail  | file   |blocks |
 *     |varve-ix|        |   1    |        |  crc   |  f64  |  f64  |  f64   |  crc   |  crc   | id crc | ...   |
 *     +--------+--------+--------+--------+--------+-------+-------+--------+--------+--------+--------+-------+
 *
 *     a block:  | position f64 | lines before it f64 | earliest f64 | latest f64 |
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Block } from '../scan/block-times.ts';

const MAGIC: Buffer = Buffer.from('varve-ix');
const VERSION = 1;
const CRC_AT = 8;
const CRC_FROM = 12;
const HEADER_BYTES = 64;
const BLOCK_BYTES = 32;
/** An index that is larger is none of ours. */
export const INDEX_BYTES_MAX: number = 64 * 1024 * 1024;

/** From when to when the entries of a file are. */
export interface TimeIndex {
  /** What the times depend on besides the bytes: a checksum of the format and its options. */
  reading: number;
  /** Where the text begins. */
  start: number;
  /** Where the last block ends: an entry begins there. What is behind it is not indexed. */
  end: number;
  /** Lines before `end`. */
  lines: number;
  /** Checksums of the first and of the last bytes before `end`, and of the name that the system has for the file. */
  head: number;
  tail: number;
  fileId: number;
  /** In the order of their positions; the first begins at `start`. */
  blocks: Block[];
}

/** Checksum of bytes, by way of the shared memory. */
export function checksum(memory: Memory, bytes: Uint8Array): number {
  const slab = memory.slabs.allocate(bytes.length + SLACK_BYTES, 'checksum');
  try {
    memory.u8.set(bytes, slab.address);
    return memory.kernels.crc32c(slab.address, bytes.length, 0) >>> 0;
  } finally {
    slab.release();
  }
}

/** The file of an index. */
export function encodeIndex(memory: Memory, index: TimeIndex): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + index.blocks.length * BLOCK_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes.set(MAGIC);
  view.setUint32(12, VERSION, true);
  view.setUint32(16, index.blocks.length, true);
  view.setUint32(20, index.reading, true);
  view.setFloat64(24, index.start, true);
  view.setFloat64(32, index.end, true);
  view.setFloat64(40, index.lines, true);
  view.setUint32(48, index.head, true);
  view.setUint32(52, index.tail, true);
  view.setUint32(56, index.fileId, true);
  for (const [i, { position, line, earliest, latest }] of index.blocks.entries()) {
    const at = HEADER_BYTES + i * BLOCK_BYTES;
    view.setFloat64(at, position, true);
    view.setFloat64(at + 8, line, true);
    view.setFloat64(at + 16, earliest, true);
    view.setFloat64(at + 24, latest, true);
  }
  view.setUint32(CRC_AT, checksum(memory, bytes.subarray(CRC_FROM)), true);
  return bytes;
}

/** Reads the file of an index; undefined where it is not one that this version wrote whole. */
export function decodeIndex(memory: Memory, bytes: Uint8Array): TimeIndex | undefined {
  if (bytes.length < HEADER_BYTES || MAGIC.compare(bytes, 0, MAGIC.length) !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(16, true);
  if (view.getUint32(12, true) !== VERSION || bytes.length !== HEADER_BYTES + count * BLOCK_BYTES)
    return undefined;
  if (view.getUint32(CRC_AT, true) !== checksum(memory, bytes.subarray(CRC_FROM))) return undefined;
  const blocks = Array.from({ length: count }, (_, i): Block => {
    const at = HEADER_BYTES + i * BLOCK_BYTES;
    return {
      position: view.getFloat64(at, true),
      line: view.getFloat64(at + 8, true),
      earliest: view.getFloat64(at + 16, true),
      latest: view.getFloat64(at + 24, true),
    };
  });
  return {
    reading: view.getUint32(20, true),
    start: view.getFloat64(24, true),
    end: view.getFloat64(32, true),
    lines: view.getFloat64(40, true),
    head: view.getUint32(48, true),
    tail: view.getUint32(52, true),
    fileId: view.getUint32(56, true),
    blocks,
  };
}
