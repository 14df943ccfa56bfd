/**
 * What goes on in the background: full memtables are written to tables, tables are merged. Both are decided
 * here, on the main thread, and carried out by tasks that a worker thread runs; what they have made becomes part
 * of a tree when the manifest says so.
 *
 * Of each kind one task is under way at a time. When one fails (the disk is full), it is tried again after a
 * while; until then writers that need it are told why it failed, and readers go on.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';
import { isVarveError, VarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { checkIntervalOf } from './compaction/strategy.ts';
import type { Memtable } from './memtable.ts';
import type { Relief } from './stalls.ts';
import type { TreeCore } from './tree-core.ts';

const RETRY_MS = 500;

/** What it drives, and what carries it out. */
export interface BackgroundParts {
  clock: Clock;
  wal: Log;
  /** Nothing is written then. */
  readOnly: boolean;
  trees: () => readonly TreeCore[];
  /** How many iterators are open. */
  iterators: () => number;
  /** Writes a memtable to a table and publishes that; undefined where it has become empty. */
  flush: (tree: TreeCore, memtable: Memtable) => Promise<void>;
  /** Merges tables of a tree where it has too many; false where there is nothing to do. */
  compact: (tree: TreeCore) => Promise<boolean>;
  /** The write-ahead log may have become shorter. */
  trim: () => Promise<void>;
  /** Something has changed for writers. */
  onChange: () => void;
  /** Nothing can be promised any more. */
  onFatal: (error: VarveError) => void;
}

/** One kind of work: one task at a time, as long as there is any. */
class Loop {
  readonly #step: () => Promise<boolean>;
  readonly #onFailure: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #isAsked = false;

  constructor(step: () => Promise<boolean>, onFailure: (error: unknown) => void) {
    this.#step = step;
    this.#onFailure = onFailure;
  }

  start(): void {
    this.#isAsked = true;
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      // After the caller is done with what it is about.
      await Promise.resolve();
      while (this.#isAsked) {
        this.#isAsked = false;
        while (await this.#step());
      }
    } catch (error) {
      this.#onFailure(error);
    } finally {
      // At once: whoever asks between the end and a later moment would not be heard.
      this.#running = undefined;
    }
  }
}

export class Background implements Relief {
  /** What compactions write at most in a second; 0 for as much as there is. */
  bytesPerSecond = 0;
  readonly #parts: BackgroundParts;
  readonly #flushes: Loop;
  readonly #compactions: Loop;
  #waiters: (() => void)[] = [];
  #failure: VarveError | undefined;
  #compactionFailure: VarveError | undefined;
  #retry: Cancel | undefined;
  #isPaused = false;
  /** Those who want no compaction to begin, one after the other. */
  #held = 0;
  #alone: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  /** The next look at tables whose values go by their time. */
  #check: Cancel | undefined;

