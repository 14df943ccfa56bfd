/**
 * Log entries as callers hand them in, and that they are right.
 *
 * @module
 */

import { LEVEL_NAMES, type Level, levelCode } from '../levels.ts';
import { TIME_MS_MAX, TIME_NS_END } from './time.ts';

/** A log entry that is to be written. */
export interface EventInput {
  /**
   * When: whole milliseconds since the epoch as a number, or nanoseconds as a bigint, from 1970 to 2262. The
   * time of the write unless given.
   */
  timestamp?: number | bigint | undefined;
  /** What a timestamp in milliseconds lacks, from 0 to 999,999. */
  nanoseconds?: number | undefined;
  /** In upper or lower case; `INFO` unless given. */
  level?: Level | Lowercase<Level> | undefined;
  message: string;
  /** Of whatever wrote it. */
  version?: string | undefined;
  /** What wrote it. */
  component?: string | undefined;
  /** Anything else, as it is written to JSON. */
  metadata?: Readonly<Record<string, unknown>> | undefined;
}

const FIELDS: readonly string[] = [
  'timestamp',
  'nanoseconds',
  'level',
  'message',
  'version',
  'component',
  'metadata',
];
const DEFAULT_LEVEL: number = LEVEL_NAMES.indexOf('INFO');
const NS_MAX = 999_999;

/** Codes of levels as they are written most often. */
const CODES: ReadonlyMap<string, number> = new Map(
  LEVEL_NAMES.flatMap((name, code) => [
    [name, code],
    [name.toLowerCase(), code],
  ]),
);

/** An entry that was checked: what of it needs more than to be looked at. */
export interface CheckedTime {
  ms: number;
  nanoseconds: number;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object') return value === null ? 'null' : 'an object';
  return typeof value === 'string' ? JSON.stringify(value) : typeof value;
}

/** @throws TypeError where it is no entry, or has a field that entries have not */
export function checkEntry(entry: EventInput): void {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    throw new TypeError(`an entry must be an object, not ${describe(entry)}`);
  }
  for (const field in entry) {
    if (!FIELDS.includes(field))
      throw new TypeError(`an entry has no field ${field}; it has ${FIELDS.join(', ')}`);
  }
}

/**
 * The code of a level.
 *
 * @throws TypeError, RangeError
 */
export function checkLevel(level: unknown): number {
  if (level === undefined) return DEFAULT_LEVEL;
  const code = CODES.get(level as string);
  if (code !== undefined) return code;
  if (typeof level !== 'string') throw new TypeError(`level must be a string, not ${describe(level)}`);
  return levelCode(level);
}

/** @throws TypeError where it is no string */
export function checkText(name: string, value: unknown): string {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, not ${describe(value)}`);
  return value;
}

/**
 * The time of an entry.
 *
 * @param out where it goes
 * @param nowMs for one that has none
 * @throws TypeError, RangeError
 */
export function checkTime(entry: EventInput, nowMs: number, out: CheckedTime): void {
  const { timestamp, nanoseconds } = entry;
  out.nanoseconds = 0;
  if (typeof timestamp === 'number') {
    if (!Number.isInteger(timestamp) || timestamp < 0 || timestamp > TIME_MS_MAX) {
      throw new RangeError(
        `timestamp must be whole milliseconds from 0 to ${TIME_MS_MAX}, or nanoseconds as a bigint; not ${timestamp}`,
      );
    }
    out.ms = timestamp;
  } else if (timestamp === undefined) {
    out.ms = nowMs;
  } else if (typeof timestamp === 'bigint') {
    if (timestamp < 0n || timestamp >= TIME_NS_END)
      throw new RangeError(`timestamp must be nanoseconds from 0 to ${TIME_NS_END - 1n}, not ${timestamp}`);
    if (nanoseconds !== undefined)
      throw new TypeError('nanoseconds go with a timestamp in milliseconds, not with a bigint');
    out.ms = Number(timestamp / 1_000_000n);
    out.nanoseconds = Number(timestamp % 1_000_000n);
    return;
  } else {
    throw new TypeError(`timestamp must be a number or a bigint, not ${describe(timestamp)}`);
  }
  if (nanoseconds === undefined) return;
  if (typeof nanoseconds !== 'number')
    throw new TypeError(`nanoseconds must be a number, not ${describe(nanoseconds)}`);
  if (!Number.isInteger(nanoseconds) || nanoseconds < 0 || nanoseconds > NS_MAX)
    throw new RangeError(`nanoseconds must be a whole number from 0 to ${NS_MAX}, not ${nanoseconds}`);
  out.nanoseconds = nanoseconds;
}

/**
 * Metadata as JSON.
 *
 * @throws TypeError where it is no object, or cannot be written as JSON
 */
export function metadataText(metadata: unknown): string {
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new TypeError(`metadata must be an object, not ${describe(metadata)}`);
  let text: string | undefined;
  try {
    text = JSON.stringify(metadata);
  } catch (cause) {
    throw new TypeError(`metadata cannot be written as JSON: ${(cause as Error).message}`, { cause });
  }
  if (text === undefined || text[0] !== '{')
    throw new TypeError('metadata must be written to JSON as an object');
  return text;
}
