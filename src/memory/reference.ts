/**
 * The kernels in plain JavaScript: the specification that the WebAssembly builds are compared with. It
 * is written to be read, byte by byte and with BigInt, and is not meant to be fast. What the methods
 * promise is said in `kernels.ts`, the structures are drawn in `layout.ts`, and the record batch is
 * Kafka's (magic 2; "Record Batch" and "Record" in the Kafka documentation, Message Format).
 *
 * @module
 */

import type { Kernels } from './kernels.ts';
import {
  BATCH_BYTES_MAX,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_HEADERS,
  COLUMN_HEADERS_COUNT,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  COLUMN_VALUE,
  COLUMN_VALUE_LENGTH,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  MARK_BYTES,
  MARK_RECORDS,
  OFFSET_ENTRY_BYTES,
  ROW_ADDRESS,
  ROW_ATTRIBUTES,
  ROW_BASE_OFFSET,
  ROW_BASE_TIMESTAMP,
  ROW_BYTES,
  ROW_LAST_DELTA,
  ROW_LEADER_EPOCH,
  ROW_MAX_TIMESTAMP,
  ROW_RECORD_COUNT,
  ROW_SIZE,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_NEED,
  SCAN_STATUS_STOP,
  SCAN_STOP_END,
  SCAN_STOP_INCOMPLETE,
  SCAN_STOP_INVALID,
  TIME_ENTRY_BYTES,
} from './layout.ts';

/** Offsets and timestamps are integers that a double holds exactly. */
const SAFE_LIMIT = 2n ** 53n;
/** The least bytes of a record (seven fields of one byte) and of a header (two). */
const RECORD_BYTES_MIN = 7;
const HEADER_BYTES_MIN = 2;

/** A structure that is not what it must be; it never leaves this file. */
class Broken extends Error {}

interface Head {
  count: number;
  lastDelta: number;
  /** The log's own time for all records, or undefined where each has its own. */
  appendTimestamp: bigint | undefined;
  baseTimestamp: bigint;
}

interface DecodedRecord {
  timestamp: number;
  offsetDelta: number;
  key: number;
  keyLength: number;
  value: number;
  valueLength: number;
  headers: number;
  headersCount: number;
  end: number;
}

/**
 * Creates the reference kernels over `memory`.
 *
 * @param memory where all addresses are
 */
