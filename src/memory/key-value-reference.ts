/**
 * The kernels `parseJson` and `parseLogfmt` in plain JavaScript: the specification that the WebAssembly builds
 * are compared with. Lines are strings of one character a byte (latin1).
 *
 * @module
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
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
} from './layout.ts';
import { levelOf } from './level-reference.ts';
import { extrasBytes } from './pattern-reference.ts';
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
  SLOT_COMPONENT,
  SLOT_CONTENT,
  SLOT_EXTRAS,
  SLOT_LEVEL,
  SLOT_PID,
  SLOT_TIME,
  TIME_EPOCH,
  TIME_ISO,
} from './program-layout.ts';
import { type FoundTime, readTime, type TimeParts, timeOf } from './time-reference.ts';

/** A key and its value: where they begin and end. */
export interface Pair {
  key: string;
  start: number;
  end: number;
}

const STRING = /"(?:[^"\\]|\\[^])*"/y;
const SCALAR = /[-\d][\d.eE+-]*|true|false/y;
const SPACE = /[ \t\r]*/y;

/** The keys and values of a line that is a JSON object; undefined where it is none. */
export function pairsOfJson(line: string): Pair[] | undefined {
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const text = pattern.exec(line)?.[0];
    at += text?.length ?? 0;
    return text;
  };
  const token = (text: string): boolean => {
    take(SPACE);
    if (!line.startsWith(text, at)) return false;
    at += text.length;
    take(SPACE);
    return true;
  };
  const pairs: Pair[] = [];
  if (!token('{')) return undefined;
  if (token('}')) return at === line.length ? pairs : undefined;
  do {
    const key = take(STRING);
    if (key === undefined || !token(':')) return undefined;
    const start = at;
    const string = take(STRING);
    if (string !== undefined) pairs.push({ key: key.slice(1, -1), start: start + 1, end: at - 1 });
    else if (line.startsWith('null', at)) at += 4;
    else if (take(SCALAR) !== undefined) pairs.push({ key: key.slice(1, -1), start, end: at });
    else if (/[[{]/.test(line[at] ?? '')) {
      const length = nestedLength(line.slice(at));
      if (length === undefined) return undefined;
      at += length;
      pairs.push({ key: key.slice(1, -1), start, end: at });
    } else return undefined;
  } while (token(','));
  return token('}') && at === line.length ? pairs : undefined;
}

/** How long an object or an array is; undefined where it does not end. */
function nestedLength(text: string): number | undefined {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\[^])*"|"|[[\]{}]/g)) {
    if (token === '"') return undefined;
    if (token === '{' || token === '[') depth++;
    if (token === '}' || token === ']') depth--;
    if (depth === 0) return index + 1;
  }
  return undefined;
}

