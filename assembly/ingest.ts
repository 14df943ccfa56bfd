/** Fields into entries, and entries into record batches. */

import {
  BATCH_HEADER_BYTES,
  ENCODED_BATCHES,
  ENCODED_LEFT,
  ENCODED_SIZE,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_COMPONENT_LENGTH,
  FIELDS_CONTINUATION,
  FIELDS_HEADERS_BYTES_MAX,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LEVEL_LENGTH,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_PID_LENGTH,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  LEVEL_DEBUG,
  LEVEL_ERROR,
  LEVEL_FATAL,
  LEVEL_INFO,
  LEVEL_NOTICE,
  LEVEL_OTHER,
  LEVEL_TRACE,
  LEVEL_WARN,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
  SUMMARY_CARRIED,
  SUMMARY_CUT,
  SUMMARY_EARLIEST,
  SUMMARY_EMPTY,
  SUMMARY_FAILED,
  SUMMARY_JOINED,
  SUMMARY_LATEST,
  SUMMARY_LEVELS,
} from '../src/memory/layout';
import { encodeBatch } from './batch-encode';
import { isDigit } from './blanks';
import { copy, writeVarint32, zigzag32 } from './bytes';

export function makeEntries(
  fields: usize,
  count: i32,
  entries: usize,
  headers: usize,
  recordBytesMax: i32,
  summary: usize,
): i32 {
  assert(count >= 0 && recordBytesMax >= 0);
  let carried = load<f64>(summary, SUMMARY_CARRIED);
  let earliest = load<f64>(summary, SUMMARY_EARLIEST);
  let latest = load<f64>(summary, SUMMARY_LATEST);
  let failed = load<i32>(summary, SUMMARY_FAILED);
  let empty = load<i32>(summary, SUMMARY_EMPTY);
  let cut = load<i32>(summary, SUMMARY_CUT);
  let made = 0;
  const end = fields + count * FIELDS_BYTES;
  while (fields < end) {
    const line = load<i32>(fields, FIELDS_LINE);
    let length = load<i32>(fields, FIELDS_LINE_LENGTH);
    let next = fields + FIELDS_BYTES;
    empty += <i32>(length == 0);
    while (next < end && load<i32>(next, FIELDS_STATUS) == FIELDS_CONTINUATION) {
      length = load<i32>(next, FIELDS_LINE) + load<i32>(next, FIELDS_LINE_LENGTH) - line;
      next += FIELDS_BYTES;
    }
    let headersEnd = headers;
    let headersCount = 0;
    if (load<i32>(fields, FIELDS_STATUS) == FIELDS_PARSED) {
      const timestamp = load<f64>(fields, FIELDS_TIMESTAMP);
      if (timestamp == timestamp) carried = timestamp;
      const counter = summary + (load<i32>(fields, FIELDS_LEVEL_CODE) << 2);
      store<i32>(counter, load<i32>(counter, SUMMARY_LEVELS) + 1, SUMMARY_LEVELS);
      headersEnd = writeHeaders(fields, headers);
      headersCount =
        <i32>(load<i32>(fields, FIELDS_LEVEL_LENGTH) != 0 || load<i32>(fields, FIELDS_LEVEL_CODE) != LEVEL_OTHER) +
        <i32>(load<i32>(fields, FIELDS_PID_LENGTH) != 0) +
        <i32>(load<i32>(fields, FIELDS_COMPONENT_LENGTH) != 0);
      assert(<i32>(headersEnd - headers) <= FIELDS_HEADERS_BYTES_MAX);
    } else {
      failed += <i32>(load<i32>(fields, FIELDS_STATUS) != FIELDS_PLAIN);
    }
    earliest = carried < earliest ? carried : earliest;
    latest = carried > latest ? carried : latest;

    let headersLength = <i32>(headersEnd - headers);
    if (length + headersLength > recordBytesMax) {
      if (headersLength > recordBytesMax) {
        headersLength = 0;
        headersCount = 0;
      }
      length = min(length, recordBytesMax - headersLength);
      cut++;
    }
    store<f64>(entries, carried, ENTRY_TIMESTAMP);
    store<i32>(entries, 0, ENTRY_KEY);
    store<i32>(entries, -1, ENTRY_KEY_LENGTH);
    store<i32>(entries, line, ENTRY_VALUE);
    store<i32>(entries, length, ENTRY_VALUE_LENGTH);
    store<i32>(entries, <i32>headers, ENTRY_HEADERS);
    store<i32>(entries, headersLength, ENTRY_HEADERS_LENGTH);
    store<i32>(entries, headersCount, ENTRY_HEADERS_COUNT);
    headers += headersLength;
    fields = next;
    entries += ENTRY_BYTES;
    made++;
  }
  store<i32>(summary, load<i32>(summary, SUMMARY_JOINED) + count - made, SUMMARY_JOINED);
  store<f64>(summary, carried, SUMMARY_CARRIED);
  store<f64>(summary, earliest, SUMMARY_EARLIEST);
  store<f64>(summary, latest, SUMMARY_LATEST);
  store<i32>(summary, failed, SUMMARY_FAILED);
  store<i32>(summary, empty, SUMMARY_EMPTY);
  store<i32>(summary, cut, SUMMARY_CUT);
  return made;
}

