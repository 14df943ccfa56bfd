/**
 * The instructions for times in plain JavaScript, with a regular expression for each: the specification of
 * what assembly/time-program.ts and assembly/times.ts do.
 *
 * @module
 */

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
} from './program-layout.ts';

/** The parts of a time, as far as they are known. */
export interface TimeParts {
  year?: number;
  month?: number;
  day?: number;
  hour?: number;
  /** The hour is one of twelve. */
  isHalfDay?: boolean;
  /** 0 for AM, 12 for PM. */
  halfDay?: number;
  minute?: number;
  second?: number;
  /** Of the second. */
  nanosecond?: number;
  zoneMinutes?: number;
  /** A time since 1970, in whole milliseconds, in place of all that. */
  epochMs?: number;
}

/** A timestamp, and what it does not say. */
export interface FoundTime {
  ms: number;
  nanoseconds: number;
  isLocal: boolean;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const ISO = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?/;
const ZONE_MINUTES_MAX: number = 18 * 60;
const YEAR_MS: number = 366 * 86_400_000;
const EPOCH_SECONDS_MAX = 253_402_300_799n;

/** A fraction of a second in nanoseconds; what is beyond them is dropped. */
function fraction(digits: string): number {
  return Number(digits.slice(0, 9).padEnd(9, '0'));
}

function zone(text: string, parts: TimeParts): number | undefined {
  const match = /^(?:[Zz]|UTC|GMT)/.exec(text);
  parts.zoneMinutes = 0;
  if (match !== null) return match[0].length;
  const offset = /^([+-])(\d\d)(?::?(\d.?))?/s.exec(text);
  if (offset === null) return undefined;
  const [all, sign, hours, minutes = '00'] = offset;
  if (!/^[0-5]\d$/.test(minutes)) return undefined;
  const zoneMinutes = Number(hours) * 60 + Number(minutes);
  if (zoneMinutes > ZONE_MINUTES_MAX) return undefined;
  parts.zoneMinutes = sign === '-' ? -zoneMinutes : zoneMinutes;
  return all.length;
}

function iso(text: string, parts: TimeParts): number | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [all, year, month, day, hour, minute, second, digits] = match;
  // A colon begins seconds where there is room for them.
  const tail = text.slice(16);
  if (second === undefined && tail.length >= 3 && tail.startsWith(':')) return undefined;
  Object.assign(parts, { year: Number(year), month: Number(month), day: Number(day) });
  Object.assign(parts, { hour: Number(hour), minute: Number(minute), second: Number(second ?? 0) });
  if (digits !== undefined) parts.nanosecond = fraction(digits);
  const rest = text.slice(all.length);
  if (/^[Zz+-]/.test(rest)) {
    const length = zone(rest, parts);
    return length === undefined ? undefined : all.length + length;
  }
  if (/^ [Z+-]/.test(rest)) {
    const length = zone(rest.slice(1), parts);
    if (length !== undefined) return all.length + 1 + length;
    delete parts.zoneMinutes;
  }
  return all.length;
}

/** `digits` as in `parseEpoch` of assembly/times.ts. */
function epoch(text: string, parts: TimeParts, digits: number): number | undefined {
  const match = /^(-?)(\d{1,19})(?!\d)(?:\.(\d+))?/.exec(text);
  if (match === null) return undefined;
  const [all, sign, whole = '0', rest = ''] = match;
  const value = BigInt(whole);
  if (value >= 2n ** 63n) return undefined;
  const length = value < 10n ** 11n ? 0 : value < 10n ** 14n ? 3 : value < 10n ** 17n ? 6 : 9;
  const unit = digits < 0 ? length : digits;
  if (unit === 0 && value > EPOCH_SECONDS_MAX) return undefined;
  if (unit === 3 && value > EPOCH_SECONDS_MAX * 1000n + 999n) return undefined;
  const scale = 10n ** BigInt(9 - unit);
  let nanoseconds = value * scale + BigInt(rest.slice(0, 9 - unit).padEnd(9 - unit, '0') || '0');
  if (sign === '-') nanoseconds = -nanoseconds;
  const second = 10n ** 9n;
  const below = ((nanoseconds % second) + second) % second;
  parts.epochMs = Number((nanoseconds - below) / 1_000_000n + below / 1_000_000n);
  parts.nanosecond = Number(below);
  return all.length;
}

