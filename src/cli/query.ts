/**
 * `varve query DIR NAME`: prints entries of a store of log entries.
 *
 * @module
 */

import type { EventEntry } from '../events/entry.ts';
import type { Context, ExitCode } from './context.ts';
import { type EventFilterOptions, filterOf, withEvents } from './event-store.ts';
import { UsageError } from './failure.ts';
import { terminalText } from './format.ts';

export interface QueryCommandOptions extends EventFilterOptions {
  limit?: number;
  reverse?: boolean;
  follow?: boolean;
  json?: boolean;
}

const LEVEL_WIDTH = 6;

export async function query(
  directory: string,
  name: string,
  options: QueryCommandOptions,
  { stdout, signal, clock }: Context,
): Promise<ExitCode> {
  const { limit, reverse, follow, json } = options;
  if (reverse === true && follow === true) throw new UsageError('--follow goes forward, --reverse backward');
  let isWaiting = false;
  /** What was printed is seen before something else is waited for. */
  const flushSoon = (): void => {
    if (isWaiting || follow !== true) return;
    isWaiting = true;
    clock.nextTurn(() => {
      isWaiting = false;
      // What goes wrong there is told by the next flush.
      stdout.flush().catch(() => undefined);
    });
  };
  await withEvents(directory, name, async (events) => {
    for await (const entry of events.read({ ...filterOf(options), limit, reverse, follow, signal })) {
      if (json === true) stdout.json({ time: entry.iso, ...entry.toJSON() });
      else stdout.line(lineOf(entry));
      flushSoon();
      if (stdout.full) await stdout.flush();
    }
  });
  return 0;
}

/** An entry for people: time, level, component, message, and what else there is as JSON. */
function lineOf(entry: EventEntry): string {
  const { iso, level, component, version, message, metadata } = entry;
  const who = [component, version].filter((part) => part !== undefined).join('@');
  const more = metadata === undefined ? '' : ` ${JSON.stringify(metadata)}`;
  const text = terminalText(`${who === '' ? '' : `${who}: `}${message}${more}`, true);
  return `${iso} ${level.padEnd(LEVEL_WIDTH)} ${text}`;
}
