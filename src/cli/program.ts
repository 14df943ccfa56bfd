/**
 * The commands, their options and their help. What a command does is in its own file, which is loaded when
 * the command is called: `varve --help` loads none of them, and each loads only what it needs.
 *
 * @module
 */

import { Command, CommanderError, Option } from 'commander';
import { RECORD_BYTES_MAX } from '../limits.ts';
import { RECOVERY_MODES } from '../log/options.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { parseBytes, parseCount, parseList, parseSyncPolicy, SYNC_POLICY_FORMS } from './arguments.ts';
import type { BenchCompareCommandOptions } from './bench-compare.ts';
import type { BenchFsyncCommandOptions } from './bench-fsync.ts';
import { checked, count, TIMES, time } from './checked.ts';
import { execute, report } from './context.ts';
import type { DemoCommandOptions } from './demo.ts';
import { addEventCommands } from './event-commands.ts';
import type { InfoCommandOptions } from './info.ts';
import type { IngestCommandOptions } from './ingest.ts';
import type { InspectCommandOptions } from './inspect.ts';
import { addLoggrep, addLogtail } from './log-commands.ts';
import { addLogReadingCommands } from './log-reading-commands.ts';
import type { ReadCommandOptions } from './read.ts';
import { addReadingOptions } from './reading-options.ts';
import type { RepairCommandOptions } from './repair.ts';
import { parseDuration } from './time.ts';
import type { VerifyCommandOptions } from './verify.ts';

const EXIT_CODES = `
Exit codes: 0 done; 1 done, and the answer is no (damage was found); 2 it could not be done.`;

const bytes = checked(parseBytes);

/**
 * Runs what the command line asks for, and leaves the process with its exit code.
 *
 * @param version what `--version` answers
 * @param argv as in `process.argv`
 */
export async function runProgram(version: string, argv: readonly string[]): Promise<void> {
  const program = new Command('varve')
    .description('An event log in a directory: ingest, read, inspect, verify and repair it.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', EXIT_CODES)
    .exitOverride()
    .configureOutput({
      outputError: (message, write) => write(`varve: ${oneSentence(message)}\n`),
    });
  addIngest(program);
  addRead(program);
  addInfo(program);
  addInspect(program);
  addVerify(program);
  addRepair(program);
  addLogReadingCommands(program);
  addEventCommands(program);
  addBench(program, version);
  addLoggrep(program);
  addLogtail(program);
  addDemo(program);
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    // Commander has printed its message by now; help that was asked for is no failure.
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
    else process.exitCode = report(error);
  }
}

/** Commander makes two sentences of some messages, and puts its suggestion on a line of its own. */
function oneSentence(message: string): string {
  return message
    .replace(/^error: /, '')
    .trim()
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(
      /( is invalid| for '\w+')\. (\S)/,
      (_, start: string, letter: string) => `${start}: ${letter.toLowerCase()}`,
    )
    .replace(/\.$/, '');
}

function addIngest(program: Command): void {
  const command = program
    .command('ingest')
    .description('read text files (- is standard input) and append their lines to a log')
    .argument('<file...>', 'files of lines')
    .requiredOption('--into <dir>', 'the database; it is made where there is none')
    .option('--log <name>', 'the log; named after the first file unless given')
    .option('--sync <policy>', `when to call fdatasync: ${SYNC_POLICY_FORMS}`, checked(parseSyncPolicy))
    .option('--json', 'print the report as JSON');
  addReadingOptions(command);
  command.action((files: string[], options: IngestCommandOptions) =>
    execute(async (context) => {
      const { ingest } = await import('./ingest.ts');
      return ingest(files, options, context);
    }),
  );
}

/** Nothing is changed in any mode: the database is opened read-only. */
function recoveryOption(): Option {
  return new Option('--recovery <mode>', 'what to do about damage; nothing is changed on disk').choices(
    RECOVERY_MODES,
  );
}

function addRead(program: Command): void {
  const command = program
    .command('read')
    .description('print the records of a log: their values as they are, or JSON')
    .argument('<dir>', 'the database')
    .argument('<log>', 'the log, or one of its partitions as name-partition')
    .option('--from-offset <n>', 'the first offset', count)
    .option('--to-offset <n>', 'the offset to stop before', count)
    .option('--since <time>', 'records of this time or later', time)
    .option('--until <time>', 'records before this time', time)
    .option('--limit <n>', 'at most so many records', count)
    .option('--follow', 'wait for more until interrupted')
    .addOption(recoveryOption())
    .option('--json', 'print one JSON object a line')
    .addHelpText('after', TIMES);
  command.action((dir: string, log: string, options: ReadCommandOptions) =>
    execute(async (context) => {
      const { read } = await import('./read.ts');
      return read(dir, log, options, context);
    }),
  );
}

function addInfo(program: Command): void {
  const command = program
    .command('info')
    .description('tell what is in a database or in one log: counts, times, levels, sizes')
    .argument('<dir>', 'the database')
    .argument('[log]', 'the log, or one of its partitions as name-partition')
    .addOption(recoveryOption())
    .option('--json', 'print JSON');
  command.action((dir: string, log: string | undefined, options: InfoCommandOptions) =>
    execute(async (context) => {
      const { info } = await import('./info.ts');
      return info(dir, log, options, context);
    }),
  );
}

function addInspect(program: Command): void {
  const command = program
    .command('inspect')
    .description('show what a file holds: a segment (.log), an index, a time index, a recovery-point or gaps')
    .argument('<file>', 'the file; it needs no database around it')
    .option('--limit <n>', 'show at most so many batches or entries; all are checked', count)
    .option('--json', 'print one JSON object a line');
  command.action((file: string, options: InspectCommandOptions) =>
    execute(async (context) => {
      const { inspect } = await import('./inspect.ts');
      return inspect(file, options, context);
    }),
  );
}

