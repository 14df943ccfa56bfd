/**
 * Decoding in plain JavaScript: the part of the reference kernels that reads the records of a batch. See
 * `reference.ts` for what it is for.
 *
 * @module
 */

import type { Kernels } from './kernels.ts';
import {
  BATCH_HEADER_BYTES,
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
  MARK_BYTES,
  MARK_RECORDS,
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
 * Creates the reference of the kernels that decode.
 *
 * @param view of the memory where all addresses are
 */
export function createReferenceDecoders(
  view: DataView,
): Pick<Kernels, 'decodeBatch' | 'findRecord' | 'markRecords' | 'findMarked'> {
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
        if (i % MARK_RECORDS === 0)
          view.setInt32(marks + (i / MARK_RECORDS) * MARK_BYTES, at - address, true);
        at = readExtent(at, end).end;
      }
      if (at !== end) throw new Broken('bytes are left');
      return Math.ceil(head.count / MARK_RECORDS);
    });
  }

  return {
    decodeBatch,
    findRecord,
    markRecords,
    // A mark changes how fast a record is found, and not which.
    findMarked: (address, size, offsetDelta, _marks, columns) =>
      findRecord(address, size, offsetDelta, columns),
  };
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
