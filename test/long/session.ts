/**
 * A caller of the engine: takes steps (steps.ts) on a database, tells the oracle what it tried and what it
 * was promised, and checks whatever it reads. A failure of the world is noted, and life goes on; anything
 * else is a bug and ends the run.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../../src/errors.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Durability, ownLevel, resolveSyncPolicy } from '../../src/log/sync-policy.ts';
import { type Database, open } from '../../src/open.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { type Content, type Contents, frame } from './contents.ts';
import { type Stage, until } from './laboratory.ts';
import type { Bounds, Found, Oracle } from './oracle.ts';
import { describeStep, type Step } from './steps.ts';

export const DIRECTORY = '/data';
export const LOG_NAME = 'events';
const OPEN_TRIES = 3;

export interface SessionOptions {
  stage: Stage;
  vfs: Vfs;
  oracle: Oracle;
  contents: Contents;
  log: LogOptions;
  /** Is told at each moment in which a caller knows more than before. */
  onPromise?: () => void;
}

/** A failure of the world that a caller was told of. */
export interface Failure {
  step: string;
  error: VarveError;
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

export class Session {
  readonly failures: Failure[] = [];
  readonly #options: SessionOptions;
  readonly #ownLevel: 'written' | 'synced';
  #database: Database | undefined;
  #log: Log | undefined;
  #step = 'open';
  #pending: Set<Promise<void>> = new Set();
  /** What was accepted, and nobody waits for. */
  #unwatched: { sequence: number; offset: number }[] = [];
  #bug: unknown;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#ownLevel = ownLevel(resolveSyncPolicy(options.log.sync));
  }

  /** What may be found if the power was cut now. */
  get bounds(): Bounds {
    const { oracle, log: options } = this.#options;
    // While the log is being opened, retention may be at work, and nobody can be asked.
    if (this.#log === undefined) return loosened(oracle.bounds('synced'), options);
    return oracle.bounds('synced', this.#log);
  }

  /**
   * Opens the database and the log; tries again where the world fails, and looks at what there is.
   *
   * @param bounds what may be found; unless given, what may after the end of a process
   */
  async open(bounds: Bounds = this.#options.oracle.bounds('written')): Promise<void> {
    const { vfs, stage, oracle, contents, log: options } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        this.#database = await this.#until(open(DIRECTORY, { vfs, runtime: stage.runtime }));
        this.#log = await this.#until(this.#database.log(LOG_NAME, options));
        const found = await this.#until(readFound(this.#log, contents));
        oracle.check(found, loosened(bounds, options));
        oracle.settle(found);
        this.#options.onPromise?.();
        return;
      } catch (error) {
        this.#note(error);
        await this.close();
        if (tries === OPEN_TRIES) throw error;
      }
    }
  }

  /** Takes steps, one after the other. */
  async take(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      this.#step = describeStep(step);
      try {
        await this.#take(step);
      } catch (error) {
        this.#note(error);
      }
      if (this.#bug !== undefined) throw this.#bug;
    }
  }

  /** Closes; whatever was under way has to be over then. */
  async close(): Promise<void> {
    const { oracle } = this.#options;
    const database = this.#database;
    const log = this.#log;
    this.#database = undefined;
    this.#log = undefined;
    this.#step = 'close';
    if (database === undefined) return;
    try {
      await this.#until(database.close());
      if (log !== undefined) oracle.closed(log.durable.synced, log.nextOffset);
    } catch (error) {
      this.#note(error);
    }
    await this.#settle();
    if (log !== undefined) oracle.truncated(log.firstOffset, false);
  }

  #until<T>(promise: Promise<T>): Promise<T> {
    return until(this.#options.stage, this.#step, promise);
  }

