/**
 * Times: their parts are gathered in variables of this file, which belong to one thread, and made into a
 * timestamp at the end. Nothing is guessed: what is no date of the calendar and no time of a day is none.
 */

import { PROGRAM_FROM, PROGRAM_YEAR } from '../src/memory/program-layout';
import { isDigit } from './blanks';

// @ts-ignore: decorator
@inline const NONE: i32 = -1;
// @ts-ignore: decorator
@inline const DAY_MS: f64 = 86400000;
// @ts-ignore: decorator
@inline const YEAR_MS: f64 = 366 * DAY_MS;
// @ts-ignore: decorator
@inline const ZONE_MINUTES_MAX: i32 = 18 * 60;
/** What a timestamp can be at most: 2^53 - 1 nanoseconds are not enough, milliseconds are. */
// @ts-ignore: decorator
@inline const DIGITS_MAX: usize = 19;

export let year: i32 = NONE;
export let month: i32 = NONE;
export let day: i32 = NONE;
export let hour: i32 = 0;
export let minute: i32 = 0;
export let second: i32 = 0;
export let nanosecond: i32 = 0;
/** 0 for AM, 12 for PM, -1 where the hour is one of 24. */
let halfDay: i32 = NONE;
let isHalfDay: bool = false;
let hasZone: bool = false;
let zoneMinutes: i32 = 0;
let isEpoch: bool = false;
let epochMs: i64 = 0;

/** The nanoseconds beyond the milliseconds of the last timestamp, and whether its zone was not given. */
export let restNanoseconds: i32 = 0;
export let isLocal: bool = false;

/** Forgets the parts of the time before. */
export function clearTime(): void {
  year = NONE;
  month = NONE;
  day = NONE;
  hour = 0;
  minute = 0;
  second = 0;
  nanosecond = 0;
  halfDay = NONE;
  isHalfDay = false;
  hasZone = false;
  zoneMinutes = 0;
  isEpoch = false;
}

export function setYear(value: i32): void {
  year = value;
}

export function setMonth(value: i32): void {
  month = value;
}

export function setDay(value: i32): void {
  day = value;
}

export function setHour(value: i32, half: bool): void {
  hour = value;
  isHalfDay = half;
}

export function setMinute(value: i32): void {
  minute = value;
}

export function setSecond(value: i32): void {
  second = value;
}

export function setNanosecond(value: i32): void {
  nanosecond = value;
}

/** Two digits make a year from 1970 to 2069. */
// @ts-ignore: decorator
@inline
export function fullYear(value: i32): i32 {
  return value + (value < 70 ? 2000 : 1900);
}

/**
 * The timestamp of the parts, in milliseconds since the epoch; NaN where there is no such time.
 *
 * @param program where it says which year a time without one is in, or 0 where it must have one
 */
export function timestamp(program: usize): f64 {
  restNanoseconds = nanosecond % 1000000;
  isLocal = false;
  if (isEpoch) return <f64>epochMs;
  if (isHalfDay != (halfDay != NONE)) return NaN;
  if (isHalfDay) {
    if (hour < 1 || hour > 12) return NaN;
    hour = (hour == 12 ? 0 : hour) + halfDay;
    isHalfDay = false;
    halfDay = NONE;
  }
  // A leap second ends an hour; it is the second after it, as POSIX counts.
  const secondsMax = minute == 59 ? 60 : 59;
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > secondsMax) return NaN;
  isLocal = !hasZone;
  const dayMs = <f64>(((hour * 60 + minute - zoneMinutes) * 60 + second) * 1000 + nanosecond / 1000000);
  if (year != NONE) {
    if (day > daysInMonth(year, month)) return NaN;
    return <f64>daysFromCivil(year, month, day) * DAY_MS + dayMs;
  }
  if (program == 0) return NaN;
  const from = load<f64>(program, PROGRAM_FROM);
  const first = load<i32>(program, PROGRAM_YEAR);
  for (let tried = first; tried < first + 2; tried++) {
    if (day > daysInMonth(tried, month)) continue;
    const time = <f64>daysFromCivil(tried, month, day) * DAY_MS + dayMs;
    if (time >= from && time < from + YEAR_MS) return time;
  }
  return NaN;
}

// @ts-ignore: decorator
@inline
function daysInMonth(y: i32, m: i32): i32 {
  if (m == 2) return (y & 3) == 0 && (y % 100 != 0 || y % 400 == 0) ? 29 : 28;
  return 30 + ((m + (m >> 3)) & 1);
}

