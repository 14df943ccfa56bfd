/**
 * Records out of a batch. Nothing inside is trusted: every length is compared with the bytes that are left
 * before an address is made from it. A varint is read before it is known to end inside, which stays within
 * the slack behind the batch: it has ten bytes at most. One that has more counts as `BROKEN_BYTES` long, so
 * that the comparison with the end, which each needs anyway, finds it too.
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
  MARK_BYTES,
  MARK_RECORDS,
} from '../src/memory/layout';
import {
  ATTRIBUTE_LOG_APPEND_TIME,
  BATCH_ATTRIBUTES,
  BATCH_BASE_TIMESTAMP,
  BATCH_LAST_DELTA,
  BATCH_MAX_TIMESTAMP,
  BATCH_RECORD_COUNT,
  HEADER_BYTES_MIN,
  RECORD_BODY_MIN,
  RECORD_BYTES_MIN,
} from './batch-format';
import { isSafe, load16, load32, load64 } from './bytes';

/** More bytes than any batch has; an address plus this is still a u32. */
// @ts-ignore: decorator
@inline const BROKEN_BYTES: u32 = 1 << 30;

/** What the records need to know of the header; each instance (so, each thread) has its own. */
let recordCount: i32 = 0;
let lastDelta: i32 = 0;
let baseTimestamp: i64 = 0;
/** Every bit set where records have a time of their own, none where the log's time counts. */
let deltaMask: i64 = 0;

export function decodeBatch(address: usize, size: i32, columns: usize): i32 {
  if (!readHead(address, size)) return -1;
  const end = address + size;
  const last = decodeRecords(address + BATCH_HEADER_BYTES, end, recordCount, -1, columns);
  return last == end ? recordCount : -1;
}

export function findRecord(address: usize, size: i32, offsetDelta: i32, columns: usize): i32 {
  if (!readHead(address, size)) return -1;
  if (offsetDelta < 0 || offsetDelta > lastDelta) return 0;
  const end = address + size;
  let at = address + BATCH_HEADER_BYTES;
  // Offset deltas rise from 0 to `lastDelta`: where there are as many records, they number them.
  if (recordCount - 1 == lastDelta) {
    at = skipRecords(at, end, offsetDelta);
  } else {
    at = seekRecord(at, end, offsetDelta);
    if (at == end) return 0;
  }
  if (at == 0 || decodeRecords(at, end, 1, offsetDelta - 1, columns) == 0) return -1;
  return load<i32>(columns, COLUMN_OFFSET_DELTA) == offsetDelta ? 1 : -1;
}

export function markRecords(address: usize, size: i32, marks: usize): i32 {
  if (!readHead(address, size)) return -1;
  if (recordCount - 1 != lastDelta) return 0;
  const end = address + size;
  let at = address + BATCH_HEADER_BYTES;
  let mark = marks;
  for (let left = recordCount; left > 0; left -= MARK_RECORDS) {
    store<i32>(mark, <i32>(at - address));
    mark += MARK_BYTES;
    at = skipRecords(at, end, min<i32>(left, MARK_RECORDS));
    if (at == 0) return -1;
  }
  return at == end ? <i32>((mark - marks) / MARK_BYTES) : -1;
}

