/**
 * Lines of the Hadoop file system's log. Digits are checked and added up eight bytes at a time, and the
 * date, which hardly ever changes from line to line, is worked out once.
 */

import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_FAILED,
  FIELDS_FLAGS,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  LEVEL_INFO,
  LEVEL_OTHER,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from '../src/memory/layout';
import { blanksStart } from './blanks';
import { levelCode } from './levels';

// @ts-ignore: decorator
@inline const SPACE: u8 = 32;
// @ts-ignore: decorator
@inline const COLON: u8 = 58;
// @ts-ignore: decorator
@inline const SIX_BYTES: u64 = 0xffffffffffff;
// @ts-ignore: decorator
@inline const ZEROS: u64 = 0x3030303030303030;
// @ts-ignore: decorator
@inline const HIGH_BITS: u64 = 0x8080808080808080;
/** Added to a digit's value it leaves the high bit clear, and to anything above 9 it does not. */
// @ts-ignore: decorator
@inline const ABOVE_NINE: u64 = 0x7676767676767676;

/** `INFO ` as it lies in memory. */
// @ts-ignore: decorator
@inline const INFO_SPACE: u64 = 0x204f464e49;
// @ts-ignore: decorator
@inline const INFO_SPACE_BYTES: u64 = 0xffffffffff;

// @ts-ignore: decorator
@inline const PID_AT: u32 = 14;
// @ts-ignore: decorator
@inline const PID_BYTES_MAX: usize = 20;
// @ts-ignore: decorator
@inline const LEVEL_BYTES_MAX: usize = 16;
// @ts-ignore: decorator
@inline const COMPONENT_BYTES_MAX: usize = 255;
/** `yyMMdd HHmmss 1 I c:` */
// @ts-ignore: decorator
@inline const LINE_BYTES_MIN: u32 = 20;

export function parseHdfs(spans: usize, count: i32, fields: usize): i32 {
  assert(count >= 0);
  let parsed = 0;
  // Most lines have the second of the line before. No digits are all ones, so that the first is worked out.
  let first: u64 = -1;
  let second: u64 = -1;
  let date: u64 = SIX_BYTES;
  let dateSeconds = INVALID;
  let timestamp = NaN;
  const end = spans + count * SPAN_BYTES;
  while (spans < end) {
    const line = <usize>load<u32>(spans, SPAN_ADDRESS);
    const length = load<u32>(spans, SPAN_LENGTH);
    let isParsed = false;
    store<u64>(fields, load<u64>(spans), FIELDS_LINE);
    if (length >= LINE_BYTES_MIN) {
      const dateWord = load<u64>(line);
      const timeWord = load<u64>(line, 6);
      if (dateWord != first || timeWord != second) {
        first = dateWord;
        second = timeWord;
        if ((dateWord & SIX_BYTES) != date) {
          date = dateWord & SIX_BYTES;
          dateSeconds = parseDate(date);
        }
        const timeSeconds = parseTime((timeWord >> 8) & SIX_BYTES);
        const isSpaced = <u8>timeWord == SPACE && <u8>(timeWord >> 56) == SPACE;
        const isTime = dateSeconds != INVALID && timeSeconds != INVALID && isSpaced;
        timestamp = isTime ? <f64>(dateSeconds + timeSeconds) * 1000 : NaN;
      }
      isParsed = timestamp == timestamp && parseRest(line, line + length, fields);
    }
    if (isParsed) {
      store<f64>(fields, timestamp, FIELDS_TIMESTAMP);
      store<u64>(fields, <u64>FIELDS_LOCAL << 32, FIELDS_NANOSECONDS);
      parsed++;
    } else {
      clearFields(fields, FIELDS_FAILED);
    }
    spans += SPAN_BYTES;
    fields += FIELDS_BYTES;
  }
  return parsed;
}