/** Days from 1970-01-01, by Howard Hinnant's days_from_civil (chrono-Compatible Low-Level Date Algorithms). */
// @ts-ignore: decorator
@inline
function daysFromCivil(y: i32, m: i32, d: i32): i32 {
  // The year starts in March, so that the leap day is its last; y is never negative.
  y -= <i32>(m <= 2);
  const era = (y >= 0 ? y : y - 399) / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

/** The number that two digits make, or -1. Both bytes may lie behind the end. */
// @ts-ignore: decorator
@inline
export function twoDigits(at: usize): i32 {
  const tens = <u32>load<u8>(at) - 48;
  const ones = <u32>load<u8>(at, 1) - 48;
  return tens < 10 && ones < 10 ? <i32>(tens * 10 + ones) : -1;
}

/** The number that four digits make, or -1. */
// @ts-ignore: decorator
@inline
export function fourDigits(at: usize): i32 {
  const high = twoDigits(at);
  const low = twoDigits(at + 2);
  return high < 0 || low < 0 ? -1 : high * 100 + low;
}

/** Digits of a fraction, at least one. Returns the address behind them, or 0. */
export function parseFraction(at: usize, end: usize, most: usize): usize {
  const limit = min(end, at + most);
  const start = at;
  let value = 0;
  let unit = 100000000;
  while (at < limit && isDigit(load<u8>(at))) {
    value += <i32>(load<u8>(at) - 48) * unit;
    unit /= 10;
    at++;
  }
  nanosecond = value;
  return at == start ? 0 : at;
}

/** `Z`, `UTC`, `GMT`, `+02:00`, `+0200`, `+02`. Returns the address behind it, or 0. */
export function parseZone(at: usize, end: usize): usize {
  if (at >= end) return 0;
  const sign = load<u8>(at);
  hasZone = true;
  zoneMinutes = 0;
  if (sign == 0x5a || sign == 0x7a) return at + 1;
  if (sign == 0x2b || sign == 0x2d) {
    const hours = twoDigits(at + 1);
    at += 3;
    if (hours < 0 || at > end) return 0;
    let minutes = 0;
    const digits = at + <usize>(at < end && load<u8>(at) == 0x3a);
    if (digits < end && isDigit(load<u8>(digits))) {
      minutes = twoDigits(digits);
      at = digits + 2;
      if (minutes < 0 || minutes > 59 || at > end) return 0;
    }
    zoneMinutes = hours * 60 + minutes;
    if (zoneMinutes > ZONE_MINUTES_MAX) return 0;
    if (sign == 0x2d) zoneMinutes = -zoneMinutes;
    return at;
  }
  const word = load<u32>(at) & 0xffffff;
  return at + 3 <= end && (word == 0x435455 || word == 0x544d47) ? at + 3 : 0;
}

/** Half of a day: AM or PM, whatever its case. Returns the address behind it, or 0. */
export function parseHalfDay(at: usize, end: usize): usize {
  const word = <u32>load<u16>(at) | 0x2020;
  if (at + 2 > end || (word != 0x6d61 && word != 0x6d70)) return 0;
  halfDay = word == 0x6d70 ? 12 : 0;
  return at + 2;
}

/**
 * A time since 1970: digits, a fraction if there is one. Returns the address behind it, or 0.
 *
 * @param digits of the unit below a second: 0 for seconds, 3 for milliseconds; -1 where the size of the
 *   number tells: up to 11 digits are seconds, 14 milliseconds, 17 microseconds, then nanoseconds
 */
export function parseEpoch(at: usize, end: usize, digits: i32): usize {
  const isNegative = at < end && load<u8>(at) == 0x2d;
  at += <usize>isNegative;
  const start = at;
  let value: i64 = 0;
  while (at < end && isDigit(load<u8>(at)) && at - start < DIGITS_MAX) {
    value = value * 10 + <i64>(load<u8>(at) - 48);
    at++;
  }
  const length = at - start;
  if (length == 0 || value < 0 || (at < end && isDigit(load<u8>(at)))) return 0;
  if (digits < 0) digits = value < 100000000000 ? 0 : value < 100000000000000 ? 3 : value < 100000000000000000 ? 6 : 9;
  // No time is later than the year 9999.
  if ((digits == 0 && value > 253402300799) || (digits == 3 && value > 253402300799999)) return 0;
  let scale: i64 = 1000000000;
  for (let i = 0; i < digits; i++) scale /= 10;
  // In units of `scale` nanoseconds: the seconds, and what is left of them.
  const units = 1000000000 / scale;
  let seconds = value / units;
  let rest = (value % units) * scale;
  if (at + 1 < end && load<u8>(at) == 0x2e && isDigit(load<u8>(at, 1))) {
    at++;
    for (let unit = scale / 10; at < end && isDigit(load<u8>(at)); at++) {
      rest += <i64>(load<u8>(at) - 48) * unit;
      unit /= 10;
    }
  }
  if (isNegative) {
    seconds = -seconds - <i64>(rest != 0);
    rest = rest == 0 ? 0 : 1000000000 - rest;
  }
  isEpoch = true;
  epochMs = seconds * 1000 + rest / 1000000;
  nanosecond = <i32>rest;
  return at;
}

/**
 * A time of ISO 8601: `yyyy-MM-dd`, `T` or a space, `HH:mm`, and if they are there `:ss`, a fraction behind a
 * point or a comma, and a zone, before which a space may stand. Returns the address behind it, or 0.
 */
export function parseIso(at: usize, end: usize): usize {
  if (at + 16 > end) return 0;
  year = fourDigits(at);
  month = twoDigits(at + 5);
  day = twoDigits(at + 8);
  hour = twoDigits(at + 11);
  minute = twoDigits(at + 14);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0) return 0;
  if (load<u8>(at, 4) != 0x2d || load<u8>(at, 7) != 0x2d || load<u8>(at, 13) != 0x3a) return 0;
  const between = load<u8>(at, 10);
  if (between != 0x54 && between != 0x74 && between != 0x20) return 0;
  at += 16;
  if (at + 3 <= end && load<u8>(at) == 0x3a) {
    second = twoDigits(at + 1);
    if (second < 0) return 0;
    at += 3;
    if (at + 1 < end && (load<u8>(at) == 0x2e || load<u8>(at) == 0x2c) && isDigit(load<u8>(at, 1))) {
      at = parseFraction(at + 1, end, usize.MAX_VALUE - end);
    }
  }
  if (at >= end) return at;
  const sign = load<u8>(at);
  if (sign == 0x5a || sign == 0x7a || sign == 0x2b || sign == 0x2d) return parseZone(at, end);
  const next = load<u8>(at, 1);
  if (sign == 0x20 && at + 1 < end && (next == 0x2b || next == 0x2d || next == 0x5a)) {
    const behind = parseZone(at + 1, end);
    if (behind != 0) return behind;
    hasZone = false;
    zoneMinutes = 0;
  }
  return at;
}
