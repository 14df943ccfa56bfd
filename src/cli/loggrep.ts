/**
 * `varve loggrep PATTERN FILE…`: prints the lines that match, as grep does.
 *
 * @module
 */

import pc from 'picocolors';
import { isVarveError } from '../errors.ts';
import { type Chosen, type FoundPart, searchInput } from '../logfile/search.ts';
import { type Runtime, sharedRuntime } from '../runtime.ts';
import type { GrepSpec } from '../scan/grep.ts';
import { compilePattern } from '../scan/pattern/compile.ts';
import { expandInputs, type Input } from '../text/inputs.ts';
import type { TextEncoding } from '../text/recognize.ts';
import { nodeVfs } from '../vfs/node.ts';
import { checkStandardInput } from '../vfs/stdin.ts';
import type { ChoiceOptions } from './choice.ts';
import type { Context, ExitCode } from './context.ts';
import { sentenceOf, UsageError } from './failure.ts';
import { formatByteRate, formatBytes, formatCount, formatDuration, plural } from './format.ts';
import { LinePrinter } from './line-printer.ts';
import { type NameRule, skipByName } from './name-rules.ts';

export interface LoggrepCommandOptions extends ChoiceOptions {
  /** Milliseconds since the epoch. */
  regexp?: string[];
  /** Files of patterns. */
  file?: string[];
  fixedStrings?: boolean;
  ignoreCase?: boolean;
  wordRegexp?: boolean;
  lineRegexp?: boolean;
  invertMatch?: boolean;
  count?: boolean;
  lineNumber?: boolean;
  onlyMatching?: boolean;
  filesWithMatches?: boolean;
  filesWithoutMatch?: boolean;
  withFilename?: boolean;
  /** commander: `--no-filename` makes it false. */
  filename?: boolean;
  quiet?: boolean;
  /** commander: `--no-messages` makes it false. */
  messages?: boolean;
  byteOffset?: boolean;
  null?: boolean;
  names?: NameRule[];
  maxCount?: number;
  afterContext?: number;
  beforeContext?: number;
  context?: number;
  recursive?: boolean;
  rotated?: boolean;
  encoding?: TextEncoding;
  /** False for `--no-index`. */
  index?: boolean;
  color?: 'always' | 'auto' | 'never';
  indexDir?: string;
  stats?: boolean;
}

/** Is found nowhere. */
const NOTHING = '(?!)';

/** What is printed for each file. */
type Answer = 'lines' | 'count' | 'names' | 'namesWithout' | 'nothing';

export async function loggrep(
  args: readonly string[],
  options: LoggrepCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const [patterns, files] = await patternsAndFiles(args, options);
  const answer = answerOf(options);
  const colours = coloursFor(options.color, context);
  const isColoured = answer === 'lines' && colours.isColorSupported;
  const { recursive, rotated, names } = options;
  const standardInput = (): NodeJS.ReadStream => {
    checkStandardInput();
    return process.stdin;
  };
  const expanded = await expandInputs(nodeVfs, files, {
    recursive,
    rotated,
    standardInput,
    skip: names && skipByName(names),
  });
  const hasNames =
    options.filename !== false &&
    (options.withFilename === true || files.length > 1 || expanded.inputs.length > 1 || recursive === true);
  const { lineNumber, byteOffset, onlyMatching } = options;
  const isPlain = ![hasNames, lineNumber, byteOffset, onlyMatching, isColoured].includes(true);
  const spec = specOf(patterns, options, answer, isPlain, isColoured);
  // A wrong expression is told before anything is read.
  compilePattern(spec);
  const printer = new LinePrinter(context.stdout, colours, {
    hasNames,
    hasNumbers: lineNumber === true,
    hasPositions: byteOffset === true,
    endsNames: options.null === true,
    onlyMatching: onlyMatching === true,
    isPlain: isPlain && spec.parted !== true,
    hasContext: spec.parted === true,
  });
  const chosen = await chosenOf(options, context);
  const search = new Search(sharedRuntime(), spec, answer, hasNames, printer, options, chosen, context);
  for (const failure of expanded.failures) search.fail(failure);
  await search.run(expanded.inputs);
  return search.exitCode;
}

/** The colours that the option asks for. */
function coloursFor(when: LoggrepCommandOptions['color'], { colours }: Context): Context['colours'] {
  return when === undefined || when === 'auto' ? colours : pc.createColors(when === 'always');
}

/** Which lines are there for the search; the code that takes lines apart is loaded only for who chooses. */
async function chosenOf(options: LoggrepCommandOptions, context: Context): Promise<Chosen | undefined> {
  const { since, until, level, component, format, pattern, timePattern, formatFile, zone, assumeYear } =
    options;
  const about = [since, until, level, component, format, pattern, timePattern, formatFile, zone, assumeYear];
  if (about.every((option) => option === undefined)) return undefined;
  const { readingOfChoice } = await import('./choice.ts');
  const reading = await readingOfChoice(options, context);
  return reading && { reading, index: options.index ?? true, indexDirectory: options.indexDir };
}

async function patternsAndFiles(
  args: readonly string[],
  { regexp, file, recursive }: LoggrepCommandOptions,
): Promise<[patterns: string[], files: readonly string[]]> {
  const [first, ...rest] = args;
  const isFirst = regexp === undefined && file === undefined;
  if (isFirst && first === undefined) throw new UsageError('there is no pattern to search for');
  const patterns = (regexp ?? (isFirst ? [first as string] : [])).flatMap((pattern) => pattern.split('\n'));
  if (file !== undefined) {
    const { inputLines } = await import('./input-lines.ts');
    for (const path of file) for await (const line of inputLines(path)) patterns.push(line);
  }
  const files = isFirst ? rest : args;
  if (files.length > 0) return [patterns, files];
  return [patterns, [recursive === true ? '.' : '-']];
}

