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
import { ownLevel, resolveSyncPolicy } from '../../src/log/sync-policy.ts';
import { type Database, open } from '../../src/open.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { Appends } from './appends.ts';
import type { Contents } from './contents.ts';
import { type Stage, until } from './laboratory.ts';
import type { Bounds, Oracle } from './oracle.ts';
import {
  checkGet,
  checkRead,
  DIRECTORY,
  Follower,
  LOG_NAME,
  Onlooker,
  type Reading,
  readFound,
} from './reads.ts';
import { describeStep, type Step } from './steps.ts';

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

export class Session {
  readonly failures: Failure[] = [];
  /** Whether it was ever open. */
  wasOpen = false;
  readonly #options: SessionOptions;
  readonly #reading: Reading;
  readonly #appends: Appends;
  #database: Database | undefined;
  #log: Log | undefined;
  #step = 'open';
  #followers: Follower[] = [];
  #onlooker: Onlooker | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { stage, vfs, oracle, contents, onPromise } = options;
    const level = ownLevel(resolveSyncPolicy(options.log.sync));
    this.#reading = { stage, vfs, oracle, contents, level };
    this.#appends = new Appends({
      oracle,
      contents,
      memory: stage.runtime.memory,
      ownLevel: level,
      onPromise: () => onPromise?.(),
      onFailure: (error, step) => this.#note(error, step),
    });
  }

  /** What may be found if the process ended now (`written`), or the power was cut (`synced`). */
  bounds(level: 'written' | 'synced'): Bounds {
    const { oracle, log: options } = this.#options;
    // While the log is being opened, retention may be at work, and nobody can be asked.
    if (this.#log === undefined) return loosened(oracle.bounds(level), options);
    return oracle.bounds(level, this.#log);
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
        this.wasOpen = true;
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
      await this.#endReaders();
      await this.#until(database.close());
      if (log !== undefined) oracle.closed(log.durable.synced, log.nextOffset);
    } catch (error) {
      this.#note(error);
      // It is closed all the same, whatever failed before it was.
      await this.#until(database.close().catch(() => undefined));
    }
    await this.#until(this.#appends.settle());
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
      case 'many':
      case 'batches':
      case 'framed':
        this.#appends.begin(log, step, this.#step);
        if (step.wait === true) await this.#until(this.#appends.settle());
        return;
      case 'enqueue':
        return await this.#until(this.#appends.enqueue(log, step.bytes));
      case 'reach':
        return await this.#until(this.#appends.reach(log, step.level));
      case 'settle':
        return await this.#until(this.#appends.settle());
      case 'sync':
        return await this.#sync(log);
      case 'truncate':
        return await this.#truncate(log, step.share);
      case 'retain':
        await this.#until(log.retain());
        return;
      case 'recompress':
        await this.#until(log.recompress({ force: true }));
        return;
      case 'pass':
        return await this.#options.stage.clock.advance(step.ms);
      case 'read':
      case 'get':
      case 'follow':
      case 'look':
      case 'verify':
        return await this.#look(log, step);
    }
  }

  async #look(
    log: Log,
    step: Extract<Step, { do: 'read' | 'get' | 'follow' | 'look' | 'verify' }>,
  ): Promise<void> {
    switch (step.do) {
      case 'read':
        return await this.#until(checkRead(log, this.#reading, step.share));
      case 'get':
        return await this.#until(checkGet(log, this.#reading, step.share));
      case 'follow':
        this.#followers.push(new Follower(log, this.#reading));
        return;
      case 'look':
        this.#onlooker ??= new Onlooker(this.#reading);
        return await this.#until(this.#onlooker.look(log));
      case 'verify': {
        const { problems } = await this.#until(log.verify());
        // After a power cut the files of the indexes may be anything; and a read may have failed.
        const real = problems.filter(
          ({ offsets, message }) => offsets !== undefined && !message.startsWith('cannot'),
        );
        if (real.length > 0) throw new Error(`verify found: ${JSON.stringify(real)}`);
      }
    }
  }

  async #sync(log: Log): Promise<void> {
    const { written } = log.durable;
    await this.#until(log.sync());
    const { synced } = log.durable;
    if (synced < written) throw new Error(`synced up to ${synced}, where ${written} were written`);
    this.#options.onPromise?.();
  }

  async #truncate(log: Log, share: number): Promise<void> {
    const { oracle, onPromise } = this.#options;
    const offset = log.firstOffset + Math.floor(share * (log.durable[this.#reading.level] - log.firstOffset));
    oracle.truncated(offset, false);
    await this.#until(log.truncateBefore(offset));
    oracle.truncated(offset, true);
    onPromise?.();
  }

  async #endReaders(): Promise<void> {
    const followers = this.#followers.splice(0);
    const onlooker = this.#onlooker;
    this.#onlooker = undefined;
    const ends = followers.map((follower) => follower.end());
    if (onlooker !== undefined) ends.push(onlooker.close());
    for (const end of await this.#until(Promise.allSettled(ends))) {
      if (end.status === 'rejected') this.#note(end.reason);
    }
  }

  /** Takes note of a failure of the world; throws everything else on. */
  #note(error: unknown, step: string = this.#step): void {
    if (!isVarveError(error)) throw error;
    this.failures.push({ step, error });
    // It may be what became of the records that nobody waited for.
    this.#appends.forget();
  }
}

/** The bounds, where retention may move the beginning of the log. */
export function loosened(bounds: Bounds, { retention }: LogOptions): Bounds {
  return retention === undefined ? bounds : { ...bounds, firstMax: Number.MAX_SAFE_INTEGER };
}