type Reader = (text: string, parts: TimeParts, one: number, other: number) => number | undefined;

/** A reader of a number of one or two digits. */
function number(name: 'month' | 'day' | 'hour' | 'minute' | 'second'): Reader {
  return (text, parts, least) => {
    const match = (least === 2 ? /^\d\d/ : /^\d\d?/).exec(text);
    if (match === null) return undefined;
    parts[name] = Number(match[0]);
    return match[0].length;
  };
}

/** A reader of three numbers with the same byte between them. */
function three(names: readonly (keyof TimeParts)[], pattern: RegExp): Reader {
  return (text, parts, separator) => {
    const match = pattern.exec(text);
    const byte = String.fromCharCode(separator);
    if (match === null || match[2] !== byte || match[4] !== byte) return undefined;
    const values = [match[1], match[3], match[5]].map(Number);
    if (match[1]?.length === 2 && names[0] === 'year') values[0] = century(values[0] ?? 0);
    for (const [i, name] of names.entries()) Object.assign(parts, { [name]: values[i] });
    return match[0].length;
  };
}

function century(year: number): number {
  return year + (year < 70 ? 2000 : 1900);
}

/** How many words each instruction has, and what it reads. */
const READERS: Readonly<Record<number, readonly [number, Reader]>> = {
  [TIME_BYTE]: [2, (text, _, byte) => (text.charCodeAt(0) === byte ? 1 : undefined)],
  [TIME_BLANKS]: [1, (text) => /^[ \t]+/.exec(text)?.[0].length],
  [TIME_YEAR]: [
    1,
    (text, parts) => {
      if (!/^\d{4}/.test(text)) return undefined;
      parts.year = Number(text.slice(0, 4));
      return 4;
    },
  ],
  [TIME_SHORT_YEAR]: [
    1,
    (text, parts) => {
      if (!/^\d\d/.test(text)) return undefined;
      parts.year = century(Number(text.slice(0, 2)));
      return 2;
    },
  ],
  [TIME_MONTH]: [2, number('month')],
  [TIME_DAY]: [2, number('day')],
  [TIME_HOUR]: [
    2,
    (text, parts, least, other) => {
      parts.isHalfDay = false;
      return number('hour')(text, parts, least, other);
    },
  ],
  [TIME_HALF_DAY_HOUR]: [
    2,
    (text, parts, least, other) => {
      parts.isHalfDay = true;
      return number('hour')(text, parts, least, other);
    },
  ],
  [TIME_MINUTE]: [2, number('minute')],
  [TIME_SECOND]: [2, number('second')],
  [TIME_MONTH_NAME]: [
    1,
    (text, parts) => {
      parts.month = MONTHS.indexOf(lower(text.slice(0, 3))) + 1;
      return text.length >= 3 ? 3 : undefined;
    },
  ],
  [TIME_WEEKDAY]: [
    1,
    (text) =>
      ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'].includes(lower(text.slice(0, 3))) ? 3 : undefined,
  ],
  [TIME_HALF_DAY]: [
    1,
    (text, parts) => {
      const match = /^([ap])m/.exec(lower(text.slice(0, 2)));
      if (match === null) return undefined;
      parts.halfDay = match[1] === 'p' ? 12 : 0;
      return 2;
    },
  ],
  [TIME_FRACTION]: [
    3,
    (text, parts, least, most) => {
      const digits = /^\d+/.exec(text)?.[0].slice(0, most) ?? '';
      if (digits.length < least) return undefined;
      parts.nanosecond = fraction(digits);
      return digits.length;
    },
  ],
  [TIME_MILLISECONDS]: [
    1,
    (text, parts) => {
      const digits = /^\d{1,3}/.exec(text)?.[0];
      if (digits === undefined) return undefined;
      parts.nanosecond = Number(digits) * 1_000_000;
      return digits.length;
    },
  ],
  [TIME_ZONE]: [1, zone],
  [TIME_ISO]: [1, iso],
  [TIME_EPOCH]: [1, (text, parts) => epoch(text, parts, -1)],
  [TIME_EPOCH_SECONDS]: [1, (text, parts) => epoch(text, parts, 0)],
  [TIME_EPOCH_MILLISECONDS]: [1, (text, parts) => epoch(text, parts, 3)],
  [TIME_LONG_DATE]: [2, three(['year', 'month', 'day'], /^(\d{4})(.)(\d\d)(.)(\d\d)/s)],
  [TIME_SHORT_DATE]: [2, three(['year', 'month', 'day'], /^(\d\d)(.)(\d\d)(.)(\d\d)/s)],
  [TIME_OF_DAY]: [
    2,
    (text, parts, separator, other) => {
      parts.isHalfDay = false;
      return three(['hour', 'minute', 'second'], /^(\d\d)(.)(\d\d)(.)(\d\d)/s)(text, parts, separator, other);
    },
  ],
};

