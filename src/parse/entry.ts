/**
 * An entry as a program is handed it: its bytes, copied, and where in them its fields are. Strings are made
 * when they are asked for, and each only once.
 *
 * @module
 */

import { LEVEL_NAMES, type Level } from '../levels.ts';
import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { otherKeys } from './keys.ts';
import type { LineParser } from './parser.ts';

/** What a log file says at one time: a line, and the lines of a stack trace behind it. */
export interface Entry {
  /** When, in milliseconds since the epoch; undefined where the line has no time. */
  readonly timestamp: number | undefined;
  /** What its time says beyond the milliseconds: from 0 to 999,999. */
  readonly nanoseconds: number;
  /** The same as ISO 8601, in UTC, with as many digits as are needed: three, or up to nine. */
  readonly iso: string | undefined;
  /** The level on the one scale; undefined where the line has none. */
  readonly level: Level | undefined;
  /** The level as it stands in the line. */
  readonly levelText: string | undefined;
  readonly component: string | undefined;
  readonly pid: string | undefined;
  /** The message, with the lines that continue it; the whole line where it was not taken apart. */
  readonly message: string;
  /** All other fields that the line has, by name. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** The lines as they are in the file, without the last line end. */
  readonly raw: string;
  /** Whether the line is of the format; one of a format that takes nothing apart is. */
  readonly isParsed: boolean;
  /** Where it begins in the file, in bytes. */
  readonly position: number;
  /** The number of its first line, from 1; undefined where the lines before it were not counted. */
  readonly line: number | undefined;
}

/** Where an entry is. */
export interface Place {
  position: number;
  line: number | undefined;
}

/** Where the spans of the fields are kept, each with its length behind it. */
const [LEVEL, PID, COMPONENT, CONTENT, EXTRAS] = [0, 2, 4, 6, 8] as const;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Makes entries of rows.
 *
 * @param memory where the rows are
 * @param parser that filled them
 */
export class EntryReader {
  readonly #memory: MemoryView;
  readonly #parser: LineParser;

  constructor(memory: MemoryView, parser: LineParser) {
    this.#memory = memory;
    this.#parser = parser;
  }

  /**
   * Makes an entry.
   *
   * @param rows of which it is number `first`, and those that follow it
   * @param count how many rows it has: see `entryRows`
   * @param extras of the rows
   */
  read(rows: number, first: number, count: number, extras: number, place: Place): Entry {
    const { i32, f64 } = this.#memory;
    const row = rows + first * FIELDS_BYTES;
    const last = row + (count - 1) * FIELDS_BYTES;
    const start = i32[(row + FIELDS_LINE) >> 2] as number;
    const lineBytes = i32[(row + FIELDS_LINE_LENGTH) >> 2] as number;
    const end =
      (i32[(last + FIELDS_LINE) >> 2] as number) + (i32[(last + FIELDS_LINE_LENGTH) >> 2] as number);
    const { extraNames } = this.#parser;
    // This is done for every entry: neither iterators nor a typed array.
    const spans: number[] = [];
    this.#addSpan(spans, row + FIELDS_LEVEL, start);
    this.#addSpan(spans, row + FIELDS_PID, start);
    this.#addSpan(spans, row + FIELDS_COMPONENT, start);
    this.#addSpan(spans, row + FIELDS_CONTENT, start);
    const extrasAt = extras + first * extraNames.length * SPAN_BYTES;
    for (let i = 0; i < extraNames.length; i++) this.#addSpan(spans, extrasAt + i * SPAN_BYTES, start);
    return new LineEntry({
      position: place.position,
      line: place.line,
      parser: this.#parser,
      bytes: this.#memory.copySmall(start, end - start),
      lineBytes,
      spans,
      timestamp: f64[(row + FIELDS_TIMESTAMP) >> 3] as number,
      nanoseconds: i32[(row + FIELDS_NANOSECONDS) >> 2] as number,
      status: i32[(row + FIELDS_STATUS) >> 2] as number,
      levelCode: i32[(row + FIELDS_LEVEL_CODE) >> 2] as number,
    });
  }

  /** Keeps a span, counted from the start of the entry; one that is not there has no length. */
  #addSpan(spans: number[], span: number, start: number): void {
    const { i32 } = this.#memory;
    const length = i32[(span + SPAN_LENGTH) >> 2] as number;
    spans.push(length === 0 ? 0 : (i32[(span + SPAN_ADDRESS) >> 2] as number) - start, length);
  }
}

interface Parts extends Place {
  parser: LineParser;
  bytes: Buffer;
  /** Of its first line. */
  lineBytes: number;
  spans: readonly number[];
  timestamp: number;
  nanoseconds: number;
  status: number;
  levelCode: number;
}

class LineEntry implements Entry {
  readonly position: number;
  readonly line: number | undefined;
  readonly nanoseconds: number;
  readonly #parts: Parts;
  #raw: string | undefined;
  #fields: Readonly<Record<string, unknown>> | undefined;

  constructor(parts: Parts) {
    this.position = parts.position;
    this.line = parts.line;
    this.nanoseconds = parts.nanoseconds;
    this.#parts = parts;
  }

  get timestamp(): number | undefined {
    const { timestamp } = this.#parts;
    return Number.isNaN(timestamp) ? undefined : timestamp;
  }

