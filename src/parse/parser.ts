/**
 * Parsers: each takes the lines of one format apart, into rows of fields in the shared memory (`FIELDS_*` in
 * memory/layout.ts). Everything before and behind it is the same for all formats.
 *
 *     text --indexLines--> spans --LineParser--> rows and extras
 *
 * A parser is made from plain values, so that a task can be sent them and make its own.
 *
 * @module
 */

import { FIELDS_BYTES, FIELDS_FLAGS, FIELDS_LOCAL, FIELDS_TIMESTAMP } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import type { ParseKernels } from '../memory/parse-kernels.ts';
import { checkOneOf, checkOptions } from '../options.ts';
import { LINE_FORMATS, type LineFormat } from './formats.ts';
import { findZone, type Zone } from './zone.ts';

/** What the lines are: the name of a format. It can be posted to another thread. */
export type FormatSpec = LineFormat;

/** What a format leaves open. It can be posted to another thread. */
export interface ParserOptions {
  /**
   * The zone of times that do not say theirs: `utc`, an offset as `+02:00`, or a name as `Europe/Berlin`;
   * UTC unless given.
   */
  zone?: string;
}

/** Takes lines apart. */
export interface LineParser {
  /** The name of the format. */
  readonly name: string;
  /** Fields beyond time, level, pid, component and message, in the order of the extras. */
  readonly extraNames: readonly string[];
  /** Whether lines have a time. */
  readonly hasTime: boolean;
  /** Whether lines that fail may be continuations of the entry before them. */
  readonly joins: boolean;
  /**
   * Takes lines apart.
   *
   * @param spans `count` lines, as `indexLines` found them
   * @param rows room for `count` rows of `FIELDS_BYTES`
   * @param extras room for `count` times as many spans as there are extra names
   * @returns how many rows are of the format; of a format that takes nothing apart, all are
   */
  parse(spans: number, count: number, rows: number, extras: number): number;
}

/** A format has at most so many extra names. */
export const EXTRAS_MAX = 16;

/** Working memory of a parser. */
export const PARSER_WORK_BYTES = 8192;

/**
 * Checks what `createParser` is to be given.
 *
 * @throws TypeError, RangeError where it is wrong
 */
export function checkParser(format: unknown, options: unknown): void {
  checkOneOf('format', format, LINE_FORMATS);
  checkOptions('parser options', options, ['zone']);
  const { zone } = options as ParserOptions;
  if (zone === undefined) return;
  if (typeof zone !== 'string') throw new TypeError(`zone must be a string, not ${String(zone)}`);
  findZone(zone);
}

/**
 * Makes a parser.
 *
 * @param memory where the lines are, as this thread sees it
 * @param work address of `PARSER_WORK_BYTES`, aligned to 64 bytes: the parser's own as long as it is used
 * @throws TypeError, RangeError where the format or an option is wrong
 */
export function createParser(
  format: FormatSpec,
  options: ParserOptions,
  memory: MemoryView,
  work: number,
): LineParser {
  checkParser(format, options);
  void work;
  const zone = findZone(options.zone ?? 'utc');
  return new BuiltInParser(format, memory, zone);
}

/** How a kernel is called. */
type ParseRows = (kernels: ParseKernels, spans: number, count: number, rows: number) => number;

const KERNELS: Readonly<Record<LineFormat, ParseRows>> = {
  hdfs: (kernels, spans, count, rows) => kernels.parseHdfs(spans, count, rows),
  plain: (kernels, spans, count, rows) => kernels.plainFields(spans, count, rows),
};

class BuiltInParser implements LineParser {
  readonly name: LineFormat;
  readonly extraNames: readonly string[] = [];
  readonly hasTime: boolean;
  readonly joins: boolean;
  readonly #memory: MemoryView;
  readonly #parseRows: ParseRows;
  readonly #zone: Zone;

  constructor(name: LineFormat, memory: MemoryView, zone: Zone) {
    this.name = name;
    this.hasTime = name !== 'plain';
    this.joins = this.hasTime;
    this.#memory = memory;
    this.#parseRows = KERNELS[name];
    this.#zone = zone;
  }

  parse(spans: number, count: number, rows: number, _extras: number): number {
    const { kernels } = this.#memory;
    const parsed = this.#parseRows(kernels, spans, count, rows);
    if (this.joins && parsed < count) kernels.markContinuations(rows, count);
    if (this.hasTime && this.#zone.fixedMs !== 0) toUtc(this.#memory, rows, count, this.#zone);
    return parsed;
  }
}

/** Takes the times of a zone to UTC. */
function toUtc({ i32, f64 }: MemoryView, rows: number, count: number, zone: Zone): void {
  for (let i = 0; i < count; i++) {
    const row = rows + i * FIELDS_BYTES;
    if (((i32[(row + FIELDS_FLAGS) >> 2] as number) & FIELDS_LOCAL) === 0) continue;
    const at = (row + FIELDS_TIMESTAMP) >> 3;
    const localMs = f64[at] as number;
    f64[at] = localMs - zone.offsetMs(localMs);
  }
}
