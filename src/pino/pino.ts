/**
 * `varve/pino`: log lines of pino into a store of log entries.
 *
 *     pino(await destination({ directory, name }))                       on the thread that logs
 *     pino({ transport: { target: 'varve/pino', options: { directory, name } } })     on a thread of its own
 *
 * A line that the destination was handed is in the store's journal when the call returns. So it outlives the
 * process, however that ends: `process.exit`, an exception, a kill. A transport gets lines from pino through
 * memory that two threads share, and has those that it was handed in the journal; pino waits for it when the
 * process exits.
 *
 * @module
 */

import { Writable } from 'node:stream';
import { callbackify } from 'node:util';
import type { Events } from '../events/events.ts';
import type { Handover } from '../events/handover.ts';
import type { EventInput } from '../events/input.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { type Database, open } from '../open.ts';
import { checkOptions } from '../options.ts';
import { entryOfLine } from './line.ts';

export interface PinoOptions {
  /** Of the database; made where there is none. Nobody else may have it open for writing. */
  directory: string;
  /** Of the store of log entries. */
  name: string;
  /** When what was written is synced: every 200 ms unless given. */
  sync?: SyncPolicy;
}

/** What pino writes to. */
export interface PinoDestination {
  /** The store, which may be read meanwhile. */
  readonly events: Events;
  /** What pino knows a stream by. */
  readonly writable: true;
  /** Takes a line, or several: when it returns, they outlive the process. */
  write(lines: string): void;
  /** Calls back when all lines are in the store. */
  flush(done?: (error?: Error) => void): void;
  /** Does nothing: lines are safe when `write` returns. pino calls it before a process ends. */
  flushSync(): void;
  /** Closes the database; a second call gets the same promise. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const SYNC_DEFAULT: SyncPolicy = { mode: 'interval' };
const HIGH_WATER_BYTES: number = 1024 * 1024;

/** A store that was opened to be logged to. */
class Opened {
  readonly database: Database;
  readonly events: Events;
  readonly handover: Handover;
  #closing: Promise<void> | undefined;

  private constructor(database: Database, events: Events, handover: Handover) {
    this.database = database;
    this.events = events;
    this.handover = handover;
  }

  static async open(options: PinoOptions): Promise<Opened> {
    checkOptions('options', options, ['directory', 'name', 'sync']);
    const { directory, name, sync = SYNC_DEFAULT } = options;
    const database = await open(directory, { wal: { sync } });
    try {
      const events = await database.events(name);
      return new Opened(database, events, await events.handover());
    } catch (error) {
      await database.close().catch(() => undefined);
      throw error;
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.handover.close();
    } finally {
      await this.database.close();
    }
  }
}

/** The entries of a text of lines; what follows the last line end is one, too. */
function* entriesOf(text: string): Generator<EventInput> {
  for (let from = 0; from < text.length; ) {
    const at = text.indexOf('\n', from);
    const end = at < 0 ? text.length : at;
    if (end > from) yield entryOfLine(text.slice(from, end));
    from = end + 1;
  }
}

/**
 * Opens a store for a logger on this thread.
 *
 * @throws TypeError, RangeError where an option is wrong; VarveError as `open` and `db.events`
 */
export async function destination(options: PinoOptions): Promise<PinoDestination> {
  const opened = await Opened.open(options);
  const { events, handover } = opened;
  const close = (): Promise<void> => opened.close();
  const flushed = callbackify(() => handover.flush());
  return {
    events,
    writable: true,
    write: (lines) => handover.take(entriesOf(lines)),
    flush(done = () => undefined) {
      flushed((error) => done(error ?? undefined));
    },
    flushSync() {},
    close,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Opens a store for pino, which calls this on a thread of its own.
 *
 * @throws as `destination`
 */
export async function transport(options: PinoOptions): Promise<Writable> {
  // pino adds what it tells every transport, under names that begin so.
  const own = Object.entries(options).filter(([name]) => !/^(?:\$|pino)/.test(name));
  const opened = await Opened.open(Object.fromEntries(own) as unknown as PinoOptions);
  const settled = callbackify(() => opened.handover.settled());
  const closed = callbackify(() => opened.close());
  let rest = '';
  const take = (text: string): void => {
    const end = text.lastIndexOf('\n') + 1;
    if (end > 0) opened.handover.take(entriesOf(rest + text.slice(0, end)));
    rest = end > 0 ? text.slice(end) : rest + text;
  };
  return new Writable({
    decodeStrings: false,
    highWaterMark: HIGH_WATER_BYTES,
    writev(chunks, done) {
      try {
        take(chunks.map(({ chunk }) => String(chunk)).join(''));
      } catch (error) {
        done(error as Error);
        return;
      }
      // What the store has not taken yet is bounded.
      settled(done);
    },
    final(done) {
      try {
        opened.handover.take(entriesOf(rest));
      } catch (error) {
        done(error as Error);
        return;
      }
      closed(done);
    },
    destroy(error, done) {
      closed((failure) => done(error ?? failure));
    },
  });
}

// That is what pino looks for in a module that a transport names.
export { transport as default };
