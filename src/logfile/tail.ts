/**
 * The end of log files, and what is appended to them: the library's call.
 *
 * @module
 */

import { type Clock, pause } from '../clock.ts';
import { isVarveError, type VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { booleanOption, checkOneOf, checkOptions, integerOption } from '../options.ts';
import type { ParserOptions } from '../parse/parser.ts';
import { Runtime, sharedRuntime } from '../runtime.ts';
import type { ChoiceSpec } from '../scan/choice.ts';
import { isGlob } from '../text/glob.ts';
import { type Input, inputsOf, type TextInput } from '../text/inputs.ts';
import { TEXT_ENCODINGS } from '../text/recognize.ts';
import type { TextSource } from '../text/source.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { EachOf } from './each-of.ts';
import { type FollowEvent, FollowedFile } from './follow.ts';
import type { LogSourceOptions } from './grep.ts';
import { checkEntryOptions, ENTRY_OPTIONS, type EntryOptions, openLog, unknownFormat } from './reading.ts';
import { type TailStart, tailOf } from './tail-chunks.ts';
import { TailFilter } from './tail-filter.ts';

export interface TailOptions extends LogSourceOptions, EntryOptions {
  /** How many lines from the end; 10 unless given. */
  lines?: number;
  /** Begins with the line of this number instead; 1 is the first. */
  fromLine?: number;
  /**
   * Goes on with what is appended, until it is aborted: also when a file is cut off, removed, renamed, or
   * replaced by another of its name. What is compressed is not followed.
   */
  follow?: boolean;
  /** How long to wait before a look for more, in milliseconds; 250 unless given. */
  intervalMs?: number;
  /** Called now and then with the input and how many bytes of its text were handed over. */
  onProgress?: (name: string, bytes: number) => void;
}

/** A line of a file. */
export interface TailLine {
  /** The path of the file, or what the stream is called. */
  name: string;
  /** The line, without its line end. Bytes that are no UTF-8 are U+FFFD. */
  text: string;
}

/** A part of a file, or what happened to it: `end` where nothing will follow. */
export type TailPart = { name: string; bytes: Buffer } | { name: string; event: FollowEvent | 'end' };

export interface TailPartsOptions {
  runtime: Runtime;
  vfs: Vfs;
  wanted: TailStart;
  follow: boolean;
  intervalMs: number;
  /** Whether nothing will be appended any more: then there is one more look. */
  isOver?: (() => boolean) | undefined;
  encoding: LogSourceOptions['encoding'];
  /** Which of the lines are wanted; all unless given. */
  choice?: ChoiceSpec | undefined;
  /** The same as it was asked for: the beginning of a file says its format, and the year of its first line. */
  choosing?: EntryOptions | undefined;
  /** Is told of each input whose lines cannot be chosen. */
  onNote?: ((note: string) => void) | undefined;
  signal: AbortSignal | undefined;
  onFailure: (error: VarveError) => void;
  /** Is told of each input that could be opened, before its bytes. */
  onInput?: (name: string) => void;
}

export const TAIL_LINES = 10;
export const TAIL_INTERVAL_MS = 250;
const INTERVAL_MS_MAX = 3_600_000;
const LINE_FEED = 10;
const RETURN = 13;
/** A line of which the end does not come is handed over in parts. */
const LINE_BYTES_MAX: number = 2 * 1024 * 1024;

/**
 * Yields the last lines of log files, and with `follow` those that are appended.
 *
 * ```ts
 * for await (const { name, text } of tail('/var/log/app.log', { lines: 100, follow: true, signal })) …
 * ```
 *
 * @param source as `grep` takes it
 * @throws TypeError, RangeError where an argument is wrong
 * @throws the signal's reason where it was aborted
 * @throws VarveError where something cannot be read and there is no `onFailure`; a file that is followed and
 * is not there is waited for
 */
export function tail(
  source: TextInput,
  options: TailOptions = {},
): AsyncGenerator<TailLine, void, undefined> {
  return new EachOf(linesOf(source, options));
}

/** The lines of one part after the other. */
async function* linesOf(
  source: TextInput,
  options: TailOptions,
): AsyncGenerator<TailLine[], void, undefined> {
  const all = checked(options);
  const { inputs, failures } = await inputsOf(all.vfs, source, options);
  const waitedFor = all.follow ? failures.filter(isWaitedFor) : [];
  for (const failure of failures) if (!waitedFor.includes(failure)) all.onFailure(failure);
  const missing = waitedFor.map((failure) => failure.file as string);
  const rests = new Map<string, Buffer>();
  const done = new Map<string, number>();
  for await (const part of tailParts(inputs, missing, all)) {
    if ('bytes' in part && options.onProgress !== undefined) {
      const bytes = (done.get(part.name) ?? 0) + part.bytes.length;
      done.set(part.name, bytes);
      options.onProgress(part.name, bytes);
    }
    const rest = rests.get(part.name);
    if ('event' in part) {
      // What comes is not the end of the line that has none.
      if (rest !== undefined) yield [{ name: part.name, text: rest.toString() }];
      rests.delete(part.name);
      continue;
    }
    const bytes = rest === undefined ? part.bytes : Buffer.concat([rest, part.bytes]);
    const lines: TailLine[] = [];
    let start = 0;
    for (let feed = bytes.indexOf(LINE_FEED); feed >= 0; feed = bytes.indexOf(LINE_FEED, start)) {
      const end = feed > start && bytes[feed - 1] === RETURN ? feed - 1 : feed;
      lines.push({ name: part.name, text: bytes.toString('utf8', start, end) });
      start = feed + 1;
    }
    if (bytes.length - start > LINE_BYTES_MAX) {
      lines.push({ name: part.name, text: bytes.toString('utf8', start) });
      start = bytes.length;
    }
    if (start < bytes.length) rests.set(part.name, bytes.subarray(start));
    else rests.delete(part.name);
    if (lines.length > 0) yield lines;
  }
  for (const [name, rest] of rests) yield [{ name, text: rest.toString() }];
}

function checked(options: TailOptions): TailPartsOptions {
  checkOptions('tail options', options, [
    ...ENTRY_OPTIONS,
    'onProgress',
    'runtime',
    'vfs',
    'encoding',
    'recursive',
    'rotated',
    'signal',
    'onFailure',
    'lines',
    'fromLine',
    'follow',
    'intervalMs',
  ]);
  const { runtime, encoding, signal, onFailure } = options;
  if (runtime !== undefined && !(runtime instanceof Runtime)) {
    throw new TypeError('runtime must be what createRuntime returned');
  }
  if (encoding !== undefined) checkOneOf('encoding', encoding, TEXT_ENCODINGS);
  const filter = checkEntryOptions(options);
  const { format, zone, assumeYear, onNote } = options;
  if (options.lines !== undefined && options.fromLine !== undefined) {
    throw new RangeError('of lines and fromLine only one can be given');
  }
  return {
    runtime: runtime ?? sharedRuntime(),
    vfs: options.vfs ?? nodeVfs,
    wanted:
      options.fromLine === undefined
        ? { lines: integerOption('lines', options.lines, TAIL_LINES, 0) }
        : { fromLine: integerOption('fromLine', options.fromLine, 1, 1) },
    follow: booleanOption('follow', options.follow, false),
    intervalMs: integerOption('intervalMs', options.intervalMs, TAIL_INTERVAL_MS, 1, INTERVAL_MS_MAX),
    encoding,
    choosing: options,
    choice: filter && { filter, format, options: parserOptions({ zone, assumeYear }) },
    onNote,
    signal,
    onFailure:
      onFailure ??
      ((error) => {
        throw error;
      }),
  };
}

/** How lines of the end of a file are taken apart: times without a year are in the one that is given. */
export function parserOptions({
  zone,
  assumeYear,
}: Pick<EntryOptions, 'zone' | 'assumeYear'>): ParserOptions {
  return {
    ...(zone !== undefined && { zone }),
    ...(assumeYear !== undefined && { yearFrom: new Date(0).setUTCFullYear(assumeYear) }),
  };
}

/** Whether a file that could not be found may turn up later: a pattern of names is not looked for again. */
export function isWaitedFor(error: VarveError): boolean {
  return error.code === 'NOT_FOUND' && error.file !== undefined && !isGlob(error.file);
}

/**
 * Yields the ends of inputs as bytes, one input after the other, and then what is appended to any of them.
 *
 * @param missing paths that are followed as soon as they are there
 */
export async function* tailParts(
  inputs: readonly Input[],
  missing: readonly string[],
  options: TailPartsOptions,
): AsyncGenerator<TailPart, void, undefined> {
  const { choice, onNote } = options;
  const found = new Map<string, ChoiceSpec>();
  const parts = allParts(inputs, missing, options, found);
  if (choice === undefined) yield* parts;
  else yield* chosenParts(parts, (name) => found.get(name) ?? choice, options.runtime.memory, onNote);
}

/** Lets the lines through that are wanted, of each file by itself. */
async function* chosenParts(
  parts: AsyncIterable<TailPart>,
  choiceFor: (name: string) => ChoiceSpec,
  memory: Memory,
  onNote: TailPartsOptions['onNote'],
): AsyncGenerator<TailPart, void, undefined> {
  const filters = new Map<string, TailFilter>();
  const told = new Set<string>();
  try {
    for await (const part of parts) {
      const filter = filters.get(part.name) ?? new TailFilter(memory, choiceFor(part.name));
      filters.set(part.name, filter);
      const bytes = 'event' in part ? filter.end() : filter.take(part.bytes);
      if (filter.isPlain && !told.has(part.name)) {
        told.add(part.name);
        onNote?.(unknownFormat(part.name));
      }
      if (bytes.length > 0) yield { name: part.name, bytes };
      if ('event' in part) {
        filter.release();
        filters.delete(part.name);
        yield part;
      }
    }
  } finally {
    for (const filter of filters.values()) filter.release();
  }
}

async function* allParts(
  inputs: readonly Input[],
  missing: readonly string[],
  options: TailPartsOptions,
  found: Map<string, ChoiceSpec>,
): AsyncGenerator<TailPart, void, undefined> {
  const { runtime, vfs, follow, signal } = options;
  const followed = missing.map((path) => new FollowedFile(vfs, path));
  try {
    for (const input of inputs) {
      signal?.throwIfAborted();
      const file = follow && input.path !== undefined ? new FollowedFile(vfs, input.path) : undefined;
      try {
        yield* tailOne(input, file, options, found);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        options.onFailure(error);
        if (file !== undefined) followed.push(file);
      }
      if (file?.isOpen === true) followed.push(file);
      else yield { name: input.name, event: 'end' };
    }
    for (let isLast = false; follow && followed.length > 0 && !isLast; ) {
      isLast = options.isOver?.() === true;
      for (const file of followed) {
        for await (const part of file.look()) yield { name: file.path, ...part };
      }
      if (!isLast) await waitFor(runtime.clock, options.intervalMs, signal);
    }
  } finally {
    for (const file of followed) await file.close();
  }
}

async function* tailOne(
  input: Input,
  file: FollowedFile | undefined,
  options: TailPartsOptions,
  found: Map<string, ChoiceSpec>,
): AsyncGenerator<TailPart, void, undefined> {
  const { runtime, vfs, wanted, encoding, signal, onInput } = options;
  const before = file && (await vfs.stat(file.path));
  const source =
    (await openChosen(input, options, found)) ??
    (await input.open({ clock: runtime.clock, encoding, signal }));
  let isKept = false;
  onInput?.(input.name);
  try {
    for await (const bytes of tailOf(runtime.memory, source, wanted)) yield { name: input.name, bytes };
    const after = file && (await vfs.stat(file.path));
    const { plain } = source;
    if (file === undefined || before === undefined || plain === undefined) return;
    // Where it was replaced meanwhile, the look to come reads the new one from its beginning.
    isKept = true;
    file.begin(plain.file, after?.id === before.id ? before.id : '', plain.end);
  } finally {
    if (!isKept) await source.close();
  }
}

/** Opens a file and looks at its beginning; undefined where nothing is chosen, or there is nothing to look at. */
async function openChosen(
  input: Input,
  { runtime, vfs, encoding, signal, choice, choosing, onNote }: TailPartsOptions,
  found: Map<string, ChoiceSpec>,
): Promise<TextSource | undefined> {
  if (choice === undefined || choosing === undefined || input.path === undefined) return undefined;
  const { filter } = choice;
  const { format, zone, assumeYear } = choosing;
  // Of a format that is not known yet the filter of the lines tells.
  const note = (text: string): void => {
    if (text !== unknownFormat(input.name)) onNote?.(text);
  };
  const reading = {
    options: { format, zone, assumeYear, onNote: note, encoding, signal },
    runtime,
    vfs,
    filter,
  };
  const log = await openLog(input, reading);
  const isPlain = log.format === 'plain' && format === undefined;
  if (!isPlain) found.set(input.name, { filter, format: log.format, options: log.parser });
  return log.source;
}

function waitFor(clock: Clock, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(clock, delayMs, signal ?? new AbortController().signal, true);
}
