/**
 * Blocks in plain JavaScript, for those that are rare: indexes of blocks and of parts, deletions of ranges,
 * properties. The format is drawn in `table-layout.ts`; here, every key is whole.
 *
 * @module
 */

import { KIND_PUT } from '../../memory/lsm-layout.ts';
import { BLOCK_TAIL_BYTES, KEY_BYTES_MAX, RESTART_BYTES } from '../../memory/table-layout.ts';

import type { Tags } from './tags.ts';

/** An entry as it is in a block. */
export interface BlockEntry {
  key: Uint8Array;
  value: Uint8Array;
  sequence: number;
  kind: number;
}

const SEQUENCE_LIMIT = 2 ** 53;
const TWO_32 = 2 ** 32;
const FIRST_BYTES = 4096;

/** Bytes of a number as a varint. */
function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

/** Builds a block whose keys are all whole. */
export class EntriesBuilder {
  readonly #base: number;
  #bytes: Uint8Array = new Uint8Array(FIRST_BYTES);
  #used = 0;
  #restarts: number[] = [];
  #lastKeyAt = 0;
  #lastKeyBytes = 0;

  /** @param base no sequence number is less */
  constructor(base = 0) {
    this.#base = base;
  }

  /** How many bytes the block has so far. */
  get bytes(): number {
    return this.#used + this.#restarts.length * RESTART_BYTES + BLOCK_TAIL_BYTES;
  }

  get count(): number {
    return this.#restarts.length;
  }

  /** Adds an entry, in order. */
  add(key: Uint8Array, value: Uint8Array, sequence: number, kind: number): void {
    this.#begin(key, value.length, sequence, kind);
    this.#bytes.set(value, this.#used);
    this.#used += value.length;
  }

  /** Adds an entry with a key that lies in memory, and two whole numbers: where a block is, and how long. */
  addHandle(
    memory: Uint8Array,
    key: number,
    keyBytes: number,
    position: number,
    bytes: number,
    tags?: Tags,
  ): void {
    this.#room(keyBytes + 64);
    this.#restarts.push(this.#used);
    this.#varint(0);
    this.#varint(keyBytes);
    const tagBytes = tags === undefined ? 0 : varintBytes(tags.low) + varintBytes(tags.high);
    this.#varint(varintBytes(position) + varintBytes(bytes) + tagBytes);
    this.#bytes[this.#used++] = KIND_PUT;
    this.#lastKeyAt = this.#used;
    this.#lastKeyBytes = keyBytes;
    for (let i = 0; i < keyBytes; i++) this.#bytes[this.#used++] = memory[key + i] as number;
    this.#varint(position);
    this.#varint(bytes);
    if (tags === undefined) return;
    this.#varint(tags.low);
    this.#varint(tags.high);
  }

  /** The key that `addHandle` added last, as a copy. */
  lastKey(): Uint8Array {
    return this.#bytes.slice(this.#lastKeyAt, this.#lastKeyAt + this.#lastKeyBytes);
  }

  /** Adds an entry whose value is some whole numbers. */
  addNumbers(key: Uint8Array, numbers: readonly number[], kind: number): void {
    let length = 0;
    for (const number of numbers) length += varintBytes(number);
    this.#begin(key, length, this.#base, kind);
    for (const number of numbers) this.#varint(number);
  }

  /**
   * Begins an entry whose value is written elsewhere, right behind what this returns; the block has no other.
   *
   * @returns all there is of the block before the value; `finish` returns it and what comes behind the value
   */
  addHead(key: Uint8Array, valueLength: number, sequence: number, kind: number): Uint8Array {
    this.#begin(key, valueLength, sequence, kind);
    return this.#bytes.slice(0, this.#used);
  }

