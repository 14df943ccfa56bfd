/**
 * The options of all commands that take lines apart. What they mean is in reading.ts, which only a command
 * that is called loads.
 *
 * @module
 */

import { type Command, InvalidArgumentError } from 'commander';
import { LINE_FORMATS } from '../parse/formats.ts';

/** The options as they were typed. */
export interface ReadingOptions {
  format?: string;
  pattern?: string;
  timePattern?: string;
  formatFile?: string;
  zone?: string;
  assumeYear?: number;
}

/** Adds the options to a command. */
export function addReadingOptions(command: Command): void {
  command
    .option('--format <format>', `what a line is: ${LINE_FORMATS.join(', ')}; found out unless given`)
    .option('--pattern <pattern>', 'a format of your own: "<Date> <Time> <Level> <Component>: <Content>"')
    .option('--time-pattern <pattern>', 'how its times are written: "yyyy-MM-dd HH:mm:ss,SSS"')
    .option('--format-file <file>', 'a JSON file with pattern, time and name')
    .option('--zone <zone>', 'of times without one: utc, +02:00 or Europe/Berlin; utc unless given')
    .option('--assume-year <year>', 'of the first line, where times have no year', wholeNumber);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,4}$/.test(text)) throw new InvalidArgumentError('it must be a year');
  return Number(text);
}
