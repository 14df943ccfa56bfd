/**
 * What all calls that read log files have in common: their options, which files they are, what their lines are.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { LEVEL_OTHER, SLACK_BYTES } from '../memory/layout.ts';
import { booleanOption, checkInteger, checkOneOf, checkOptions } from '../options.ts';
import {
  checkParser,
  createParser,
  type FormatSpec,
  type LineParser,
  type ParserOptions,
} from '../parse/parser.ts';
import { firstYear, guessFormat, hasLevel, PROBE_WORK_BYTES, roughYear } from '../parse/probe.ts';
import { type Runtime, sharedRuntime } from '../runtime.ts';
import { createFilter, type Filter, type FilterOptions, hasTimes } from '../scan/filter.ts';
import { type Input, inputsOf, type TextInput } from '../text/inputs.ts';
import { TEXT_ENCODINGS, type TextEncoding } from '../text/recognize.ts';
import type { TextSource } from '../text/source.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Vfs } from '../vfs/vfs.ts';

/** Which entries are wanted, and how lines are taken apart to find them. */
export interface EntryOptions extends FilterOptions {
  /** What the lines are; found out from the first of them unless given. */
  format?: FormatSpec | undefined;
  /** The zone of times that do not say theirs: `utc`, `+02:00`, `Europe/Berlin`; UTC unless given. */
  zone?: string | undefined;
  /** The year of the first line, where times have none; they are within the year that ends a day after the file was written last, unless given. */
  assumeYear?: number | undefined;
  /** Is told, in a sentence, why entries of a file that is read cannot be chosen as it was asked for. */
  onNote?: ((note: string) => void) | undefined;
}

/** Whether time indexes are used. */
export interface TimeIndexOptions {
  /**
   * Whether a time index is kept of files of 8 MiB and more, as a hidden file beside each, when entries of some
   * time are asked for (`since`, `until`); true unless given.
   */
  index?: boolean | undefined;
  /** A directory for these indexes, elsewhere than beside the files. */
  indexDirectory?: string | undefined;
}

/** How log files are read. */
export interface LogReadOptions extends EntryOptions {
  /** How characters are bytes; UTF-8, or what a byte order mark says, unless given. */
  encoding?: TextEncoding | undefined;
  /** Takes the directories below a directory as well. */
  recursive?: boolean | undefined;
  /** Takes with each file the others of its rotated set, in the order of time. */
  rotated?: boolean | undefined;
  /** Memory, threads and time; what the process shares unless given. */
  runtime?: Runtime | undefined;
  /** The disk; the real one unless given. */
  vfs?: Vfs | undefined;
  /** Stops it. */
  signal?: AbortSignal | undefined;
  /** Called now and then with how many bytes were read, and how many there are where that is known. */
  onProgress?: ((bytes: number, totalBytes: number | undefined) => void) | undefined;
  /** Called for a file that cannot be read; the others are read all the same. Without it, the call fails. */
  onFailure?: ((error: VarveError) => void) | undefined;
  /** What `-` stands for; a path like any other unless given. */
  standardInput?: (() => AsyncIterable<Uint8Array | string>) | undefined;
}

/** The names of `EntryOptions`. */
export const ENTRY_OPTIONS: readonly string[] = [
  'since',
  'until',
  'level',
  'component',
  'format',
  'zone',
  'assumeYear',
  'onNote',
];

/** The names of `TimeIndexOptions`. */
export const INDEX_OPTIONS: readonly string[] = ['index', 'indexDirectory'];

const READ_OPTIONS: readonly string[] = [
  ...ENTRY_OPTIONS,
  'encoding',
  'recursive',
  'rotated',
  'runtime',
  'vfs',
  'signal',
  'onProgress',
  'onFailure',
  'standardInput',
];

/** What four digits say. */
const YEAR_MIN = 0;
const YEAR_MAX = 9999;

/** How much of a text is looked at to find out what it is. */
const HEAD_BYTES: number = 64 * 1024;

/** Options that were checked, with what was not given filled in. */
export interface Reading {
  readonly options: LogReadOptions;
  readonly runtime: Runtime;
  readonly vfs: Vfs;
  readonly filter: Filter | undefined;
}

