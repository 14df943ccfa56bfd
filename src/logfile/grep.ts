/**
 * Searches log files: the library's call.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../errors.ts';
import { booleanOption, checkInteger, checkOneOf, checkOptions, integerOption } from '../options.ts';
import { Runtime, sharedRuntime } from '../runtime.ts';
import type { GrepSpec } from '../scan/grep.ts';
import {
  LINE_IS_CONTEXT,
  LINE_IS_CUT,
  ROW_FLAGS,
  ROW_LENGTH,
  ROW_LINE,
  ROW_NUMBERS,
  ROW_POSITION,
  ROW_START,
} from '../scan/line-collector.ts';
import { compilePattern } from '../scan/pattern/compile.ts';
import { type Input, inputsOf, type TextInput } from '../text/inputs.ts';
import { TEXT_ENCODINGS, type TextEncoding } from '../text/recognize.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Vfs } from '../vfs/vfs.ts';
import {
  checkEntryOptions,
  checkIndexOptions,
  ENTRY_OPTIONS,
  type EntryOptions,
  INDEX_OPTIONS,
  type TimeIndexOptions,
} from './reading.ts';
import { type Chosen, type FoundPart, searchInput } from './search.ts';

/** What the calls that read log files share. */
export interface LogSourceOptions {
  /** Memory, threads and time; those that the process shares unless given. */
  runtime?: Runtime;
  /** The disk; the real one unless given. */
  vfs?: Vfs;
  /** How characters are bytes; UTF-8, or what a byte order mark says, unless given. */
  encoding?: TextEncoding;
  /** Reads the directories below a directory as well. */
  recursive?: boolean;
  /** Reads with each file the others of its rotated set, the oldest first. */
  rotated?: boolean;
  /** Ends it; what it was waiting for is rejected with the signal's reason. */
  signal?: AbortSignal;
  /**
   * Is told what cannot be read, and the others are read all the same; without it, the first that cannot be
   * read ends the call.
   */
  onFailure?: (error: VarveError) => void;
}

export interface GrepOptions extends LogSourceOptions, EntryOptions, TimeIndexOptions {
  /**
   * What is searched for: a regular expression, as text (of JavaScript, with the flag `u`) or as a `RegExp`, of
   * whose flags only `i` counts; or several, of which one must match.
   */
  pattern: string | RegExp | readonly string[];
  /** Takes patterns as texts, and not as expressions. */
  fixed?: boolean;
  /** Takes letters in either case for the same. */
  ignoreCase?: boolean;
  /** Whether a match may be a part of the line (unless told otherwise), or must be whole words or all of it. */
  whole?: 'part' | 'word' | 'line';
  /** Finds the lines that do not match. */
  invert?: boolean;
  /** How many lines before and behind each are wanted too; none unless given. */
  before?: number;
  after?: number;
  /** How many lines of each input are enough. */
  limit?: number;
  /** Called now and then with the input and how many bytes of its text were searched. */
  onProgress?: (name: string, bytes: number) => void;
}

/** A line that was found, or is near to one that was. */
export interface GrepLine {
  /** The path of the file, or what the stream is called. */
  name: string;
  /** The number of the line, from 1. */
  line: number;
  /** Where it begins, in bytes of the text. */
  position: number;
  /** The line, without its line end. Bytes that are no UTF-8 are U+FFFD. */
  text: string;
  /** Where the matches are in `text`; none of a line that is there for its neighbours, or does not match. */
  matches: { start: number; end: number }[];
  /** Whether it was not found itself. */
  isContext: boolean;
  /** Whether it is the beginning of a line of more than 2 MiB, of which only that was searched. */
  isCut: boolean;
}

const CONTEXT_MAX = 1_000_000;
const NAMES: readonly string[] = [
  ...ENTRY_OPTIONS,
  ...INDEX_OPTIONS,
  'runtime',
  'vfs',
  'encoding',
  'recursive',
  'rotated',
  'signal',
  'onFailure',
  'pattern',
  'fixed',
  'ignoreCase',
  'whole',
  'invert',
  'before',
  'after',
  'limit',
  'onProgress',
];

/**
 * Yields the lines of log files that match, in order.
 *
 * ```ts
 * for await (const { name, line, text } of grep('/var/log/app', { pattern: /timed out/i, rotated: true })) …
 * ```
 *
 * @param source a file, a directory or a pattern for names, several of them, or a stream of bytes; what is
 * compressed is decompressed
 * @throws TypeError, RangeError where an argument is wrong
 * @throws the signal's reason where it was aborted
 * @throws VarveError `NOT_FOUND`, `READ_ONLY`, `IO`, `CORRUPT`, `UNSUPPORTED` or `NO_MEMORY` where something
 * cannot be read and there is no `onFailure`
 */
