/**
 * `varve read DIR LOG`: prints records. It reads beside whoever writes, and with `--follow` looks again and
 * again for what that one has added.
 *
 * @module
 */

import { pause } from '../clock.ts';
import type { Log } from '../log/log.ts';
import type { Context, ExitCode } from './context.ts';
import { findLog, type RecoveryChoice, withDatabase } from './database.ts';
import { RecordPrinter, type Selection } from './record-printer.ts';

/** How long a follower waits before it looks again. */
const FOLLOW_DELAY_MS = 100;

export interface ReadCommandOptions extends RecoveryChoice {
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
  await withDatabase(directory, options, async (database) => {
    const log = await findLog(database, name, context);
    const printer = new RecordPrinter(database.runtime.memory, context.stdout, options.json === true);
    try {
      await new Reading(log, printer, options, context).run();
    } finally {
      printer.flush();
      printer.close();
    }
  });
  return 0;
}

class Reading {
  readonly #log: Log;
  readonly #printer: RecordPrinter;
  readonly #options: ReadCommandOptions;
  readonly #context: Context;
  readonly #selection: Selection;
  #left: number;

  constructor(log: Log, printer: RecordPrinter, options: ReadCommandOptions, context: Context) {
    this.#log = log;
    this.#printer = printer;
    this.#options = options;
    this.#context = context;
    this.#left = options.limit ?? Number.POSITIVE_INFINITY;
    this.#selection = {
      // The first batch may begin with records that were removed.
      fromOffset: options.fromOffset ?? log.firstOffset,
      toOffset: options.toOffset ?? Number.POSITIVE_INFINITY,
      fromTimestamp: options.since ?? Number.NEGATIVE_INFINITY,
      toTimestamp: options.until ?? Number.POSITIVE_INFINITY,
    };
  }

  async run(): Promise<void> {
    const { stdout, clock, signal } = this.#context;
    let from = await this.#print(this.#options.fromOffset);
    while (this.#options.follow === true && this.#left > 0 && from < this.#selection.toOffset) {
      this.#printer.flush();
      await stdout.flush();
      await pause(clock, FOLLOW_DELAY_MS, signal);
      await this.#log.refresh();
      // What was removed meanwhile by retention is not waited for.
      from = await this.#print(Math.max(from, this.#log.firstOffset));
    }
  }

  /**
   * Prints what the log has from an offset on.
   *
   * @returns where to go on when there is more
   */
  async #print(fromOffset: number | undefined): Promise<number> {
    const { stdout, signal } = this.#context;
    const { toOffset } = this.#selection;
    const end = this.#log.nextOffset;
    if (this.#left <= 0 || fromOffset === end) return end;
    const batches = this.#log.batches({
      fromOffset,
      toOffset: toOffset < end ? toOffset : undefined,
      fromTimestamp: this.#options.since,
      signal,
    });
    for await (const batch of batches) {
      this.#left -= this.#printer.print(batch, this.#selection, this.#left);
      if (this.#left <= 0) break;
      if (stdout.full) await stdout.flush();
    }
    return end;
  }
}
