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
import { checkFields, type RecordInput } from './record.ts';

const ENTRIES_BYTES = BATCH_RECORDS_MAX * ENTRY_BYTES;
const ALIGN_BYTES = 8;
/** More room than this no batch can use; it keeps sums of addresses small. */
const ROOM_BYTES_MAX = 2 ** 28;
const NULL_LENGTH = -1;

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
  readonly #i32: Int32Array;
  readonly #f64: Float64Array;
  readonly #batchBytes: number;
  readonly #staging: Uint8Array;
  #slab: Slab | undefined;
  #isBegun = false;
  /** Where the bytes of a record go that has a batch of its own. */
  #large: Slab | undefined;
  /** Address of the first and of the next entry. */
  #first = 0;
  #entry = 0;
  /** Address of the records' bytes, and how many are gathered. */
  #data = 0;
  #used = 0;
  /** What `used` must not exceed, and what it must not exceed together with the entries. */
  #usedMax = -1;
  #totalMax = -1;

  /** @param batchBytes a batch is full when its records have this many bytes */
  constructor(memory: Memory, batchBytes: number) {
    this.#memory = memory;
    this.#i32 = memory.i32;
    this.#f64 = memory.f64;
    this.#batchBytes = batchBytes;
    this.#staging = new Uint8Array(batchBytes);
  }

  /** Records gathered. */
  get count(): number {
    return (this.#entry - this.#first) / ENTRY_BYTES;
  }

  /** Their keys, values and headers. */
  get bytes(): number {
    return this.#used;
  }

  /** Slabs that it takes for a record of `bytes`, in bytes. */
  slabsFor(bytes: number): number[] {
    const own = ENTRIES_BYTES + this.#batchBytes + ALIGN_BYTES;
    return bytes > this.#batchBytes ? [own, bytes] : [own];
  }

  /** What a batch that begins with a record of `bytes` may need, and no other record is needed for it. */
  roomFor(bytes: number): number {
    return BATCH_HEADER_BYTES + bytes + RECORD_OVERHEAD_MAX + SLACK_BYTES;
  }

  /**
   * Begins a batch.
   *
   * @param bytes of its first record
   * @param roomBytes how large it may become, encoded; at least `roomFor(bytes)`
   * @returns false where there is no memory; then `clear` is to be called
   */
  begin(bytes: number, roomBytes: number): boolean {
    assert(this.count === 0 && roomBytes >= this.roomFor(bytes), 'a batch begins empty and has room');
    const { slabs } = this.#memory;
    // From here on the memory is in use, also while more is asked for.
    this.#isBegun = true;
    this.#slab ??= slabs.tryAllocate(ENTRIES_BYTES + this.#batchBytes + ALIGN_BYTES, 'batch builder');
    if (this.#slab === undefined) return false;
    this.#first = this.#entry = this.#slab.address;
    this.#data = this.#slab.address + ENTRIES_BYTES;
    this.#used = 0;
    this.#usedMax = this.#batchBytes;
    // An entry takes as many bytes as a record may need beyond its own: one sum bounds both.
    const entriesBytes = Math.min(
      roomBytes - BATCH_HEADER_BYTES - SLACK_BYTES - RECORD_OVERHEAD_MAX,
      ROOM_BYTES_MAX,
    );
    this.#totalMax = entriesBytes + this.#first;
    if (bytes <= this.#batchBytes) return true;
    this.#large = slabs.tryAllocate(bytes, 'large record');
    if (this.#large === undefined) return false;
    this.#data = this.#large.address;
    this.#usedMax = bytes;
    return true;
  }

  /** Whether the batch that was begun takes a record of `bytes` too. */
  hasRoom(bytes: number): boolean {
    const used = this.#used + bytes;
    return (
      used <= this.#usedMax &&
      used + this.#entry <= this.#totalMax &&
      this.#entry < this.#first + ENTRIES_BYTES
    );
  }

  /** Copies a record in, for which there is room and which has its timestamp. */
  add(record: Measured): void {
    const { headers } = record;
    this.timestamp = record.timestamp;
    this.addPlain(record.key, record.value);
    if (headers === null) return;
    const word = (this.#entry - ENTRY_BYTES) >> 2;
    this.#i32[word + (ENTRY_HEADERS_LENGTH >> 2)] = headers.length;
    this.#i32[word + (ENTRY_HEADERS_COUNT >> 2)] = record.headerCount;
    this.#copy(headers, this.#used);
    this.#used += headers.length;
  }

  /** Copies a record without headers in, for which there is room. Its time is `timestamp`. */
  addPlain(key: Uint8Array | null, value: Uint8Array | null): void {
    const i32 = this.#i32;
    const entry = this.#entry;
    const word = entry >> 2;
    let used = this.#used;
    this.#f64[entry >> 3] = this.timestamp;
    i32[word + (ENTRY_KEY >> 2)] = this.#data + used;
    if (key === null) {
      i32[word + (ENTRY_KEY_LENGTH >> 2)] = NULL_LENGTH;
    } else {
      i32[word + (ENTRY_KEY_LENGTH >> 2)] = key.length;
      this.#copy(key, used);
      used += key.length;
    }
    i32[word + (ENTRY_VALUE >> 2)] = this.#data + used;
    if (value === null) {
      i32[word + (ENTRY_VALUE_LENGTH >> 2)] = NULL_LENGTH;
    } else {
      i32[word + (ENTRY_VALUE_LENGTH >> 2)] = value.length;
      this.#copy(value, used);
      used += value.length;
    }
    i32[word + (ENTRY_HEADERS >> 2)] = this.#data + used;
    i32[word + (ENTRY_HEADERS_LENGTH >> 2)] = 0;
    i32[word + (ENTRY_HEADERS_COUNT >> 2)] = 0;
    this.#used = used;
    this.#entry = entry + ENTRY_BYTES;
  }

  /**
   * Encodes what was gathered as one batch, and is empty again.
   *
   * @param out an address with the room that `begin` was told of
   * @returns the size of the batch in bytes
   */
  encode(out: number, baseOffset: number): number {
    const { count } = this;
    assert(count > 0 && this.#slab !== undefined, 'there is something to encode');
    if (this.#large === undefined) {
      this.#memory.u8.set(
        this.#staging.subarray(0, (this.#used + ALIGN_BYTES - 1) & -ALIGN_BYTES),
        this.#data,
      );
    }
    const size = this.#memory.kernels.encodeBatch(this.#slab.address, count, out, baseOffset, 0);
    assert(
      size <= BATCH_HEADER_BYTES + this.#used + count * RECORD_OVERHEAD_MAX,
      'a batch keeps to its bound',
    );
    this.clear();
    return size;
  }

  /**
   * Forgets what was gathered.
   *
   * @param isQuiet where a batch was begun in vain; see `Slab.release`
   */
  clear(isQuiet = false): void {
    this.#first = this.#entry = this.#used = 0;
    this.#usedMax = this.#totalMax = -1;
    this.#isBegun = false;
    this.#large?.release(isQuiet);
    this.#large = undefined;
  }

  /** Gives its memory back, unless a batch is begun; it takes some again when it is used again. */
  release(): void {
    if (this.#isBegun) return;
    this.#slab?.release();
    this.#slab = undefined;
  }

  #copy(bytes: Uint8Array, used: number): void {
    if (this.#large === undefined) this.#staging.set(bytes, used);
    else this.#memory.u8.set(bytes, this.#data + used);
  }
}
