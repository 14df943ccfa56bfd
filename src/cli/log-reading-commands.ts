/**
 * The commands that read log files, their options and their help; see program.ts for the others.
 *
 * @module
 */

import type { Command } from 'commander';
import { parseList, parseShare } from './arguments.ts';
import { checked, count, TIMES, time } from './checked.ts';
import { execute } from './context.ts';
import { addIndexOptions, addLogOptions, LEVELS_HELP } from './log-options.ts';
import type { LogreadCommandOptions } from './logread.ts';
import type { StatsCommandOptions } from './stats.ts';

const share = checked(parseShare);
const list = checked(
  parseList((name) => {
    if (name === '') throw new RangeError('it must be names of fields, with commas between them');
    return name;
  }),
);

const FILES = 'files, directories, patterns, or - for standard input';

/** Adds them to the program. */
export function addLogReadingCommands(program: Command): void {
  addLogread(program);
  addStats(program);
}

function addLogread(program: Command): void {
  const command = program
    .command('logread')
    .description('print log files, or the entries that are asked for: as they are, as JSON, or some fields')
    .argument('<file...>', FILES);
  addIndexOptions(addLogOptions(command, time))
    .option('--json', 'print a line of JSON for each entry')
    .option('--fields <names>', 'print these fields: time, level, component, message, raw, ...', list)
    .option('--limit <n>', 'at most so many entries', count)
    .option('--sample <share>', 'read only this share of each file, in blocks spread over it', share)
    .option('--seed <n>', 'what the choice of blocks follows from', count)
    .addHelpText('after', LEVELS_HELP + TIMES);
  command.action((files: string[], options: LogreadCommandOptions) =>
    execute(async (context) => {
      const { logread } = await import('./logread.ts');
      return logread(files, options, context);
    }),
  );
}

function addStats(program: Command): void {
  const command = program
    .command('stats')
    .description('count what is in log files: lines, levels, components, messages, rates, silences')
    .argument('<file...>', FILES);
  addIndexOptions(addLogOptions(command, time))
    .option('--top <n>', 'how many components, messages and silences to show; 10 unless given', count)
    .option(
      '--sample <share>',
      'read only this share of each file, in blocks spread over it',
      checked(parseShare),
    )
    .option('--seed <n>', 'what the choice of blocks follows from', count)
    .option('--json', 'print JSON')
    .addHelpText('after', LEVELS_HELP + TIMES);
  command.action((files: string[], options: StatsCommandOptions) =>
    execute(async (context) => {
      const { startThreads } = await import('./early-threads.ts');
      if (options.sample === undefined) await startThreads(files, 'stats');
      const { stats } = await import('./stats.ts');
      return stats(files, options, context);
    }),
  );
}
