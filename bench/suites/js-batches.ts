/**
 * Record batches in JavaScript: what the kernels are compared with. No BigInt, no allocation per record, no
 * checked reads where one's own are as good; the format is Kafka's (magic 2), and the bytes are the same.
 *
 * @module
 */

const HEADER_BYTES = 61;
const CRC_AT = 17;
const CRC_FROM = 21;
const TWO_32 = 2 ** 32;

type Crc32c = (data: Buffer) => number;

function writeInt64(out: Buffer, at: number, value: number): void {
  out.writeInt32BE(Math.floor(value / TWO_32), at);
  out.writeUInt32BE(value % TWO_32, at + 4);
}

/** Writes a small non-negative number as a zigzag varint; returns the position behind it. */
function writeVarint(out: Buffer, at: number, value: number): number {
  let rest = value << 1;
  while (rest > 0x7f) {
    out[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  out[at++] = rest;
  return at;
}

function varintBytes(value: number): number {
  const zigzag = value << 1;
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x20_0000 ? 3 : zigzag < 0x1000_0000 ? 4 : 5;
}

/**
 * Frames records that have a value and nothing else, one millisecond apart.
 *
 * @returns the size of the batch
 */
export function encodeInJs(
  values: readonly Buffer[],
  timestamp: number,
  baseOffset: number,
  out: Buffer,
  crc32c: Crc32c,
): number {
  let at = HEADER_BYTES;
  const { length } = values;
  for (let i = 0; i < length; i++) {
    const value = values[i]!;
    const delta = varintBytes(i);
    // Attributes, timestamp delta, offset delta, no key (-1), value and its length, no headers.
    at = writeVarint(out, at, 1 + delta + delta + 1 + varintBytes(value.length) + value.length + 1);
    out[at++] = 0;
    at = writeVarint(out, at, i);
    at = writeVarint(out, at, i);
    out[at++] = 1;
    at = writeVarint(out, at, value.length);
    out.set(value, at);
    at += value.length;
    out[at++] = 0;
  }
  writeInt64(out, 0, baseOffset);
  out.writeInt32BE(at - 12, 8);
  out.writeInt32BE(0, 12);
  out[16] = 2;
  out.writeInt16BE(0, 21);
  out.writeInt32BE(length - 1, 23);
  writeInt64(out, 27, timestamp);
  writeInt64(out, 35, timestamp + length - 1);
  out.fill(0xff, 43, 57);
  out.writeInt32BE(length, 57);
  out.writeUInt32BE(crc32c(out.subarray(CRC_FROM, at)), CRC_AT);
  return at;
}

/** Where the last varint that was read ends. */
let end = 0;

function readVarint(bytes: Buffer, at: number): number {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
  }
  end = at;
  return (value >>> 1) ^ -(value & 1);
}

/**
 * Checks a batch and finds its values.
 *
 * @param found position and length of each value
 * @returns the length of the last value
 */
export function decodeInJs(batch: Buffer, found: Int32Array, crc32c: Crc32c): number {
  if (crc32c(batch.subarray(CRC_FROM)) !== batch.readUInt32BE(CRC_AT))
    throw new Error('the checksum differs');
  const count = batch.readInt32BE(57);
  let at = HEADER_BYTES;
  let length = 0;
  for (let i = 0; i < count; i++) {
    const bytes = readVarint(batch, at);
    const next = end + bytes;
    readVarint(batch, end + 1);
    readVarint(batch, end);
    const keyLength = readVarint(batch, end);
    if (keyLength > 0) end += keyLength;
    length = readVarint(batch, end);
    found[i * 2] = end;
    found[i * 2 + 1] = length;
    at = next;
  }
  if (at !== batch.length) throw new Error('the records do not fill the batch');
  return length;
}

/** The first entry of an offset index whose relative offset is at least `key`. */
export function lowerBoundInJs(index: Buffer, count: number, key: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (index.readInt32BE(middle * 8) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