function addVerify(program: Command): void {
  const command = program
    .command('verify')
    .description('check every byte of a database or of one log; exit code 1 where there is damage')
    .argument('<dir>', 'the database')
    .argument('[log]', 'the log, or one of its partitions as name-partition')
    .option('--deep', 'compare the recovery point too, and list what else lies in the directory')
    .option('--json', 'print JSON');
  command.action((dir: string, log: string | undefined, options: VerifyCommandOptions) =>
    execute(async (context) => {
      const { verify } = await import('./verify.ts');
      return verify(dir, log, options, context);
    }),
  );
}

function addRepair(program: Command): void {
  const command = program
    .command('repair')
    .description('make a damaged database open again; what leaves a log is kept in its quarantine')
    .argument('<dir>', 'the database, which nobody may have open')
    .argument('[log]', 'the log, or one of its partitions as name-partition')
    .addOption(
      new Option('--mode <mode>', 'end the log before the first damage, or keep all that is whole')
        .choices(['pointInTime', 'skipAnyCorrupted'])
        .default('pointInTime'),
    )
    .option('--dry-run', 'say what would be done, and change nothing; exit code 1 where there is something')
    .option('--json', 'print JSON');
  command.action((dir: string, log: string | undefined, options: RepairCommandOptions) =>
    execute(async (context) => {
      const { repair } = await import('./repair.ts');
      return repair(dir, log, options, context);
    }),
  );
}

function addBench(program: Command, version: string): void {
  const bench = program.command('bench').description('measure what durability costs on this disk');
  const command = bench
    .command('fsync')
    .description('measure every sync policy, beside the bare disk, and recommend one')
    .option('--dir <dir>', 'where to measure; what is written there is removed again', '.')
    .option('--policy <policy>', `measure only this one (repeatable): ${SYNC_POLICY_FORMS}`, collectPolicies)
    .option('--record-bytes <list>', 'sizes of records', checked(parseList(parsePositiveBytes)), [100, 4096])
    .option(
      '--clients <list>',
      'clients that wait for each record',
      checked(parseList(parsePositive)),
      [1, 16, 256],
    )
    .option(
      '--rates <list>',
      'records a second that arrive at random',
      checked(parseList(parsePositive)),
      [2000],
    )
    .option('--seconds <n>', 'about how long all of it may take', checked(parseSeconds), 90)
    .option('--repeats <n>', 'how often each is measured', checked(parsePositive), 5)
    .option('--seed <n>', 'draws payloads, arrivals and the order', count, 1)
    .option('--no-cuts', 'do not try power cuts on a disk in memory')
    .option(
      '--max-loss <duration>',
      'how much a power cut may take, for the recommendation',
      checked(parseLoss),
      0,
    )
    .option('--p99 <duration>', 'the latency to keep, for the recommendation', checked(parseLatency))
    .option('--for-clients <n>', 'recommend for so many clients only', checked(parsePositive))
    .option('--json', 'print the result as JSON')
    .option('--csv', 'print the table as CSV')
    .option('--out <file>', 'save the result as JSON, for bench compare')
    .option('--report <file>', 'write a page with charts (HTML)');
  command.action((options: BenchFsyncCommandOptions) =>
    execute(async (context) => {
      const { benchFsync } = await import('./bench-fsync.ts');
      return benchFsync(options, version, context);
    }),
  );
  const compare = bench
    .command('compare')
    .description(
      'tell which differences between two results are more than chance; exit code 1 where something is worse',
    )
    .argument('<before>', 'a result that --out or --json gave')
    .argument('<after>', 'another')
    .option('--all', 'show what is the same, too')
    .option('--json', 'print JSON');
  compare.action((before: string, after: string, options: BenchCompareCommandOptions) =>
    execute(async (context) => {
      const { benchCompare } = await import('./bench-compare.ts');
      return benchCompare(before, after, options, context);
    }),
  );
}

function collectPolicies(text: string, before: SyncPolicy[] | undefined): SyncPolicy[] {
  return [...(before ?? []), checked(parseSyncPolicy)(text)];
}

function parsePositive(text: string): number {
  const number = parseCount(text);
  if (number === 0) throw new RangeError('it must be 1 or more');
  return number;
}

function parsePositiveBytes(text: string): number {
  const number = parseBytes(text);
  if (number === 0 || number > RECORD_BYTES_MAX) {
    throw new RangeError(`a record has from 1 to ${RECORD_BYTES_MAX} bytes, not ${text}`);
  }
  return number;
}

function parseLoss(text: string): number {
  const durationMs = text === '0' ? 0 : parseDuration(text);
  if (durationMs === undefined)
    throw new RangeError(`it must be 0 or a duration such as 100ms, not "${text}"`);
  return durationMs;
}

function parseLatency(text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs === undefined) throw new RangeError(`it must be a duration such as 5ms, not "${text}"`);
  return durationMs;
}

function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('show everything in under a minute: ingest, statistics, reads, and every sync policy')
    .argument('[file]', 'a log file; one in the style of HDFS is made unless given')
    .option('--dir <dir>', 'where to put the data, which is then kept')
    .option('--bytes <size>', 'how large a file to make', bytes)
    .option('--seconds <n>', 'how long to append with each sync policy', checked(parseSeconds));
  command.action((file: string | undefined, options: DemoCommandOptions) =>
    execute(async (context) => {
      const { demo } = await import('./demo.ts');
      return demo(file, options, context);
    }),
  );
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === '' || !(seconds > 0 && seconds <= 3600)) {
    throw new RangeError(`it must be a number of seconds above 0, up to 3600, not "${text}"`);
  }
  return seconds;
}
