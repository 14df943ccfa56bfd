/**
 * Counts of entries: all together, and over time.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { LEVEL_NAMES, type Level } from '../levels.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import { checkOneOf, checkOptions, integerOption } from '../options.ts';
import { keyMilliseconds } from './entry.ts';
import { KEY_BYTES, VALUE_LEVEL } from './format.ts';
import type { EventSource } from './pending.ts';
import { type Cutoffs, EventScan } from './scan.ts';
import { type EventFilter, FILTER_OPTIONS, resolveSelection, type Selection } from './selection.ts';
import { nanosecondsOf } from './time.ts';

export interface HistogramOptions extends EventFilter {
  /** How many stretches of time there are; 60 unless given. */
  buckets?: number | undefined;
  /** Count each level by itself, too. */
  by?: 'level' | undefined;
}

/** How many entries there are in each of some stretches of time, all equally long. */
export interface EventHistogram {
  /** When the first begins, in milliseconds since the epoch; undefined where there are no entries. */
  startMs: number | undefined;
  /** How long each is, in whole milliseconds. */
  widthMs: number;
  counts: number[];
  /** By level, for those levels of which there is an entry. */
  levels?: Partial<Record<Level, number[]>>;
}

const BUCKETS_DEFAULT = 60;
const BUCKETS_MAX = 100_000;
/** How long counting goes on before others have their turn, in milliseconds. */
const TURN_MS = 10;

/** Lets others have their turn when it is time. */
class Turns {
  readonly #clock: Clock;
  #sinceMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonic();
  }

  /** @returns undefined where it is not time yet */
  give(): Promise<void> | undefined {
    if (this.#clock.monotonic() - this.#sinceMs < TURN_MS) return undefined;
    return new Promise((resolve) => {
      this.#clock.nextTurn(() => {
        this.#sinceMs = this.#clock.monotonic();
        resolve();
      });
    });
  }
}

/** Counts the entries that are wanted. */
export async function countEntries(
  clock: Clock,
  source: EventSource,
  selection: Selection,
  cutoffs: Cutoffs | undefined,
): Promise<number> {
  const scan = new EventScan(source, selection, { cutoffs });
  const turns = new Turns(clock);
  try {
    let count = 0;
    for (;;) {
      const more = scan.countPage();
      if (more < 0) return count;
      count += more;
      const turn = turns.give();
      if (turn !== undefined) await turn;
    }
  } finally {
    scan.close();
  }
}

/**
 * Counts over time.
 *
 * @throws TypeError, RangeError where an option is wrong
 */
export async function histogramOf(
  clock: Clock,
  source: EventSource,
  options: HistogramOptions,
  cutoffs: Cutoffs | undefined,
): Promise<EventHistogram> {
  checkOptions('options', options, [...FILTER_OPTIONS, 'buckets', 'by']);
  const most = integerOption('buckets', options.buckets, BUCKETS_DEFAULT, 1, BUCKETS_MAX);
  const isByLevel = options.by !== undefined && checkOneOf('by', options.by, ['level']) === 'level';
  const selection = resolveSelection(options);
  const first =
    selection.start === undefined ? edge(source, selection, cutoffs, false) : keyMs(selection.start);
  const last = selection.end === undefined ? edge(source, selection, cutoffs, true) : lastMs(selection.end);
  if (first === undefined || last === undefined || last < first)
    return { startMs: undefined, widthMs: 0, counts: [], ...(isByLevel && { levels: {} }) };
  const widthMs = Math.max(1, Math.ceil((last - first + 1) / most));
  const buckets = Math.ceil((last - first + 1) / widthMs);
  const counts = await countBuckets(
    clock,
    new EventScan(source, selection, { cutoffs }),
    first,
    widthMs,
    buckets,
  );
  return { startMs: first, widthMs, ...gather(counts, buckets, isByLevel) };
}

/** Counts by level and bucket, all buckets of a level one behind the other. */
async function countBuckets(
  clock: Clock,
  scan: EventScan,
  firstMs: number,
  widthMs: number,
  buckets: number,
): Promise<Float64Array> {
  const counts = new Float64Array(LEVEL_NAMES.length * buckets);
  const turns = new Turns(clock);
  try {
    for (let at = scan.next(); at >= 0; at = scan.next()) {
      const { bytes } = scan.page;
      const key = at + PAGE_ENTRY_HEADER_BYTES;
      const bucket = Math.floor((keyMilliseconds(bytes, key) - firstMs) / widthMs);
      const cell = (bytes[key + KEY_BYTES + VALUE_LEVEL] as number) * buckets + Math.min(bucket, buckets - 1);
      counts[cell] = (counts[cell] as number) + 1;
      const turn = scan.isAtPageEnd ? turns.give() : undefined;
      if (turn !== undefined) await turn;
    }
  } finally {
    scan.close();
  }
  return counts;
}

function gather(
  cells: Float64Array,
  buckets: number,
  isByLevel: boolean,
): Pick<EventHistogram, 'counts' | 'levels'> {
  const counts = new Array<number>(buckets).fill(0);
  const levels: Partial<Record<Level, number[]>> = {};
  for (const [code, level] of LEVEL_NAMES.entries()) {
    const own = Array.from(cells.subarray(code * buckets, (code + 1) * buckets));
    if (own.every((count) => count === 0)) continue;
    levels[level] = own;
    for (const [i, count] of own.entries()) counts[i] = (counts[i] as number) + count;
  }
  return isByLevel ? { counts, levels } : { counts };
}

/** The time of the first entry that is wanted, or of the last. */
function edge(
  source: EventSource,
  selection: Selection,
  cutoffs: Cutoffs | undefined,
  isBackward: boolean,
): number | undefined {
  const scan = new EventScan(source, selection, { isBackward, cutoffs });
  try {
    const at = scan.next();
    return at < 0 ? undefined : keyMilliseconds(scan.page.bytes, at + PAGE_ENTRY_HEADER_BYTES);
  } finally {
    scan.close();
  }
}

/** The last millisecond that an entry before a bound can have. */
function lastMs(bound: Buffer): number {
  const ms = keyMilliseconds(bound, 0);
  return nanosecondsOf(bound.readUInt32BE(0), bound.readUInt32BE(4)) === 0 ? ms - 1 : ms;
}

function keyMs(bound: Buffer): number {
  return keyMilliseconds(bound, 0);
}