  /** Ends the block, and begins an empty one. */
  finish(): Uint8Array {
    const bytes = new Uint8Array(this.bytes);
    bytes.set(this.#bytes.subarray(0, this.#used));
    const data = new DataView(bytes.buffer);
    let at = this.#used;
    for (const restart of this.#restarts) {
      data.setUint32(at, restart, true);
      at += RESTART_BYTES;
    }
    data.setUint32(at, this.#base % TWO_32, true);
    data.setUint32(at + 4, Math.floor(this.#base / TWO_32), true);
    data.setUint32(at + 8, this.#restarts.length, true);
    data.setUint32(at + 12, this.#restarts.length, true);
    this.#used = 0;
    this.#restarts = [];
    return bytes;
  }

  #begin(key: Uint8Array, valueLength: number, sequence: number, kind: number): void {
    this.#room(key.length + valueLength + 32);
    this.#restarts.push(this.#used);
    this.#varint(0);
    this.#varint(key.length);
    this.#varint(valueLength);
    // 2^55 is more than a double holds exactly, so the kind, and the five bits above it, go first.
    const delta = sequence - this.#base;
    this.#meta(delta, kind);
    this.#bytes.set(key, this.#used);
    this.#used += key.length;
  }

  #meta(delta: number, kind: number): void {
    const low = (delta % 32) * 4 + kind;
    const high = Math.floor(delta / 32);
    if (high === 0) {
      this.#bytes[this.#used++] = low;
      return;
    }
    this.#bytes[this.#used++] = low | 0x80;
    this.#varint(high);
  }

  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#used++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#used++] = rest;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#used + bytes, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}

/** Reads varints one after the other; whatever does not fit makes `isBroken` true. */
class VarintReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;
  isBroken = false;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  /** @param limit the number is less than this, or it is broken */
  next(limit: number): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      if (this.at >= this.#end) break;
      const byte = this.#bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte >= 128) continue;
      if (value >= limit) break;
      return value;
    }
    this.isBroken = true;
    return 0;
  }

  /** The number that says sequence and kind; the sequence is one above a base. */
  meta(base: number): { sequence: number; kind: number } {
    const byte = this.#bytes[this.at] as number;
    const kind = byte & 3;
    this.at++;
    const high = byte >= 128 ? this.next(SEQUENCE_LIMIT / 32) : 0;
    const sequence = base + ((byte & 0x7f) >> 2) + high * 32;
    if (!(sequence < SEQUENCE_LIMIT)) this.isBroken = true;
    return { sequence, kind };
  }
}

/**
 * Takes a block apart whose keys are all whole.
 *
 * @param bytes without the trailer, which was checked; the entries' bytes are views of them
 * @returns undefined where they do not fit together
 */
export function decodeEntries(bytes: Uint8Array): BlockEntry[] | undefined {
  if (bytes.length < BLOCK_TAIL_BYTES + RESTART_BYTES) return undefined;
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = bytes.length - BLOCK_TAIL_BYTES;
  const base = data.getUint32(tail, true) + data.getUint32(tail + 4, true) * TWO_32;
  const count = data.getUint32(tail + 8, true);
  if (data.getUint32(tail + 12, true) !== count || count === 0 || count * RESTART_BYTES > tail)
    return undefined;
  const end = tail - count * RESTART_BYTES;
  const entries: BlockEntry[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at >= end || data.getUint32(end + i * RESTART_BYTES, true) !== at) return undefined;
    const reader = new VarintReader(bytes, at, end);
    const shared = reader.next(1);
    const keyLength = reader.next(KEY_BYTES_MAX + 2);
    const valueLength = reader.next(TWO_32);
    if (reader.isBroken || reader.at >= end || shared !== 0 || keyLength === 0) return undefined;
    const { sequence, kind } = reader.meta(base);
    const key = reader.at;
    if (reader.isBroken || key + keyLength + valueLength > end || kind === 0) return undefined;
    at = key + keyLength + valueLength;
    entries.push({
      key: bytes.subarray(key, key + keyLength),
      value: bytes.subarray(key + keyLength, at),
      sequence,
      kind,
    });
  }
  return at === end ? entries : undefined;
}

/** The whole numbers that a value is made of; undefined where it is not. */
export function decodeNumbers(value: Uint8Array): number[] | undefined {
  const reader = new VarintReader(value, 0, value.length);
  const numbers: number[] = [];
  while (reader.at < value.length) {
    numbers.push(reader.next(SEQUENCE_LIMIT));
    if (reader.isBroken) return undefined;
  }
  return numbers;
}
