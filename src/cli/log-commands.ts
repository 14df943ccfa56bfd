/**
 * The commands that read log files as they are, and their options.
 *
 * @module
 */

import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../clock.ts';
import { TEXT_ENCODINGS } from '../text/recognize.ts';
import { parseCount } from './arguments.ts';
import { execute } from './context.ts';
import { addIndexOptions } from './log-options.ts';
import type { LoggrepCommandOptions } from './loggrep.ts';
import type { LogtailCommandOptions } from './logtail.ts';
import type { NameRule } from './name-rules.ts';
import { addReadingOptions } from './reading-options.ts';
import { parseTime } from './time.ts';

/** An hour. */
const INTERVAL_MS_MAX = 3_600_000;

function count(text: string): number {
  try {
    return parseCount(text);
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

function time(text: string): number {
  try {
    return parseTime(text, systemClock.now());
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}

/** Seconds, as milliseconds that a clock can wait for. */
function interval(text: string): number {
  const ms = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Math.max(1, Math.round(Number(text) * 1000)) : Number.NaN;
  if (!(ms <= INTERVAL_MS_MAX))
    throw new InvalidArgumentError('it must be a number of seconds, at most 3600.');
  return ms;
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** Options about which lines are wanted, the same for all of them. */
function addChoiceOptions(command: Command): Command {
  return command
    .option('--since <time>', 'only lines of entries of this time or later', time)
    .option('--until <time>', 'only lines of entries before this time', time)
    .option('--level <level>', 'only lines of entries of this level and above; =WARN,INFO: of these')
    .option('--component <name>', 'only lines of entries of this component; * is any text', collect);
}

/** Options about what is read, the same for all of them. */
function addInputOptions(command: Command): Command {
  return command
    .option('-r, --recursive', 'read the directories below a directory too')
    .option('--rotated', 'read with each file the others of its rotated set, the oldest first')
    .addOption(
      new Option(
        '--encoding <name>',
        'how characters are bytes; UTF-8 or what a mark says unless given',
      ).choices(TEXT_ENCODINGS),
    );
}

export function addLoggrep(program: Command): void {
  const command = program
    .command('loggrep')
    .description('print the lines that match a regular expression (of JavaScript), as grep does')
    .argument('[pattern]', 'what is searched for; a file where -e is given')
    .argument('[file...]', 'files, directories or patterns; standard input (-) unless given')
    .helpOption('--help', 'print this help')
    .option('-e, --regexp <pattern>', 'a pattern; may be given several times', collect)
    .option('-f, --file <file>', 'patterns from a file, one a line; - is standard input', collect)
    .option('-F, --fixed-strings', 'patterns are texts')
    .option('-i, --ignore-case', 'take letters in either case for the same')
    .option('-w, --word-regexp', 'a match must be whole words')
    .option('-x, --line-regexp', 'a match must be a whole line')
    .option('-v, --invert-match', 'lines that do not match')
    .option('-c, --count', 'print how many lines there are of each file')
    .option('-n, --line-number', 'print the number of each line')
    .option('-b, --byte-offset', 'print how many bytes are before each line, or each match')
    .option('-o, --only-matching', 'print the matches alone')
    .option('-l, --files-with-matches', 'print the names of files that have such lines')
    .option('-L, --files-without-match', 'print the names of files that have none')
    .option('-H, --with-filename', 'print the name of the file before each line')
    .option('-h, --no-filename', 'do not')
    .option('-Z, --null', 'a zero byte behind names, for xargs -0')
    .option('-q, --quiet', 'print nothing; the exit code tells')
    .option('-s, --no-messages', 'do not say which files cannot be read')
    .option('-m, --max-count <n>', 'at most so many lines of each file', count)
    .option('--include <glob>', 'only files of such names; may be given several times')
    .option('--exclude <glob>', 'no files of such names')
    .option('--exclude-dir <glob>', 'no directories of such names')
    .option('-A, --after-context <n>', 'print so many lines behind each', count)
    .option('-B, --before-context <n>', 'print so many lines before each', count)
    .option('-C, --context <n>', 'print so many lines around each', count)
    .addOption(
      new Option('--color <when>', 'colours: always, never, or auto: on a terminal')
        .choices(['always', 'auto', 'never'])
        .default(undefined, 'auto'),
    )
    .addOption(new Option('--colour <when>', 'the same').choices(['always', 'auto', 'never']).hideHelp())
    .option('--stats', 'say at the end how much was found, and how fast');
  addUnneeded(command);
  addNameRules(command);
  // Of two that contradict each other the last one counts, as in grep; and a word has two spellings.
  command.on('option:files-with-matches', () => command.setOptionValue('filesWithoutMatch', undefined));
  command.on('option:files-without-match', () => command.setOptionValue('filesWithMatches', undefined));
  command.on('option:colour', (when: string) => command.setOptionValue('color', when));
  addChoiceOptions(command);
  addIndexOptions(command);
  addInputOptions(command);
  addReadingOptions(command);
  command.addHelpText('after', '\nExit codes: 0 lines were found; 1 none; 2 something could not be read.');
  command.action((pattern: string | undefined, files: string[], options: LoggrepCommandOptions) =>
    execute(async (context) => {
      const { startThreads } = await import('./early-threads.ts');
      if (!isInOrder(options)) await startThreads(files, 'grep');
      const { loggrep } = await import('./loggrep.ts');
      return loggrep(pattern === undefined ? [] : [pattern, ...files], options, context);
    }),
  );
}

/** What is so in any case, and who is used to grep types all the same. */
function addUnneeded(command: Command): void {
  for (const flags of ['-E, --extended-regexp', '-P, --perl-regexp', '-a, --text', '--line-buffered']) {
    command.addOption(new Option(flags, 'changes nothing').hideHelp());
  }
}

/** Of rules about names the order counts. */
function addNameRules(command: Command): void {
  const rules: NameRule[] = [];
  const kinds = { include: 'include', exclude: 'exclude', 'exclude-dir': 'excludeDirectory' } as const;
  for (const [name, kind] of Object.entries(kinds)) {
    command.on(`option:${name}`, (glob: string) => {
      rules.push({ kind, glob });
      command.setOptionValue('names', rules);
    });
  }
}

/** Whether one thread does it all: what is found depends on the lines before, or may be found soon. */
function isInOrder(options: LoggrepCommandOptions): boolean {
  const { maxCount, afterContext, beforeContext, context, since, until, level, component } = options;
  const { quiet, filesWithMatches, filesWithoutMatch } = options;
  const all = [maxCount, afterContext, beforeContext, context, since, until, level, component];
  return [...all, quiet, filesWithMatches, filesWithoutMatch].some((option) => option !== undefined);
}

export function addLogtail(program: Command): void {
  const command = program
    .command('logtail')
    .description('print the last lines of files, and what is appended to them, as tail -F does')
    .argument('[file...]', 'files, directories or patterns; standard input (-) unless given')
    .option('-n, --lines <n>', 'how many lines, 10 unless given; +N begins with line N')
    .option('-c, --bytes <n>', 'how many bytes instead; +N begins with byte N')
    .option('-f, --follow', 'go on with what is appended, through rotation, until interrupted')
    .addOption(new Option('-F', 'the same').hideHelp())
    .addOption(new Option('--retry', 'is so with -f').hideHelp())
    .option('--pid <pid>', 'with -f, end when this process has ended', count)
    .option('-s, --sleep-interval <seconds>', 'with -f, how long to wait before each look; 0.25', interval)
    .option('-q, --quiet', 'do not say which file it is')
    .option('-v, --verbose', 'always say which file it is');
  command.on('option:F', () => command.setOptionValue('follow', true));
  // Of two that contradict each other the last one counts, as in tail.
  command.on('option:lines', () => command.setOptionValue('bytes', undefined));
  command.on('option:bytes', () => command.setOptionValue('lines', undefined));
  addChoiceOptions(command);
  addInputOptions(command);
  addReadingOptions(command);
  command.action((files: string[], options: LogtailCommandOptions) =>
    execute(async (context) => {
      const { logtail } = await import('./logtail.ts');
      return logtail(files, options, context);
    }),
  );
}
