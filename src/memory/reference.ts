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
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
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
import { createReferenceDecoders } from './reference-decode.ts';

/** Offsets are integers that a double holds exactly. */
const SAFE_LIMIT = 2n ** 53n;
/** The least bytes of a record: seven fields of one byte. */
const RECORD_BYTES_MIN = 7;

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
    ...createReferenceDecoders(view),
    offsetLowerBound: (address, count, key) => firstEntry(count, (i) => offsetAt(address, i) >= key),
    offsetUpperBound: (address, count, key) => firstEntry(count, (i) => offsetAt(address, i) > key),
    timeLowerBound: (address, count, timestamp) => firstEntry(count, (i) => timeAt(address, i) >= timestamp),
    timeUpperBound: (address, count, timestamp) => firstEntry(count, (i) => timeAt(address, i) > timestamp),
  };
}

/** A zigzag varint: seven bits a byte, low bits first. */
export function varint(value: bigint): number[] {
  let zigzag = value < 0n ? -value * 2n - 1n : value * 2n;
  const bytes: number[] = [];
  while (zigzag >= 0x80n) {
    bytes.push(Number(zigzag & 0x7fn) | 0x80);
    zigzag >>= 7n;
  }
  bytes.push(Number(zigzag));
  return bytes;
}
