/**
 * Keys and values: which of them go where. The table of keys, and how it is laid out, is in
 * src/memory/program-layout.ts.
 */

import {
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_FLAGS,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PID,
  FIELDS_TIMESTAMP,
  SPAN_BYTES,
} from '../src/memory/layout';
import {
  COMPONENT_TEXT_BYTES_MAX,
  EPOCH_DIGITS_MIN,
  KEY_LENGTH,
  KEY_NEXT,
  KEY_RANK,
  KEY_SLOT,
  KEY_TEXT,
  KEYS_BUCKETS_MASK,
  LEVEL_TEXT_BYTES_MAX,
  PID_TEXT_BYTES_MAX,
  PROGRAM_CODE,
  PROGRAM_EXTRAS,
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_PID,
  SLOT_TIME,
} from '../src/memory/program-layout';
import { isDigit } from './blanks';
import { levelOf } from './levels';
import { clearTime, isLocal, parseEpoch, parseIso, restNanoseconds, timestamp } from './times';

/** Worse than any rank. */
// @ts-ignore: decorator
@inline const NO_RANK: i32 = 1000;

let program: usize = 0;
let row: usize = 0;
let extras: usize = 0;
/** The best keys that a line had so far. */
let levelRank: i32 = NO_RANK;
let pidRank: i32 = NO_RANK;
let componentRank: i32 = NO_RANK;
let contentRank: i32 = NO_RANK;
let timeRank: i32 = NO_RANK;
/** A key for a time was there, and its value was none. */
let hasBadTime: bool = false;

/** Begins with a line. */
export function beginKeys(table: usize, fields: usize, extraSpans: usize): void {
  program = table;
  row = fields;
  extras = extraSpans;
  levelRank = NO_RANK;
  pidRank = NO_RANK;
  componentRank = NO_RANK;
  contentRank = NO_RANK;
  timeRank = NO_RANK;
  hasBadTime = false;
}

/** How many bytes the extras of a line have. */
export function extrasBytesOf(table: usize): usize {
  return <usize>load<i32>(table, PROGRAM_EXTRAS) * SPAN_BYTES;
}

/** Whether the line had a time, if it had a key for one. */
export function hasGoodTime(): bool {
  return timeRank != NO_RANK || !hasBadTime;
}

/** Whether a key that is known was there, other than an extra. */
export function hasKnownKey(): bool {
  return (
    levelRank != NO_RANK || contentRank != NO_RANK || timeRank != NO_RANK
  );
}

/** Puts a value where its key belongs. */
export function putValue(key: usize, keyEnd: usize, value: usize, valueEnd: usize): void {
  const length = keyEnd - key;
  if (length == 0) return;
  const hash = (length * 7 + <usize>load<u8>(key) + <usize>load<u8>(keyEnd - 1) * 5) & KEYS_BUCKETS_MASK;
  let offset = <usize>load<i32>(program + PROGRAM_CODE + (hash << 2));
  while (offset != 0) {
    const entry = program + offset;
    if (<usize>load<i32>(entry, KEY_LENGTH) == length && isSame(entry + KEY_TEXT, key, length)) {
      put(load<i32>(entry, KEY_SLOT), load<i32>(entry, KEY_RANK), value, valueEnd);
    }
    offset = <usize>load<i32>(entry, KEY_NEXT);
  }
}

// @ts-ignore: decorator
@inline
function isSame(one: usize, other: usize, length: usize): bool {
  for (let i: usize = 0; i < length; i++) {
    if (load<u8>(one + i) != load<u8>(other + i)) return false;
  }
  return true;
}

/** Of several keys for one place the one with the least rank counts, of the same one the last. */
function put(slot: i32, rank: i32, value: usize, valueEnd: usize): void {
  const length = valueEnd - value;
  const span = <u64>value | (<u64>length << 32);
  switch (slot) {
    case SLOT_TIME:
      if (rank > timeRank) return;
      if (putTime(value, valueEnd)) timeRank = rank;
      else hasBadTime = true;
      return;
    case SLOT_LEVEL:
      if (rank > levelRank || length > <usize>LEVEL_TEXT_BYTES_MAX) return;
      levelRank = rank;
      store<u64>(row, span, FIELDS_LEVEL);
      store<i32>(row, levelOf(value, <u32>length), FIELDS_LEVEL_CODE);
      return;
    case SLOT_PID:
      if (rank > pidRank || length > <usize>PID_TEXT_BYTES_MAX) return;
      pidRank = rank;
      store<u64>(row, span, FIELDS_PID);
      return;
    case SLOT_COMPONENT:
      if (rank > componentRank || length > <usize>COMPONENT_TEXT_BYTES_MAX) return;
      componentRank = rank;
      store<u64>(row, span, FIELDS_COMPONENT);
      return;
    case SLOT_CONTENT:
      if (rank > contentRank) return;
      contentRank = rank;
      store<u64>(row, span, FIELDS_CONTENT);
      return;
    default:
      store<u64>(extras + <usize>(slot - SLOT_EXTRAS) * SPAN_BYTES, span);
  }
}

/** A time as ISO 8601 has it, or a number; whether the value is one. */
function putTime(value: usize, valueEnd: usize): bool {
  clearTime();
  let at = parseIso(value, valueEnd);
  if (at == 0) {
    clearTime();
    // What is smaller is a duration, or a time of day, rather than a time in the first years of the epoch.
    let digits: usize = 0;
    while (value + digits < valueEnd && isDigit(load<u8>(value + digits))) digits++;
    if (digits < <usize>EPOCH_DIGITS_MIN) return false;
    at = parseEpoch(value, valueEnd, -1);
  }
  const time = at == valueEnd ? timestamp(0) : NaN;
  clearTime();
  if (time != time) return false;
  store<f64>(row, time, FIELDS_TIMESTAMP);
  store<i32>(row, restNanoseconds, FIELDS_NANOSECONDS);
  store<i32>(row, isLocal ? FIELDS_LOCAL : 0, FIELDS_FLAGS);
  return true;
}
