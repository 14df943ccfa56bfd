/**
 * Records out of a batch. Nothing inside is trusted: lengths are compared with the bytes that are left
 * before an address is made from them, and what is read before such a check stays within the slack
 * behind the batch (a record's first four fields have at most 21 bytes and at least 6 lie in the record).
 */

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
} from '../src/memory/layout';
import {
  ATTRIBUTE_LOG_APPEND_TIME,
  BATCH_ATTRIBUTES,
  BATCH_BASE_TIMESTAMP,
  BATCH_LAST_DELTA,
  BATCH_MAX_TIMESTAMP,
  BATCH_RECORD_COUNT,
  HEADER_BYTES_MIN,
  RECORD_BYTES_MIN,
} from './batch-format';
import { isSafe, load16, load32, load64 } from './bytes';

/** The head of the batch that is being decoded; like `cursor`, each instance (so, each thread) has its own. */
let recordCount: i32 = 0;
let lastDelta: i32 = 0;
let baseTimestamp: i64 = 0;
/** Every bit set where records have a time of their own, none where the log's time counts. */
let deltaMask: i64 = 0;

/** Behind the varint that was read last; 0 where it was broken. */
let cursor: usize = 0;

export function decodeBatch(address: usize, size: i32, columns: usize): i32 {
  if (!readHead(address, size)) return -1;
  const end = address + size;
  const count = recordCount;
  let at = address + BATCH_HEADER_BYTES;
  let delta = -1;
  let column = columns;
  for (let i = 0; i < count; i++) {
    at = decodeRecord(at, end, delta, column);
    if (at == 0) return -1;
    delta = load<i32>(column, COLUMN_OFFSET_DELTA);
    column += COLUMN_BYTES;
  }
  return at == end ? count : -1;
}

export function findRecord(address: usize, size: i32, offsetDelta: i32, columns: usize): i32 {
  if (!readHead(address, size)) return -1;
  if (offsetDelta < 0 || offsetDelta > lastDelta) return 0;
  const end = address + size;
  const count = recordCount;
  // Offset deltas rise from 0 to `lastDelta`: where there are as many records, they number them, and
  // every record before the one that is looked for is skipped by its length alone.
  const dense = count - 1 == lastDelta;
  let at = address + BATCH_HEADER_BYTES;
  let previous = dense ? offsetDelta - 1 : -1;
  for (let i = 0; i < count; i++) {
    if (at >= end) return -1;
    const length = readVarint32(at);
    const start = cursor;
    if (start == 0 || length < RECORD_BYTES_MIN - 1 || length > <i32>(end - start)) return -1;
    if (dense) {
      if (i == offsetDelta) {
        if (decodeRecord(at, end, previous, columns) == 0) return -1;
        return load<i32>(columns, COLUMN_OFFSET_DELTA) == offsetDelta ? 1 : -1;
      }
    } else {
      readVarint64(start + 1);
      if (cursor == 0) return -1;
      const delta = readVarint32(cursor);
      if (cursor == 0 || cursor > start + length || delta <= previous || delta > lastDelta) return -1;
      if (delta == offsetDelta) return decodeRecord(at, end, previous, columns) == 0 ? -1 : 1;
      if (delta > offsetDelta) return 0;
      previous = delta;
    }
    at = start + length;
  }
  return 0;
}

/** Reads what records need to know of the header; false where it contradicts itself. */
function readHead(address: usize, size: i32): bool {
  if (size < BATCH_HEADER_BYTES) return false;
  recordCount = load32(address + BATCH_RECORD_COUNT);
  lastDelta = load32(address + BATCH_LAST_DELTA);
  if (recordCount < 0 || recordCount > (size - BATCH_HEADER_BYTES) / RECORD_BYTES_MIN) return false;
  if (lastDelta < 0 || recordCount - 1 > lastDelta) return false;
  const appendTime = (load16(address + BATCH_ATTRIBUTES) & ATTRIBUTE_LOG_APPEND_TIME) != 0;
  baseTimestamp = load64(address + (appendTime ? BATCH_MAX_TIMESTAMP : BATCH_BASE_TIMESTAMP));
  deltaMask = appendTime ? 0 : -1;
  return isSafe(baseTimestamp);
}

