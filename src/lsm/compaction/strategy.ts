/**
 * The ways to decide which tables are merged, as an option of a tree. Each is a pure function of the tables, the
 * options and the time.
 *
 * @module
 */

import { checkInteger, checkOneOf, checkOptions, integerOption } from '../../options.ts';
import type { Choice, Levels } from './choice.ts';
import { chooseLeveled, DEFAULT_LEVELED, type LeveledOptions } from './leveled.ts';
import { chooseTiered, DEFAULT_TIERED, type TieredOptions } from './tiered.ts';
import { chooseTimeWindow, type TimeWindowOptions } from './time-window.ts';

/** How the tables of a tree are merged; see `TreeOptions.strategy`. */
export type CompactionStrategy =
  | ({ kind: 'leveled' } & Partial<LeveledOptions>)
  | ({ kind: 'tiered' } & Partial<TieredOptions>)
  | ({ kind: 'timeWindow'; windowMs: number; maxAgeMs: number } & Partial<TimeWindowOptions>);

/** The same with all defaults filled in, as the manifest keeps it. */
export type StoredStrategy =
  | ({ kind: 'leveled' } & LeveledOptions)
  | ({ kind: 'tiered' } & TieredOptions)
  | ({ kind: 'timeWindow' } & TimeWindowOptions);

const KINDS = ['leveled', 'tiered', 'timeWindow'] as const;
/** Writers are slowed down when there are more tables in level 0 than this. */
const RUNS_MAX = 12;
/** Each window is a run, which lookups go through. */
const WINDOWS_MAX = 1000;
/** The first level of leveled compaction has so many tables. */
const BASE_TABLES = 4;
const BASE_BYTES_MIN = 1024;

/**
 * Checks a strategy and fills in the defaults.
 *
 * @param tableBytes what a table has at most
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveStrategy(
  strategy: CompactionStrategy | undefined,
  tableBytes: number,
  stored?: StoredStrategy,
): StoredStrategy {
  if (strategy === undefined) {
    return stored ?? { kind: 'leveled', ...DEFAULT_LEVELED, baseBytes: BASE_TABLES * tableBytes };
  }
  const names = { leveled: LEVELED_NAMES, tiered: TIERED_NAMES, timeWindow: WINDOW_NAMES };
  checkOptions('strategy', strategy, ['kind', ...Object.values(names).flat()]);
  const kind = checkOneOf('strategy.kind', strategy.kind, KINDS);
  checkOptions('strategy', strategy, ['kind', ...names[kind]]);
  if (strategy.kind === 'leveled') return resolveLeveled(strategy, tableBytes);
  return strategy.kind === 'tiered' ? resolveTiered(strategy) : resolveWindow(strategy);
}

const LEVELED_NAMES = ['level0Tables', 'baseBytes', 'factor'];
const TIERED_NAMES = ['minRuns', 'maxRuns', 'sizeRatio', 'spaceRatio'];
const WINDOW_NAMES = ['windowMs', 'maxAgeMs', 'maxBytes', 'minRuns'];

function resolveLeveled(
  { level0Tables, baseBytes, factor }: Partial<LeveledOptions>,
  tableBytes: number,
): StoredStrategy {
  return {
    kind: 'leveled',
    level0Tables: integerOption(
      'strategy.level0Tables',
      level0Tables,
      DEFAULT_LEVELED.level0Tables,
      2,
      RUNS_MAX,
    ),
    baseBytes: integerOption('strategy.baseBytes', baseBytes, BASE_TABLES * tableBytes, BASE_BYTES_MIN),
    factor: integerOption('strategy.factor', factor, DEFAULT_LEVELED.factor, 2, 100),
  };
}

function resolveTiered(options: Partial<TieredOptions>): StoredStrategy {
  const minRuns = integerOption('strategy.minRuns', options.minRuns, DEFAULT_TIERED.minRuns, 2, RUNS_MAX);
  const fallback = Math.max(minRuns, DEFAULT_TIERED.maxRuns);
  return {
    kind: 'tiered',
    minRuns,
    maxRuns: integerOption('strategy.maxRuns', options.maxRuns, fallback, minRuns, RUNS_MAX),
    sizeRatio: ratioOption('strategy.sizeRatio', options.sizeRatio, DEFAULT_TIERED.sizeRatio, 1),
    spaceRatio: ratioOption('strategy.spaceRatio', options.spaceRatio, DEFAULT_TIERED.spaceRatio, 0.1),
  };
}

function resolveWindow(options: Partial<TimeWindowOptions>): StoredStrategy {
  const windowMs = checkInteger('strategy.windowMs', options.windowMs, 1, Number.MAX_SAFE_INTEGER);
  const most = Math.min(Number.MAX_SAFE_INTEGER, WINDOWS_MAX * windowMs);
  return {
    kind: 'timeWindow',
    windowMs,
    maxAgeMs: checkInteger('strategy.maxAgeMs', options.maxAgeMs, windowMs, most),
    maxBytes: integerOption('strategy.maxBytes', options.maxBytes, 0, 0),
    minRuns: integerOption('strategy.minRuns', options.minRuns, DEFAULT_TIERED.minRuns, 2, RUNS_MAX),
  };
}

function ratioOption(name: string, value: unknown, fallback: number, min: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number`);
  if (!(value >= min && value <= 100))
    throw new RangeError(`${name} must be from ${min} to 100, not ${value}`);
  return value;
}

/**
 * Decides what is to be done about the tables of a tree.
 *
 * @param levels from level 0 on, that with the newest first, the others by their keys
 * @param nowMs milliseconds since the epoch
 * @param snapshots sequence numbers at which somebody reads
 * @returns undefined where there is nothing to do
 */
export function choose(
  levels: Levels,
  strategy: StoredStrategy,
  nowMs: number,
  snapshots: readonly number[],
): Choice | undefined {
  if (strategy.kind === 'leveled') return chooseLeveled(levels, strategy);
  if (strategy.kind === 'tiered') return chooseTiered(levels, strategy);
  return chooseTimeWindow(levels, strategy, nowMs, snapshots);
}

/** How many tables of level 0 wait to be merged: with many of them, writers have to be slower. */
export function backlogOf([newest = []]: Levels, strategy: StoredStrategy): number {
  if (strategy.kind !== 'timeWindow') return newest.length;
  const windows = newest.map(({ properties }) => Math.floor(properties.lastMs / strategy.windowMs));
  return windows.length - new Set(windows).size;
}

/** How often tables have to be looked at though nothing is written; undefined where they need not. */
export function checkIntervalOf(strategy: StoredStrategy): number | undefined {
  return strategy.kind === 'timeWindow' ? Math.min(strategy.windowMs, CHECK_INTERVAL_MAX_MS) : undefined;
}

const CHECK_INTERVAL_MAX_MS = 60_000;