/**
 * Checks options.
 *
 * @param more names of options that a call has beyond these
 * @throws TypeError, RangeError where one is wrong
 */
export function checkReading(name: string, options: LogReadOptions, more: readonly string[] = []): Reading {
  checkOptions(name, options, [...READ_OPTIONS, ...more]);
  const { encoding, runtime = sharedRuntime(), vfs = nodeVfs } = options;
  booleanOption('recursive', options.recursive, false);
  booleanOption('rotated', options.rotated, false);
  if (encoding !== undefined) checkOneOf('encoding', encoding, TEXT_ENCODINGS);
  return { options, runtime, vfs, filter: checkEntryOptions(options) };
}

/** Checks which entries are wanted; returns the filter, undefined for all. @throws TypeError, RangeError */
export function checkEntryOptions(options: EntryOptions): Filter | undefined {
  checkParser(options.format ?? 'plain', zoneOption(options));
  if (options.assumeYear !== undefined) checkInteger('assumeYear', options.assumeYear, YEAR_MIN, YEAR_MAX);
  return createFilter(options);
}

/** How time indexes are used. */
export interface IndexUse {
  index: boolean;
  indexDirectory: string | undefined;
}

/** Checks how time indexes are to be used. @throws TypeError */
export function checkIndexOptions({ index, indexDirectory }: TimeIndexOptions): IndexUse {
  if (indexDirectory !== undefined && typeof indexDirectory !== 'string') {
    throw new TypeError(`indexDirectory must be a string, not ${String(indexDirectory)}`);
  }
  return { index: booleanOption('index', index, true), indexDirectory };
}

function zoneOption({ zone }: EntryOptions): ParserOptions {
  return zone === undefined ? {} : { zone };
}

/**
 * Finds what is to be read. What cannot be found is a failure.
 *
 * @throws TypeError where the source is none; VarveError where nobody asked to be told of failures
 */
export async function findInputs(source: TextInput, { options, vfs }: Reading): Promise<Input[]> {
  const { recursive, rotated, standardInput } = options;
  const found = await inputsOf(vfs, source, { recursive, rotated, standardInput });
  for (const failure of found.failures) fail(options, failure);
  return found.inputs;
}

/** Tells of a file that cannot be read. @throws the failure where nobody asked to be told */
export function fail({ onFailure }: LogReadOptions, failure: unknown): void {
  if (onFailure === undefined || !(failure instanceof VarveError)) throw failure;
  onFailure(failure);
}

/** A text that was opened, and what its lines are. */
export interface OpenedLog {
  readonly input: Input;
  readonly source: TextSource;
  readonly format: FormatSpec;
  /** What the format leaves open: the same for all threads, and for all of the text. */
  readonly parser: ParserOptions;
  /** Whether the same bytes will have the same times when more was written behind them. */
  readonly isLasting: boolean;
  /** The share of its first lines that are of the format, from 0 to 1; undefined where the format was given. */
  readonly confidence: number | undefined;
}

/**
 * Opens a text, and finds out what its lines are where that was not said.
 *
 * @throws VarveError where it cannot be read
 */
