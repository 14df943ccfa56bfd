/**
 * Reading, in all the ways that there are, by callers who know what they may find.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import { type Database, open } from '../../src/open.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import type { Contents } from './contents.ts';
import type { Stage } from './laboratory.ts';
import type { Found, Oracle } from './oracle.ts';

export const DIRECTORY = '/data';
export const LOG_NAME = 'events';
/** How long who follows may lag behind. */
const PATIENCE_MS = 1000;

/** What everybody who reads has to know. */
export interface Reading {
  stage: Stage;
  vfs: Vfs;
  oracle: Oracle;
  contents: Contents;
  /** What the log's own policy lets readers see. */
  level: 'written' | 'synced';
}

/** Reads a log, and checks that its offsets are contiguous and its records what they say that they are. */
export async function readFound(log: Log, contents: Contents, fromOffset?: number): Promise<Found> {
  const records: { bytes: number; sequence: number }[] = [];
  let firstOffset = fromOffset ?? log.firstOffset;
  for await (const record of log.read(fromOffset === undefined ? {} : { fromOffset })) {
    if (records.length === 0 && fromOffset === undefined) firstOffset = record.offset;
    const expected = firstOffset + records.length;
    if (record.offset !== expected)
      throw new Error(`read offset ${record.offset} where ${expected} comes next`);
    const { client, sequence } = contents.originOf(record);
    records.push({ bytes: client, sequence });
  }
  return { firstOffset, records };
}

/** Reads from a share of the log on, and checks that all is there that was promised, and nothing that was not. */
export async function checkRead(
  log: Log,
  { oracle, contents, level }: Reading,
  share: number | undefined,
): Promise<void> {
  const begin = log.firstOffset;
  const promised = oracle[level];
  const fromOffset =
    share === undefined ? undefined : begin + Math.floor(share * Math.max(0, promised - begin));
  try {
    const found = await readFound(log, contents, fromOffset);
    const end = found.firstOffset + found.records.length;
    const visible = log.durable[level];
    if (end > visible) throw new Error(`read up to ${end}, and only what is below ${visible} may be seen`);
    const bounds = { ...oracle.bounds('written', log), promised };
    oracle.check(found, fromOffset === undefined ? bounds : { ...bounds, firstMin: 0, firstMax: fromOffset });
  } catch (error) {
    if (!isVarveError(error, 'OUT_OF_RANGE') || log.firstOffset === begin) throw error;
  }
}

/** Reads one record by its offset. */
export async function checkGet(log: Log, { oracle, contents, level }: Reading, share: number): Promise<void> {
  const begin = log.firstOffset;
  const end = oracle[level];
  if (end <= begin) return;
  const offset = Math.min(begin + Math.floor(share * (end - begin)), end - 1);
  try {
    const record = await log.get(offset);
    if (record.offset !== offset) throw new Error(`got offset ${record.offset} for ${offset}`);
    oracle.checkAt(contents.originOf(record).sequence, offset);
  } catch (error) {
    if (!isVarveError(error, 'OUT_OF_RANGE') || offset >= log.firstOffset) throw error;
  }
}

/** Reads along, from where the log begins, until it is told to stop or the log is closed. */
export class Follower {
  readonly #reading: Reading;
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #over: Promise<void>;
  #failure: unknown;
  #next: number;

  constructor(log: Log, reading: Reading) {
    this.#log = log;
    this.#reading = reading;
    this.#next = log.firstOffset;
    this.#over = this.#follow().catch((error: unknown) => {
      this.#failure = error;
    });
  }

  /** Stops it, and checks that it has seen everything that it had to. */
  async end(): Promise<void> {
    const { oracle, level, stage } = this.#reading;
    const promised = oracle[level];
    for (let ms = 0; ms < PATIENCE_MS && this.#next < promised && this.#failure === undefined; ms++) {
      await new Promise<void>((resolve) => stage.clock.after(1, resolve));
    }
    this.#stop.abort();
    await this.#over;
    const failure = this.#failure;
    const isGone = isVarveError(failure, 'OUT_OF_RANGE') && this.#next < this.#log.firstOffset;
    if (isGone) return;
    if (failure !== undefined && failure !== this.#stop.signal.reason) throw failure;
    if (this.#next < promised) {
      throw new Error(`who followed the log saw what is below ${this.#next}, and ${promised} were promised`);
    }
  }

  /** It waits where the log ends, so nothing but its stop ends it. */
  async #follow(): Promise<void> {
    const { contents, oracle, level } = this.#reading;
    for await (const record of this.#log.read({ follow: true, signal: this.#stop.signal })) {
      if (record.offset !== this.#next) {
        throw new Error(`who follows read offset ${record.offset} where ${this.#next} comes next`);
      }
      const visible = this.#log.durable[level];
      if (record.offset >= visible)
        throw new Error(`who follows saw ${record.offset}, and only ${visible} may be seen`);
      oracle.checkAt(contents.originOf(record).sequence, record.offset);
      this.#next++;
    }
  }
}

/** Has the log open to read, beside the one who writes, and looks at it now and then. */
export class Onlooker {
  readonly #reading: Reading;
  #database: Database | undefined;
  #log: Log | undefined;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  /** Looks at everything that is written. */
  async look(writer: Log): Promise<void> {
    const { oracle, contents, stage, vfs } = this.#reading;
    const { written } = writer.durable;
    const begin = writer.firstOffset;
    try {
      if (this.#log === undefined) {
        this.#database = await open(DIRECTORY, { vfs, runtime: stage.runtime, readOnly: true });
        this.#log = await this.#database.log(LOG_NAME);
      } else {
        await this.#log.refresh();
      }
      const found = await readFound(this.#log, contents);
      // What is being written may be cut off again, and is nobody's business.
      oracle.check(found, { ...oracle.bounds('written', writer), promised: written, firstMin: 0 });
    } catch (error) {
      // Segments that are removed while they are looked at.
      const isGone = isVarveError(error, 'OUT_OF_RANGE') || isVarveError(error, 'NOT_FOUND');
      if (!isGone || writer.firstOffset === begin) throw error;
    }
  }

  async close(): Promise<void> {
    const database = this.#database;
    this.#database = undefined;
    this.#log = undefined;
    await database?.close();
  }
}
