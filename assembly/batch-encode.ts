/** Entries into a Kafka record batch, magic 2: see docs/FORMAT.md for the picture. */

import {
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
} from '../src/memory/layout';
import {
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_BASE_SEQUENCE,
  BATCH_BASE_TIMESTAMP,
  BATCH_CRC,
  BATCH_LAST_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_LENGTH,
  BATCH_MAGIC,
  BATCH_MAX_TIMESTAMP,
  BATCH_PRODUCER_EPOCH,
  BATCH_PRODUCER_ID,
  BATCH_RECORD_COUNT,
  MAGIC,
} from './batch-format';
import {
  copy,
  store16,
  store32,
  store64,
  varint32Bytes,
  varint64Bytes,
  writeVarint32,
  writeVarint64,
  zigzag32,
  zigzag64,
} from './bytes';
import { crc32c } from './crc32c';

export function encodeBatch(entries: usize, count: i32, out: usize, baseOffset: f64, leaderEpoch: i32): i32 {
  assert(count >= 1);
  assert(entries >= out + BATCH_HEADER_BYTES || entries + count * ENTRY_BYTES <= out);

  const baseTimestamp = <i64>load<f64>(entries, ENTRY_TIMESTAMP);
  let maxTimestamp = baseTimestamp;
  let at = out + BATCH_HEADER_BYTES;
  let entry = entries;
  for (let i = 0; i < count; i++) {
    const timestamp = <i64>load<f64>(entry, ENTRY_TIMESTAMP);
    maxTimestamp = timestamp > maxTimestamp ? timestamp : maxTimestamp;
    at = encodeRecord(entry, at, timestamp - baseTimestamp, i);
    entry += ENTRY_BYTES;
  }

  const size = at - out;
  store64(out + BATCH_BASE_OFFSET, <i64>baseOffset);
  store32(out + BATCH_LENGTH, <i32>size - BATCH_PREFIX_BYTES);
  store32(out + BATCH_LEADER_EPOCH, leaderEpoch);
  store<u8>(out + BATCH_MAGIC, MAGIC);
  store16(out + BATCH_ATTRIBUTES, 0);
  store32(out + BATCH_LAST_DELTA, count - 1);
  store64(out + BATCH_BASE_TIMESTAMP, baseTimestamp);
  store64(out + BATCH_MAX_TIMESTAMP, maxTimestamp);
  store64(out + BATCH_PRODUCER_ID, -1);
  store16(out + BATCH_PRODUCER_EPOCH, -1);
  store32(out + BATCH_BASE_SEQUENCE, -1);
  store32(out + BATCH_RECORD_COUNT, count);
  store32(out + BATCH_CRC, crc32c(out + BATCH_ATTRIBUTES, <u32>size - BATCH_ATTRIBUTES, 0));
  return <i32>size;
}

/** Writes one record and returns the address behind it. */
// @ts-ignore: decorator
@inline
function encodeRecord(entry: usize, at: usize, timestampDelta: i64, offsetDelta: i32): usize {
  const keyLength = load<i32>(entry, ENTRY_KEY_LENGTH);
  const valueLength = load<i32>(entry, ENTRY_VALUE_LENGTH);
  const headersLength = load<i32>(entry, ENTRY_HEADERS_LENGTH);
  assert(keyLength >= -1 && valueLength >= -1 && headersLength >= 0);
  const time = zigzag64(timestampDelta);
  const delta = zigzag32(offsetDelta);
  const key = zigzag32(keyLength);
  const value = zigzag32(valueLength);
  const headers = zigzag32(load<i32>(entry, ENTRY_HEADERS_COUNT));
  const keyBytes = max<i32>(keyLength, 0);
  const valueBytes = max<i32>(valueLength, 0);

  const body =
    1 +
    varint64Bytes(time) +
    varint32Bytes(delta) +
    varint32Bytes(key) +
    keyBytes +
    varint32Bytes(value) +
    valueBytes +
    varint32Bytes(headers) +
    headersLength;
  at = writeVarint32(at, zigzag32(body));
  const start = at;
  store<u8>(at, 0);
  at = writeVarint64(at + 1, time);
  at = writeVarint32(at, delta);
  at = writeVarint32(at, key);
  copy(at, load<u32>(entry, ENTRY_KEY), keyBytes);
  at = writeVarint32(at + keyBytes, value);
  copy(at, load<u32>(entry, ENTRY_VALUE), valueBytes);
  at = writeVarint32(at + valueBytes, headers);
  copy(at, load<u32>(entry, ENTRY_HEADERS), headersLength);
  at += headersLength;
  assert(at - start == body);
  return at;
}
