/** The instructions for times of a program: see src/memory/program-layout.ts. */

import {
  TIME_BLANKS,
  TIME_BYTE,
  TIME_DAY,
  TIME_EPOCH,
  TIME_EPOCH_MILLISECONDS,
  TIME_EPOCH_SECONDS,
  TIME_FRACTION,
  TIME_HALF_DAY,
  TIME_HALF_DAY_HOUR,
  TIME_HOUR,
  TIME_ISO,
  TIME_LONG_DATE,
  TIME_MILLISECONDS,
  TIME_MINUTE,
  TIME_MONTH,
  TIME_MONTH_NAME,
  TIME_OF_DAY,
  TIME_OPTIONAL,
  TIME_SECOND,
  TIME_SHORT_DATE,
  TIME_SHORT_YEAR,
  TIME_WEEKDAY,
  TIME_YEAR,
  TIME_ZONE,
} from '../src/memory/program-layout';
import { isBlank, isDigit, skipBlanks } from './blanks';
import {
  fourDigits,
  fullYear,
  parseEpoch,
  parseFraction,
  parseHalfDay,
  parseIso,
  parseZone,
  setDay,
  setHour,
  setMinute,
  setMonth,
  setNanosecond,
  setSecond,
  setYear,
  twoDigits,
} from './times';

/**
 * Carries out instructions for times.
 *
 * @param code the first of them
 * @param codeEnd the address behind the last
 * @returns the address behind what they read, or 0 where the text is not like that
 */
export function parseTime(code: usize, codeEnd: usize, at: usize, end: usize): usize {
  while (code < codeEnd) {
    const argument = load<i32>(code, 4);
    switch (load<i32>(code)) {
      case TIME_BYTE:
        if (at >= end || <i32>load<u8>(at) != argument) return 0;
        at++;
        code += 8;
        break;
      case TIME_LONG_DATE:
        at = longDate(at, end, <u8>argument);
        code += 8;
        break;
      case TIME_OF_DAY:
        at = timeOfDay(at, end, <u8>argument);
        code += 8;
        break;
      case TIME_FRACTION: {
        const start = at;
        at = parseFraction(at, end, <usize>load<i32>(code, 8));
        if (at != 0 && <i32>(at - start) < argument) return 0;
        code += 12;
        break;
      }
      case TIME_BLANKS:
        if (at >= end || !isBlank(load<u8>(at))) return 0;
        at = skipBlanks(at, end);
        code += 4;
        break;
      case TIME_SHORT_DATE:
        at = shortDate(at, end, <u8>argument);
        code += 8;
        break;
      case TIME_MONTH_NAME:
        setMonth(monthOf((load<u32>(at) & 0xffffff) | 0x202020));
        at = at + 3 <= end ? at + 3 : 0;
        code += 4;
        break;
      case TIME_WEEKDAY:
        at = at + 3 <= end && isWeekday((load<u32>(at) & 0xffffff) | 0x202020) ? at + 3 : 0;
        code += 4;
        break;
      case TIME_YEAR:
        setYear(fourDigits(at));
        at = fourDigits(at) >= 0 && at + 4 <= end ? at + 4 : 0;
        code += 4;
        break;
      case TIME_SHORT_YEAR: {
        const value = twoDigits(at);
        setYear(fullYear(value));
        at = value >= 0 && at + 2 <= end ? at + 2 : 0;
        code += 4;
        break;
      }
      case TIME_ISO:
        at = parseIso(at, end);
        code += 4;
        break;
      case TIME_ZONE:
        at = parseZone(at, end);
        code += 4;
        break;
      case TIME_HALF_DAY:
        at = parseHalfDay(at, end);
        code += 4;
        break;
      case TIME_MILLISECONDS:
        at = milliseconds(at, end);
        code += 4;
        break;
      case TIME_EPOCH:
        at = parseEpoch(at, end, -1);
        code += 4;
        break;
      case TIME_EPOCH_SECONDS:
        at = parseEpoch(at, end, 0);
        code += 4;
        break;
      case TIME_EPOCH_MILLISECONDS:
        at = parseEpoch(at, end, 3);
        code += 4;
        break;
      case TIME_OPTIONAL:
        // Behind the offset stands TIME_BYTE, with the byte that tells.
        if (at < end && <i32>load<u8>(at) == load<i32>(code, 12)) code += 8;
        else code += <usize>argument << 2;
        break;
      default:
        at = number(load<i32>(code), at, end, argument);
        code += 8;
    }
    if (at == 0) return 0;
  }
  return at;
}