function answerOf(options: LoggrepCommandOptions): Answer {
  if (options.quiet === true) return 'nothing';
  if (options.filesWithMatches === true) return 'names';
  if (options.filesWithoutMatch === true) return 'namesWithout';
  return options.count === true ? 'count' : 'lines';
}

function specOf(
  patterns: readonly string[],
  options: LoggrepCommandOptions,
  answer: Answer,
  isPlain: boolean,
  isColoured: boolean,
): GrepSpec {
  const { context = 0, beforeContext = context, afterContext = context, onlyMatching } = options;
  const { context: around, beforeContext: before, afterContext: after } = options;
  const showsLines = answer === 'lines';
  // As of grep: also with none around them, and of matches alone, what is not next to each other is parted.
  const parted = showsLines && (around ?? before ?? after) !== undefined;
  // As in grep: where there is nothing to search for, nothing is read.
  const isNothing = patterns.length === 0 && options.invertMatch !== true;
  const most = isNothing ? 0 : (options.maxCount ?? Number.POSITIVE_INFINITY);
  return {
    // Where there are none, as in an empty file, no line has one.
    patterns: patterns.length === 0 ? [NOTHING] : [...patterns],
    fixed: options.fixedStrings === true && patterns.length > 0,
    ignoreCase: options.ignoreCase === true,
    whole: options.lineRegexp === true ? 'line' : options.wordRegexp === true ? 'word' : 'part',
    invert: options.invertMatch === true,
    countOnly: !showsLines,
    rows: showsLines && (!isPlain || parted),
    places: showsLines && (onlyMatching === true || isColoured),
    before: showsLines ? beforeContext : 0,
    after: showsLines ? afterContext : 0,
    parted,
    // One line tells whether there is one.
    limit: answer === 'lines' || answer === 'count' ? most : Math.min(1, most),
  };
}

class Search {
  readonly #runtime: Runtime;
  readonly #spec: GrepSpec;
  readonly #answer: Answer;
  readonly #hasNames: boolean;
  readonly #printer: LinePrinter;
  readonly #options: LoggrepCommandOptions;
  readonly #chosen: Chosen | undefined;
  readonly #context: Context;
  #found = 0;
  #cut = 0;
  #files = 0;
  #filesFound = 0;
  #bytes = 0;
  #hasFailed = false;

  constructor(
    runtime: Runtime,
    spec: GrepSpec,
    answer: Answer,
    hasNames: boolean,
    printer: LinePrinter,
    options: LoggrepCommandOptions,
    chosen: Chosen | undefined,
    context: Context,
  ) {
    this.#runtime = runtime;
    this.#spec = spec;
    this.#answer = answer;
    this.#hasNames = hasNames;
    this.#printer = printer;
    this.#options = options;
    this.#chosen = chosen;
    this.#context = context;
  }

  get exitCode(): ExitCode {
    const isFound = this.#found > 0;
    if (this.#hasFailed && !(isFound && this.#answer === 'nothing')) return 2;
    return isFound ? 0 : 1;
  }

  fail(error: unknown): void {
    this.#hasFailed = true;
    if (this.#options.messages !== false) this.#context.note(sentenceOf(error));
  }

  async run(inputs: readonly Input[]): Promise<void> {
    const { clock } = this.#context;
    const startMs = clock.monotonic();
    for (const input of inputs) {
      try {
        await this.#searchOne(input);
      } catch (error) {
        if (!isVarveError(error)) throw error;
        this.fail(error);
      }
      if (this.#answer === 'nothing' && this.#found > 0) break;
    }
    if (this.#cut > 0) {
      const lines = plural(this.#cut, 'line');
      this.#context.note(`${lines} of more than 2 MiB: only the beginning was searched, and is shown`);
    }
    if (this.#options.stats === true) this.#noteStats(clock.monotonic() - startMs);
  }

  async #searchOne(input: Input): Promise<void> {
    const { stdout, signal } = this.#context;
    const { encoding } = this.#options;
    let found = 0;
    const before = this.#bytes;
    const onProgress = (bytes: number): void => {
      this.#bytes = before + bytes;
    };
    for await (const part of searchInput(this.#runtime, input, this.#spec, {
      signal,
      encoding,
      chosen: this.#chosen,
      onProgress,
    })) {
      found += part.result.found;
      this.#found += part.result.found;
      this.#cut += part.result.cut;
      this.#print(input, part);
      if (stdout.full) await stdout.flush();
      if (found >= this.#spec.limit && part.result.text.length === 0) break;
    }
    this.#files++;
    if (found > 0) this.#filesFound++;
    if (this.#answer === 'count' && this.#spec.limit > 0)
      stdout.line(`${this.#hasNames ? input.name + this.#behindName(':') : ''}${found}`);
    const isNamed = this.#answer === 'names' ? found > 0 : this.#answer === 'namesWithout' && found === 0;
    if (isNamed) stdout.write(input.name + this.#behindName('\n'));
  }

  #behindName(usual: string): string {
    return this.#options.null === true ? '\0' : usual;
  }

  #print(input: Input, { result, linesBefore }: FoundPart): void {
    if (this.#answer === 'lines') this.#printer.print(input.name, result, linesBefore);
  }

  #noteStats(elapsedMs: number): void {
    const files = `${plural(this.#filesFound, 'file')} of ${formatCount(this.#files)}`;
    const read = `${formatBytes(this.#bytes)} searched in ${formatDuration(elapsedMs)}`;
    const rate = formatByteRate(this.#bytes, elapsedMs);
    this.#context.note(`${plural(this.#found, 'line')} found in ${files}; ${read} (${rate})`);
  }
}
