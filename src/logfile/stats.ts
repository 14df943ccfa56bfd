/**
 * What is in log files: how many lines and entries, when, of which levels and components, and which messages
 * come most often.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { LEVEL_NAMES } from '../levels.ts';
import { FIELDS_CONTINUATION, FIELDS_FAILED, FIELDS_PARSED, FIELDS_PLAIN } from '../memory/layout.ts';
import { integerOption } from '../options.ts';
import { formatName } from '../parse/parser.ts';
import type { LineRange } from '../scan/ranges.ts';
import { STATS, type StatsResult, type StatsSpec } from '../scan/stats.ts';
import type { Input, TextInput } from '../text/inputs.ts';
import { Frequent } from './frequent.ts';
import {
  checkIndexOptions,
  checkReading,
  fail,
  findInputs,
  INDEX_OPTIONS,
  type IndexUse,
  type LogReadOptions,
  type OpenedLog,
  openLog,
  type Reading,
  type TimeIndexOptions,
} from './reading.ts';
import { checkShare, Estimate, plainOf, planSample, type SampleFacts, scanRanges } from './sample.ts';
import { scanText, type TextScan } from './scan-text.ts';
import { partOf, rangesToRead } from './time-index.ts';
import { type Gap, type Histogram, type Peak, Timeline } from './timeline.ts';

export interface LogStatsOptions extends LogReadOptions, TimeIndexOptions {
  /** How many components, templates and gaps are wanted, each; 10 unless given. */
  top?: number | undefined;
  /** How many columns a histogram may have, at least 2; 60 unless given. */
  columns?: number | undefined;
  /**
   * Reads only this share of each file, from 0 (exclusive) to 1: blocks of it, spread over the file. Counts are
   * estimates then, and what is known of their error is said.
   */
  sample?: number | undefined;
  /** What the choice of blocks follows from; 1 unless given. */
  seed?: number | undefined;
}

/** Something that was counted. */
export interface CountedText {
  text: string;
  /** How often; of a sample, an estimate. */
  count: number;
  /** Its share of all entries that have one, from 0 to 1. */
  share: number;
  /** Standard error of the share; 0 where nothing was estimated. */
  shareError: number;
}

/** A message without its variables. */
export interface CountedTemplate extends CountedText {
  /** The beginning of the first message of this template. */
  example: string;
}

/** A file that was read. */
export interface LogFileStats {
  name: string;
  /** Bytes of its text; where it was compressed, after that. */
  bytes: number;
  format: string;
  /** The share of the first lines that are of the format; undefined where it was given. */
  confidence: number | undefined;
}

/** What is in log files. Where lines were chosen, all but `lines`, `bytes` and `cut` is of these alone. */
export interface LogStats {
  files: LogFileStats[];
  bytes: number;
  lines: number;
  /** Lines that begin an entry. */
  entries: number;
  /** Lines that belong to the entry before them, as those of a stack trace do. */
  continuations: number;
  /** Lines that are not of the format. */
  failed: number;
  /** Lines that were cut off, because they are longer than 2 MiB. */
  cut: number;
  /** Some lines that are not of the format, and where they are. Lines are counted from 1. */
  failedSamples: { file: string; line: number | undefined; text: string }[];
  /** The earliest and the latest time, in milliseconds since the epoch; undefined where no line has one. */
  fromMs: number | undefined;
  toMs: number | undefined;
  /** Entries a second on average, from the first to the last. */
  perSecond: number | undefined;
  /** The busiest second; not of a sample. */
  peak: Peak | undefined;
  histogram: Histogram | undefined;
  /** The longest times without entries; not of a sample. */
  gaps: Gap[];
  /** Entries by level, those that occur, from the least to the greatest. */
  levels: CountedText[];
  components: CountedText[];
  templates: CountedTemplate[];
  /** What each count of a component or a template may lack, where there were more different ones than there is room for. */
  componentsLack: number;
  templatesLack: number;
  /** How many different templates are known. */
  templatesKnown: number;
  /** What was read of a sample; undefined where all was. */
  sample: SampleFacts | undefined;
}

