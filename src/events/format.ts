/**
 * An entry of a store of log entries, as the tree has it.
 *
 *     key     0        8                16
 *             +--------+----------------+
 *             |  time  |     arrival    |
 *             | ns u64 |       u64      |
 *             +--------+----------------+
 *
 *     value   0       1         2       3
 *             +-------+---------+-------+-----------+---------+----------+-----------+---------+----------+---------+
 *             | level |component| flags | component | version | metadata | component | version | metadata | message |
 *             |  u8   |hash u8  |  u8   |  length   | length  |  length  |           |         |          |         |
 *             +-------+---------+-------+-----------+---------+----------+-----------+---------+----------+---------+
 *
 * The key is big-endian, so that keys are in the order of time, and entries of one time in the order in which they
 * arrived. Its arrival is a number that no entry before had: in its upper 24 bits how often the store was opened
 * to be written to, in its lower 40 a count. Level is a code from 0 (`OTHER`) to 7 (`FATAL`). The flags say
 * which of component (1), version (2) and metadata (4) there are; only these have a length, a varint. With
 * the flag 8 all texts are ASCII. Texts are UTF-8; metadata is JSON; the message goes to the end.
 *
 * Besides entries, the tree has the store's own key, one byte 0xff and `state`, behind all times.
 *
 * @module
 */

import { TAG_HASHES } from '../memory/table-layout.ts';

export const KEY_BYTES = 16;
export const HEAD_BYTES = 3;
export const VALUE_LEVEL = 0;
export const VALUE_HASH = 1;
export const VALUE_FLAGS = 2;

export const HAS_COMPONENT = 1;
export const HAS_VERSION = 2;
export const HAS_METADATA = 4;
export const IS_ASCII = 8;

/** The key of what the store keeps of itself. */
export const STATE_KEY: Buffer = Buffer.from('\xffstate', 'latin1');

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** The FNV-1a hash, of 32 bits, of some bytes. */
export function fnv1a(bytes: Uint8Array, from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ (bytes[i] as number), FNV_PRIME);
  return hash >>> 0;
}

/** A component's hash: FNV-1a of its bytes, modulo `TAG_HASHES`. None at all is like an empty one. */
export function componentHash(bytes: Uint8Array): number {
  return fnv1a(bytes, 0, bytes.length) % TAG_HASHES;
}

/** How many bytes a varint takes. */
export function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) bytes++;
  return bytes;
}

/** Writes a varint; returns where it ends. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let to = at;
  let rest = value;
  while (rest >= 0x80) {
    bytes[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[to++] = rest;
  return to;
}