// The names of the headers behind their length in wire form, as they lie in memory: the length is the
// lowest byte.
// @ts-ignore: decorator
@inline const LEVEL_NAME: u64 = 0x6c6576656c0a;
// @ts-ignore: decorator
@inline const LEVEL_NAME_BYTES: usize = 6;
// @ts-ignore: decorator
@inline const PID_NAME: u32 = 0x64697006;
// @ts-ignore: decorator
@inline const PID_NAME_BYTES: usize = 4;
// @ts-ignore: decorator
@inline const COMPONENT_NAME: u64 = 0x656e6f706d6f6312;
// @ts-ignore: decorator
@inline const COMPONENT_NAME_REST: u16 = 0x746e;
// @ts-ignore: decorator
@inline const COMPONENT_NAME_BYTES: usize = 10;

/** Writes the headers of a line in wire form and returns the address behind them. */
// @ts-ignore: decorator
@inline
function writeHeaders(fields: usize, out: usize): usize {
  const levelBytes = load<u32>(fields, FIELDS_LEVEL_LENGTH);
  const code = load<i32>(fields, FIELDS_LEVEL_CODE);
  if (code != LEVEL_OTHER && (levelBytes == 0 || isDigit(load<u8>(<usize>load<u32>(fields, FIELDS_LEVEL))))) {
    store<u64>(out, LEVEL_NAME);
    const name = levelWord(code);
    const bytes = 8 - <u32>(clz(name) >> 3);
    out = writeVarint32(out + LEVEL_NAME_BYTES, zigzag32(bytes));
    store<u64>(out, name);
    out += bytes;
  } else if (levelBytes != 0) {
    store<u64>(out, LEVEL_NAME);
    out = writeText(out + LEVEL_NAME_BYTES, load<u32>(fields, FIELDS_LEVEL), levelBytes);
  }
  const pidBytes = load<u32>(fields, FIELDS_PID_LENGTH);
  if (pidBytes != 0) {
    store<u32>(out, PID_NAME);
    out = writeText(out + PID_NAME_BYTES, load<u32>(fields, FIELDS_PID), pidBytes);
  }
  const componentBytes = load<u32>(fields, FIELDS_COMPONENT_LENGTH);
  if (componentBytes != 0) {
    store<u64>(out, COMPONENT_NAME);
    store<u16>(out, COMPONENT_NAME_REST, 8);
    out = writeText(out + COMPONENT_NAME_BYTES, load<u32>(fields, FIELDS_COMPONENT), componentBytes);
  }
  return out;
}