/** A number of one or two digits, and what it is. */
function number(code: i32, at: usize, end: usize, least: i32): usize {
  let value = at < end ? <i32>load<u8>(at) - 48 : -1;
  if (<u32>value > 9) return 0;
  at++;
  if (at < end && isDigit(load<u8>(at))) {
    value = value * 10 + <i32>(load<u8>(at) - 48);
    at++;
  } else if (least == 2) {
    return 0;
  }
  if (code == TIME_MONTH) setMonth(value);
  else if (code == TIME_DAY) setDay(value);
  else if (code == TIME_HOUR) setHour(value, false);
  else if (code == TIME_HALF_DAY_HOUR) setHour(value, true);
  else if (code == TIME_MINUTE) setMinute(value);
  else if (code == TIME_SECOND) setSecond(value);
  else assert(false, 'an unknown instruction for times');
  return at;
}

// @ts-ignore: decorator
@inline
function longDate(at: usize, end: usize, separator: u8): usize {
  const year = fourDigits(at);
  const month = twoDigits(at + 5);
  const day = twoDigits(at + 8);
  const isWhole = at + 10 <= end && load<u8>(at, 4) == separator && load<u8>(at, 7) == separator;
  if (!isWhole || year < 0 || month < 0 || day < 0) return 0;
  setYear(year);
  setMonth(month);
  setDay(day);
  return at + 10;
}

// @ts-ignore: decorator
@inline
function shortDate(at: usize, end: usize, separator: u8): usize {
  const year = twoDigits(at);
  const month = twoDigits(at + 3);
  const day = twoDigits(at + 6);
  const isWhole = at + 8 <= end && load<u8>(at, 2) == separator && load<u8>(at, 5) == separator;
  if (!isWhole || year < 0 || month < 0 || day < 0) return 0;
  setYear(fullYear(year));
  setMonth(month);
  setDay(day);
  return at + 8;
}

// @ts-ignore: decorator
@inline
function timeOfDay(at: usize, end: usize, separator: u8): usize {
  const hour = twoDigits(at);
  const minute = twoDigits(at + 3);
  const second = twoDigits(at + 6);
  const isWhole = at + 8 <= end && load<u8>(at, 2) == separator && load<u8>(at, 5) == separator;
  if (!isWhole || hour < 0 || minute < 0 || second < 0) return 0;
  setHour(hour, false);
  setMinute(minute);
  setSecond(second);
  return at + 8;
}

function milliseconds(at: usize, end: usize): usize {
  const limit = min(end, at + 3);
  const start = at;
  let value = 0;
  while (at < limit && isDigit(load<u8>(at))) {
    value = value * 10 + <i32>(load<u8>(at) - 48);
    at++;
  }
  setNanosecond(value * 1000000);
  return at == start ? 0 : at;
}

/** The number of a month by its first three letters, small; 0 where it is none. */
function monthOf(word: u32): i32 {
  switch (word) {
    case 0x6e616a:
      return 1;
    case 0x626566:
      return 2;
    case 0x72616d:
      return 3;
    case 0x727061:
      return 4;
    case 0x79616d:
      return 5;
    case 0x6e756a:
      return 6;
    case 0x6c756a:
      return 7;
    case 0x677561:
      return 8;
    case 0x706573:
      return 9;
    case 0x74636f:
      return 10;
    case 0x766f6e:
      return 11;
    case 0x636564:
      return 12;
    default:
      return 0;
  }
}

// @ts-ignore: decorator
@inline
function isWeekday(word: u32): bool {
  return (
    word == 0x6e6f6d ||
    word == 0x657574 ||
    word == 0x646577 ||
    word == 0x756874 ||
    word == 0x697266 ||
    word == 0x746173 ||
    word == 0x6e7573
  );
}
