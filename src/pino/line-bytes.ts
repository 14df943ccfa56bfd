/**
 * Lines of pino as they lie in memory: those that have what pino writes most often are taken apart without an object
 * or a string of them, and what is metadata is kept as it was written. Any other line is left to line.ts; both make
 * the same of a line.
 *
 *     {"level":30,"time":1531171074631,"pid":657,"hostname":"a","name":"web","user":{"id":7},"msg":"hello"}
 *
 * @module
 */

import type { EventBytes } from '../events/encoder.ts';
import { LEVEL_NAMES } from '../levels.ts';
import { levelOfNumber } from './line.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;
/** Characters that may follow a backslash, but for `u`. */
const ESCAPED: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));
const LETTER_U = 0x75;
const DEPTH_MAX = 32;
/** Times of so many digits are milliseconds, and those of our days have them. */
const TIME_DIGITS_MIN = 12;
const TIME_DIGITS_MAX = 14;
const LEVEL_DIGITS_MAX = 3;
const NOTHING = new Uint8Array(0);
const LITERALS: readonly Buffer[] = ['true', 'false', 'null'].map((word) => Buffer.from(word));

/** Fields that are not metadata, or may not be. */
const SPECIAL: readonly Buffer[] = [
  'level',
  'time',
  'msg',
  'name',
  'component',
  'version',
  'message',
  '__proto__',
].map((name) => Buffer.from(name));
const [LEVEL, TIME, MSG, NAME] = [0, 1, 2, 3];

/** Codes of levels by their numbers, for those of three digits at most. */
const CODES: Uint8Array = Uint8Array.from({ length: 1000 }, (_, number) =>
  LEVEL_NAMES.indexOf(levelOfNumber(number) ?? 'OTHER'),
);

export class LineScanner {
  /** What the last line has. */
  readonly entry: EventBytes = {
    memory: NOTHING,
    ms: 0,
    nanoseconds: 0,
    level: 0,
    component: 0,
    componentBytes: 0,
    message: 0,
    messageBytes: 0,
    metadata: NOTHING,
    metadataBytes: 0,
  };
  #bytes: Uint8Array = NOTHING;
  #end = 0;
  /** Which of the special fields were there, a bit for each. */
  #seen = 0;

  /**
   * Takes a line apart.
   *
   * @param bytes UTF-8
   * @param from, end of the line, without what ends it
   * @returns whether `entry` has it now; false for a line that is not as pino writes them most often
   */
  scan(bytes: Uint8Array, from: number, end: number): boolean {
    const { entry } = this;
    this.#bytes = entry.memory = bytes;
    this.#end = end;
    this.#seen = 0;
    entry.messageBytes = entry.componentBytes = entry.metadataBytes = 0;
    // With its braces, metadata is no longer than its line.
    if (entry.metadata.length < end - from) entry.metadata = Buffer.allocUnsafe(2 * (end - from));
    if (bytes[from] !== OPEN_BRACE) return false;
    let at = from;
    do {
      at = this.#field(at + 1);
      if (at < 0) return false;
    } while (bytes[at] === COMMA);
    if (bytes[at] !== CLOSE_BRACE || at + 1 !== end) return false;
    if (entry.metadataBytes > 0) entry.metadata[entry.metadataBytes++] = CLOSE_BRACE;
    return (this.#seen & NEEDED) === NEEDED;
  }

  /** Takes a field; returns where it ends, or -1 where that is for somebody else to do. */
  #field(at: number): number {
    const bytes = this.#bytes;
    if (bytes[at] !== QUOTE) return -1;
    const name = at + 1;
    const nameEnd = plainEnd(bytes, name, this.#end);
    if (nameEnd < 0 || bytes[nameEnd + 1] !== COLON) return -1;
    const value = nameEnd + 2;
    const special = specialOf(bytes, name, nameEnd - name);
    if (special >= 0) return this.#special(special, value);
    const end = valueEnd(bytes, value, this.#end, 0);
    if (end < 0) return -1;
    this.#keep(at, end);
    return end;
  }

  #special(special: number, value: number): number {
    const bit = 1 << special;
    // Of two fields of one name the last counts.
    if (special > NAME || (this.#seen & bit) !== 0) return -1;
    this.#seen |= bit;
    const bytes = this.#bytes;
    const { entry } = this;
    if (special === LEVEL || special === TIME) {
      let number = 0;
      let at = value;
      for (; at < this.#end && at - value <= TIME_DIGITS_MAX; at++) {
        const digit = (bytes[at] as number) - ZERO;
        if (digit < 0 || digit > 9) break;
        number = number * 10 + digit;
      }
      const digits = at - value;
      if (bytes[value] === ZERO || (bytes[at] !== COMMA && bytes[at] !== CLOSE_BRACE)) return -1;
      if (special === LEVEL) {
        if (digits === 0 || digits > LEVEL_DIGITS_MAX) return -1;
        entry.level = CODES[number] as number;
      } else {
        if (digits < TIME_DIGITS_MIN || digits > TIME_DIGITS_MAX || number > TIME_MS_SURE) return -1;
        entry.ms = number;
      }
      return at;
    }
    if (bytes[value] !== QUOTE) return -1;
    const end = plainEnd(bytes, value + 1, this.#end);
    if (end < 0) return -1;
    if (special === MSG) {
      entry.message = value + 1;
      entry.messageBytes = end - value - 1;
    } else {
      // An empty one is not none.
      if (end === value + 1) return -1;
      entry.component = value + 1;
      entry.componentBytes = end - value - 1;
    }
    return end + 1;
  }

  /** Adds a field to the metadata as it is. */
  #keep(from: number, end: number): void {
    const bytes = this.#bytes;
    const { entry } = this;
    const { metadata } = entry;
    let to = entry.metadataBytes;
    metadata[to++] = to === 1 ? OPEN_BRACE : COMMA;
    for (let at = from; at < end; at++) metadata[to++] = bytes[at] as number;
    entry.metadataBytes = to;
  }
}

const NEEDED: number = (1 << LEVEL) | (1 << TIME) | (1 << MSG);
/** Times up to this need no closer look. */
const TIME_MS_SURE = 9_000_000_000_000;

/** Which special field a name is; -1 for none. */
function specialOf(bytes: Uint8Array, at: number, length: number): number {
  next: for (let i = 0; i < SPECIAL.length; i++) {
    const name = SPECIAL[i] as Buffer;
    if (name.length !== length) continue;
    for (let j = 0; j < length; j++) if (name[j] !== bytes[at + j]) continue next;
    return i;
  }
  return -1;
}

/** Where a string without escapes has its second quote; -1 for any other. */
function plainEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH || byte < SPACE) return -1;
  }
  return -1;
}

