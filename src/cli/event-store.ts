/**
 * Opens a store of log entries for commands that only look, and what they ask of it.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { Events } from '../events/events.ts';
import type { EventFilter } from '../events/selection.ts';
import { withDatabase } from './database.ts';

/** The options as commander gives them. */
export interface EventFilterOptions {
  since?: number;
  until?: number;
  level?: string;
  component?: string[];
  contains?: string;
}

/** What the options ask for. */
export function filterOf({ since, until, level, component, contains }: EventFilterOptions): EventFilter {
  return { from: since, to: until, level, component, contains };
}

/**
 * Opens a store for reading, lets `use` work with it, and closes it whatever happens.
 *
 * @throws VarveError `NOT_FOUND` with the names that there are; others as `open` does
 */
export async function withEvents<T>(
  directory: string,
  name: string,
  use: (events: Events) => Promise<T>,
): Promise<T> {
  return await withDatabase(directory, {}, async (database) => {
    const names = await database.eventNames();
    if (!names.includes(name)) {
      const hint = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
      const message = `there is no store of log entries "${name}" in ${directory}; ${hint}`;
      throw new VarveError('NOT_FOUND', message, { file: directory });
    }
    return await use(await database.events(name));
  });
}
