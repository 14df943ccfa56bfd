/**
 * Gathers records until a batch is full, then has a kernel frame and checksum them in one call.
 *
 * It works in one slab: entries grow up from its start (what lies where: `layout.ts`), and the records'
 * bytes grow up behind the room for the entries. No object and no view is made for a record.
 *
 *     +---------------------------------+------------------------------------------------+
 *     | entries, 40 bytes a record      | keys, values and headers, one after another    |
 *     +---------------------------------+------------------------------------------------+
 *
 * The bytes are gathered in private memory and go to the slab in one piece: V8 copies into shared memory
 * with atomic stores, byte by byte unless both ends are aligned, which for a short record costs more
 * than everything else. A record that has a batch of its own goes to its slab at once.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { BATCH_RECORDS_MAX } from '../limits.ts';
import {
  BATCH_HEADER_BYTES,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { encodeHeaders } from './headers.ts';
import type { RecordInput } from './record.ts';

const ENTRIES_BYTES = BATCH_RECORDS_MAX * ENTRY_BYTES;
const NULL_LENGTH = -1;

/** A record whose strings are bytes and whose size is known. */
export interface Measured {
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Uint8Array | null;
  headerCount: number;
  timestamp: number | undefined;
  /** Key, value and headers together. */
  bytes: number;
}

function toBytes(name: string, value: unknown): Uint8Array | null {
  if (value === undefined || value === null) return null;
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value);
  throw new TypeError(`the ${name} of a record must be bytes, a string or null, not ${typeof value}`);
}

/** Makes the object that `measure` fills: one is enough for a log, since it is used at once. */
export function createMeasured(): Measured {
  return { key: null, value: null, headers: null, headerCount: 0, timestamp: undefined, bytes: 0 };
}

/**
 * Checks a record and measures it.
 *
 * @param record what a caller handed in
 * @param into what is filled
 * @throws TypeError where a field has the wrong type
 * @throws RangeError where the timestamp is no safe integer
 */
export function measure(record: RecordInput, into: Measured): void {
  if (typeof record !== 'object' || record === null) throw new TypeError('a record must be an object');
  const { key, value, timestamp, headers } = record;
  into.key = key instanceof Uint8Array ? key : toBytes('key', key);
  into.value = value instanceof Uint8Array ? value : toBytes('value', value);
  into.bytes = (into.key === null ? 0 : into.key.length) + (into.value === null ? 0 : into.value.length);
  into.headers = null;
  into.headerCount = 0;
  into.timestamp = timestamp;
  if (timestamp !== undefined && !Number.isSafeInteger(timestamp)) {
    if (typeof timestamp !== 'number') throw new TypeError('the timestamp of a record must be a number');
    throw new RangeError(`the timestamp of a record must be a safe integer, not ${timestamp}`);
  }
  if (headers === undefined) return;
  into.headers = encodeHeaders(headers);
  into.headerCount = headers.length;
  into.bytes += into.headers.length;
}

export class BatchBuilder {
  /** Records gathered. */
  count = 0;
  /** Their keys, values and headers. */
  bytes = 0;
  /** The greatest of their timestamps. */
  maxTimestamp = 0;
  readonly #memory: Memory;
  readonly #batchBytes: number;
  #slab: Slab | undefined;
  #large: Slab | undefined;
  readonly #staging: Uint8Array;
  /** Address of the next entry. */
  #entry = 0;
  /** Address of the records' bytes, and how many are gathered. */
  #data = 0;
  #used = 0;

  /** @param batchBytes a batch is full when its records have this many bytes */
  constructor(memory: Memory, batchBytes: number) {
    this.#memory = memory;
    this.#batchBytes = batchBytes;
    this.#staging = new Uint8Array(batchBytes);
  }

