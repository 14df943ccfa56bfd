/**
 * Headers in their wire form (Kafka, magic 2), one after another:
 *
 *     +-------------+-----------+---------------+-------------+
 *     | key length  | key UTF-8 | value length  |    value    |
 *     |zigzag varint|           |zigzag varint, |             |
 *     |             |           |  -1 for null  |             |
 *     +-------------+-----------+---------------+-------------+
 *
 * They are rare on hot paths, so this is plain TypeScript; the kernels only walk over them.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { varintBytes, writeVarint } from './varint.ts';

/** Bytes; a string stands for its UTF-8. */
export type Bytes = Uint8Array | string;

/** A name and a value beside the record's value; names may repeat. */
export interface HeaderInput {
  key: string;
  value: Bytes | null;
}

/** A header as it was read. */
export interface Header {
  key: string;
  value: Buffer | null;
}

const NO_BYTES: Buffer = Buffer.alloc(0);

/**
 * Encodes headers.
 *
 * @throws TypeError where a key is no string or a value is neither bytes, a string nor null
 */
export function encodeHeaders(headers: readonly HeaderInput[]): Buffer {
  if (!Array.isArray(headers)) throw new TypeError('headers must be an array of { key, value }');
  if (headers.length === 0) return NO_BYTES;
  const parts: { key: Buffer; value: Uint8Array | null }[] = [];
  let bytes = 0;
  for (const header of headers as readonly HeaderInput[]) {
    if (typeof header?.key !== 'string') throw new TypeError('the key of a header must be a string');
    const key = Buffer.from(header.key);
    const value = typeof header.value === 'string' ? Buffer.from(header.value) : header.value;
    if (value !== null && !(value instanceof Uint8Array)) {
      throw new TypeError(`the value of header ${header.key} must be bytes, a string or null`);
    }
    bytes += varintBytes(key.length) + key.length;
    bytes += value === null ? varintBytes(-1) : varintBytes(value.length) + value.length;
    parts.push({ key, value });
  }
  const target = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const { key, value } of parts) {
    at = writeVarint(target, at, key.length);
    target.set(key, at);
    at = writeVarint(target, at + key.length, value === null ? -1 : value.length);
    if (value === null) continue;
    target.set(value, at);
    at += value.length;
  }
  assert(at === bytes, 'headers have the size that was counted');
  return target;
}

/**
 * Decodes headers that a kernel has validated.
 *
 * @param bytes from the first header on; the values returned are views of it
 * @param count how many headers there are
 */
export function decodeHeaders(bytes: Buffer, count: number): Header[] {
  let at = 0;
  function readVarint(): number {
    let value = 0;
    for (let shift = 0; shift <= 28; shift += 7) {
      const byte = bytes[at++];
      assert(byte !== undefined, 'validated headers end where they say');
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return (value >>> 1) ^ -(value & 1);
  }
  const headers: Header[] = [];
  for (let i = 0; i < count; i++) {
    const keyBytes = readVarint();
    const key = bytes.toString('utf8', at, at + keyBytes);
    at += keyBytes;
    const valueBytes = readVarint();
    headers.push({ key, value: valueBytes < 0 ? null : bytes.subarray(at, at + valueBytes) });
    if (valueBytes > 0) at += valueBytes;
  }
  return headers;
}