/** Where a value ends that is right JSON without blanks; -1 for any other. */
function valueEnd(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const byte = bytes[at] as number;
  if (at >= end) return -1;
  if (byte === QUOTE) return stringEnd(bytes, at + 1, end);
  if (byte === MINUS || (byte >= ZERO && byte <= NINE)) return numberEnd(bytes, at, end);
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
    return depth < DEPTH_MAX ? groupEnd(bytes, at, end, depth + 1) : -1;
  }
  for (const word of LITERALS) {
    let i = 0;
    while (i < word.length && bytes[at + i] === word[i]) i++;
    if (i === word.length && at + i <= end) return at + i;
  }
  return -1;
}

/** Where an object or an array ends. */
function groupEnd(bytes: Uint8Array, from: number, end: number, depth: number): number {
  const isObject = bytes[from] === OPEN_BRACE;
  const close = isObject ? CLOSE_BRACE : CLOSE_BRACKET;
  let at = from + 1;
  if (bytes[at] === close) return at < end ? at + 1 : -1;
  for (;;) {
    if (isObject) {
      if (at >= end || bytes[at] !== QUOTE) return -1;
      at = stringEnd(bytes, at + 1, end);
      if (at < 0 || at >= end || bytes[at] !== COLON) return -1;
      at++;
    }
    at = valueEnd(bytes, at, end, depth);
    if (at < 0 || at >= end) return -1;
    const byte = bytes[at++];
    if (byte === close) return at;
    if (byte !== COMMA) return -1;
  }
}

/** Where a string ends, behind its second quote. */
function stringEnd(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte === QUOTE) return at + 1;
    if (byte < SPACE) return -1;
    if (byte !== BACKSLASH) continue;
    const next = bytes[++at] as number;
    if (next === LETTER_U) {
      for (let i = 1; i <= 4; i++) if (!isHexadecimal(bytes[at + i] as number)) return -1;
      at += 4;
    } else if (!ESCAPED.has(next)) return -1;
  }
  return -1;
}

function isHexadecimal(byte: number): boolean {
  const lower = byte | 0x20;
  return (byte >= ZERO && byte <= NINE) || (lower >= 0x61 && lower <= 0x66);
}

/** Where a number ends. */
function numberEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = bytes[from] === MINUS ? from + 1 : from;
  const whole = at;
  at = digitsEnd(bytes, at, end);
  if (at === whole || (bytes[whole] === ZERO && at > whole + 1)) return -1;
  if (at < end && bytes[at] === DOT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction, end);
    if (at === fraction) return -1;
  }
  if (at < end && ((bytes[at] as number) | 0x20) === 0x65) {
    const sign = bytes[at + 1];
    const exponent = sign === PLUS || sign === MINUS ? at + 2 : at + 1;
    at = digitsEnd(bytes, exponent, end);
    if (at === exponent) return -1;
  }
  return at;
}

function digitsEnd(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at++;
  return at;
}
