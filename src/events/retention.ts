/**
 * How long a store keeps entries: by their age, and by bytes, for all and for each level. What that means is a time
 * for each level: what is before is past its retention. Such entries are hidden from every reading at once, and go
 * when tables are merged.
 *
 * @module
 */

import { LEVEL_NAMES, type Level, levelCode } from '../levels.ts';
import type { TableProperties } from '../lsm/table/table-file.ts';
import { checkOptions, integerOption } from '../options.ts';
import { keyMilliseconds } from './entry.ts';
import { KEY_BYTES } from './format.ts';
import { TIME_MS_MAX } from './time.ts';

/** What is kept; everything unless given. */
export interface RetentionLimits {
  /** Entries are kept so long, by the time that they have, in milliseconds. */
  ageMs?: number;
  /** The newest are kept, as many as have so many bytes: keys and values, as far as they are in tables. */
  bytes?: number;
}

export interface EventRetention extends RetentionLimits {
  /** Limits for entries of a level, in place of the age and besides the bytes of all. */
  levels?: Partial<Record<Level, RetentionLimits>>;
}

export interface EventsOptions {
  /**
   * How long entries are kept. It is kept with the store, until others are given, or false for no limits. That of the
   * store unless given.
   */
  retention?: EventRetention | false | undefined;
}

const NAMES = ['ageMs', 'bytes'];
/** How finely a time is looked for at which the bytes before it are too many. */
const STEPS = 48;

/**
 * Checks limits.
 *
 * @returns undefined where nothing is limited
 * @throws TypeError, RangeError with the name of what is wrong
 */
export function checkRetention(retention: EventRetention): EventRetention | undefined {
  checkOptions('retention', retention, [...NAMES, 'levels']);
  checkLimits('retention', retention);
  const { levels = {}, ...own } = retention;
  checkOptions('retention.levels', levels, LEVEL_NAMES);
  for (const [level, limits] of Object.entries(levels)) {
    checkOptions(`retention.levels.${level}`, limits, NAMES);
    checkLimits(`retention.levels.${level}`, limits);
  }
  if (Object.keys(own).length === 0 && Object.keys(levels).length === 0) return undefined;
  return { ...own, levels };
}

function checkLimits(name: string, { ageMs, bytes }: RetentionLimits): void {
  integerOption(`${name}.ageMs`, ageMs, 1, 1);
  integerOption(`${name}.bytes`, bytes, 1, 1);
}

/** Entries of a table, spread over its time. */
export interface RetainedTable {
  fromMs: number;
  toMs: number;
  levelBytes: readonly number[];
}

/** What a table has of log entries; undefined where it does not say. */
export function retainedTable({ smallestKey, largestKey, tags }: TableProperties): RetainedTable | undefined {
  if (tags === undefined || smallestKey.length < KEY_BYTES) return undefined;
  // The store's own key lies behind all times.
  const toMs = largestKey.length < KEY_BYTES ? TIME_MS_MAX : keyMilliseconds(largestKey, 0);
  return { fromMs: keyMilliseconds(smallestKey, 0), toMs, levelBytes: tags.levelBytes };
}

/**
 * The times, by the code of the level and in milliseconds, before which entries are past their retention.
 *
 * @param tables what is there, the time of none behind `nowMs`
 */
export function cutoffsOf(
  retention: EventRetention,
  nowMs: number,
  tables: readonly RetainedTable[],
): number[] {
  const all = retention.bytes === undefined ? 0 : cutoffOfBytes(retention.bytes, nowMs, tables, undefined);
  return LEVEL_NAMES.map((level) => {
    const own = retention.levels?.[level];
    const ageMs = own?.ageMs ?? retention.ageMs;
    const byAge = ageMs === undefined ? 0 : Math.max(0, nowMs - ageMs);
    const byBytes = own?.bytes === undefined ? 0 : cutoffOfBytes(own.bytes, nowMs, tables, levelCode(level));
    return Math.max(all, byAge, byBytes);
  });
}

/** The first time behind which there are no more than so many bytes; 0 where there are no more in all. */
function cutoffOfBytes(
  bytes: number,
  nowMs: number,
  tables: readonly RetainedTable[],
  level: number | undefined,
): number {
  const after = (ms: number): number =>
    tables.reduce((sum, { fromMs, toMs, levelBytes }) => {
      const own = level === undefined ? levelBytes.reduce((a, b) => a + b, 0) : (levelBytes[level] as number);
      const end = Math.max(fromMs, Math.min(toMs, nowMs)) + 1;
      return sum + own * Math.min(1, Math.max(0, (end - ms) / (end - fromMs)));
    }, 0);
  if (after(0) <= bytes) return 0;
  let low = 0;
  let high = Math.max(nowMs, ...tables.map(({ fromMs }) => fromMs)) + 1;
  for (let step = 0; step < STEPS && high - low > 1; step++) {
    const middle = Math.floor((low + high) / 2);
    if (after(middle) > bytes) low = middle;
    else high = middle;
  }
  return high;
}

/** Keeps cutoffs from going back: what was hidden once stays so. */
export class Cutoffs {
  #last: number[] = LEVEL_NAMES.map(() => 0);

  /** @returns the later of these and those before */
  advance(cutoffs: readonly number[]): readonly number[] {
    this.#last = this.#last.map((last, level) => Math.max(last, cutoffs[level] ?? 0));
    return this.#last;
  }
}