export function findMarked(address: usize, size: i32, offsetDelta: i32, marks: usize, columns: usize): i32 {
  if (!readHead(address, size)) return -1;
  if (offsetDelta < 0 || offsetDelta > lastDelta) return 0;
  const position = load<i32>(marks + (offsetDelta / MARK_RECORDS) * MARK_BYTES);
  if (position < BATCH_HEADER_BYTES || position >= size) return -1;
  const end = address + size;
  const at = skipRecords(address + position, end, offsetDelta % MARK_RECORDS);
  if (at == 0 || decodeRecords(at, end, 1, offsetDelta - 1, columns) == 0) return -1;
  return load<i32>(columns, COLUMN_OFFSET_DELTA) == offsetDelta ? 1 : -1;
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

/** Skips `count` records by their length alone; returns the address behind them, or 0 where one is broken. */
function skipRecords(at: usize, end: usize, count: i32): usize {
  for (; count > 0; count--) {
    if (at >= end) return 0;
    const raw = value32(at);
    at += bytes32(at);
    // Lengths are not negative: the lowest bit, which has the sign, is not set.
    if (at > end || (raw & 1) != 0) return 0;
    const length = raw >> 1;
    if (length < RECORD_BODY_MIN || length > <u32>(end - at)) return 0;
    at += length;
  }
  return at;
}

/**
 * The address of the record with a delta, in a batch that has gaps; `end` if there is none, and 0 where one
 * before it is broken.
 */
function seekRecord(at: usize, end: usize, offsetDelta: i32): usize {
  let previous = -1;
  for (let i = 0; i < recordCount; i++) {
    const next = skipRecords(at, end, 1);
    if (next == 0) return 0;
    let field = at + bytes32(at) + 1;
    field += bytes64(field);
    if (field >= next) return 0;
    const delta = unzigzag32(value32(field));
    field += bytes32(field);
    if (field > next || delta <= previous || delta > lastDelta) return 0;
    if (delta == offsetDelta) return at;
    if (delta > offsetDelta) return end;
    previous = delta;
    at = next;
  }
  return end;
}

/**
 * Decodes `count` records from `at` on; returns the address behind them, or 0 where one is broken.
 *
 * @param previous the offset delta that the first must exceed
 */
function decodeRecords(at: usize, end: usize, count: i32, previous: i32, column: usize): usize {
  const base = baseTimestamp;
  const mask = deltaMask;
  const last = lastDelta;
  for (; count > 0; count--) {
    if (at >= end) return 0;
    const raw = value32(at);
    at += bytes32(at);
    if (at > end || (raw & 1) != 0) return 0;
    const length = raw >> 1;
    if (length < RECORD_BODY_MIN || length > <u32>(end - at)) return 0;
    const recordEnd = at + length;

    at += 1; // the record's attributes, none of which are in use
    const timestampDelta = unzigzag64(value64(at));
    at += bytes64(at);
    if (at >= recordEnd) return 0;
    // The base is safe, so that a sum which wraps around is far from safe.
    const timestamp = base + (timestampDelta & mask);
    if (!isSafe(timestamp)) return 0;
    store<f64>(column, <f64>timestamp, COLUMN_TIMESTAMP);

    const delta = unzigzag32(value32(at));
    at += bytes32(at);
    if (at >= recordEnd || delta <= previous || delta > last) return 0;
    previous = delta;
    store<i32>(column, delta, COLUMN_OFFSET_DELTA);

    const keyLength = unzigzag32(value32(at));
    at += bytes32(at);
    if (at > recordEnd || keyLength < -1 || keyLength > <i32>(recordEnd - at)) return 0;
    store<u32>(column, <u32>at, COLUMN_KEY);
    store<i32>(column, keyLength, COLUMN_KEY_LENGTH);
    at += max<i32>(keyLength, 0);

    const valueLength = unzigzag32(value32(at));
    at += bytes32(at);
    if (at > recordEnd || valueLength < -1 || valueLength > <i32>(recordEnd - at)) return 0;
    store<u32>(column, <u32>at, COLUMN_VALUE);
    store<i32>(column, valueLength, COLUMN_VALUE_LENGTH);
    at += max<i32>(valueLength, 0);

    const headersCount = unzigzag32(value32(at));
    at += bytes32(at);
    if (headersCount < 0) return 0;
    store<u32>(column, <u32>at, COLUMN_HEADERS);
    store<i32>(column, headersCount, COLUMN_HEADERS_COUNT);
    store<u32>(column, <u32>recordEnd, COLUMN_END);
    if (headersCount != 0) at = skipHeaders(at, recordEnd, headersCount);
    if (at != recordEnd) return 0;
    at = recordEnd;
    column += COLUMN_BYTES;
  }
  return at;
}

/** Walks `count` headers; returns the address behind them, or 0 where they are broken. */
function skipHeaders(at: usize, end: usize, count: i32): usize {
  if (count > <i32>(end - at) / HEADER_BYTES_MIN) return 0;
  for (; count > 0; count--) {
    const keyLength = unzigzag32(value32(at));
    at += bytes32(at);
    if (at > end || keyLength < 0 || keyLength > <i32>(end - at)) return 0;
    at += keyLength;

    const valueLength = unzigzag32(value32(at));
    at += bytes32(at);
    if (at > end || valueLength < -1 || valueLength > <i32>(end - at)) return 0;
    at += max<i32>(valueLength, 0);
  }
  return at;
}

// Varints. How long one is decides a branch, which processors predict, so that the address of the next field
// does not wait for what was read.

/** Bytes of the varint at `at`, which has five at most. */
// @ts-ignore: decorator
@inline
function bytes32(at: usize): u32 {
  return load<u8>(at) < 0x80 ? 1 : load<u8>(at, 1) < 0x80 ? 2 : longBytes(at, 5);
}

/** The same for one that has ten at most. */
// @ts-ignore: decorator
@inline
function bytes64(at: usize): u32 {
  return load<u8>(at) < 0x80 ? 1 : load<u8>(at, 1) < 0x80 ? 2 : longBytes(at, 10);
}

function longBytes(at: usize, most: u32): u32 {
  for (let bytes: u32 = 3; bytes <= most; bytes++) {
    if (load<u8>(at + bytes - 1) < 0x80) return bytes;
  }
  return BROKEN_BYTES;
}

/** Its value, zigzag-coded. Bits beyond the 32nd are dropped, as Kafka does. */
// @ts-ignore: decorator
@inline
function value32(at: usize): u32 {
  const pair: u32 = load<u16>(at);
  if ((pair & 0x80) == 0) return pair & 0x7f;
  return (pair & 0x8000) == 0 ? (pair & 0x7f) | (pair >> 8 << 7) : <u32>longValue(at, 5);
}

// @ts-ignore: decorator
@inline
function value64(at: usize): u64 {
  const pair: u32 = load<u16>(at);
  if ((pair & 0x80) == 0) return pair & 0x7f;
  return (pair & 0x8000) == 0 ? (pair & 0x7f) | (pair >> 8 << 7) : longValue(at, 10);
}

function longValue(at: usize, most: u32): u64 {
  let value: u64 = 0;
  for (let i: u32 = 0; i < most; i++) {
    const byte: u64 = load<u8>(at + i);
    value |= (byte & 0x7f) << (i * 7);
    if (byte < 0x80) break;
  }
  return value;
}

// @ts-ignore: decorator
@inline
function unzigzag32(zigzag: u32): i32 {
  return (zigzag >> 1) ^ -(zigzag & 1);
}

// @ts-ignore: decorator
@inline
function unzigzag64(zigzag: u64): i64 {
  return (zigzag >> 1) ^ -(zigzag & 1);
}