  get iso(): string | undefined {
    return isoOf(this.#parts.timestamp, this.nanoseconds);
  }

  get level(): Level | undefined {
    const { levelCode, spans } = this.#parts;
    return levelCode === 0 && spans[LEVEL + 1] === 0 ? undefined : LEVEL_NAMES[levelCode];
  }

  get levelText(): string | undefined {
    return this.#text(LEVEL);
  }

  get component(): string | undefined {
    return this.#text(COMPONENT);
  }

  get pid(): string | undefined {
    return this.#text(PID);
  }

  get message(): string {
    const { bytes, lineBytes } = this.#parts;
    const first = this.#isTaken ? (this.#text(CONTENT) ?? '') : bytes.toString('utf8', 0, lineBytes);
    if (lineBytes === bytes.length) return first;
    return first + bytes.toString('utf8', lineBytes).replaceAll('\r\n', '\n');
  }

  get fields(): Readonly<Record<string, unknown>> {
    this.#fields ??= this.#isTaken ? this.#readFields() : {};
    return this.#fields;
  }

  get raw(): string {
    this.#raw ??= this.#parts.bytes.toString();
    return this.#raw;
  }

  get isParsed(): boolean {
    const { status } = this.#parts;
    return status === FIELDS_PARSED || status === FIELDS_PLAIN;
  }

  /** Whether it was taken apart. */
  get #isTaken(): boolean {
    return this.#parts.status === FIELDS_PARSED;
  }

  toJSON(): Entry {
    const { timestamp, nanoseconds, iso, level, levelText, component, pid } = this;
    const { message, fields, raw, isParsed, position, line } = this;
    return {
      ...{ timestamp, nanoseconds, iso, level, levelText, component, pid },
      ...{ message, fields, raw, isParsed, position, line },
    };
  }

  #text(at: number): string | undefined {
    const { spans, bytes, parser } = this.#parts;
    const length = spans[at + 1] as number;
    if (length === 0) return undefined;
    const start = spans[at] as number;
    const isQuoted = parser.hasEscapes && start > 0 && bytes[start - 1] === QUOTE;
    const isEscaped = isQuoted && bytes.subarray(start, start + length).includes(BACKSLASH);
    const text = bytes.toString('utf8', start, start + length);
    return isEscaped ? unescape(text) : text;
  }

  #readFields(): Record<string, unknown> {
    const { parser, bytes, lineBytes } = this.#parts;
    const { extraNames } = parser;
    if (parser.name === 'json') return jsonFields(bytes.toString('utf8', 0, lineBytes));
    if (parser.name === 'logfmt') return logfmtFields(bytes.toString('utf8', 0, lineBytes));
    const fields: Record<string, unknown> = {};
    for (const [i, name] of extraNames.entries()) {
      const text = this.#text(EXTRAS + i * 2);
      if (text !== undefined) fields[name] = text;
    }
    return fields;
  }
}

/** Text with the escapes of JSON; as it is where they are not those of JSON. */
function unescape(text: string): string {
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}

const LONG_NUMBER = /\d{16}/;
/** Strings, which are passed over, and numbers. */
const VALUE = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** A text of JSON in which integers that a number of JavaScript cannot hold stand as strings. */
function withLongIntegers(text: string): string {
  return text.replace(VALUE, (value) => {
    const isLong = /^-?\d+$/.test(value) && !Number.isSafeInteger(Number(value));
    return isLong ? `"${value}"` : value;
  });
}

/** All keys of an object that have no place of their own. */
function jsonFields(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(LONG_NUMBER.test(text) ? withLongIntegers(text) : text);
  } catch {
    // The kernel does not look into what is nested, nor at each digit.
    return {};
  }
  const object = parsed as Record<string, unknown>;
  return Object.fromEntries(otherKeys(Object.keys(object)).map((key) => [key, object[key]]));
}

const PAIR = /([^\s="]+)(?:=(?:"((?:[^"\\]|\\[^])*)"|([^\s]*)))?/g;

/** The same of a line of logfmt; a key without a value is true. */
function logfmtFields(text: string): Record<string, unknown> {
  const pairs = new Map<string, unknown>();
  for (const [, key = '', quoted, bare] of text.matchAll(PAIR)) {
    pairs.set(key, quoted === undefined ? (bare ?? true) : unescape(quoted));
  }
  return Object.fromEntries(otherKeys([...pairs.keys()]).map((key) => [key, pairs.get(key)]));
}

let lastTimestamp = Number.NaN;
let lastIso = '';

/**
 * A time as ISO 8601, in UTC.
 *
 * @param timestamp in milliseconds since the epoch, or NaN
 * @param nanoseconds beyond them: where there are some, six or nine digits stand behind the seconds
 */
export function isoOf(timestamp: number, nanoseconds: number): string | undefined {
  if (Number.isNaN(timestamp)) return undefined;
  // Entries of one time are next to each other.
  if (timestamp !== lastTimestamp) {
    lastIso = new Date(timestamp).toISOString();
    lastTimestamp = timestamp;
  }
  const iso = lastIso;
  if (nanoseconds === 0) return iso;
  const digits = String(nanoseconds).padStart(6, '0');
  return `${iso.slice(0, -1)}${digits.endsWith('000') ? digits.slice(0, 3) : digits}Z`;
}