export async function openLog(input: Input, reading: Reading): Promise<OpenedLog> {
  const { options, runtime } = reading;
  const { memory, clock } = runtime;
  const { encoding, signal, assumeYear } = options;
  const parser = zoneOption(options);
  const source = await input.open({ clock, encoding, signal });
  const work = memory.slabs.allocate(PROBE_WORK_BYTES + HEAD_BYTES + SLACK_BYTES, 'format');
  try {
    const { address } = work;
    const known = options.format;
    const parserFor = (format: FormatSpec): LineParser => createParser(format, parser, memory, address);
    if (known !== undefined && !parserFor(known).isYearless) {
      noteUnchosen(input, known, parserFor(known), reading);
      return { input, source, format: known, parser, isLasting: true, confidence: undefined };
    }
    const text = address + Math.ceil(PROBE_WORK_BYTES / 64) * 64;
    const head = await readHead(source, memory.buffer(text, HEAD_BYTES));
    const looked = { address: text, bytes: head.bytes };
    const writtenAtMs = await writtenMs(input, reading);
    const rough = { ...parser, yearFrom: roughYear(assumeYear, writtenAtMs) };
    const guess = known === undefined ? guessFormat(memory, address, looked, rough) : undefined;
    const format = guess?.format ?? known ?? 'plain';
    if (looked.bytes > 0) {
      noteUnchosen(input, format, parserFor(format), reading);
      const isOfLevel = format !== 'plain' && asksForLevel(reading.filter);
      if (isOfLevel && !hasLevel(memory, address, { format, options: rough }, looked))
        options.onNote?.(noLevel(input.name));
    }
    const opened = { input, source: head.source, format, confidence: guess?.confidence };
    if (!parserFor(format).isYearless) return { ...opened, parser, isLasting: true };
    const how = { format, options: parser };
    const yearFrom = firstYear(memory, address, how, looked, assumeYear, writtenAtMs);
    return { ...opened, parser: { ...parser, yearFrom }, isLasting: assumeYear !== undefined };
  } catch (error) {
    await source.close();
    throw error;
  } finally {
    work.release();
  }
}

/** Tells where a filter asks for what no line of a text says. */
function noteUnchosen(
  { name }: Input,
  format: FormatSpec,
  { hasTime }: LineParser,
  { options, filter }: Reading,
): void {
  if (filter === undefined) return;
  const { format: known, onNote } = options;
  const isNoTime = !hasTime && hasTimes(filter);
  if (format === 'plain' && asksForMore(filter))
    onNote?.(known === undefined ? unknownFormat(name) : plainFormat(name));
  else if (isNoTime) onNote?.(`${name}: lines of this format have no time, so none is chosen by it`);
}

/** Whether a filter asks for more than entries whose level is not known. */
function asksForMore({ levels, components, ...times }: Filter): boolean {
  return asksForLevel({ levels }) || components !== undefined || hasTimes(times);
}

/** Whether a filter asks for levels, and not for entries that have none. */
function asksForLevel(filter: Pick<Filter, 'levels'> | undefined): boolean {
  return filter?.levels !== undefined && (filter.levels & (1 << LEVEL_OTHER)) === 0;
}

/** What is told of a text whose first lines have no level, though its format may have one. */
function noLevel(name: string): string {
  return `${name}: none of its first lines has a level; those that have none are chosen by =OTHER alone`;
}

/** What is told of a text of which no format was found out. */
export function unknownFormat(name: string): string {
  return `${name}: its lines are of no known format, so none is chosen by time, level or component`;
}

function plainFormat(name: string): string {
  return `${name}: lines of the format plain have no time, level or component to be chosen by`;
}

/** When a text was written last; now, where it is no file. */
async function writtenMs({ path }: Input, { vfs, runtime }: Reading): Promise<number> {
  const stat = path === undefined ? undefined : await vfs.stat(path);
  return stat?.modifiedMs ?? runtime.clock.now();
}

/** Reads the beginning of a text; what is returned still has it. */
async function readHead(source: TextSource, room: Buffer): Promise<{ source: TextSource; bytes: number }> {
  const { plain } = source;
  if (plain === undefined) {
    const bytes = await source.read(room);
    return { source: new ReplayedSource(source, Buffer.from(room.subarray(0, bytes))), bytes };
  }
  const { file, start, end } = plain;
  return { source, bytes: await file.read(room.subarray(0, Math.min(room.length, end - start)), start) };
}

/** A source of which the beginning was read already. */
class ReplayedSource implements TextSource {
  readonly title: string;
  readonly plain = undefined;
  readonly #source: TextSource;
  #head: Buffer;

  constructor(source: TextSource, head: Buffer) {
    this.title = source.title;
    this.#source = source;
    this.#head = head;
  }

  get isOver(): boolean {
    return this.#head.length === 0 && this.#source.isOver;
  }

  async read(target: Uint8Array): Promise<number> {
    if (this.#head.length === 0) return this.#source.read(target);
    const bytes = Math.min(target.length, this.#head.length);
    target.set(this.#head.subarray(0, bytes));
    this.#head = this.#head.subarray(bytes);
    return bytes;
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
