/**
 * Which lines a command is about: what the options say of time, level and component, and of how lines are
 * taken apart to find these.
 *
 * @module
 */

import type { ChoiceSpec } from '../scan/choice.ts';
import { createFilter } from '../scan/filter.ts';
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
 * Finds out which lines are wanted.
 *
 * @returns undefined for all
 * @throws UsageError, RangeError, TypeError where an option is wrong
 * @throws VarveError where the file with the format cannot be read
 */
export async function choiceOf(options: ChoiceOptions): Promise<ChoiceSpec | undefined> {
  const filter = createFilter(options);
  const { format, zone, assumeYear } = await readingOf(options);
  return (
    filter && {
      filter,
      format,
      options: {
        ...(zone !== undefined && { zone }),
        ...(assumeYear !== undefined && { yearFrom: Date.UTC(assumeYear, 0, 1) }),
      },
    }
  );
}