const PAIR = /[ \t]*([!#-<>-\u00ff]+)(?:(=)(?:"((?:[^"\\]|\\[^])*)"|((?!")[^ \t]*)))?(?=[ \t]|$)/y;

/** The keys and values of a line of logfmt; undefined where it is none. */
export function pairsOfLogfmt(line: string): Pair[] | undefined {
  const text = line.replace(/[ \t]+$/, '');
  const pairs: Pair[] = [];
  let at = 0;
  for (let isFirst = true; at < text.length; isFirst = false) {
    PAIR.lastIndex = at;
    const match = PAIR.exec(text);
    if (match === null) return undefined;
    const [all, key = '', equals, quoted, bare] = match;
    if (isFirst && equals === undefined) return undefined;
    at += all.length;
    if (quoted !== undefined) pairs.push({ key, start: at - 1 - quoted.length, end: at - 1 });
    else if (bare !== undefined) pairs.push({ key, start: at - bare.length, end: at });
  }
  return pairs.length === 0 ? undefined : pairs;
}

/** What the keys of a line put into their places. */
class Places {
  readonly #view: DataView;
  readonly #table: number;
  readonly #ranks = new Map<number, number>();
  readonly spans = new Map<number, readonly [number, number]>();
  time: FoundTime | undefined;
  hasBadTime = false;

  constructor(view: DataView, table: number) {
    this.#view = view;
    this.#table = table;
  }

  put(line: string, { key, start, end }: Pair): void {
    if (key === '') return;
    const view = this.#view;
    const first = key.charCodeAt(0);
    const hash = (key.length * 7 + first + key.charCodeAt(key.length - 1) * 5) & KEYS_BUCKETS_MASK;
    let offset = view.getInt32(this.#table + PROGRAM_CODE + hash * 4, true);
    while (offset !== 0) {
      const entry = this.#table + offset;
      const bytes = Array.from({ length: view.getInt32(entry + KEY_LENGTH, true) }, (_, i) =>
        view.getUint8(entry + KEY_TEXT + i),
      );
      if (String.fromCharCode(...bytes) === key) {
        const [slot, rank] = [view.getInt32(entry + KEY_SLOT, true), view.getInt32(entry + KEY_RANK, true)];
        this.#putInto(slot, rank, line.slice(start, end), [start, end]);
      }
      offset = view.getInt32(entry + KEY_NEXT, true);
    }
  }

  get isKnown(): boolean {
    return this.time !== undefined || this.#ranks.has(SLOT_LEVEL) || this.#ranks.has(SLOT_CONTENT);
  }

  #putInto(slot: number, rank: number, text: string, span: readonly [number, number]): void {
    if (slot >= SLOT_EXTRAS) {
      this.spans.set(slot, span);
      return;
    }
    const most: Record<number, number> = {
      [SLOT_LEVEL]: LEVEL_TEXT_BYTES_MAX,
      [SLOT_PID]: PID_TEXT_BYTES_MAX,
      [SLOT_COMPONENT]: COMPONENT_TEXT_BYTES_MAX,
    };
    if (text.length > (most[slot] ?? Number.POSITIVE_INFINITY)) return;
    if (rank > (this.#ranks.get(slot) ?? Number.POSITIVE_INFINITY)) return;
    if (slot === SLOT_TIME) {
      const time = wholeTime(text);
      if (time === undefined) {
        this.hasBadTime = true;
        return;
      }
      this.time = time;
    } else {
      this.spans.set(slot, span);
    }
    this.#ranks.set(slot, rank);
  }
}

function wholeTime(text: string): FoundTime | undefined {
  const parts: TimeParts = {};
  const length = readTime([TIME_ISO], text, parts);
  if (length !== undefined) return length === text.length ? timeOf(parts) : undefined;
  const digits = /^\d*/.exec(text)?.[0].length ?? 0;
  if (digits < EPOCH_DIGITS_MIN) return undefined;
  const number: TimeParts = {};
  return readTime([TIME_EPOCH], text, number) === text.length ? timeOf(number) : undefined;
}

const ROW_SPANS: Readonly<Record<number, number>> = {
  [SLOT_LEVEL]: FIELDS_LEVEL,
  [SLOT_PID]: FIELDS_PID,
  [SLOT_COMPONENT]: FIELDS_COMPONENT,
  [SLOT_CONTENT]: FIELDS_CONTENT,
};

/**
 * Puts the values of one line into their places.
 *
 * @param pairs of the line; undefined where it is not of the format
 * @param needsKnown whether a time, a level or a message must be there
 * @returns whether the line is of the format
 */
export function putPairs(
  view: DataView,
  table: number,
  address: number,
  line: string,
  pairs: readonly Pair[] | undefined,
  needsKnown: boolean,
  row: number,
  extras: number,
): boolean {
  for (let at = 0; at < extrasBytes(view, table); at++) view.setUint8(extras + at, 0);
  if (pairs === undefined) return false;
  const places = new Places(view, table);
  for (const pair of pairs) places.put(line, pair);
  const { time, spans } = places;
  if ((time === undefined && places.hasBadTime) || (needsKnown && !places.isKnown)) return false;
  for (const [slot, [start, end]] of spans) {
    const span =
      slot >= SLOT_EXTRAS ? extras + (slot - SLOT_EXTRAS) * SPAN_BYTES : row + (ROW_SPANS[slot] ?? 0);
    view.setInt32(span + SPAN_ADDRESS, address + start, true);
    view.setInt32(span + SPAN_LENGTH, end - start, true);
    if (slot === SLOT_LEVEL) view.setInt32(row + FIELDS_LEVEL_CODE, levelOf(line.slice(start, end)), true);
  }
  if (time === undefined) return true;
  view.setFloat64(row + FIELDS_TIMESTAMP, time.ms, true);
  view.setInt32(row + FIELDS_NANOSECONDS, time.nanoseconds, true);
  view.setInt32(row + FIELDS_FLAGS, time.isLocal ? FIELDS_LOCAL : 0, true);
  return true;
}
