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

import { systemClock } from '../clock.ts';
import { FIELDS_BYTES, FIELDS_FLAGS, FIELDS_LOCAL, FIELDS_TIMESTAMP } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import type { ParseKernels } from '../memory/parse-kernels.ts';
import { PROGRAM_CODE, PROGRAM_EXTRAS, PROGRAM_FROM, PROGRAM_YEAR } from '../memory/program-layout.ts';
import { booleanOption, checkOneOf, checkOptions } from '../options.ts';
import { compilePattern, type Program } from './compile.ts';
import { LINE_FORMATS, type LineFormat, PATTERNS } from './formats.ts';
import { keyTable } from './keys.ts';
import { findZone, type Zone } from './zone.ts';

/** A format of one's own; it can be posted to another thread. */
export interface PatternFormat {
  /** What reports call it; `pattern` unless given. */
  name?: string;
  /** A line, in the notation of docs/LOGS.md: `<Date> <Time> <Level> <Component>: <Content>`. */
  pattern: string;
  /** Its time, in the letters of docs/LOGS.md: `yyyy-MM-dd HH:mm:ss,SSS`; there is none unless given. */
  time?: string;
  /** Whether lines that fail may be continuations of an entry; true, where there is a time, unless given. */
  joins?: boolean;
}

/** What the lines are: the name of a format that is built in, or one of one's own. */
export type FormatSpec = LineFormat | PatternFormat;

/** What a format leaves open. It can be posted to another thread. */
export interface ParserOptions {
  /**
   * The zone of times that do not say theirs: `utc`, an offset as `+02:00`, or a name as `Europe/Berlin`;
   * UTC unless given.
   */
  zone?: string;
  /**
   * Times without a year are in the year that begins at this one (milliseconds since the epoch), whichever
   * two years of the calendar it is made of. Unless given, it ends tomorrow.
   */
  yearFrom?: number;
  /** Keys of JSON and logfmt lines whose values become extras, at most 16; none unless given. */
  fields?: readonly string[];
}

