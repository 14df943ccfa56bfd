/**
 * Snappy as Kafka's clients write it: in the framing of the Java library by Taro L. Saito (xerial). Blocks
 * without framing, which librdkafka writes, are read too. The packing itself is the package `snappy`.
 *
 *     0          8          12         16
 *     +----------+----------+----------+---------+---------+---------+---------+- -
 *     | 82 "SNAP |  version | readable | length  |  block  | length  |  block  |
 *     | PY" 00   |  i32: 1  | by: 1    |  i32    |         |  i32    |         |
 *     +----------+----------+----------+---------+---------+---------+---------+- -
 *
 * Integers are big-endian. A block begins with the length of what it expands to, as a varint.
 *
 * @module
 */

import { broken, type Codec, concatenated, reasonOf, tooLarge } from './codec.ts';

/** What is used of the package. */
export interface SnappyPackage {
  compressSync(bytes: Uint8Array): Uint8Array;
  uncompressSync(bytes: Uint8Array, options: { asBuffer: true }): Uint8Array | string;
}

const MAGIC: readonly number[] = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00];
const HEADER_BYTES = 16;
const VERSION = 1;
const LENGTH_BYTES = 4;
/** Snappy looks no further back than this, so longer blocks gain nothing. */
const BLOCK_BYTES = 64 * 1024;

/** The length that a block says it expands to. */
function declaredBytes(block: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    const byte = block[i];
    if (byte === undefined) break;
    length += (byte & 127) * 2 ** (7 * i);
    if (byte < 128) return length;
  }
  throw broken('snappy', 'a block has no length');
}

function isFramed(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && MAGIC.every((byte, i) => bytes[i] === byte);
}

/** The blocks of framed bytes. Headers may be repeated, where streams were put end to end. */
function blocksOf(bytes: Uint8Array): Uint8Array[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const blocks: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (isFramed(bytes.subarray(at, at + HEADER_BYTES))) {
      const readable = data.getInt32(at + 12);
      if (readable > VERSION) throw broken('snappy', `they are framed as version ${readable}`);
      at += HEADER_BYTES;
      continue;
    }
    if (at + LENGTH_BYTES > bytes.length) throw broken('snappy', 'they are cut off');
    const length = data.getInt32(at);
    at += LENGTH_BYTES;
    if (length <= 0 || at + length > bytes.length) throw broken('snappy', 'a block does not fit');
    blocks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return blocks;
}

export function createSnappy(snappy: SnappyPackage): Codec {
  return {
    name: 'snappy',
    compress(bytes) {
      const header = new Uint8Array(HEADER_BYTES);
      header.set(MAGIC);
      new DataView(header.buffer).setInt32(8, VERSION);
      new DataView(header.buffer).setInt32(12, VERSION);
      const parts: Uint8Array[] = [header];
      for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
        const block = snappy.compressSync(bytes.subarray(at, at + BLOCK_BYTES));
        const length = new Uint8Array(LENGTH_BYTES);
        new DataView(length.buffer).setInt32(0, block.length);
        parts.push(length, block);
      }
      return concatenated(parts);
    },
    expand(bytes, maxBytes) {
      const blocks = isFramed(bytes) ? blocksOf(bytes) : [bytes];
      const declared = blocks.map(declaredBytes);
      // The package makes room for what a block says: so that is looked at before it is asked.
      if (declared.reduce((sum, length) => sum + length, 0) > maxBytes) throw tooLarge('snappy', maxBytes);
      return concatenated(
        blocks.map((block, i) => {
          const expanded = expandBlock(snappy, block);
          if (expanded.length !== declared[i]) throw broken('snappy', 'a block is shorter than it says');
          return expanded;
        }),
      );
    },
  };
}

function expandBlock(snappy: SnappyPackage, block: Uint8Array): Uint8Array {
  try {
    return snappy.uncompressSync(block, { asBuffer: true }) as Uint8Array;
  } catch (error) {
    throw broken('snappy', reasonOf(error), error);
  }
}