/** Setting bit 5 makes letters small; no other byte becomes a letter that counts here. */
function lower(text: string): string {
  return text.replaceAll(/[^]/g, (character) => String.fromCharCode(character.charCodeAt(0) | 32));
}

/**
 * Carries out instructions for times.
 *
 * @param words the instructions
 * @param text what they read
 * @param parts what they find
 * @returns how much they read, or undefined where the text is not like that
 */
export function readTime(words: readonly number[], text: string, parts: TimeParts): number | undefined {
  let done = 0;
  for (let at = 0; at < words.length; ) {
    const code = words[at] as number;
    if (code === TIME_OPTIONAL) {
      at += text.charCodeAt(done) === words[at + 3] ? 2 : (words[at + 1] as number);
      continue;
    }
    const [length, read] = READERS[code] as readonly [number, Reader];
    const found = read(text.slice(done), parts, words[at + 1] ?? 0, words[at + 2] ?? 0);
    if (found === undefined) return undefined;
    done += found;
    at += length;
  }
  return done;
}

/**
 * The timestamp of parts.
 *
 * @param years where a time without one may be; undefined where it must have one
 */
export function timeOf(parts: TimeParts, years?: { year: number; from: number }): FoundTime | undefined {
  const { month = 0, day = 0, minute = 0, second = 0, nanosecond = 0 } = parts;
  const nanoseconds = nanosecond % 1_000_000;
  if (parts.epochMs !== undefined) return { ms: parts.epochMs, nanoseconds, isLocal: false };
  let { hour = 0 } = parts;
  if ((parts.isHalfDay ?? false) !== (parts.halfDay !== undefined)) return undefined;
  if (parts.halfDay !== undefined) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + parts.halfDay;
  }
  const isLeap = minute === 59 && second === 60;
  if (hour > 23 || minute > 59 || (second > 59 && !isLeap)) return undefined;
  const found = candidates(parts.year, years).map((year) => {
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
    const seconds = (hour * 60 + minute - (parts.zoneMinutes ?? 0)) * 60 + second;
    return date.getTime() + seconds * 1000 + Math.floor(nanosecond / 1_000_000);
  });
  const ms = found.find((time) => {
    if (time === undefined) return false;
    return (
      parts.year !== undefined || (years !== undefined && time >= years.from && time < years.from + YEAR_MS)
    );
  });
  if (ms === undefined) return undefined;
  return { ms, nanoseconds, isLocal: parts.zoneMinutes === undefined };
}

function candidates(year: number | undefined, years: { year: number } | undefined): number[] {
  if (year !== undefined) return [year];
  return years === undefined ? [] : [years.year, years.year + 1];
}
