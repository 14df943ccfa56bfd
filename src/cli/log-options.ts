/**
 * The options that all commands which read log files have in common. What they mean is in log-reading.ts, which
 * only a command that is called loads.
 *
 * @module
 */

import type { Command } from 'commander';
import type { LogReadOptions } from '../logfile/reading.ts';
import { addReadingOptions, type ReadingOptions } from './reading-options.ts';

/** The options as they are typed. */
export interface LogCommandOptions extends ReadingOptions {
  encoding?: LogReadOptions['encoding'];
  recursive?: boolean;
  rotated?: boolean;
  since?: number;
  until?: number;
  level?: string;
  component?: string[];
}

/** Which levels an option such as `--level` stands for. */
export const LEVELS_HELP = `
Levels: TRACE, DEBUG, INFO, NOTICE, WARN, ERROR, FATAL. WARN stands for itself and all above it, =WARN for
itself alone, =INFO,WARN for these two. Lines that are no entries go with the entry before them.`;

/** Adds the options to a command. @param time reads a time as it is typed */
export function addLogOptions(command: Command, time: (text: string) => number): Command {
  addReadingOptions(command);
  return command
    .option('--encoding <name>', 'utf-8, latin1, utf-16le or utf-16be; seen from the text unless given')
    .option('-r, --recursive', 'take the directories below a directory too')
    .option('--rotated', 'take with each file the others of its rotated set, the oldest first')
    .option('--since <time>', 'entries of this time or later', time)
    .option('--until <time>', 'entries before this time', time)
    .option('--level <level>', 'entries of this level or above it')
    .option('--component <name>', 'entries of this component; * at its start or end is any text', collect);
}

/** Adds the options about time indexes. */
export function addIndexOptions(command: Command): Command {
  return command
    .option('--no-index', 'neither use nor make time indexes')
    .option('--index-dir <dir>', 'where time indexes are kept, instead of beside the files');
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}
