/**
 * Lines that pino writes, as log entries: JSON with a level as a number, a time, and a message.
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

/**
 * The entry of a line. `msg` is the message, `name` (or `component`) the component, `version` the version, and all
 * other fields are metadata. What is no JSON is a message.
 *
 * @param line without its end
 */
export function entryOfLine(line: string): EventInput {
  const fields = parse(line);
  if (fields === undefined) return { message: line };
  const { level, time, msg, name, component, version, ...rest } = fields;
  const entry: EventInput = { level: levelOf(level), message: textOf(msg), ...timeOf(time) };
  const who = typeof component === 'string' ? component : name;
  if (typeof who === 'string') entry.component = who;
  if (typeof component === 'string' && name !== undefined) rest['name'] = name;
  if (component !== undefined && typeof component !== 'string') rest['component'] = component;
  if (typeof version === 'string') entry.version = version;
  else if (version !== undefined) rest['version'] = version;
  for (const _ in rest) {
    entry.metadata = rest;
    break;
  }
  return entry;
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

function levelOf(level: unknown): Level {
  if (typeof level === 'number') return LEVELS.find(([least]) => level >= least)?.[1] ?? 'OTHER';
  const upper = typeof level === 'string' ? level.toUpperCase() : '';
  return NAMES.has(upper) ? (upper as Level) : 'OTHER';
}

/** A time in milliseconds, or as ISO-8601; any other is that of the write. */
function timeOf(time: unknown): Pick<EventInput, 'timestamp' | 'nanoseconds'> {
  const ms = typeof time === 'string' ? Date.parse(time) : time;
  if (typeof ms !== 'number' || !(ms >= 0 && ms <= TIME_MS_MAX)) return {};
  const timestamp = Math.floor(ms);
  if (timestamp === ms) return { timestamp };
  return { timestamp, nanoseconds: Math.floor((ms - timestamp) * 1_000_000) };
}