/** Decodes the record at `at` into `column`; returns the address behind it, or 0 where it is broken. */
// @ts-ignore: decorator
@inline
function decodeRecord(at: usize, end: usize, previousDelta: i32, column: usize): usize {
  if (at >= end) return 0;
  const length = readVarint32(at);
  at = cursor;
  if (at == 0 || length < RECORD_BYTES_MIN - 1 || length > <i32>(end - at)) return 0;
  const recordEnd = at + length;

  const timestampDelta = readVarint64(at + 1) & deltaMask;
  at = cursor;
  if (at == 0) return 0;
  // Two safe numbers cannot add up to one that wrapped around.
  const timestamp = baseTimestamp + timestampDelta;
  if (!isSafe(timestampDelta >> 1) || !isSafe(timestamp)) return 0;
  store<f64>(column, <f64>timestamp, COLUMN_TIMESTAMP);

  const delta = readVarint32(at);
  at = cursor;
  if (at == 0 || delta <= previousDelta || delta > lastDelta) return 0;
  store<i32>(column, delta, COLUMN_OFFSET_DELTA);

  const keyLength = readVarint32(at);
  at = cursor;
  if (at == 0 || at > recordEnd || keyLength < -1 || keyLength > <i32>(recordEnd - at)) return 0;
  store<u32>(column, <u32>at, COLUMN_KEY);
  store<i32>(column, keyLength, COLUMN_KEY_LENGTH);
  at += max<i32>(keyLength, 0);

  const valueLength = readVarint32(at);
  at = cursor;
  if (at == 0 || at > recordEnd || valueLength < -1 || valueLength > <i32>(recordEnd - at)) return 0;
  store<u32>(column, <u32>at, COLUMN_VALUE);
  store<i32>(column, valueLength, COLUMN_VALUE_LENGTH);
  at += max<i32>(valueLength, 0);

  const headersCount = readVarint32(at);
  at = cursor;
  if (at == 0 || at > recordEnd) return 0;
  store<u32>(column, <u32>at, COLUMN_HEADERS);
  store<i32>(column, headersCount, COLUMN_HEADERS_COUNT);
  store<u32>(column, <u32>recordEnd, COLUMN_END);
  if (headersCount != 0) at = skipHeaders(at, recordEnd, headersCount);
  return at == recordEnd ? at : 0;
}

/** Walks `count` headers; returns the address behind them, or 0 where they are broken. */
function skipHeaders(at: usize, end: usize, count: i32): usize {
  if (count < 0 || count > <i32>(end - at) / HEADER_BYTES_MIN) return 0;
  for (let i = 0; i < count; i++) {
    const keyLength = readVarint32(at);
    at = cursor;
    if (at == 0 || at > end || keyLength < 0 || keyLength > <i32>(end - at)) return 0;
    at += keyLength;
    const valueLength = readVarint32(at);
    at = cursor;
    if (at == 0 || at > end || valueLength < -1 || valueLength > <i32>(end - at)) return 0;
    at += max<i32>(valueLength, 0);
  }
  return at;
}

/** Reads a varint of at most 5 bytes and sets `cursor`. Bits beyond the 32nd are dropped, as Kafka does. */
// @ts-ignore: decorator
@inline
function readVarint32(at: usize): i32 {
  const byte: u32 = load<u8>(at);
  if (byte < 0x80) {
    cursor = at + 1;
    return (byte >> 1) ^ -(byte & 1);
  }
  return readLongVarint32(at, byte);
}

function readLongVarint32(at: usize, first: u32): i32 {
  let value: u32 = first & 0x7f;
  for (let shift: u32 = 7; shift <= 28; shift += 7) {
    const byte: u32 = load<u8>(++at);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor = at + 1;
      return (value >> 1) ^ -(value & 1);
    }
  }
  cursor = 0;
  return 0;
}

/** The same for at most 10 bytes and 64 bits. */
// @ts-ignore: decorator
@inline
function readVarint64(at: usize): i64 {
  const byte: u64 = load<u8>(at);
  if (byte < 0x80) {
    cursor = at + 1;
    return (byte >> 1) ^ -(byte & 1);
  }
  return readLongVarint64(at, byte);
}

function readLongVarint64(at: usize, first: u64): i64 {
  let value: u64 = first & 0x7f;
  for (let shift: u64 = 7; shift <= 63; shift += 7) {
    const byte: u64 = load<u8>(++at);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      cursor = at + 1;
      return (value >> 1) ^ -(value & 1);
    }
  }
  cursor = 0;
  return 0;
}