  constructor(parts: BackgroundParts) {
    this.#parts = parts;
    this.#isStopped = parts.readOnly;
    this.#flushes = new Loop(
      () => this.#flushNext(),
      (error) => {
        this.#failure = this.#failed(error);
        this.#notify();
      },
    );
    this.#compactions = new Loop(
      () => this.#compactNext(),
      (error) => {
        this.#compactionFailure = this.#failed(error);
        this.#notify();
      },
    );
  }

  /** Why memtables cannot be written to tables at the moment. */
  get failure(): VarveError | undefined {
    return this.#failure;
  }

  /** Why tables cannot be merged at the moment. */
  get compactionFailure(): VarveError | undefined {
    return this.#compactionFailure;
  }

  get iterators(): number {
    return this.#parts.iterators();
  }

  get isCompacting(): boolean {
    return !this.#isPaused && !this.#isStopped && this.#compactionFailure === undefined;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  kick(): void {
    if (this.#isStopped) return;
    this.#flushes.start();
    if (!this.#isPaused && this.#held === 0) this.#compactions.start();
    if (this.#check === undefined) this.watch();
  }

  /** Looks at tables from time to time, as long as there is a tree whose values go by their time. */
  watch(): void {
    this.#check?.();
    this.#check = undefined;
    if (this.#isStopped) return;
    const intervals = this.#parts
      .trees()
      .flatMap(({ options: { drop, strategy } }) => [drop?.checkIntervalMs, checkIntervalOf(strategy)])
      .filter((interval) => interval !== undefined);
    if (intervals.length === 0) return;
    this.#check = this.#parts.clock.after(Math.min(...intervals), () => {
      this.#check = undefined;
      this.kick();
    });
  }

  /** Begins no more compactions; resolves when the one under way has ended. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    this.#notify();
    await this.#compactions.idle();
  }

  /** Does something while no compaction is under way. */
  exclusively(work: () => Promise<void>): Promise<void> {
    const doing = this.#alone.then(async () => {
      this.#held++;
      try {
        await this.#compactions.idle();
        if (this.#isStopped) throw new VarveError('CLOSED', 'the database is closed');
        await work();
      } finally {
        this.#held--;
        this.#notify();
        this.kick();
      }
    });
    this.#alone = doing.catch(() => undefined);
    return doing;
  }

  resume(): void {
    this.#isPaused = false;
    this.kick();
  }

  changed(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Resolves when every memtable that is frozen now is in a table; throws why one could not be. */
  async flushed(tree: TreeCore): Promise<void> {
    const last = tree.frozen.at(-1);
    this.#failure = undefined;
    this.kick();
    while (last !== undefined && tree.frozen.includes(last)) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isStopped) throw new VarveError('CLOSED', `the tree ${tree.name} is closed`);
      await this.changed();
    }
  }

  /** Resolves when there is nothing to merge any more; throws why something could not be. */
  async settled(): Promise<void> {
    this.#compactionFailure = undefined;
    this.kick();
    await this.#flushes.idle();
    await this.#compactions.idle();
    const failure = this.#failure ?? this.#compactionFailure;
    if (failure !== undefined) throw failure;
  }

  /** Begins nothing more, and waits for what is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#retry?.();
    this.#check?.();
    this.#notify();
    await this.#flushes.idle();
    await this.#compactions.idle();
  }

  /** Flushes the memtable that has waited longest. */
  async #flushNext(): Promise<boolean> {
    if (this.#isStopped) return false;
    let oldest: TreeCore | undefined;
    for (const tree of this.#parts.trees()) {
      if (tree.frozen.length === 0) continue;
      if (oldest === undefined || tree.neededFrom < oldest.neededFrom) oldest = tree;
    }
    if (oldest === undefined) return false;
    await this.#parts.flush(oldest, oldest.frozen[0] as Memtable);
    this.#failure = undefined;
    this.#notify();
    await this.#parts.trim();
    if (!this.#isPaused && this.#held === 0) this.#compactions.start();
    return true;
  }

  async #compactNext(): Promise<boolean> {
    let isDone = false;
    for (const tree of this.#parts.trees()) {
      if (this.#isPaused || this.#held > 0 || this.#isStopped) return false;
      if (!(await this.#parts.compact(tree))) continue;
      isDone = true;
      this.#compactionFailure = undefined;
      this.#notify();
    }
    return isDone;
  }

  /** Notes a failure, and tries again after a while. */
  #failed(error: unknown): VarveError {
    const failure = isVarveError(error)
      ? error
      : new VarveError('IO', `work in the background has failed: ${String(error)}`, { cause: error });
    if (failure.code === 'POISONED' || !isVarveError(error)) {
      this.#parts.onFatal(failure);
      return failure;
    }
    if (!this.#isStopped) {
      this.#retry?.();
      this.#retry = this.#parts.clock.after(RETRY_MS, () => {
        this.#retry = undefined;
        this.#compactionFailure = undefined;
        this.kick();
      });
    }
    return failure;
  }

  #notify(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
    this.#parts.onChange();
  }
}
