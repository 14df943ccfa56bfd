/**
 * Gathers records until a batch is full, framing each as it comes, and puts the header and the checksum on it.
 *
 *     staging, private memory
 *     +---+--------------+----------+----------+----------------------------------------+
 *     | . | room for the | record 0 | record 1 | ...                                    |
 *     |   |    header    |          |          |                                        |
 *     +---+--------------+----------+----------+----------------------------------------+
 *      as far from a multiple of 8 as the address to which all of it goes in the end
 *
 * The bytes are gathered in private memory and go to the shared one in one piece: V8 copies into shared memory
 * with atomic stores, byte by byte unless both ends lie alike in their words, which for a short record costs more
 * than everything else. So a record is copied once, framed by a few stores beside it, and no object and no view is
 * made for it. A record that is larger than a batch goes to a slab at once, and is framed by a kernel.
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
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { ATTRIBUTES_POSITION, CRC_POSITION, writeBatchHeader } from './format.ts';
import { encodeHeaders } from './headers.ts';
import { checkFields, type RecordInput } from './record.ts';
import { differenceBytes, lengthBytes, writeDifference, writeLength } from './varint.ts';

const ALIGN_BYTES = 8;
const NULL_LENGTH = -1;
/** The length -1 as a varint. */
const NULL_VARINT = 1;
/** Differences from the first time and offset of a batch that take one byte, or two. */
const ONE_BYTE_MAX = 64;

/** A record whose strings are bytes and whose size is known. */
export interface Measured {
  key: Uint8Array | null;
  value: Uint8Array | null;
  headers: Uint8Array | null;
  headerCount: number;
  /** NaN where the record brings none. A number always, so that none is boxed on its way. */
  timestamp: number;
  /** Key, value and headers together, in bytes. */
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
  return { key: null, value: null, headers: null, headerCount: 0, timestamp: Number.NaN, bytes: 0 };
}

/**
 * Checks a record and measures it.
 *
 * @param record what a caller handed in
 * @param into what is filled
 * @throws TypeError where a field has the wrong type, or is misspelt and there is no value
 * @throws RangeError where the timestamp is no safe integer
 */