  /** Whether a record of `bytes` would go beyond a full batch. An empty builder takes any record. */
  isFull(bytes: number): boolean {
    return this.count > 0 && (this.bytes + bytes > this.#batchBytes || this.count === BATCH_RECORDS_MAX);
  }

  /** An upper bound of what the batch takes when `extra` bytes in one more record are added. */
  encodedBytesMax(extra: number): number {
    return BATCH_HEADER_BYTES + this.bytes + extra + (this.count + 1) * RECORD_OVERHEAD_MAX + SLACK_BYTES;
  }

  /**
   * Makes sure that a record of `bytes` has room: an ordinary one in the builder's own slab, a large one
   * in a slab for it alone.
   *
   * @returns false where there is no memory
   */
  reserve(bytes: number): boolean {
    this.#slab ??= this.#memory.slabs.tryAllocate(ENTRIES_BYTES + this.#batchBytes, 'batch builder');
    if (this.#slab === undefined) return false;
    if (this.count === 0) {
      this.#entry = this.#slab.address;
      this.#data = this.#slab.address + ENTRIES_BYTES;
      this.#used = 0;
    }
    if (bytes <= this.#batchBytes) return true;
    assert(this.count === 0, 'a large record has a batch of its own');
    this.#large ??= this.#memory.slabs.tryAllocate(bytes, 'large record');
    if (this.#large === undefined) return false;
    if (this.#large.bytes < bytes) {
      this.#large.release();
      this.#large = this.#memory.slabs.tryAllocate(bytes, 'large record');
      if (this.#large === undefined) return false;
    }
    this.#data = this.#large.address;
    return true;
  }

  /** Copies a record in; `reserve` has been called for it. */
  add(record: Measured, timestamp: number): void {
    const { i32, f64 } = this.#memory;
    const word = this.#entry >> 2;
    const { key, value, headers } = record;
    const isLarge = this.#large !== undefined;
    const target = isLarge ? this.#memory.u8 : this.#staging;
    const shift = isLarge ? this.#data : 0;
    let used = this.#used;
    f64[this.#entry >> 3] = timestamp;
    i32[word + (ENTRY_KEY >> 2)] = this.#data + used;
    if (key === null) {
      i32[word + (ENTRY_KEY_LENGTH >> 2)] = NULL_LENGTH;
    } else {
      i32[word + (ENTRY_KEY_LENGTH >> 2)] = key.length;
      target.set(key, shift + used);
      used += key.length;
    }
    i32[word + (ENTRY_VALUE >> 2)] = this.#data + used;
    if (value === null) {
      i32[word + (ENTRY_VALUE_LENGTH >> 2)] = NULL_LENGTH;
    } else {
      i32[word + (ENTRY_VALUE_LENGTH >> 2)] = value.length;
      target.set(value, shift + used);
      used += value.length;
    }
    i32[word + (ENTRY_HEADERS >> 2)] = this.#data + used;
    i32[word + (ENTRY_HEADERS_LENGTH >> 2)] = headers === null ? 0 : headers.length;
    i32[word + (ENTRY_HEADERS_COUNT >> 2)] = record.headerCount;
    if (headers !== null) {
      target.set(headers, shift + used);
      used += headers.length;
    }
    this.#used = used;
    this.#entry += ENTRY_BYTES;
    if (this.count === 0 || timestamp > this.maxTimestamp) this.maxTimestamp = timestamp;
    this.count++;
    this.bytes += record.bytes;
  }

  /**
   * Encodes what was gathered as one batch, and is empty again.
   *
   * @param out an address with room for `encodedBytesMax(0)`
   * @returns the size of the batch in bytes
   */
  encode(out: number, baseOffset: number): number {
    assert(this.count > 0 && this.#slab !== undefined, 'there is something to encode');
    if (this.#large === undefined) this.#memory.u8.set(this.#staging.subarray(0, (this.#used + 7) & ~7), this.#data);
    const bytes = this.#memory.kernels.encodeBatch(this.#slab.address, this.count, out, baseOffset, 0);
    assert(bytes <= this.encodedBytesMax(0), 'a batch is never larger than its bound');
    this.clear();
    return bytes;
  }

  /** Forgets what was gathered. */
  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.#large?.release();
    this.#large = undefined;
  }

  /** Gives its memory back, and returns how much; it takes some again when it is used again. */
  release(): number {
    assert(this.count === 0, 'a builder in use keeps its memory');
    const bytes = this.#slab?.bytes ?? 0;
    this.#slab?.release();
    this.#slab = undefined;
    return bytes;
  }
}