/** Takes lines apart. */
export interface LineParser {
  /** The name of the format. */
  readonly name: string;
  /** Fields beyond time, level, pid, component and message, in the order of the extras. */
  readonly extraNames: readonly string[];
  /** Whether lines have a time. */
  readonly hasTime: boolean;
  /** Whether these times have no year. */
  readonly isYearless: boolean;
  /** Whether text that stands in quotes has the escapes of JSON. */
  readonly hasEscapes: boolean;
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

const DAY_MS = 86_400_000;
const YEAR_MS: number = 365 * DAY_MS;
/** The time of a timestamp of JavaScript. */
const TIME_MAX_MS = 8.64e15;

/**
 * Checks what `createParser` is to be given.
 *
 * @throws TypeError, RangeError where it is wrong
 */
export function checkParser(format: unknown, options: unknown): void {
  if (typeof format === 'object' && format !== null) checkPattern(format);
  else checkOneOf('format', format, LINE_FORMATS);
  checkOptions('parser options', options, ['zone', 'yearFrom', 'fields']);
  const { zone, yearFrom, fields } = options as ParserOptions;
  if (fields !== undefined) checkFields(fields);
  if (zone !== undefined) {
    if (typeof zone !== 'string') throw new TypeError(`zone must be a string, not ${String(zone)}`);
    findZone(zone);
  }
  if (yearFrom !== undefined && !(Math.abs(yearFrom) <= TIME_MAX_MS)) {
    throw new RangeError(`yearFrom must be a time in milliseconds since the epoch, not ${String(yearFrom)}`);
  }
}

function checkFields(fields: unknown): void {
  if (!Array.isArray(fields) || fields.some((field) => typeof field !== 'string')) {
    throw new TypeError('fields must be an array of strings');
  }
  if (fields.length > EXTRAS_MAX)
    throw new RangeError(`fields can be at most ${EXTRAS_MAX}, not ${fields.length}`);
  keyTable(fields as string[]);
}

function checkPattern(format: object): void {
  checkOptions('the format', format, ['name', 'pattern', 'time', 'joins']);
  const { name, pattern, time, joins } = format as Record<keyof PatternFormat, unknown>;
  for (const [key, value] of Object.entries({ name, pattern, time })) {
    const isMissing = value === undefined && key !== 'pattern';
    if (!isMissing && typeof value !== 'string')
      throw new TypeError(`${key} must be a string, not ${String(value)}`);
  }
  booleanOption('joins', joins, true);
  compilePattern(pattern as string, time as string | undefined);
}

/** What a format is called. */
export function formatName(format: FormatSpec): string {
  return typeof format === 'string' ? format : (format.name ?? 'pattern');
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
  const zone = findZone(options.zone ?? 'utc');
  const name = formatName(format);
  const yearFrom = options.yearFrom ?? systemClock.now() + DAY_MS - YEAR_MS;
  const pattern = typeof format === 'string' ? PATTERNS[format] : format;
  if (pattern !== undefined) {
    const program = programOf(pattern.pattern, pattern.time);
    const { words, extraNames, hasTime, isYearless } = program;
    putProgram(memory, work, words, extraNames.length, yearFrom);
    const facts = {
      name,
      extraNames,
      hasTime,
      isYearless,
      hasEscapes: false,
      joins: pattern.joins ?? hasTime,
    };
    return new KernelParser(facts, (kernels, ...rows) => kernels.parsePattern(...rows, work), memory, zone);
  }
  const isPlain = format === 'plain';
  const hasKeys = format === 'json' || format === 'logfmt';
  const extraNames = hasKeys ? (options.fields ?? []) : [];
  if (hasKeys) putProgram(memory, work, keyTable(extraNames), extraNames.length, yearFrom);
  const facts = { name, extraNames, hasTime: !isPlain, isYearless: false, hasEscapes: hasKeys };
  const joins = format === 'hdfs';
  return new KernelParser({ ...facts, joins }, kernelOf(format, work), memory, zone);
}

/** The kernel of a format that is no pattern. */
function kernelOf(format: FormatSpec, work: number): ParseRows {
  if (format === 'hdfs') return (kernels, spans, count, rows) => kernels.parseHdfs(spans, count, rows);
  if (format === 'json') return (kernels, ...rows) => kernels.parseJson(...rows, work);
  if (format === 'logfmt') return (kernels, ...rows) => kernels.parseLogfmt(...rows, work);
  return (kernels, spans, count, rows) => kernels.plainFields(spans, count, rows);
}

const programs = new Map<string, Program>();
const PROGRAMS_MAX = 64;

/** Compiles a pattern, once. */
function programOf(pattern: string, time: string | undefined): Program {
  const key = JSON.stringify([pattern, time]);
  let program = programs.get(key);
  if (program === undefined) {
    program = compilePattern(pattern, time);
    if (programs.size >= PROGRAMS_MAX) programs.clear();
    programs.set(key, program);
  }
  return program;
}

function putProgram(
  { i32, f64 }: MemoryView,
  work: number,
  words: readonly number[],
  extras: number,
  yearFrom: number,
): void {
  i32[(work + PROGRAM_EXTRAS) >> 2] = extras;
  i32[(work + PROGRAM_YEAR) >> 2] = new Date(yearFrom).getUTCFullYear();
  f64[(work + PROGRAM_FROM) >> 3] = yearFrom;
  i32.set(words, (work + PROGRAM_CODE) >> 2);
}

/** How a kernel is called. */
type ParseRows = (
  kernels: ParseKernels,
  spans: number,
  count: number,
  rows: number,
  extras: number,
) => number;

class KernelParser implements LineParser {
  readonly name: string;
  readonly extraNames: readonly string[];
  readonly hasTime: boolean;
  readonly isYearless: boolean;
  readonly hasEscapes: boolean;
  readonly joins: boolean;
  readonly #parseRows: ParseRows;
  readonly #memory: MemoryView;
  readonly #zone: Zone;

  constructor(facts: Omit<LineParser, 'parse'>, parseRows: ParseRows, memory: MemoryView, zone: Zone) {
    this.name = facts.name;
    this.extraNames = facts.extraNames;
    this.hasTime = facts.hasTime;
    this.isYearless = facts.isYearless;
    this.hasEscapes = facts.hasEscapes;
    this.joins = facts.joins;
    this.#parseRows = parseRows;
    this.#memory = memory;
    this.#zone = zone;
  }

  parse(spans: number, count: number, rows: number, extras: number): number {
    const { kernels } = this.#memory;
    const parsed = this.#parseRows(kernels, spans, count, rows, extras);
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
