/**
 * Which lines a command is about: what the options say of time, level and component, and of how lines are
 * taken apart to find these.
 *
 * @module
 */

import { checkReading, type LogReadOptions, type Reading } from '../logfile/reading.ts';
import { parserOptions } from '../logfile/tail.ts';
import type { ChoiceSpec } from '../scan/choice.ts';
import { createFilter } from '../scan/filter.ts';
import type { Context } from './context.ts';
import { readingOf } from './reading.ts';
import type { ReadingOptions } from './reading-options.ts';

/** The options as commander gives them. */
export interface ChoiceOptions extends ReadingOptions {
  since?: number;
  until?: number;
  level?: string;
  component?: string[];
}

/**
 * Finds out which entries are wanted.
 *
 * @returns undefined for all
 * @throws UsageError, RangeError, TypeError where an option is wrong
 * @throws VarveError where the file with the format cannot be read
 */
export async function readingOfChoice(
  options: ChoiceOptions & Pick<LogReadOptions, 'encoding'>,
  context: Pick<Context, 'signal' | 'note'>,
): Promise<Reading | undefined> {
  const { since, until, level, component, encoding } = options;
  const reading = checkReading('options', {
    ...(await readingOf(options)),
    since,
    until,
    level,
    component,
    encoding,
    signal: context.signal,
    onNote: (text) => context.note(text),
  });
  return reading.filter && reading;
}

/** The same, for text of which the beginning is not looked at. */
export async function choiceOf(options: ChoiceOptions): Promise<ChoiceSpec | undefined> {
  const filter = createFilter(options);
  const { format, zone, assumeYear } = await readingOf(options);
  return filter && { filter, format, options: parserOptions({ zone, assumeYear }) };
}
