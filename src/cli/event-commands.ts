/**
 * The commands about stores of log entries, their options and their help; see program.ts for the others.
 *
 * @module
 */

import type { Command } from 'commander';
import { count, TIMES, time } from './checked.ts';
import { execute } from './context.ts';
import type { HistogramCommandOptions } from './histogram.ts';
import type { QueryCommandOptions } from './query.ts';

const LEVELS = `
Levels: TRACE, DEBUG, INFO, NOTICE, WARN, ERROR, FATAL. WARN stands for itself and all above it, =WARN for
itself alone, =INFO,WARN for these two.`;

/** Adds them to the program. */
export function addEventCommands(program: Command): void {
  addQuery(program);
  addHistogram(program);
}

/** What both ask for. */
function addFilter(command: Command): Command {
  return command
    .argument('<dir>', 'the database')
    .argument('<name>', 'the store of log entries')
    .option('--since <time>', 'entries of this time or later', time)
    .option('--until <time>', 'entries before this time', time)
    .option('--level <level>', 'entries of this level or above it')
    .option('--component <name>', 'entries of this component; * at its start or end is any text', collect)
    .option('--contains <text>', 'entries with this text in their message; case counts')
    .addHelpText('after', LEVELS + TIMES);
}

function addQuery(program: Command): void {
  const command = program
    .command('query')
    .description('print entries of a store of log entries, in the order of their time');
  addFilter(command)
    .option('--limit <n>', 'at most so many entries', count)
    .option('--reverse', 'from the last to the first')
    .option('--follow', 'wait for more behind the last; what is written later comes whatever its time')
    .option('--json', 'print a line of JSON for each entry');
  command.action((directory: string, name: string, options: QueryCommandOptions) =>
    execute(async (context) => {
      const { query } = await import('./query.ts');
      return query(directory, name, options, context);
    }),
  );
}

function addHistogram(program: Command): void {
  const command = program
    .command('histogram')
    .description('count the entries of a store of log entries over time');
  addFilter(command)
    .option(
      '--buckets <n>',
      'how many stretches of time; as many as the terminal is wide unless given',
      count,
    )
    .option('--svg <file>', 'write the chart to a file as SVG, by level')
    .option('--json', 'print JSON');
  command.action((directory: string, name: string, options: HistogramCommandOptions) =>
    execute(async (context) => {
      const { histogram } = await import('./histogram.ts');
      return histogram(directory, name, options, context);
    }),
  );
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
