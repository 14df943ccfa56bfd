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
  HEADER_BYTES_MIN,
  MAGIC,
} from './batch-format';
import {
  copy,
  SHORT_VARINT,
  store16,
  store32,
  store64,
  varint32Bytes,
  varint64Bytes,
  writeShortVarint,
  writeVarint32,
  writeVarint64,
  zigzag32,
  zigzag64,
} from './bytes';
import { crc32c } from './crc32c';

export function encodeBatch(entries: usize, count: i32, out: usize, baseOffset: f64, leaderEpoch: i32): i32 {
  assert(count >= 1);

  const first = load<f64>(entries, ENTRY_TIMESTAMP);
  let last = first;
  let at = out + BATCH_HEADER_BYTES;
  let entry = entries;
  for (let i = 0; i < count; i++) {
    const timestamp = load<f64>(entry, ENTRY_TIMESTAMP);
    if (timestamp > last) last = timestamp;
    at = encodeRecord(entry, at, first, i);
    entry += ENTRY_BYTES;
  }
  const baseTimestamp = <i64>first;
  const maxTimestamp = <i64>last;

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

/**
 * A double of this plus an integer below 2^51 has the integer in its lowest bits: one addition, where a
 * conversion that minds every double takes a dozen instructions.
 */
// @ts-ignore: decorator
@inline const INTEGER_BIAS: f64 = 6755399441055744;

/**
 * With fewer bytes than this of key, value and headers, their lengths and the number of headers take a byte
 * each. With the attributes, and two bytes each for the deltas, that makes less than 64, which is what a
 * length of one byte can say.
 */
const ONE_BYTE_PAYLOAD = 56;
/** With no more than this, all of them take two bytes at most. (A header has two bytes at least.) */
const TWO_BYTE_PAYLOAD: u32 = 8000;

/**
 * Writes one record and returns the address behind it. Nearly always, no varint has more than two bytes; then
 * the record is written behind the room for its length, and the length is known in the end.
 */
// @ts-ignore: decorator
@inline
function encodeRecord(entry: usize, at: usize, first: f64, offsetDelta: i32): usize {
  const timestampDelta = load<f64>(entry, ENTRY_TIMESTAMP) - first;
  const keyLength = load<i32>(entry, ENTRY_KEY_LENGTH);
  const valueLength = load<i32>(entry, ENTRY_VALUE_LENGTH);
  const headersLength = load<i32>(entry, ENTRY_HEADERS_LENGTH);
  const headersCount = load<i32>(entry, ENTRY_HEADERS_COUNT);
  assert(keyLength >= -1 && valueLength >= -1 && headersLength >= 0 && headersCount >= 0);
  const keyBytes = max<i32>(keyLength, 0);
  const valueBytes = max<i32>(valueLength, 0);
  const payload = keyBytes + valueBytes + headersLength;
  const limit = <i32>(SHORT_VARINT / 2);
  const isShort = <u32>payload <= TWO_BYTE_PAYLOAD && offsetDelta < limit && abs(timestampDelta) < <f64>limit;
  if (!isShort) return encodeLongRecord(entry, at, <i64>first, offsetDelta);
  assert(headersCount * HEADER_BYTES_MIN <= headersLength);

  const start = at + (payload < ONE_BYTE_PAYLOAD ? 1 : 2);
  store<u8>(start, 0);
  let end = writeShortVarint(start + 1, zigzag32(<i32>reinterpret<i64>(timestampDelta + INTEGER_BIAS)));
  end = writeShortVarint(end, offsetDelta << 1);
  end = writeShortVarint(end, zigzag32(keyLength));
  if (keyBytes != 0) copy(end, load<u32>(entry, ENTRY_KEY), keyBytes);
  end = writeShortVarint(end + keyBytes, zigzag32(valueLength));
  if (valueBytes != 0) copy(end, load<u32>(entry, ENTRY_VALUE), valueBytes);
  end = writeShortVarint(end + valueBytes, headersCount << 1);
  if (headersLength != 0) copy(end, load<u32>(entry, ENTRY_HEADERS), headersLength);
  end += headersLength;

  const length = <u32>(end - start) << 1;
  if (payload < ONE_BYTE_PAYLOAD) {
    assert(length < 0x80);
    store<u8>(at, length);
    return end;
  }
  if (length < 0x80) {
    // It was about to take two bytes and takes one.
    store<u8>(at, length);
    memory.copy(at + 1, start, end - start);
    return end - 1;
  }
  assert(length < SHORT_VARINT);
  store<u16>(at, (length & 0x7f) | 0x80 | ((length & 0x3f80) << 1));
  return end;
}

/** The same for every record: the length is computed first. */
function encodeLongRecord(entry: usize, at: usize, baseTimestamp: i64, offsetDelta: i32): usize {
  const keyLength = load<i32>(entry, ENTRY_KEY_LENGTH);
  const valueLength = load<i32>(entry, ENTRY_VALUE_LENGTH);
  const headersLength = load<i32>(entry, ENTRY_HEADERS_LENGTH);
  const time = zigzag64(<i64>load<f64>(entry, ENTRY_TIMESTAMP) - baseTimestamp);
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
  const end = at + body;
  store<u8>(at, 0);
  at = writeVarint64(at + 1, time);
  at = writeVarint32(at, delta);
  at = writeVarint32(at, key);
  memory.copy(at, load<u32>(entry, ENTRY_KEY), keyBytes);
  at = writeVarint32(at + keyBytes, value);
  memory.copy(at, load<u32>(entry, ENTRY_VALUE), valueBytes);
  at = writeVarint32(at + valueBytes, headers);
  memory.copy(at, load<u32>(entry, ENTRY_HEADERS), headersLength);
  at += headersLength;
  assert(at == end);
  return at;
}