  async #take(step: Step): Promise<void> {
    const log = this.#log;
    if (step.do === 'reopen') {
      await this.close();
      return await this.open();
    }
    if (log === undefined) return;
    switch (step.do) {
      case 'append':
        for (const bytes of step.bytes) this.#append(log, bytes, step.level);
        return await this.#wait(step.wait);
      case 'many':
        this.#track([...step.bytes], step.level, (parts) => log.appendMany(parts, options(step.level)));
        return await this.#wait(step.wait);
      case 'batches':
        this.#track(step.bytes.flat(), step.level, (parts) =>
          log.appendBatches(frames(parts, step.bytes), options(step.level)),
        );
        return await this.#wait(step.wait);
      case 'framed':
        this.#track(step.bytes.flat(), 'written', (parts) =>
          this.#appendFramed(log, frames(parts, step.bytes)),
        );
        return await this.#wait(step.wait);
      case 'enqueue':
        return this.#enqueue(log, step.bytes);
      case 'reach':
        return await this.#reach(log, step.level);
      case 'settle':
        return await this.#settle();
      case 'sync':
        return await this.#sync(log);
      case 'truncate':
        return await this.#truncate(log, step.share);
      case 'retain':
        await this.#until(log.retain());
        return;
      case 'pass':
        return await this.#options.stage.clock.advance(step.ms);
      case 'read':
        return await this.#read(log, step.share);
      case 'get':
        return await this.#get(log, step.share);
      case 'verify':
        return await this.#verify(log);
    }
  }

  #append(log: Log, bytes: number, level: Durability | undefined): void {
    this.#track([bytes], level, async ([part]) => {
      const offset = await log.append(part as Content, options(level));
      return { firstOffset: offset, lastOffset: offset };
    });
  }

  /** Starts an append and follows it to its end. */
  #track(
    sizes: readonly number[],
    level: Durability = this.#ownLevel,
    append: (parts: Content[]) => Promise<{ firstOffset: number; lastOffset: number }>,
  ): void {
    const { oracle, contents, onPromise } = this.#options;
    const sequences = sizes.map((bytes) => oracle.attempt(bytes));
    const parts = sizes.map((bytes, i) => contents.record(bytes, sequences[i] as number));
    const step = this.#step;
    const over = append(parts).then(
      ({ firstOffset, lastOffset }) => {
        if (lastOffset - firstOffset + 1 !== sizes.length)
          throw new Error(`${step}: got ${firstOffset} to ${lastOffset}`);
        for (const [i, sequence] of sequences.entries()) {
          if (level === 'accepted') this.#accepted(sequence, firstOffset + i);
          else oracle.acknowledged(sequence, firstOffset + i, level);
        }
        onPromise?.();
      },
      (error: unknown) => {
        for (const sequence of sequences) oracle.refused(sequence);
        this.#note(error, step);
      },
    );
    const pending: Promise<void> = over
      .catch((error: unknown) => {
        this.#bug ??= error;
      })
      .then(() => void this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  async #appendFramed(log: Log, bytes: Uint8Array): Promise<{ firstOffset: number; lastOffset: number }> {
    const { memory } = this.#options.stage.runtime;
    const slab = memory.slabs.allocate(bytes.length + 16, 'framed batches');
    try {
      memory.u8.set(bytes, slab.address);
      return await log.appendFramed({ address: slab.address, bytes: bytes.length });
    } finally {
      slab.release();
    }
  }

  #enqueue(log: Log, sizes: readonly number[]): void {
    const { oracle, contents } = this.#options;
    for (const bytes of sizes) {
      const sequence = oracle.attempt(bytes);
      try {
        this.#accepted(sequence, log.enqueue(contents.record(bytes, sequence)));
      } catch (error) {
        oracle.refused(sequence);
        throw error;
      }
    }
  }

  #accepted(sequence: number, offset: number): void {
    this.#options.oracle.accepted(sequence, offset);
    this.#unwatched.push({ sequence, offset });
  }

  async #reach(log: Log, level: Durability): Promise<void> {
    const { oracle, onPromise } = this.#options;
    const unwatched = this.#unwatched;
    const last = unwatched.at(-1);
    if (last === undefined) return;
    await this.#until(log.reached(last.offset, level));
    // A failure meanwhile may have given their offsets to others.
    if (level === 'accepted' || this.#unwatched !== unwatched) return;
    this.#unwatched = [];
    for (const { sequence, offset } of unwatched) oracle.acknowledged(sequence, offset, level);
    onPromise?.();
  }

  async #sync(log: Log): Promise<void> {
    const { written } = log.durable;
    await this.#until(log.sync());
    const { synced } = log.durable;
    if (synced < written)
      throw new Error(`synced, and ${written} were written, but only ${synced} are said to be synced`);
    this.#options.onPromise?.();
  }

  async #truncate(log: Log, share: number): Promise<void> {
    const { oracle, onPromise } = this.#options;
    const offset = log.firstOffset + Math.floor(share * (log.durable[this.#ownLevel] - log.firstOffset));
    oracle.truncated(offset, false);
    await this.#until(log.truncateBefore(offset));
    oracle.truncated(offset, true);
    onPromise?.();
  }

  async #read(log: Log, share: number | undefined): Promise<void> {
    const { oracle, contents } = this.#options;
    const begin = log.firstOffset;
    const promised = oracle[this.#ownLevel];
    const fromOffset =
      share === undefined ? undefined : begin + Math.floor(share * Math.max(0, promised - begin));
    try {
      const found = await this.#until(readFound(log, contents, fromOffset));
      const end = found.firstOffset + found.records.length;
      const visible = log.durable[this.#ownLevel];
      if (end > visible) throw new Error(`read up to ${end}, and only what is below ${visible} may be seen`);
      const bounds = { ...oracle.bounds('written', log), promised };
      oracle.check(
        found,
        fromOffset === undefined ? bounds : { ...bounds, firstMin: 0, firstMax: fromOffset },
      );
    } catch (error) {
      if (!isVarveError(error, 'OUT_OF_RANGE') || log.firstOffset === begin) throw error;
    }
  }

  async #get(log: Log, share: number): Promise<void> {
    const { oracle, contents } = this.#options;
    const begin = log.firstOffset;
    const end = oracle[this.#ownLevel];
    if (end <= begin) return;
    const offset = Math.min(begin + Math.floor(share * (end - begin)), end - 1);
    try {
      const record = await this.#until(log.get(offset));
      if (record.offset !== offset) throw new Error(`got offset ${record.offset} for ${offset}`);
      oracle.checkAt(contents.originOf(record).sequence, offset);
    } catch (error) {
      if (!isVarveError(error, 'OUT_OF_RANGE') || offset >= log.firstOffset) throw error;
    }
  }

  async #verify(log: Log): Promise<void> {
    const { problems } = await this.#until(log.verify());
    if (problems.length > 0) throw new Error(`verify found: ${JSON.stringify(problems)}`);
  }

  async #wait(wait: boolean | undefined): Promise<void> {
    if (wait === true) await this.#settle();
  }

  async #settle(): Promise<void> {
    await this.#until(Promise.all(this.#pending));
  }

  /** Takes note of a failure of the world; throws everything else on. */
  #note(error: unknown, step: string = this.#step): void {
    if (!isVarveError(error)) throw error;
    this.failures.push({ step, error });
    // It may be what became of the records that nobody waited for.
    for (const { sequence } of this.#unwatched) this.#options.oracle.refused(sequence);
    this.#unwatched = [];
  }
}

/** The bounds, where retention may move the beginning of the log. */
export function loosened(bounds: Bounds, { retention }: LogOptions): Bounds {
  return retention === undefined ? bounds : { ...bounds, firstMax: Number.MAX_SAFE_INTEGER };
}

function options(level: Durability | undefined): { durability?: Durability } | undefined {
  return level === undefined ? undefined : { durability: level };
}

/** Record batches end to end, of as many records as there are sizes for each. */
function frames(parts: readonly Content[], sizes: readonly (readonly number[])[]): Uint8Array {
  let done = 0;
  return Buffer.concat(
    sizes.map(({ length }) => {
      const from = done;
      done += length;
      return frame(parts.slice(from, done));
    }),
  );
}