export async function* grep(
  source: TextInput,
  options: GrepOptions,
): AsyncGenerator<GrepLine, void, undefined> {
  const spec = specOf(options);
  checkSourceOptions(options);
  const { runtime = sharedRuntime(), vfs = nodeVfs, recursive, rotated, onFailure } = options;
  const { line } = compilePattern(spec);
  const chosen = chosenOf(options, runtime, vfs);
  const { inputs, failures } = await inputsOf(vfs, source, { recursive, rotated });
  for (const failure of failures) tell(failure, onFailure);
  for (const input of inputs) {
    try {
      yield* linesOf(runtime, input, spec, options, chosen, line);
    } catch (error) {
      tell(error, onFailure);
    }
  }
}

/** Checks what the calls that read log files share. @throws TypeError */
function checkSourceOptions({ runtime, encoding, recursive, rotated }: LogSourceOptions): void {
  if (runtime !== undefined && !(runtime instanceof Runtime)) {
    throw new TypeError('runtime must be what createRuntime returned');
  }
  if (encoding !== undefined) checkOneOf('encoding', encoding, TEXT_ENCODINGS);
  booleanOption('recursive', recursive, false);
  booleanOption('rotated', rotated, false);
}

/** Which lines are there for the search; undefined for all. @throws TypeError, RangeError */
function chosenOf(options: GrepOptions, runtime: Runtime, vfs: Vfs): Chosen | undefined {
  const filter = checkEntryOptions(options);
  const use = checkIndexOptions(options);
  if (filter === undefined) return undefined;
  const { format, zone, assumeYear, onNote, encoding, signal } = options;
  const reading = { options: { format, zone, assumeYear, onNote, encoding, signal }, runtime, vfs, filter };
  return { reading, ...use };
}

function tell(error: unknown, onFailure: LogSourceOptions['onFailure']): void {
  if (onFailure === undefined || !isVarveError(error)) throw error;
  onFailure(error);
}

function specOf(options: GrepOptions): GrepSpec {
  checkOptions('grep options', options, NAMES);
  const { pattern, limit } = options;
  const patterns = pattern instanceof RegExp ? [pattern.source] : [pattern].flat();
  for (const one of patterns as readonly unknown[]) {
    if (typeof one !== 'string') throw new TypeError(`pattern must be text or a RegExp, not ${String(one)}`);
  }
  if (patterns.length === 0) throw new RangeError('there must be a pattern to search for');
  const ignoreCase = booleanOption('ignoreCase', options.ignoreCase, false);
  return {
    patterns: [...patterns],
    fixed: booleanOption('fixed', options.fixed, false),
    ignoreCase: ignoreCase || (pattern instanceof RegExp && pattern.ignoreCase),
    whole: checkOneOf('whole', options.whole ?? 'part', ['part', 'word', 'line']),
    invert: booleanOption('invert', options.invert, false),
    countOnly: false,
    rows: true,
    places: false,
    before: integerOption('before', options.before, 0, 0, CONTEXT_MAX),
    after: integerOption('after', options.after, 0, 0, CONTEXT_MAX),
    limit:
      limit === undefined
        ? Number.POSITIVE_INFINITY
        : checkInteger('limit', limit, 0, Number.MAX_SAFE_INTEGER),
  };
}

async function* linesOf(
  runtime: Runtime,
  input: Input,
  spec: GrepSpec,
  options: GrepOptions,
  chosen: Chosen | undefined,
  line: RegExp,
): AsyncGenerator<GrepLine, void, undefined> {
  const { signal, encoding, onProgress } = options;
  const progress = onProgress && ((bytes: number) => onProgress(input.name, bytes));
  const how = { signal, encoding, chosen, onProgress: progress };
  for await (const part of searchInput(runtime, input, spec, how)) {
    yield* linesIn(input.name, part, spec.invert ? undefined : line);
  }
}

/** @param pattern finds the places of the matches; undefined where there are none */
function* linesIn(name: string, part: FoundPart, pattern: RegExp | undefined): Generator<GrepLine> {
  const { text, rows } = part.result;
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  for (let at = 0; at < rows.length; at += ROW_NUMBERS) {
    const start = rows[at + ROW_START] as number;
    const end = start + (rows[at + ROW_LENGTH] as number);
    const flags = rows[at + ROW_FLAGS] as number;
    const content = bytes.toString('utf8', start, end).replace(/\r$/, '');
    const isContext = (flags & LINE_IS_CONTEXT) !== 0;
    yield {
      name,
      line: part.linesBefore + (rows[at + ROW_LINE] as number) + 1,
      position: rows[at + ROW_POSITION] as number,
      text: content,
      matches: pattern === undefined || isContext ? [] : matchesIn(content, pattern),
      isContext,
      isCut: (flags & LINE_IS_CUT) !== 0,
    };
  }
}

function matchesIn(text: string, pattern: RegExp): { start: number; end: number }[] {
  return Array.from(text.matchAll(pattern), ({ index, 0: match }) => ({
    start: index,
    end: index + match.length,
  }));
}