export function plainFields(spans: usize, count: i32, fields: usize): i32 {
  assert(count >= 0);
  for (let i = 0; i < count; i++) {
    store<u64>(fields, load<u64>(spans), FIELDS_LINE);
    clearFields(fields, FIELDS_PLAIN);
    spans += SPAN_BYTES;
    fields += FIELDS_BYTES;
  }
  return count;
}

// @ts-ignore: decorator
@inline
export function clearFields(fields: usize, status: i32): void {
  store<f64>(fields, NaN, FIELDS_TIMESTAMP);
  store<i32>(fields, status, FIELDS_STATUS);
  store<i32>(fields, LEVEL_OTHER, FIELDS_LEVEL_CODE);
  store<u64>(fields, 0, FIELDS_LEVEL);
  store<u64>(fields, 0, FIELDS_PID);
  store<u64>(fields, 0, FIELDS_COMPONENT);
  store<u64>(fields, 0, FIELDS_CONTENT);
  store<i32>(fields, 0, FIELDS_NANOSECONDS);
  store<i32>(fields, 0, FIELDS_FLAGS);
}

// @ts-ignore: decorator
@inline const INVALID: i64 = i64.MIN_VALUE;

/** Whether the six low bytes are digits, given what they are after the zeros have been taken off. */
// @ts-ignore: decorator
@inline
function areDigits(values: u64): bool {
  return (((values + ABOVE_NINE) | values) & HIGH_BITS & SIX_BYTES) == 0;
}

/** Three numbers of two digits each, in the bytes 0, 2 and 4. */
// @ts-ignore: decorator
@inline
function pairs(values: u64): u64 {
  return (values & 0x00ff00ff00ff) * 10 + ((values >> 8) & 0x00ff00ff00ff);
}

/** Seconds from 1970 to the start of the day `yyMMdd`, or INVALID. */
function parseDate(word: u64): i64 {
  const values = word ^ (ZEROS & SIX_BYTES);
  if (!areDigits(values)) return INVALID;
  const numbers = pairs(values);
  const shortYear = <i32>(numbers & 0xff);
  const month = <i32>((numbers >> 16) & 0xff);
  const day = <i32>((numbers >> 32) & 0xff);
  const year = shortYear + (shortYear < 70 ? 2000 : 1900);
  if (month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month)) return INVALID;
  return <i64>daysFromCivil(year, month, day) * 86400;
}

/** From 1970 to 2069 every fourth year is a leap year: 2000 is one too. */
// @ts-ignore: decorator
@inline
function daysInMonth(year: i32, month: i32): i32 {
  if (month == 2) return (year & 3) == 0 ? 29 : 28;
  return 30 + ((month + (month >> 3)) & 1);
}