export function createReferenceKernels(memory: SharedArrayBuffer | ArrayBuffer): Kernels {
  const view = new DataView(memory);

  function init(): void {
    // Everything is computed as it is needed: there are no tables.
  }

  function crc32c(address: number, length: number, crc: number): number {
    let state = ~crc;
    for (let i = address; i < address + length; i++) {
      state ^= view.getUint8(i);
      for (let bit = 0; bit < 8; bit++) state = (state >>> 1) ^ (state & 1 ? 0x82f63b78 : 0);
    }
    return ~state;
  }

  // --- encoding -------------------------------------------------------------------------------------

  function encodeBatch(
    entries: number,
    count: number,
    out: number,
    baseOffset: number,
    leaderEpoch: number,
  ): number {
    const baseTimestamp = view.getFloat64(entries + ENTRY_TIMESTAMP, true);
    let maxTimestamp = baseTimestamp;
    let end = out + BATCH_HEADER_BYTES;
    for (let i = 0; i < count; i++) {
      const entry = entries + i * ENTRY_BYTES;
      const timestamp = view.getFloat64(entry + ENTRY_TIMESTAMP, true);
      maxTimestamp = Math.max(maxTimestamp, timestamp);
      const record = [
        0, // attributes
        ...varint(BigInt(timestamp) - BigInt(baseTimestamp)),
        ...varint(BigInt(i)),
        ...bytesWithLength(entry + ENTRY_KEY, entry + ENTRY_KEY_LENGTH),
        ...bytesWithLength(entry + ENTRY_VALUE, entry + ENTRY_VALUE_LENGTH),
        ...varint(BigInt(view.getInt32(entry + ENTRY_HEADERS_COUNT, true))),
        ...bytesAt(
          view.getInt32(entry + ENTRY_HEADERS, true),
          view.getInt32(entry + ENTRY_HEADERS_LENGTH, true),
        ),
      ];
      for (const byte of varint(BigInt(record.length))) view.setUint8(end++, byte);
      for (const byte of record) view.setUint8(end++, byte);
    }
    view.setBigInt64(out, BigInt(baseOffset));
    view.setInt32(out + 8, end - out - BATCH_PREFIX_BYTES); // batch length
    view.setInt32(out + 12, leaderEpoch);
    view.setInt8(out + 16, 2); // magic
    view.setInt16(out + 21, 0); // attributes: no compression, create time
    view.setInt32(out + 23, count - 1); // last offset delta
    view.setBigInt64(out + 27, BigInt(baseTimestamp));
    view.setBigInt64(out + 35, BigInt(maxTimestamp));
    view.setBigInt64(out + 43, -1n); // producer id
    view.setInt16(out + 51, -1); // producer epoch
    view.setInt32(out + 53, -1); // base sequence
    view.setInt32(out + 57, count);
    view.setInt32(out + 17, crc32c(out + 21, end - out - 21, 0));
    return end - out;
  }

  function bytesAt(address: number, length: number): number[] {
    return Array.from({ length }, (_, i) => view.getUint8(address + i));
  }

  function bytesWithLength(addressAt: number, lengthAt: number): number[] {
    const length = view.getInt32(lengthAt, true);
    return [...varint(BigInt(length)), ...bytesAt(view.getInt32(addressAt, true), Math.max(length, 0))];
  }

  // --- finding batches ------------------------------------------------------------------------------

  /** What the first `available` bytes at `address` are; `SCAN_STOP_END` if a whole and valid batch. */
  function judge(address: number, available: number): number {
    if (available < BATCH_PREFIX_BYTES) return SCAN_STOP_INCOMPLETE;
    const size = view.getInt32(address + 8) + BATCH_PREFIX_BYTES;
    if (size < BATCH_HEADER_BYTES || size > BATCH_BYTES_MAX) return SCAN_STOP_INVALID;
    const baseOffset = view.getBigInt64(address);
    if (baseOffset < 0n || baseOffset >= SAFE_LIMIT) return SCAN_STOP_INVALID;
    if (available >= 17 && view.getInt8(address + 16) !== 2) return SCAN_STOP_INVALID;
    if (available < size) return SCAN_STOP_INCOMPLETE;

    const lastDelta = view.getInt32(address + 23);
    const count = view.getInt32(address + 57);
    if (lastDelta < 0 || baseOffset + BigInt(lastDelta) >= SAFE_LIMIT) return SCAN_STOP_INVALID;
    if (count < 0 || count > lastDelta + 1) return SCAN_STOP_INVALID;
    const isCompressed = (view.getInt16(address + 21) & 7) !== 0;
    if (!isCompressed && count * RECORD_BYTES_MIN > size - BATCH_HEADER_BYTES) return SCAN_STOP_INVALID;
    const isIntact = view.getInt32(address + 17) === crc32c(address + 21, size - 21, 0);
    return isIntact ? SCAN_STOP_END : SCAN_STOP_INVALID;
  }

  function scanBatches(
    address: number,
    length: number,
    rows: number,
    maxRows: number,
    status: number,
  ): number {
    const end = address + length;
    let at = address;
    let count = 0;
    let stop = SCAN_STOP_END;
    let need = 0;
    while (at < end && count < maxRows) {
      stop = judge(at, end - at);
      if (stop === SCAN_STOP_INCOMPLETE && end - at >= BATCH_PREFIX_BYTES)
        need = view.getInt32(at + 8) + BATCH_PREFIX_BYTES;
      if (stop !== SCAN_STOP_END) break;
      const size = view.getInt32(at + 8) + BATCH_PREFIX_BYTES;
      const row = rows + count * ROW_BYTES;
      view.setFloat64(row + ROW_BASE_OFFSET, Number(view.getBigInt64(at)), true);
      view.setFloat64(row + ROW_BASE_TIMESTAMP, Number(view.getBigInt64(at + 27)), true);
      view.setFloat64(row + ROW_MAX_TIMESTAMP, Number(view.getBigInt64(at + 35)), true);
      view.setInt32(row + ROW_ADDRESS, at, true);
      view.setInt32(row + ROW_SIZE, size, true);
      view.setInt32(row + ROW_RECORD_COUNT, view.getInt32(at + 57), true);
      view.setInt32(row + ROW_LAST_DELTA, view.getInt32(at + 23), true);
      view.setInt32(row + ROW_ATTRIBUTES, view.getInt16(at + 21), true);
      view.setInt32(row + ROW_LEADER_EPOCH, view.getInt32(at + 12), true);
      count++;
      at += size;
    }
    view.setInt32(status + SCAN_STATUS_STOP, stop, true);
    view.setInt32(status + SCAN_STATUS_ADDRESS, at, true);
    view.setInt32(status + SCAN_STATUS_NEED, need, true);
    return count;
  }

  function findBatch(address: number, length: number, minOffset: number, maxOffset: number): number {
    for (let at = address; at + BATCH_HEADER_BYTES <= address + length; at++) {
      const baseOffset = Number(view.getBigInt64(at));
      if (baseOffset < minOffset || baseOffset > maxOffset) continue;
      if (judge(at, address + length - at) === SCAN_STOP_END) return at;
    }
    return -1;
  }

  // --- decoding -------------------------------------------------------------------------------------

  /** Reads the fields between `address` and `end`, and nothing beyond. */
  function createCursor(address: number, end: number) {
    let at = address;
    function byte(): number {
      if (at >= end) throw new Broken('the field is cut off');
      return view.getUint8(at++);
    }
    /** A varint of at most ceil(bits / 7) bytes; what is beyond its last bit is dropped, as Kafka does. */
    function varint(bits: number): bigint {
      let zigzag = 0n;
      for (let shift = 0; shift < bits; shift += 7) {
        const next = byte();
        zigzag |= BigInt(next & 0x7f) << BigInt(shift);
        if (next < 0x80) {
          zigzag = BigInt.asUintN(bits, zigzag);
          return (zigzag >> 1n) ^ -(zigzag & 1n);
        }
      }
      throw new Broken('the varint is too long');
    }
    /** The length of bytes that follow, and goes on behind them. -1 is null. */
    function skipBytes(least: number): { address: number; length: number } {
      const length = Number(varint(32));
      const start = at;
      if (length < least || length > end - at) throw new Broken('the length is impossible');
      at += Math.max(length, 0);
      return { address: start, length };
    }
    return { byte, varint, skipBytes, position: () => at };
  }

  function readHead(address: number, size: number): Head {
    if (size < BATCH_HEADER_BYTES) throw new Broken('the header is cut off');
    const count = view.getInt32(address + 57);
    const lastDelta = view.getInt32(address + 23);
    if (count < 0 || count * RECORD_BYTES_MIN > size - BATCH_HEADER_BYTES)
      throw new Broken('no room for the records');
    if (lastDelta < 0 || count > lastDelta + 1) throw new Broken('more records than offsets');
    const isAppendTime = (view.getInt16(address + 21) & 8) !== 0;
    const baseTimestamp = view.getBigInt64(address + 27);
    const appendTimestamp = isAppendTime ? view.getBigInt64(address + 35) : undefined;
    checkTimestamp(appendTimestamp ?? baseTimestamp);
    return { count, lastDelta, appendTimestamp, baseTimestamp };
  }

  function checkTimestamp(timestamp: bigint): void {
    if (timestamp <= -SAFE_LIMIT || timestamp >= SAFE_LIMIT)
      throw new Broken('the timestamp is out of range');
  }

  /** Where the body of the record at `at` starts and ends. */
  function readExtent(at: number, end: number): { start: number; end: number } {
    const { length, address } = createCursor(at, end).skipBytes(RECORD_BYTES_MIN - 1);
    return { start: address, end: address + length };
  }

  function readRecord(at: number, end: number, head: Head, previousDelta: number): DecodedRecord {
    const extent = readExtent(at, end);
    const cursor = createCursor(extent.start, extent.end);
    cursor.byte(); // attributes, of which none are in use
    const timestampDelta = cursor.varint(64);
    const timestamp = head.appendTimestamp ?? head.baseTimestamp + timestampDelta;
    checkTimestamp(timestamp);
    const offsetDelta = Number(cursor.varint(32));
    if (offsetDelta <= previousDelta || offsetDelta > head.lastDelta)
      throw new Broken('the offsets do not rise');
    const key = cursor.skipBytes(-1);
    const value = cursor.skipBytes(-1);
    const headersCount = Number(cursor.varint(32));
    const headers = cursor.position();
    if (headersCount < 0 || headersCount * HEADER_BYTES_MIN > extent.end - headers)
      throw new Broken('no room for the headers');
    for (let i = 0; i < headersCount; i++) {
      cursor.skipBytes(0);
      cursor.skipBytes(-1);
    }
    if (cursor.position() !== extent.end) throw new Broken('the record is longer than its fields');
    return {
      timestamp: Number(timestamp),
      offsetDelta,
      key: key.address,
      keyLength: key.length,
      value: value.address,
      valueLength: value.length,
      headers,
      headersCount,
      end: extent.end,
    };
  }

  function writeColumn(column: number, record: DecodedRecord): void {
    view.setFloat64(column + COLUMN_TIMESTAMP, record.timestamp, true);
    view.setInt32(column + COLUMN_OFFSET_DELTA, record.offsetDelta, true);
    view.setInt32(column + COLUMN_KEY, record.key, true);
    view.setInt32(column + COLUMN_KEY_LENGTH, record.keyLength, true);
    view.setInt32(column + COLUMN_VALUE, record.value, true);
    view.setInt32(column + COLUMN_VALUE_LENGTH, record.valueLength, true);
    view.setInt32(column + COLUMN_HEADERS, record.headers, true);
    view.setInt32(column + COLUMN_HEADERS_COUNT, record.headersCount, true);
    view.setInt32(column + COLUMN_END, record.end, true);
  }

  function decodeBatch(address: number, size: number, columns: number): number {
    return orBroken(() => {
      const head = readHead(address, size);
      const end = address + size;
      let at = address + BATCH_HEADER_BYTES;
      let previousDelta = -1;
      for (let i = 0; i < head.count; i++) {
        const record = readRecord(at, end, head, previousDelta);
        writeColumn(columns + i * COLUMN_BYTES, record);
        previousDelta = record.offsetDelta;
        at = record.end;
      }
      if (at !== end) throw new Broken('bytes are left');
      return head.count;
    });
  }

  function findRecord(address: number, size: number, offsetDelta: number, columns: number): number {
    return orBroken(() => {
      const head = readHead(address, size);
      if (offsetDelta < 0 || offsetDelta > head.lastDelta) return 0;
      // Where there are as many records as offsets, their order is their offset delta. Then (and only
      // then) the records before are skipped without a look at their deltas.
      const isDense = head.count === head.lastDelta + 1;
      const end = address + size;
      let at = address + BATCH_HEADER_BYTES;
      let previousDelta = -1;
      for (let i = 0; i < head.count; i++) {
        const extent = readExtent(at, end);
        let delta = i;
        if (!isDense) {
          const cursor = createCursor(extent.start + 1, extent.end);
          cursor.varint(64); // the timestamp's delta
          delta = Number(cursor.varint(32));
          if (delta <= previousDelta || delta > head.lastDelta) throw new Broken('the offsets do not rise');
        }
        if (delta > offsetDelta) return 0;
        if (delta === offsetDelta) {
          const record = readRecord(at, end, head, offsetDelta - 1);
          if (record.offsetDelta !== offsetDelta)
            throw new Broken('the offsets have gaps that the header denies');
          writeColumn(columns, record);
          return 1;
        }
        previousDelta = delta;
        at = extent.end;
      }
      return 0;
    });
  }

  function markRecords(address: number, size: number, marks: number): number {
    return orBroken(() => {
      const head = readHead(address, size);
      if (head.count !== head.lastDelta + 1) return 0;
      const end = address + size;
      let at = address + BATCH_HEADER_BYTES;
      for (let i = 0; i < head.count; i++) {
        if (i % MARK_RECORDS === 0) view.setInt32(marks + (i / MARK_RECORDS) * MARK_BYTES, at - address, true);
        at = readExtent(at, end).end;
      }
      if (at !== end) throw new Broken('bytes are left');
      return Math.ceil(head.count / MARK_RECORDS);
    });
  }

  // --- searching ------------------------------------------------------------------------------------

  /** The first of `count` entries for which `isFound` holds, one after the other. */
  function firstEntry(count: number, isFound: (index: number) => boolean): number {
    for (let i = 0; i < count; i++) if (isFound(i)) return i;
    return count;
  }

  function offsetAt(address: number, index: number): number {
    return view.getInt32(address + index * OFFSET_ENTRY_BYTES);
  }

  function timeAt(address: number, index: number): bigint {
    return view.getBigInt64(address + index * TIME_ENTRY_BYTES);
  }

  return {
    init,
    crc32c,
    encodeBatch,
    scanBatches,
    findBatch,
    decodeBatch,
    findRecord,
    markRecords,
    // A mark changes how fast a record is found, and not which.
    findMarked: (address, size, offsetDelta, _marks, columns) => findRecord(address, size, offsetDelta, columns),
    offsetLowerBound: (address, count, key) => firstEntry(count, (i) => offsetAt(address, i) >= key),
    offsetUpperBound: (address, count, key) => firstEntry(count, (i) => offsetAt(address, i) > key),
    timeLowerBound: (address, count, timestamp) => firstEntry(count, (i) => timeAt(address, i) >= timestamp),
    timeUpperBound: (address, count, timestamp) => firstEntry(count, (i) => timeAt(address, i) > timestamp),
  };
}

/** A zigzag varint: seven bits a byte, low bits first. */
function varint(value: bigint): number[] {
  let zigzag = value < 0n ? -value * 2n - 1n : value * 2n;
  const bytes: number[] = [];
  while (zigzag >= 0x80n) {
    bytes.push(Number(zigzag & 0x7fn) | 0x80);
    zigzag >>= 7n;
  }
  bytes.push(Number(zigzag));
  return bytes;
}

/** What `decode` returns, or -1 where it meets something broken. */
function orBroken(decode: () => number): number {
  try {
    return decode();
  } catch (error) {
    if (error instanceof Broken) return -1;
    throw error;
  }
}