const TOP_DEFAULT = 10;
const COLUMNS_DEFAULT = 60;
const COLUMNS_MAX = 100_000;
const FAILED_SAMPLES = 5;
const BYTES_PER_MS = 1_000_000;
/** Of a sample, so many blocks are in a column of a histogram, on average. */
const BLOCKS_A_COLUMN = 4;

/**
 * Counts what is in log files, on as many threads as pay. All counts are exact, but for what `componentsLack`
 * and `templatesLack` say, and for samples.
 *
 * @param source what is read
 * @throws TypeError, RangeError where an argument is wrong
 * @throws the signal's reason where it was aborted
 * @throws VarveError where something cannot be read, and `onFailure` is not given; `UNSUPPORTED` where a
 * sample is wanted of what cannot be read by position
 */
export async function logStats(source: TextInput, options: LogStatsOptions = {}): Promise<LogStats> {
  const reading = checkReading('options', options, [...INDEX_OPTIONS, 'top', 'columns', 'sample', 'seed']);
  const use = checkIndexOptions(options);
  const top = integerOption('top', options.top, TOP_DEFAULT, 0);
  const columns = integerOption('columns', options.columns, COLUMNS_DEFAULT, 2, COLUMNS_MAX);
  const seed = integerOption('seed', options.seed, 1, 0, 2 ** 31 - 1);
  const share = checkShare(options.sample ?? 1);
  options.signal?.throwIfAborted();
  const estimate = share < 1 ? new Estimate() : undefined;
  const counting = new Counting(estimate);
  const inputs = await findInputs(source, reading);
  const total = inputs.reduce<number | undefined>(
    (sum, { bytes }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
    0,
  );
  for (const input of inputs) {
    options.signal?.throwIfAborted();
    try {
      await countInput(input, reading, counting, { share, seed, total, use });
    } catch (error) {
      fail(options, error);
    }
  }
  return counting.finish(top, columns);
}

async function countInput(
  input: Input,
  reading: Reading,
  counting: Counting,
  how: { share: number; seed: number; total: number | undefined; use: IndexUse },
): Promise<void> {
  const { runtime, options, filter } = reading;
  const { signal } = options;
  const log = await openLog(input, reading);
  try {
    const { source, format, parser } = log;
    const spec: StatsSpec = { format, parser, filter, samples: FAILED_SAMPLES };
    const before = counting.bytes;
    const onProgress = (bytes: number): void => options.onProgress?.(before + bytes, how.total);
    if (counting.estimate === undefined) {
      counting.begin(log);
      const { plain } = source;
      const scan: TextScan<StatsSpec, StatsResult> = {
        task: 'stats',
        kind: STATS,
        spec,
        bytesOf: bytesOfResult,
        bytesPerMs: BYTES_PER_MS,
        hasSmallResults: true,
      };
      if (plain === undefined) {
        for await (const { result, bytes } of scanText(runtime, source, scan, { signal, onProgress })) {
          counting.add(result, bytes);
        }
        return;
      }
      for (const { from, to, line } of await rangesToRead(log, plain, reading, how.use)) {
        const before = from - plain.start;
        const progress = (bytes: number): void => onProgress(before + bytes);
        counting.skipTo(line);
        const part = partOf({ ...plain, start: from, end: to });
        for await (const { result, bytes } of scanText(runtime, part, scan, {
          signal,
          onProgress: progress,
        })) {
          counting.add(result, before + bytes);
        }
      }
      counting.addBytes(plain.end - plain.start);
    } else {
      await sampleInput(log, spec, reading, counting, { ...how, onProgress });
    }
  } finally {
    await log.source.close();
  }
}

async function sampleInput(
  log: OpenedLog,
  spec: StatsSpec,
  { runtime, options }: Reading,
  counting: Counting,
  how: { share: number; seed: number; onProgress: (bytes: number) => void },
): Promise<void> {
  const plain = plainOf(log.source);
  const { start, end } = plain;
  const plan = planSample(plain, how.share, how.seed);
  counting.begin(log);
  counting.estimate?.begin(plan, end - start);
  const scan = { kind: STATS, spec };
  for await (const { result, range } of scanRanges(runtime, plain, plan.ranges, scan, options.signal)) {
    counting.addBlock(result, range);
    how.onProgress(range.to - start);
  }
  // The first time and the last are most often those of the ends.
  const ends = [start, Math.max(start, end - plan.blockBytes)].map((from) => {
    return { start, end, from, to: Math.min(end, from + plan.blockBytes) };
  });
  for await (const { result } of scanRanges(runtime, plain, ends, scan, options.signal))
    counting.addTimes(result);
  counting.addBytes(end - start);
}

/** About how much memory a result has. */
function bytesOfResult({ components, templates, pages }: StatsResult): number {
  return components.length * 100 + templates.length * 500 + pages.length * 300;
}

/** Adds up what was counted in parts of files. */
class Counting {
  /** Bytes of all files that were begun, as far as they were read. */
  bytes = 0;
  readonly estimate: Estimate | undefined;
  readonly #files: LogFileStats[] = [];
  readonly #timeline = new Timeline();
  readonly #components = new Frequent();
  readonly #templates = new Frequent();
  readonly #statuses: number[] = [0, 0, 0, 0];
  readonly #levels: number[] = LEVEL_NAMES.map(() => 0);
  readonly #failedSamples: LogStats['failedSamples'] = [];
  #lines = 0;
  #linesOfFile = 0;
  #cut = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;
  /** Of a filter: whether the last entry of the file was chosen. */
  #isChosen = false;

  constructor(estimate: Estimate | undefined) {
    this.estimate = estimate;
  }

  /** Begins with another file. */
  begin({ input, format, confidence }: OpenedLog): void {
    this.#files.push({ name: input.name, bytes: 0, format: formatName(format), confidence });
    this.#linesOfFile = 0;
    this.#isChosen = false;
  }

  /** Goes on at a line, where an entry begins; what is passed over has no entry that is wanted. */
  skipTo(line: number): void {
    this.#lines += line - this.#linesOfFile;
    this.#linesOfFile = line;
    this.#isChosen = false;
  }

  /** @param bytes how many the file has, as far as it was read */
  addBytes(bytes: number): void {
    const file = this.#files.at(-1);
    assert(file !== undefined, 'a file was begun');
    this.bytes += bytes - file.bytes;
    file.bytes = bytes;
  }

  /** @param bytes how much of the file was read with this part */
  add(result: StatsResult, bytes: number): void {
    this.addBytes(bytes);
    this.#addCounts(result, this.#linesOfFile);
    if (this.#isChosen) addAll(this.#statuses, result.leading);
    if (result.lastChosen !== undefined) this.#isChosen = result.lastChosen;
    this.#linesOfFile += result.lines;
  }

  /** Adds a block of a sample. */
  addBlock(result: StatsResult, range: LineRange): void {
    this.estimate?.add(countsOf(result), range);
    this.#addCounts(result, undefined);
  }

  addTimes({ earliest, latest }: StatsResult): void {
    this.#earliest = Math.min(this.#earliest, earliest);
    this.#latest = Math.max(this.#latest, latest);
  }

  #addCounts(result: StatsResult, firstLine: number | undefined): void {
    this.#lines += result.lines;
    this.#cut += result.cut;
    addAll(this.#statuses, result.statuses);
    addAll(this.#levels, result.levels);
    this.addTimes(result);
    this.#timeline.add(result.pages, result.seconds);
    this.#components.add(result.components, result.componentsLack);
    this.#templates.add(result.templates, result.templatesLack);
    const file = this.#files.at(-1)?.name ?? '';
    for (const { line, text } of result.samples) {
      if (this.#failedSamples.length === FAILED_SAMPLES) break;
      this.#failedSamples.push({
        file,
        line: firstLine === undefined ? undefined : firstLine + line + 1,
        text,
      });
    }
  }

  finish(top: number, columns: number): LogStats {
    const { estimate } = this;
    const scale = (key: string, count: number): number =>
      estimate === undefined ? count : Math.round(estimate.total(key).value);
    const entries = scale('entries', entriesOf(this.#statuses));
    const hasTime = this.#latest >= this.#earliest;
    const durationMs = this.#latest - this.#earliest;
    const counted = (kind: string, text: string, count: number, of: string, all: number): CountedText => {
      const share = estimate?.share(`${kind} ${text}`, of) ?? { value: count / all, error: 0 };
      return {
        text,
        count: scale(`${kind} ${text}`, count),
        share: share.value,
        shareError: share.error,
      };
    };
    // A column that has no block of a sample would look like a silence.
    const blocks = estimate?.facts().blocks ?? Number.POSITIVE_INFINITY;
    const histogram = this.#timeline.histogram(
      Math.max(2, Math.min(columns, Math.floor(blocks / BLOCKS_A_COLUMN))),
    );
    if (estimate !== undefined && histogram !== undefined) {
      const factor = entries / Math.max(1, entriesOf(this.#statuses));
      histogram.counts = histogram.counts.map((count) => Math.round(count * factor));
    }
    const withLevel = this.#levels.reduce((sum, count) => sum + count, 0);
    const allEntries = entriesOf(this.#statuses);
    return {
      files: this.#files,
      bytes: this.bytes,
      lines: scale('lines', this.#lines),
      entries,
      continuations: scale('continuations', this.#statuses[FIELDS_CONTINUATION] ?? 0),
      failed: scale('failed', this.#statuses[FIELDS_FAILED] ?? 0),
      cut: scale('cut', this.#cut),
      failedSamples: this.#failedSamples,
      fromMs: hasTime ? this.#earliest : undefined,
      toMs: hasTime ? this.#latest : undefined,
      perSecond: hasTime && durationMs > 0 ? (entries * 1000) / durationMs : undefined,
      peak: estimate === undefined ? this.#timeline.peak() : undefined,
      histogram,
      gaps: estimate === undefined ? this.#timeline.gaps(top) : [],
      levels: LEVEL_NAMES.map((name, code) =>
        counted('level', name, this.#levels[code] ?? 0, 'levels', withLevel),
      ).filter((_, code) => (this.#levels[code] ?? 0) > 0),
      components: this.#components
        .top(top)
        .map(({ text, count }) => counted('component', text, count, 'entries', allEntries)),
      templates: this.#templates.top(top).map(({ text, count, example }) => ({
        ...counted('template', text, count, 'entries', allEntries),
        example,
      })),
      componentsLack: this.#components.lack,
      templatesLack: this.#templates.lack,
      templatesKnown: this.#templates.size,
      sample: estimate?.facts(),
    };
  }
}

function entriesOf(statuses: readonly number[]): number {
  return (statuses[FIELDS_PARSED] ?? 0) + (statuses[FIELDS_PLAIN] ?? 0);
}

function addAll(sums: number[], numbers: readonly number[]): void {
  for (const i of sums.keys()) sums[i] = (sums[i] ?? 0) + (numbers[i] ?? 0);
}

/**
 * What a block of a sample has, by name. Of a filter, lines before its first entry are left out: whether they
 * are wanted depends on an entry that was not read.
 */
function countsOf({ lines, cut, statuses, levels, components, templates }: StatsResult): Map<string, number> {
  const counts = new Map<string, number>([
    ['lines', lines],
    ['cut', cut],
    ['entries', entriesOf(statuses)],
    ['continuations', statuses[FIELDS_CONTINUATION] ?? 0],
    ['failed', statuses[FIELDS_FAILED] ?? 0],
    ['levels', levels.reduce((sum, count) => sum + count, 0)],
  ]);
  for (const [code, name] of LEVEL_NAMES.entries()) counts.set(`level ${name}`, levels[code] ?? 0);
  for (const { text, count } of components) counts.set(`component ${text}`, count);
  for (const { text, count } of templates) counts.set(`template ${text}`, count);
  return counts;
}
