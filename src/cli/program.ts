/**
 * The commands, their options and their help. What a command does is in its own file, which is loaded when
 * the command is called: `varve --help` loads none of them, and each loads only what it needs.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { RECOVERY_MODES } from '../log/options.ts';
import { parseBytes, parseSyncPolicy, SYNC_POLICY_FORMS } from './arguments.ts';
import { addBench } from './bench-commands.ts';
import { checked, count, seconds, TIMES, time } from './checked.ts';
import { addCompactionCommands } from './compaction-commands.ts';
import { execute } from './context.ts';
import type { DemoCommandOptions } from './demo.ts';
import { addEventCommands } from './event-commands.ts';
import type { InfoCommandOptions } from './info.ts';
import type { IngestCommandOptions } from './ingest.ts';
import type { InspectCommandOptions } from './inspect.ts';
import { addKv } from './kv-commands.ts';
import { addLoggrep, addLogtail } from './log-commands.ts';
import { addLogReadingCommands } from './log-reading-commands.ts';
import type { ReadCommandOptions } from './read.ts';
import { addReadingOptions } from './reading-options.ts';
import type { RepairCommandOptions } from './repair.ts';
import type { VerifyCommandOptions } from './verify.ts';

const bytes = checked(parseBytes);

/** Adds all commands. @param version what results are marked with */
export function addCommands(program: Command, version: string): void {
  addIngest(program);
  addRead(program);
  addInfo(program);
  addInspect(program);
  addVerify(program);
  addRepair(program);
  addCompactionCommands(program);
  addKv(program);
  addLogReadingCommands(program);
  addEventCommands(program);
  addBench(program, version);
  addLoggrep(program);
  addLogtail(program);
  addDemo(program);
}

function addIngest(program: Command): void {
  const command = program
    .command('ingest')
    .description('read text files (- is standard input) and append their lines to a log')
    .argument('<file...>', 'files of lines')
    .requiredOption('--into <dir>', 'the database; it is made where there is none')
    .option('--log <name>', 'the log; named after the first file unless given')
    .option('--events <name>', 'a store of log entries, in place of a log')
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

function addDemo(program: Command): void {
  const command = program
    .command('demo')
    .description('show everything in under a minute: ingest, statistics, reads, and every sync policy')
    .argument('[file]', 'a log file; one in the style of HDFS is made unless given')
    .option('--dir <dir>', 'where to put the data, which is then kept')
    .option('--bytes <size>', 'how large a file to make', bytes)
    .option('--seconds <n>', 'how long to append with each sync policy', seconds);
  command.action((file: string | undefined, options: DemoCommandOptions) =>
    execute(async (context) => {
      const { demo } = await import('./demo.ts');
      return demo(file, options, context);
    }),
  );
}
