/**
 * Lines that pino writes, as log entries: JSON with a level as a number, a time, and a message. Here is what a line
 * means; lines as pino writes them most often are taken apart faster, by line-bytes.ts.
 *
 * @module
 */

import type { EventInput } from '../events/input.ts';
import { TIME_MS_MAX } from '../events/time.ts';
import { LEVEL_NAMES, type Level } from '../levels.ts';

/** From these numbers on a level of pino is called so. */
const LEVELS: readonly (readonly [least: number, name: Level])[] = [
  [60, 'FATAL'],
  [50, 'ERROR'],
  [40, 'WARN'],
  [30, 'INFO'],
  [20, 'DEBUG'],
  [Number.NEGATIVE_INFINITY, 'TRACE'],
];
const NAMES: ReadonlySet<string> = new Set(LEVEL_NAMES);
/** An ISO time with more digits of a second than milliseconds have. */
const FINE_ISO = /^(.*[T ].*\.\d{3})(\d{1,6})\d*(Z|[+-]\d\d:?\d\d)?$/;
/** How many digits the whole part of a time has at most, and by what it becomes milliseconds. */
const UNITS: readonly (readonly [digits: number, scale: number])[] = [
  [11, 1000],
  [14, 1],
  [17, 1e-3],
  [20, 1e-6],
];
const NS_PER_MS = 1_000_000;

/**
 * The entry of a line. `msg` is the message (or `message`, where there is no `msg`), `name` (or `component`) the
 * component, `version` the version. All other fields are metadata; so are these where they are of another type, and a
 * level or a time that is not known. What is no JSON is a message.
 *
 * @param line without its end
 */
export function entryOfLine(line: string): EventInput {
  const fields = parse(line);
  if (fields === undefined) return { message: line };
  const { level, time, msg, name, component, version, ...rest } = fields;
  let message = msg;
  if (msg === undefined && typeof rest['message'] === 'string') {
    message = rest['message'];
    delete rest['message'];
  }
  const code = levelOf(level);
  const at = timeOf(time);
  const entry: EventInput = { level: code ?? 'OTHER', message: textOf(message), ...at };
  if (code === undefined && level !== undefined) rest['level'] = level;
  if (at === undefined && time !== undefined) rest['time'] = time;
  const who = typeof component === 'string' ? component : name;
  if (typeof who === 'string') entry.component = who;
  if (name !== undefined && name !== entry.component) rest['name'] = name;
  if (component !== undefined && component !== entry.component) rest['component'] = component;
  if (typeof version === 'string') entry.version = version;
  else if (version !== undefined) rest['version'] = version;
  for (const _ in rest) {
    entry.metadata = rest;
    break;
  }
  return entry;
}

/**
 * The entry of a line that is too long to be kept as it is: without its metadata, and with the beginning of its
 * message. How long it was is there in place of what is not.
 *
 * @param bytes how many the line has
 * @param maxBytes how many the entry may have
 */
export function cutEntryOfLine(line: string, bytes: number, maxBytes: number): EventInput {
  const { metadata: _, component = '', version = '', ...entry } = entryOfLine(line);
  // A character has at most three bytes, and there is more than the message.
  const most = Math.floor(maxBytes / 16);
  return {
    ...entry,
    message: entry.message.slice(0, most),
    ...(component !== '' && { component: component.slice(0, most) }),
    ...(version !== '' && { version: version.slice(0, most) }),
    metadata: { cutFromBytes: bytes },
  };
}

/** The name of a level by its number. */
export function levelOfNumber(level: number): Level | undefined {
  return LEVELS.find(([least]) => level >= least)?.[1];
}

function parse(line: string): Record<string, unknown> | undefined {
  if (line.charCodeAt(0) !== 0x7b) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  return message === undefined ? '' : JSON.stringify(message);
}

/** The level that is meant; undefined for none that is known. */
function levelOf(level: unknown): Level | undefined {
  if (typeof level === 'number') return levelOfNumber(level);
  const upper = typeof level === 'string' ? level.toUpperCase() : '';
  return NAMES.has(upper) ? (upper as Level) : undefined;
}

/**
 * A time: a number since the epoch, whose size tells its unit (up to 11 digits are seconds, 14 milliseconds, 17
 * microseconds, then nanoseconds), or ISO-8601. Any other is that of the write.
 */
function timeOf(time: unknown): Pick<EventInput, 'timestamp' | 'nanoseconds'> | undefined {
  if (typeof time === 'string') return isoTime(time);
  if (typeof time !== 'number' || !(time >= 0)) return undefined;
  const digits = String(Math.floor(time)).length;
  const scale = UNITS.find(([most]) => digits <= most)?.[1];
  if (scale === undefined) return undefined;
  const whole = Math.floor(time);
  // Nanoseconds of our days are more than a number holds: what is left of them is not made up from one.
  const ms = scale >= 1 ? whole * scale : Math.floor(whole * scale);
  const rest =
    scale >= 1 ? (time - whole) * scale * NS_PER_MS : scale === 1e-3 ? (whole - ms * 1000) * 1000 : 0;
  const more = Math.floor(rest / NS_PER_MS);
  return checked(ms + more, Math.floor(rest - more * NS_PER_MS));
}

function isoTime(time: string): Pick<EventInput, 'timestamp' | 'nanoseconds'> | undefined {
  const [, start = time, digits = '', zone = ''] = FINE_ISO.exec(time) ?? [];
  return checked(Date.parse(start + zone), Number(digits.padEnd(6, '0')));
}

function checked(
  timestamp: number,
  nanoseconds: number,
): Pick<EventInput, 'timestamp' | 'nanoseconds'> | undefined {
  if (!(timestamp >= 0 && timestamp <= TIME_MS_MAX)) return undefined;
  return nanoseconds === 0 ? { timestamp } : { timestamp, nanoseconds };
}
