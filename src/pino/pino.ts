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
import type { EventBytes } from '../events/encoder.ts';
import type { Events } from '../events/events.ts';
import type { Handover } from '../events/handover.ts';
import type { EventInput } from '../events/input.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { type Database, open } from '../open.ts';
import { checkOptions } from '../options.ts';
import { cutEntryOfLine, entryOfLine } from './line.ts';
import { LineScanner } from './line-bytes.ts';

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
/** A longer line is cut. */
const LINE_BYTES_MAX: number = 1024 * 1024;
/** What an entry takes beyond its texts, and more. */
const ENTRY_SPARE_BYTES = 1024;
/** How much longer: `1e20` becomes 21 digits. */
const LONGER_MAX = 8;
const ROOM_BYTES = 4096;
const ROOM_BYTES_KEPT = 65_536;
const LINE_FEED = 10;

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

/** Takes lines as pino writes them, one or many at once, into a store. */
class LineTaker {
  readonly #handover: Handover;
  readonly #scanner: LineScanner = new LineScanner();
  readonly #lineBytesMax: number;
  #room: Buffer = Buffer.allocUnsafe(ROOM_BYTES);

  constructor(handover: Handover) {
    this.#handover = handover;
    this.#lineBytesMax = Math.min(LINE_BYTES_MAX, handover.maxEntryBytes - ENTRY_SPARE_BYTES);
  }

  /** @throws TypeError where it is no text; VarveError as `Handover.take` */
  takeText(text: string): void {
    if (typeof text !== 'string') throw new TypeError(`lines must be a string, not ${typeof text}`);
    if (text.length * 3 > this.#room.length) this.#room = Buffer.allocUnsafe(text.length * 3);
    this.take(this.#room, 0, this.#room.write(text));
    if (this.#room.length > ROOM_BYTES_KEPT) this.#room = Buffer.allocUnsafe(ROOM_BYTES);
  }

  /** Takes the lines of bytes; what follows the last line end is one, too. */
  take(bytes: Buffer, from: number, to: number): void {
    this.#handover.takeMixed(this.#entriesOf(bytes, from, to));
  }

  *#entriesOf(bytes: Buffer, from: number, to: number): Generator<EventInput | EventBytes> {
    const scanner = this.#scanner;
    for (let at = from; at < to; ) {
      const found = bytes.indexOf(LINE_FEED, at);
      const end = found < 0 || found > to ? to : found;
      if (end > at) {
        const isLong = end - at > this.#lineBytesMax;
        if (!isLong && scanner.scan(bytes, at, end)) yield scanner.entry;
        else yield this.#entryOf(bytes.toString('utf8', at, end), end - at, isLong);
      }
      at = end + 1;
    }
  }

  /** The entry of a line that is not as most are. One that is too long is cut: nobody who logs is to fail for it. */
  #entryOf(line: string, bytes: number, isLong: boolean): EventInput {
    const maxBytes = this.#lineBytesMax;
    if (isLong) return cutEntryOfLine(line, bytes, maxBytes);
    const entry = entryOfLine(line);
    // Numbers may be longer when they are written again.
    if (entry.metadata === undefined || bytes * LONGER_MAX < maxBytes) return entry;
    const isLonger = JSON.stringify(entry.metadata).length * 3 > maxBytes;
    return isLonger ? cutEntryOfLine(line, bytes, maxBytes) : entry;
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
  const taker = new LineTaker(handover);
  const close = (): Promise<void> => opened.close();
  const flushed = callbackify(() => handover.flush());
  return {
    events,
    writable: true,
    write: (lines) => taker.takeText(lines),
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
  return new LineStream(opened);
}

/**
 * What a transport writes to. A chunk is taken while it is handed over, whatever is under way: so nothing waits here
 * that would be lost with the thread.
 */
class LineStream extends Writable {
  readonly #opened: Opened;
  readonly #taker: LineTaker;
  /** Of a line that has not ended yet. */
  #rest: Buffer[] = [];

  constructor(opened: Opened) {
    super({ highWaterMark: HIGH_WATER_BYTES });
    this.#opened = opened;
    this.#taker = new LineTaker(opened.handover);
  }

  override write(chunk: unknown, ...others: unknown[]): boolean {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    if (Buffer.isBuffer(bytes) && this.writable) {
      try {
        this.#take(bytes);
      } catch (error) {
        this.destroy(error as Error);
        return false;
      }
    }
    return super.write(bytes, ...(others as []));
  }

  /** Calls back when all lines are in the store; pino's `flush` asks for it. */
  flush(done: (error?: Error) => void): void {
    callbackify(() => this.#opened.handover.flush())((error) => done(error ?? undefined));
  }

  override _writev(_chunks: unknown, done: (error?: Error | null) => void): void {
    // What the store has not taken yet is bounded.
    callbackify(() => this.#opened.handover.settled())((error) => done(error));
  }

  override _final(done: (error?: Error | null) => void): void {
    try {
      const line = Buffer.concat(this.#rest);
      this.#taker.take(line, 0, line.length);
    } catch (error) {
      done(error as Error);
      return;
    }
    this.#close(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#close((failure) => done(error ?? failure));
  }

  #close(done: (error?: Error | null) => void): void {
    callbackify(() => this.#opened.close())((error) => done(error));
  }

  #take(chunk: Buffer): void {
    const end = chunk.lastIndexOf(LINE_FEED) + 1;
    if (end > 0) {
      let from = 0;
      if (this.#rest.length > 0) {
        // A line that came in pieces is put together; the others stay where they are.
        from = chunk.indexOf(LINE_FEED) + 1;
        const line = Buffer.concat([...this.#rest, chunk.subarray(0, from)]);
        this.#rest = [];
        this.#taker.take(line, 0, line.length);
      }
      this.#taker.take(chunk, from, end);
    }
    if (end < chunk.length) this.#rest.push(chunk.subarray(end));
  }
}

// That is what pino looks for in a module that a transport names.
export { transport as default };
