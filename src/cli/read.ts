/**
 * `varve read DIR LOG`: prints records. It reads beside whoever writes, and with `--follow` looks again and
 * again for what that one has added.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../record/record.ts';
import type { Context, ExitCode } from './context.ts';
import { findLog, withDatabase } from './database.ts';
import { isoTime } from './format.ts';
import { pause } from './pause.ts';

/** How long a follower waits before it looks again. */
const FOLLOW_DELAY_MS = 100;

export interface ReadCommandOptions {
  fromOffset?: number;
  toOffset?: number;
  /** Milliseconds since the epoch. */
  since?: number;
  /** Milliseconds since the epoch. */
  until?: number;
  limit?: number;
  follow?: boolean;
  json?: boolean;
}

export async function read(
  directory: string,
  name: string,
  options: ReadCommandOptions,
  context: Context,
): Promise<ExitCode> {
  await withDatabase(directory, async (database) => {
    const log = await findLog(database, name);
    const printer = new Printer(options, context);
    let from = options.fromOffset;
    for (;;) {
      from = await printer.print(log, from);
      if (options.follow !== true || printer.isDone(from)) return;
      await context.stdout.flush();
      await pause(context.clock, FOLLOW_DELAY_MS, context.signal);
      await log.refresh();
      // What was removed meanwhile by retention is not waited for.
      from = Math.max(from, log.firstOffset);
    }
  });
  return 0;
}

class Printer {
  readonly #options: ReadCommandOptions;
  readonly #context: Context;
  #left: number;

  constructor(options: ReadCommandOptions, context: Context) {
    this.#options = options;
    this.#context = context;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
  }

  /** Whether nothing that comes later will be printed. */
  isDone(nextOffset: number): boolean {
    return this.#left <= 0 || nextOffset >= (this.#options.toOffset ?? Number.POSITIVE_INFINITY);
  }

  /**
   * Prints what the log has from an offset on.
   *
   * @returns where to go on when there is more
   */
  async print(log: Log, fromOffset: number | undefined): Promise<number> {
    const { toOffset = Number.POSITIVE_INFINITY, since, until, json } = this.#options;
    const { stdout, signal } = this.#context;
    const end = log.nextOffset;
    if (this.#left <= 0 || fromOffset === end) return end;
    const records = log.read({
      fromOffset,
      toOffset: toOffset < end ? toOffset : undefined,
      fromTimestamp: since,
      toTimestamp: until,
      limit: Number.isFinite(this.#left) ? this.#left : undefined,
      signal,
    });
    for await (const record of records) {
      if (json === true) stdout.json(recordJson(record));
      else stdout.line(record.value ?? '');
      this.#left--;
      if (stdout.full) await stdout.flush();
    }
    return end;
  }
}

/** A record as JSON: text as text, and bytes that are none as `{ "base64": … }`. */
export function recordJson(record: LogRecord): unknown {
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    time: isoTime(record.timestamp) ?? null,
    key: bytesJson(record.key),
    value: bytesJson(record.value),
    headers: record.headers.map(({ key, value }) => ({ key, value: bytesJson(value) })),
  };
}

function bytesJson(bytes: Buffer | null): string | { base64: string } | null {
  if (bytes === null) return null;
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') };
}