/** Days from 1970-01-01, by Howard Hinnant's days_from_civil (chrono-Compatible Low-Level Date Algorithms). */
// @ts-ignore: decorator
@inline
function daysFromCivil(year: i32, month: i32, day: i32): i32 {
  // The year starts in March, so that the leap day is its last.
  const y = year - <i32>(month <= 2);
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** Seconds from midnight to `HHmmss`, or INVALID. */
// @ts-ignore: decorator
@inline
function parseTime(word: u64): i64 {
  const values = word ^ (ZEROS & SIX_BYTES);
  const numbers = pairs(values);
  const hours = <i32>(numbers & 0xff);
  const minutes = <i32>((numbers >> 16) & 0xff);
  const seconds = <i32>((numbers >> 32) & 0xff);
  // A second of 60, a leap second, ends an hour.
  const secondsMax = minutes == 59 ? 60 : 59;
  const isValid = areDigits(values) && hours < 24 && minutes < 60 && seconds <= secondsMax;
  return isValid ? hours * 3600 + minutes * 60 + seconds : INVALID;
}

/** Pid, level, component and content, from behind the time to the end of the line. */
// @ts-ignore: decorator
@inline
function parseRest(line: usize, end: usize, fields: usize): bool {
  const pid = line + PID_AT;
  const pidEnd = digitsEnd(pid, end);
  if (pidEnd == pid || pidEnd - pid > PID_BYTES_MAX || pidEnd >= end || load<u8>(pidEnd) != SPACE) return false;

  const level = pidEnd + 1;
  const word = load<u64>(level);
  let levelBytes: usize = 4;
  let code: i32 = LEVEL_INFO;
  // Nearly all lines have this one.
  if ((word & INFO_SPACE_BYTES) != INFO_SPACE) {
    levelBytes = <usize>(ctz(spaces8(word)) >> 3);
    code = levelBytes < 8 ? levelCode(word, <u32>levelBytes) : LEVEL_OTHER;
    if (code == LEVEL_OTHER) {
      levelBytes = lettersEnd(level, end) - level;
      code = levelCode(word, <u32>levelBytes);
      if (levelBytes == 0 || levelBytes > LEVEL_BYTES_MAX) return false;
    }
  }
  const levelEnd = level + levelBytes;
  if (levelEnd >= end || load<u8>(levelEnd) != SPACE) return false;

  const component = levelEnd + 1;
  const space = findSpace(component, min(end, component + COMPONENT_BYTES_MAX + 2));
  const colon = space - 1;
  if (space < component + 2 || space > component + COMPONENT_BYTES_MAX + 1 || load<u8>(colon) != COLON) return false;

  const content = min(space + 1, end);
  store<u64>(fields, <u64>FIELDS_PARSED | (<u64>code << 32), FIELDS_STATUS);
  storeSpan(fields + FIELDS_LEVEL, level, levelBytes);
  storeSpan(fields + FIELDS_PID, pid, pidEnd - pid);
  storeSpan(fields + FIELDS_COMPONENT, component, colon - component);
  storeSpan(fields + FIELDS_CONTENT, content, blanksStart(content, end) - content);
  return true;
}

// @ts-ignore: decorator
@inline
function storeSpan(span: usize, address: usize, length: usize): void {
  store<u64>(span, <u64>address | ((<u64>length) << 32));
}

/** The first byte from `at` on that is no digit, or `end`. */
// @ts-ignore: decorator
@inline
function digitsEnd(at: usize, end: usize): usize {
  const values = load<u64>(at) ^ ZEROS;
  // A carry can only spoil bytes above the first that is no digit, which is the one looked for.
  const others = ((values + ABOVE_NINE) | values) & HIGH_BITS;
  if (others != 0) return min(at + <usize>(ctz(others) >> 3), end);
  at += 8;
  while (at < end && <u32>(load<u8>(at) - 48) < 10) at++;
  return min(at, end);
}

/** The first byte from `at` on that is no letter, or `end`. */
function lettersEnd(at: usize, end: usize): usize {
  while (at < end && <u32>((load<u8>(at) | 32) - 97) < 26) at++;
  return at;
}

/** The first space from `at` on, or `end`. */
// @ts-ignore: decorator
@inline
function findSpace(at: usize, end: usize): usize {
  if (ASC_FEATURE_SIMD) {
    // Most are within the first 32 bytes; a loop would be left at a place that cannot be foretold.
    if (at + 16 <= end) {
      const low = <u32>i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(SPACE)));
      const high = <u32>i8x16.bitmask(i8x16.eq(v128.load(at, 16), i8x16.splat(SPACE)));
      const bits = low | (high << 16);
      if (bits != 0) return min(at + <usize>ctz(bits), end);
      at += 32;
    }
  }
  while (at < end) {
    if (ASC_FEATURE_SIMD) {
      const bits = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(SPACE)));
      if (bits != 0) return min(at + <usize>ctz(bits), end);
      at += 16;
    } else {
      const bits = spaces8(load<u64>(at));
      if (bits != 0) return min(at + <usize>(ctz(bits) >> 3), end);
      at += 8;
    }
  }
  return end;
}

/** The high bit of the first byte that is a space; those of bytes above it may be set wrongly. */
// @ts-ignore: decorator
@inline
function spaces8(word: u64): u64 {
  const differences = word ^ 0x2020202020202020;
  return (differences - 0x0101010101010101) & ~differences & HIGH_BITS;
}