export function measure(record: RecordInput, into: Measured): void {
  if (typeof record !== 'object' || record === null) throw new TypeError('a record must be an object');
  const { key, value, timestamp, headers } = record;
  // Where there is a value it is not misspelt, and nobody has to pay for the look.
  if (value === undefined) checkFields(record);
  into.key = key instanceof Uint8Array ? key : toBytes('key', key);
  into.value = value instanceof Uint8Array ? value : toBytes('value', value);
  into.bytes = (into.key === null ? 0 : into.key.length) + (into.value === null ? 0 : into.value.length);
  into.headers = null;
  into.headerCount = 0;
  into.timestamp = timestamp ?? Number.NaN;
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
  /** Time of the record that `addPlain` adds. A field and not a parameter, so that it is never boxed. */
  timestamp: number = Number.NaN;
  readonly #memory: Memory;
  readonly #batchBytes: number;
  readonly #staging: Uint8Array;
  readonly #view: DataView;
  /** What a record has that has a batch of its own: its bytes, and an entry for the kernel. */
  #large: { bytes: Slab; entry: Slab } | undefined;
  #count = 0;
  /** Where the batch begins in the staging, and where its next record goes. */
  #start = 0;
  #at = 0;
  /** Keys, values and headers so far, in bytes. */
  #used = 0;
  /** What `used` must not exceed, nor the place behind the next record's own bytes. */
  #usedMax = -1;
  #atMax = -1;
  #baseTimestamp = 0.5;
  #maxTimestamp = 0.5;

  /** @param batchBytes a batch is full when its records have this many bytes */
  constructor(memory: Memory, batchBytes: number) {
    this.#memory = memory;
    this.#batchBytes = batchBytes;
    const bytes = ALIGN_BYTES + BATCH_HEADER_BYTES + batchBytes + BATCH_RECORDS_MAX * RECORD_OVERHEAD_MAX;
    this.#staging = new Uint8Array(bytes);
    this.#view = new DataView(this.#staging.buffer);
  }

  /** Records gathered. */
  get count(): number {
    return this.#count;
  }

  /** Their keys, values and headers. */
  get bytes(): number {
    return this.#used;
  }

  /** Slabs that it takes for a record of `bytes`, in bytes. */
  slabsFor(bytes: number): number[] {
    return bytes > this.#batchBytes ? [ENTRY_BYTES, bytes] : [];
  }

  /** What a batch that begins with a record of `bytes` may need, and no other record is needed for it. */
  roomFor(bytes: number): number {
    return BATCH_HEADER_BYTES + bytes + RECORD_OVERHEAD_MAX + SLACK_BYTES;
  }

  /**
   * Begins a batch.
   *
   * @param bytes of its first record
   * @param address where it will go
   * @param roomBytes how large it may become there, encoded; at least `roomFor(bytes)`
   * @returns false where there is no memory; then `clear` is to be called
   */
  begin(bytes: number, address: number, roomBytes: number): boolean {
    assert(this.#count === 0 && roomBytes >= this.roomFor(bytes), 'a batch begins empty and has room');
    this.#start = address & (ALIGN_BYTES - 1);
    this.#at = this.#start + BATCH_HEADER_BYTES;
    this.#used = 0;
    this.#usedMax = this.#batchBytes;
    this.#atMax = this.#start + roomBytes - SLACK_BYTES - RECORD_OVERHEAD_MAX;
    if (bytes <= this.#batchBytes) return true;
    this.#usedMax = bytes;
    return this.#beginLarge(bytes);
  }

  /** Whether the batch that was begun takes a record of `bytes` too. */
  hasRoom(bytes: number): boolean {
    return (
      this.#used + bytes <= this.#usedMax &&
      this.#at + bytes <= this.#atMax &&
      this.#count < BATCH_RECORDS_MAX
    );
  }

  /** Copies a record in, for which there is room and which has its timestamp. */
  add(record: Measured): void {
    this.timestamp = record.timestamp;
    if (this.#large === undefined) this.#frame(record.key, record.value, record.headers, record.headerCount);
    else this.#addLarge(record, this.#large.entry.address, this.#large.bytes.address);
  }

  /** Copies a record without headers in, for which there is room. Its time is `timestamp`. */
  addPlain(key: Uint8Array | null, value: Uint8Array | null): void {
    this.#frame(key, value, null, 0);
  }

  /**
   * Encodes what was gathered as one batch, and is empty again.
   *
   * @param out the address that `begin` was told
   * @returns the size of the batch in bytes
   */
  encode(out: number, baseOffset: number): number {
    const size =
      this.#large === undefined ? this.#finish(out, baseOffset) : this.#encodeLarge(out, baseOffset);
    this.clear();
    return size;
  }

  /**
   * Forgets what was gathered, and gives memory back.
   *
   * @param isQuiet where a batch was begun in vain; see `Slab.release`
   */
  clear(isQuiet = false): void {
    this.#count = this.#used = 0;
    this.#usedMax = this.#atMax = -1;
    this.#large?.entry.release(isQuiet);
    this.#large?.bytes.release(isQuiet);
    this.#large = undefined;
  }

  /** Writes a record behind the others, as Kafka frames it (docs/FORMAT.md). */
  #frame(
    key: Uint8Array | null,
    value: Uint8Array | null,
    headers: Uint8Array | null,
    headerCount: number,
  ): void {
    const staging = this.#staging;
    const offset = this.#count++;
    if (offset === 0) this.#baseTimestamp = this.#maxTimestamp = this.timestamp;
    else if (this.timestamp > this.#maxTimestamp) this.#maxTimestamp = this.timestamp;
    const elapsed = this.timestamp - this.#baseTimestamp;
    const isSoon = elapsed >= 0 && elapsed < ONE_BYTE_MAX;
    const keyBytes = key === null ? 0 : key.length;
    const valueBytes = value === null ? 0 : value.length;
    const headersBytes = headers === null ? 0 : headers.length;
    const length =
      1 +
      (isSoon ? 1 : differenceBytes(this.#baseTimestamp, this.timestamp)) +
      (offset < ONE_BYTE_MAX ? 1 : 2) +
      lengthBytes(keyBytes) +
      keyBytes +
      lengthBytes(valueBytes) +
      valueBytes +
      lengthBytes(headerCount) +
      headersBytes;
    let at = writeLength(staging, this.#at, length);
    staging[at++] = 0;
    if (isSoon) staging[at++] = elapsed << 1;
    else at = writeDifference(staging, at, this.#baseTimestamp, this.timestamp);
    at = writeLength(staging, at, offset);
    if (key === null) {
      staging[at++] = NULL_VARINT;
    } else {
      at = writeLength(staging, at, keyBytes);
      staging.set(key, at);
      at += keyBytes;
    }
    if (value === null) {
      staging[at++] = NULL_VARINT;
    } else {
      at = writeLength(staging, at, valueBytes);
      staging.set(value, at);
      at += valueBytes;
    }
    at = writeLength(staging, at, headerCount);
    if (headers !== null) {
      staging.set(headers, at);
      at += headersBytes;
    }
    this.#used += keyBytes + valueBytes + headersBytes;
    this.#at = at;
  }

  /** Puts the header on, moves all of it to the shared memory, and sums it up there. */
  #finish(out: number, baseOffset: number): number {
    const { data, u8, kernels } = this.#memory;
    const start = this.#start;
    assert(this.#count > 0 && start === (out & (ALIGN_BYTES - 1)), 'there is a batch, and it goes there');
    const size = this.#at - start;
    writeBatchHeader(this.#view, start, {
      baseOffset,
      size,
      count: this.#count,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: this.#maxTimestamp,
    });
    u8.set(this.#staging.subarray(start, this.#at), out);
    data.setInt32(
      out + CRC_POSITION,
      kernels.crc32c(out + ATTRIBUTES_POSITION, size - ATTRIBUTES_POSITION, 0),
    );
    return size;
  }

  #beginLarge(bytes: number): boolean {
    const { slabs } = this.#memory;
    const entry = slabs.tryAllocate(ENTRY_BYTES, 'large record');
    if (entry === undefined) return false;
    const room = slabs.tryAllocate(bytes, 'large record');
    if (room === undefined) {
      entry.release(true);
      return false;
    }
    this.#large = { bytes: room, entry };
    return true;
  }

  #addLarge(record: Measured, entry: number, start: number): void {
    const { i32, f64, u8 } = this.#memory;
    let at = start;
    const place = (field: number, lengthField: number, bytes: Uint8Array | null, absent: number): void => {
      i32[(entry + field) >> 2] = at;
      i32[(entry + lengthField) >> 2] = bytes === null ? absent : bytes.length;
      if (bytes === null) return;
      u8.set(bytes, at);
      at += bytes.length;
    };
    f64[(entry + ENTRY_TIMESTAMP) >> 3] = record.timestamp;
    place(ENTRY_KEY, ENTRY_KEY_LENGTH, record.key, NULL_LENGTH);
    place(ENTRY_VALUE, ENTRY_VALUE_LENGTH, record.value, NULL_LENGTH);
    place(ENTRY_HEADERS, ENTRY_HEADERS_LENGTH, record.headers, 0);
    i32[(entry + ENTRY_HEADERS_COUNT) >> 2] = record.headerCount;
    this.#used = record.bytes;
    this.#count = 1;
    // Not even a record without a byte joins it.
    this.#usedMax = -1;
  }

  #encodeLarge(out: number, baseOffset: number): number {
    assert(this.#large !== undefined && this.#count === 1, 'a large record has a batch of its own');
    return this.#memory.kernels.encodeBatch(this.#large.entry.address, 1, out, baseOffset, 0);
  }
}
