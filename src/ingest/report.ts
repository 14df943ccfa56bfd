/**
 * What an ingestion reports.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { VarveError } from '../errors.ts';
import { LEVEL_NAMES } from '../levels.ts';
import { LEVEL_COUNT } from '../memory/layout.ts';
import type { WindowResult } from '../parse/window.ts';

assert(LEVEL_NAMES.length === LEVEL_COUNT, 'every level has a name');

/** A line that did not parse. */
export interface UnparsedLine {
  /** Its number, from 1. */
  line: number;
  /** Its first 200 characters. */
  text: string;
}

export interface IngestReport {
  /** The name of the format. */
  format: string;
  /** Bytes read. */
  bytes: number;
  /** Lines read; each is a record, but for those that were joined. */
  lines: number;
  /** Records appended. */
  records: number;
  /** Lines that are not of the format: kept as they are, with the time of the line before. */
  unparsed: number;
  /** The first of them. */
  sampleUnparsed: UnparsedLine[];
  /** Lines of stack traces: they are in the records of the lines before them. */
  joined: number;
  /** Lines without a byte: records with an empty value. */
  empty: number;
  /** Lines that were longer than a record may be, and lost their end. */
  cut: number;
  /** Least and greatest timestamp, in milliseconds since the epoch; undefined where there is no record. */
  firstTimestamp: number | undefined;
  lastTimestamp: number | undefined;
  /** Lines by level, of those levels that occurred. */
  levels: Record<string, number>;
  /** Offsets of the first and the last record; -1 where there is none. */
  firstOffset: number;
  lastOffset: number;
  elapsedMs: number;
}

/**
 * An ingestion that came to an end too early. Its code and details are those of its `cause`; what was
 * appended before is in the log.
 */
export class IngestError extends VarveError {
  /** What is in the log. */
  readonly report: IngestReport;

  constructor(cause: VarveError, title: string, report: IngestReport) {
    const { file, position, pid } = cause;
    const { records, firstOffset, lastOffset } = report;
    const isIn = records === 1 ? 'line of it is' : 'lines of it are';
    super(
      cause.code,
      `${title} was not ingested to its end, ${records} ${isIn} in the log: ${cause.message}`,
      {
        file,
        position,
        pid,
        ...(records > 0 && { offsets: { first: firstOffset, last: lastOffset } }),
        cause,
      },
    );
    this.report = report;
  }
}

/** How many lines that did not parse are shown. */
export const SAMPLES_MAX = 5;

/** Adds up what windows became, in their order. */
export class Tally {
  readonly #format: string;
  readonly #levels: number[] = new Array<number>(LEVEL_COUNT).fill(0);
  readonly #samples: UnparsedLine[] = [];
  #lines = 0;
  #unparsed = 0;
  #joined = 0;
  #empty = 0;
  #cut = 0;
  #earliest = Number.POSITIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;
  #records = 0;
  #firstOffset = -1;
  #lastOffset = -1;

  constructor(format: string) {
    this.#format = format;
  }

  /** Lines that were counted so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Records that are in the log so far. */
  get records(): number {
    return this.#records;
  }

  get lastOffset(): number {
    return this.#lastOffset;
  }

  /** Counts lines that were encoded. */
  addLines(result: WindowResult): void {
    for (const { line, text } of result.samples) {
      if (this.#samples.length < SAMPLES_MAX) this.#samples.push({ line: this.#lines + line + 1, text });
    }
    this.#lines += result.lines;
    this.#joined += result.joined;
    this.#unparsed += result.unparsed;
    this.#empty += result.empty;
    this.#cut += result.cut;
    this.#earliest = Math.min(this.#earliest, result.earliest);
    this.#latest = Math.max(this.#latest, result.latest);
    for (let code = 0; code < LEVEL_COUNT; code++) {
      this.#levels[code] = (this.#levels[code] as number) + (result.levels[code] as number);
    }
  }

  /** Counts records that are in the log. */
  addRecords(firstOffset: number, lastOffset: number): void {
    if (this.#firstOffset < 0) this.#firstOffset = firstOffset;
    this.#lastOffset = lastOffset;
    this.#records += lastOffset - firstOffset + 1;
  }

  report(bytes: number, elapsedMs: number): IngestReport {
    const levels: Record<string, number> = {};
    for (let code = 0; code < LEVEL_COUNT; code++) {
      const count = this.#levels[code] as number;
      if (count > 0) levels[LEVEL_NAMES[code] as string] = count;
    }
    return {
      format: this.#format,
      bytes,
      lines: this.#lines,
      records: this.#records,
      unparsed: this.#unparsed,
      sampleUnparsed: [...this.#samples],
      joined: this.#joined,
      empty: this.#empty,
      cut: this.#cut,
      firstTimestamp: Number.isFinite(this.#earliest) ? this.#earliest : undefined,
      lastTimestamp: Number.isFinite(this.#latest) ? this.#latest : undefined,
      levels,
      firstOffset: this.#firstOffset,
      lastOffset: this.#lastOffset,
      elapsedMs,
    };
  }
}