/** The name of a level, as it lies in memory: the first letter is the lowest byte. */
function levelWord(code: i32): u64 {
  switch (code) {
    case LEVEL_TRACE:
      return 0x4543415254;
    case LEVEL_DEBUG:
      return 0x4755424544;
    case LEVEL_INFO:
      return 0x4f464e49;
    case LEVEL_NOTICE:
      return 0x454349544f4e;
    case LEVEL_WARN:
      return 0x4e524157;
    case LEVEL_ERROR:
      return 0x524f525245;
    default:
      assert(code == LEVEL_FATAL);
      return 0x4c41544146;
  }
}

// @ts-ignore: decorator
@inline
function writeText(out: usize, text: usize, length: u32): usize {
  out = writeVarint32(out, zigzag32(length));
  copy(out, text, length);
  return out + length;
}

export function encodeBatches(
  entries: usize,
  count: i32,
  out: usize,
  outBytes: i32,
  batchBytes: i32,
  maxRecords: i32,
  baseOffset: f64,
  last: i32,
  encoded: usize,
): i32 {
  assert(count >= 0 && maxRecords >= 1);
  const start = out;
  const end = out + outBytes;
  let done = 0;
  let batches = 0;
  let left: i64 = 0;
  while (done < count) {
    // How many of the entries make the next batch, and how many bytes are in them.
    let bytes: i64 = recordBytes(entries);
    let records = 1;
    let isFull = records == maxRecords;
    while (!isFull && done + records < count) {
      const more = bytes + recordBytes(entries + records * ENTRY_BYTES);
      if (more > batchBytes) {
        isFull = true;
      } else {
        bytes = more;
        records++;
        isFull = records == maxRecords;
      }
    }
    const encodedBytesMax = BATCH_HEADER_BYTES + bytes + records * RECORD_OVERHEAD_MAX + SLACK_BYTES;
    if ((!isFull && last == 0) || encodedBytesMax > <i64>(end - out)) {
      left = bytes;
      break;
    }
    out += encodeBatch(entries, records, out, baseOffset + <f64>done, 0);
    entries += records * ENTRY_BYTES;
    done += records;
    batches++;
  }
  store<i32>(encoded, <i32>(out - start), ENCODED_SIZE);
  store<i32>(encoded, batches, ENCODED_BATCHES);
  store<i32>(encoded, <i32>left, ENCODED_LEFT);
  return done;
}

export function keepEntries(entries: usize, done: i32, count: i32, headers: usize): usize {
  assert(done >= 0 && done <= count);
  if (done == count) return headers;
  const first = entries + done * ENTRY_BYTES;
  const last = entries + (count - 1) * ENTRY_BYTES;
  const start = <usize>load<u32>(first, ENTRY_HEADERS);
  const end = <usize>(load<u32>(last, ENTRY_HEADERS) + load<u32>(last, ENTRY_HEADERS_LENGTH));
  if (done == 0 && start == headers) return end;
  memory.copy(headers, start, end - start);
  memory.copy(entries, first, (count - done) * ENTRY_BYTES);
  const moved = <u32>(start - headers);
  const stop = entries + (count - done) * ENTRY_BYTES;
  for (let entry = entries; entry < stop; entry += ENTRY_BYTES) {
    store<u32>(entry, load<u32>(entry, ENTRY_HEADERS) - moved, ENTRY_HEADERS);
  }
  return end - moved;
}

/** Key, value and headers of an entry. */
// @ts-ignore: decorator
@inline
function recordBytes(entry: usize): i64 {
  return (
    <i64>max<i32>(load<i32>(entry, ENTRY_KEY_LENGTH), 0) +
    <i64>max<i32>(load<i32>(entry, ENTRY_VALUE_LENGTH), 0) +
    <i64>load<i32>(entry, ENTRY_HEADERS_LENGTH)
  );
}
