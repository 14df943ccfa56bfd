/**
 * The way from `enqueue` to the disk, and back to those who wait.
 *
 *     enqueue -> intake: builder -> filling group -> queue -> one write -> written -> syncer -> synced
 *                        one batch  up to a buffer            in flight
 *
 * Group commit is self-clocking: at most one flush is in flight, and whatever was accepted meanwhile is
 * the next one. An idle log flushes in the same turn of the microtask queue. With a policy that syncs
 * each write, the flush is the write and its fdatasync; with the others the syncer works beside it.
 *
 * Offsets are given out when a record is accepted. So when a write fails, everything accepted behind it
 * fails too, and its offsets are given out again: the log never has a hole.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { fromSystem, systemCode, VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { copyRecord, type RecordInput } from '../record/record.ts';
import { type AdaptiveDelay, createAdaptiveDelay, observeFlush } from './adaptive-delay.ts';
import { createCompressor, type GroupCompressor } from './compression.ts';
import { FlushLoop } from './flush-loop.ts';
import type { FramedBatch } from './foreign.ts';
import { type Group, settleWith, type Waiter } from './group.ts';
import { GroupWriter } from './group-writer.ts';
import { Intake } from './intake.ts';
import { Losses } from './losses.ts';
import type { LogMetrics } from './metrics.ts';
import type { ResolvedLogOptions } from './options.ts';
import type { Segments } from './segments.ts';
import { type Durability, ownLevel, syncsEachWrite } from './sync-policy.ts';
import type { End, Syncer } from './syncer.ts';
import { type Parked, WaitingLine } from './waiting-line.ts';
import type { LogWork } from './work.ts';

/** A buffer that is filled without a pause starts its flush here, so that the disk works meanwhile. */
const EARLY_FLUSH_BYTES = 256 * 1024;

export interface WriterOptions {
  memory: Memory;
  clock: Clock;
  options: ResolvedLogOptions;
  metrics: LogMetrics;
  segments: Segments;
  syncer: Syncer;
  /** Its file is made longer ahead of small writes that are synced: see `group-writer.ts`. */
  growsAhead: boolean;
  /** Where batches are compressed. */
  work: LogWork;
  /** More is written. */
  onWritten: () => void;
  /** Something failed after which nothing can be promised any more. */
  onFatal: (error: unknown) => VarveError;
}

export class Writer {
  /** Offsets that were taken back. */
  readonly losses: Losses = new Losses();
  readonly #parts: WriterOptions;
  readonly #intake: Intake;
  readonly #disk: GroupWriter;
  readonly #isOwnLevelSynced: boolean;
  readonly #syncsEachWrite: boolean;
  readonly #adaptive: AdaptiveDelay | undefined;
  readonly #loop: FlushLoop;
  readonly #compressor: GroupCompressor | undefined;
  #isFull = false;
  /** The log is poisoned: what is in flight fails too. */
  #isDead = false;
  readonly #line: WaitingLine = new WaitingLine();
  /** Why nothing is accepted any more. */
  #refusal: VarveError | undefined;
  /** A failed write of records that nobody waited for; the next call says so. */
  #unreported: VarveError | undefined;

  constructor(parts: WriterOptions, start: End) {
    const { memory, clock, options } = parts;
    this.#parts = parts;
    this.#intake = new Intake(memory, clock, options, start.offset);
    this.#disk = new GroupWriter(parts, start);
    this.#compressor = createCompressor(parts, options.compression, () => this.#isFull);
    this.#isOwnLevelSynced = ownLevel(options.sync) === 'synced';
    this.#syncsEachWrite = syncsEachWrite(options.sync);
    this.#adaptive =
      options.sync.mode === 'adaptive' ? createAdaptiveDelay(options.sync.maxDelayMs) : undefined;
    this.#loop = new FlushLoop({
      clock,
      take: () => this.#intake.take(),
      delayMs: () => (this.#intake.queue.length === 0 ? (this.#adaptive?.delayMs ?? 0) : 0),
      isFull: () => this.#isFull,
      onRoom: () => this.#wake(),
      flush: (group) => this.#flush(group),
    });
  }

  /** Whether the memory could hold the largest record that the options allow. */
  get canHoldLargest(): boolean {
    return this.#intake.canHoldLargest;
  }

  /** The next offset to be given out. */
  get nextOffset(): number {
    return this.#intake.nextOffset;
  }

  get written(): Readonly<End> {
    return this.#disk.written;
  }

  /** Bytes accepted that are not written yet. */
  get pendingBytes(): number {
    return this.#intake.pendingBytes + (this.#loop.inFlight?.bytes ?? 0);
  }

  /**
   * Accepts a record.
   *
   * @returns its offset
   * @throws VarveError `BACKPRESSURE`, `CLOSED`, `POISONED`, or what made the write of earlier records fail
   */
  enqueue(record: RecordInput): number {
    // One look at what is nearly always so: a batch was begun by an `enqueue`, and nothing is in the way.
    const group = this.#intake.filling;
    if (group?.hasUnwatched === true && this.#isClear) {
      const offset = this.#intake.offer(record);
      if (offset >= 0) {
        if (!this.#loop.isRunning) this.#accepted(group);
        return offset;
      }
    }
    return this.#enqueue(record);
  }

  #enqueue(record: RecordInput): number {
    this.#intake.measure(record);
    this.check();
    if (this.#line.isBusy || !this.#admit()) {
      this.#parts.metrics.backpressure++;
      throw new VarveError('BACKPRESSURE', 'the buffer is full: await ready() and enqueue again');
    }
    (this.#intake.filling as Group).hasUnwatched = true;
    return this.#accept();
  }

  /** Whether a record is taken without further questions. */
  get #isClear(): boolean {
    return this.#refusal === undefined && this.#unreported === undefined && !this.#line.isBusy;
  }

  /** Accepts a record, now or when there is room, and resolves when it has reached the level. */
  append(record: RecordInput, level: Durability): Promise<number> {
    this.#intake.measure(record);
    this.check();
    return new Promise((resolve, reject) => {
      if (!this.#line.isBusy && this.#admit()) {
        this.#acceptFor(resolve, reject, level);
        return;
      }
      // Whoever has to wait may be given other bytes to write in the meantime.
      const own = copyRecord(record);
      const step = (): boolean => {
        this.#intake.measure(own);
        if (!this.#admit()) return false;
        this.#acceptFor(resolve, reject, level);
        return true;
      };
      this.#park({ step, reject });
    });
  }

  /** Accepts records one behind the other; resolves with the last offset when all have reached the level. */
  appendMany(records: readonly RecordInput[], level: Durability): Promise<number> {
    for (const record of records) this.#intake.measure(record);
    this.check();
    let rest = records;
    if (records.length === 0) return Promise.resolve(this.nextOffset - 1);
    return new Promise((resolve, reject) => {
      let done = 0;
      let failure: { error: unknown } | undefined;
      const fail = (error: unknown): void => {
        failure ??= { error };
        reject(error);
      };
      const step = (): boolean => {
        let group: Group | undefined;
        while (failure === undefined && done < rest.length) {
          this.#intake.measure(rest[done] as RecordInput);
          if (!this.#admit()) return false;
          const current = this.#intake.filling as Group;
          if (++done === rest.length) {
            this.#acceptFor(resolve, fail, level);
          } else {
            this.#accept();
            // Each group on the way is watched, since a part that fails is not made good by the next one.
            if (group !== current)
              current.written.add({ offset: Infinity, resolve: () => undefined, reject: fail });
            group = current;
          }
        }
        return true;
      };
      if (!this.#line.isBusy && step()) return;
      rest = records.map((record, i) => (i < done ? record : copyRecord(record)));
      this.#park({ step, reject: fail });
    });
  }

  /**
   * Takes batches that are framed already, end to end at an address, as the next group; see `Intake`.
   *
   * @returns the last offset, when it has reached the level
   */
  appendFramed(
    address: number,
    batches: readonly FramedBatch[],
    slab: Slab | undefined,
    level: Durability,
  ): Promise<number> {
    this.check();
    return new Promise((resolve, reject) => {
      const step = (): boolean => {
        const group = this.#intake.acceptFramed(address, batches, slab);
        this.#watch(group, { offset: group.nextOffset - 1, resolve, reject }, level);
        this.#loop.arm();
        return true;
      };
      const refuse = (error: unknown): void => {
        slab?.release();
        reject(error);
      };
      if (this.#line.isBusy) this.#park({ step, reject: refuse });
      else step();
    });
  }

  /** Begins a new segment behind all that was accepted so far. */
  roll(): Promise<void> {
    this.check();
    const rolled = this.#intake.acceptRoll();
    this.#loop.arm();
    return rolled;
  }

  /** Resolves when `enqueue` has room; rejects where an earlier record that nobody waited for was lost. */
  async ready(): Promise<void> {
    this.check();
    if (!this.#isFull && !this.#line.isBusy) return;
    await this.#line.ready();
  }

  /** Resolves when an accepted offset is written. */
  whenWritten(offset: number): Promise<void> {
    if (offset < this.written.offset) return Promise.resolve();
    const group = this.#groupOf(offset);
    return group.written.share().catch((error: unknown) => {
      if (offset >= group.lostFrom) throw error;
    });
  }

  /** Resolves when an accepted offset is synced. */
  whenSynced(offset: number): Promise<void> {
    const { syncer } = this.#parts;
    if (offset < syncer.synced.offset) return Promise.resolve();
    if (offset < this.written.offset) return syncer.reach(offset, !this.#isOwnLevelSynced);
    const group = this.#groupOf(offset);
    if (!this.#isOwnLevelSynced) group.isSyncDemanded = true;
    return group.synced.share().catch((error: unknown) => {
      if (offset >= group.lostFrom) throw error;
      return syncer.reach(offset, true);
    });
  }

  /** Resolves when nothing accepted is left unwritten, or it failed. */
  async idle(): Promise<void> {
    while (this.#loop.isRunning || this.#loop.isArmed || this.#line.isBusy) {
      await this.#loop.idle();
      if (this.#line.isBusy) await this.#line.ready().catch(() => undefined);
    }
  }

  /** Refuses everything from now on; what is accepted but not written is given up. */
  refuse(error: VarveError): void {
    this.#refusal = error;
    this.#isDead = true;
    for (const group of this.#intake.giveUp(this.written.offset)) group.reject(error);
    this.#wake();
  }

  /** Closes the door for new records; what is accepted goes on. */
  close(error: VarveError): void {
    this.#refusal ??= error;
  }

  /** A failed write that nobody was told of. */
  takeUnreported(): VarveError | undefined {
    const error = this.#unreported;
    this.#unreported = undefined;
    return error;
  }

  release(): void {
    this.#intake.release();
  }

  /** @throws VarveError where nothing is accepted, or an earlier failure has to be told */
  check(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#unreported !== undefined) throw this.takeUnreported();
  }

  #park(parked: Parked): void {
    this.#parts.metrics.backpressure++;
    this.#line.park(parked);
  }

  /** Makes room for the measured record: afterwards there is a group for it. */
  #admit(): boolean {
    if (this.#isFull) return false;
    let admission = this.#intake.admit();
    if (admission === 'full' && !this.#loop.isRunning) {
      this.#intake.closeFilling();
      this.#loop.start();
      admission = this.#intake.admit();
    }
    if (admission === 'yes') return true;
    this.#isFull = true;
    this.#compressor?.help();
    // A flush that is under way lets in who waits when it ends.
    if (!this.#loop.isRunning) void this.#parts.memory.slabs.released().then(() => this.#wake());
    return false;
  }

  #accept(): number {
    const offset = this.#intake.accept();
    if (!this.#loop.isRunning) this.#accepted(this.#intake.filling as Group);
    return offset;
  }

  /** Sees to it that what an idle writer has accepted is flushed. */
  #accepted(group: Group): void {
    if (!this.#loop.isArmed) {
      this.#loop.arm();
    } else if (group.bytes >= EARLY_FLUSH_BYTES) {
      // The caller fills the buffer without letting go of the thread: do not wait for it.
      this.#intake.closeFilling();
      this.#loop.start();
    }
  }

  #acceptFor(resolve: (offset: number) => void, reject: (error: unknown) => void, level: Durability): void {
    const group = this.#intake.filling as Group;
    this.#watch(group, { offset: this.#accept(), resolve, reject }, level);
  }

  #watch(group: Group, waiter: Waiter, level: Durability): void {
    if (level === 'accepted') {
      group.hasUnwatched = true;
      waiter.resolve(waiter.offset);
    } else if (level === 'written') {
      group.written.add(waiter);
    } else {
      if (!this.#isOwnLevelSynced) group.isSyncDemanded = true;
      group.synced.add(waiter);
    }
  }

  /** The group that an offset is on its way in. */
  #groupOf(offset: number): Group {
    for (const group of [this.#loop.inFlight, ...this.#intake.queue]) {
      if (group !== undefined && offset >= group.firstOffset && offset < group.nextOffset) return group;
    }
    if (this.#intake.filling !== undefined) return this.#intake.filling;
    throw new VarveError('OUT_OF_RANGE', `offset ${offset} is not on its way`);
  }

  async #flush(group: Group): Promise<void> {
    const { syncer, metrics, onWritten } = this.#parts;
    metrics.atRisk(this.written.bytes - syncer.synced.bytes + this.pendingBytes);
    try {
      await this.#compressor?.compress(group);
      await this.#disk.write(group);
    } catch (error) {
      await this.#fail(group, error);
      return;
    }
    group.release();
    onWritten();
    if (this.#isDead) {
      group.reject(this.#refusal);
      return;
    }
    group.written.resolve();
    if (this.#syncsEachWrite) await this.#syncFlushed(group);
    else if (group.isSyncDemanded) syncer.sync().catch(() => undefined);
    else syncer.schedule();
  }

  async #syncFlushed(group: Group): Promise<void> {
    const { syncer, clock } = this.#parts;
    // Whoever waits for it is told by the syncer, of a failure too.
    await syncer.sync().catch(() => undefined);
    if (this.#adaptive !== undefined)
      observeFlush(this.#adaptive, group.records, syncer.lastSyncMs, clock.monotonic());
  }

  /**
   * A write failed: cuts off what it left behind, and rejects it and all that was accepted behind it. What
   * the group brought into a segment before it was rolled is written.
   */
  async #fail(group: Group, cause: unknown): Promise<void> {
    const { segments, metrics, onFatal, onWritten } = this.#parts;
    metrics.failedWrites++;
    let error = fromSystem(cause, 'write', segments.active.path);
    // Neither varve nor the system has said so: a bug, after which nothing can be promised.
    if (!(cause instanceof VarveError) && systemCode(cause) === undefined) error = onFatal(cause);
    try {
      await this.#disk.cutBack();
    } catch (truncateError) {
      error = onFatal(truncateError);
    }
    if (this.#isDead) error = this.#refusal as VarveError;
    const end = this.nextOffset;
    const behind = this.#intake.giveUp(this.written.offset);
    const isKnown = ![group, ...behind].some(({ hasUnwatched }) => hasUnwatched);
    if (!isKnown) this.#unreported = error;
    this.losses.add(this.written.offset, end, error, isKnown);
    group.release();
    onWritten();
    if (this.#isDead) group.reject(error);
    else this.#syncKept(group.rejectFrom(this.written.offset, error));
    for (const one of behind) one.reject(error);
  }

  /** Has what a failed group has written synced, as the policy says or for those who wait for it. */
  #syncKept(waiters: readonly Waiter[]): void {
    const last = waiters.at(-1);
    if (last === undefined) return this.#parts.syncer.schedule();
    settleWith(this.#parts.syncer.reach(last.offset, true), waiters);
  }

  /** There may be room again: lets in who waited, in their order. */
  #wake(): void {
    this.#isFull = false;
    if (this.#isDead) this.#line.refuse(this.#refusal);
    else if (this.#line.advance() && !this.#isFull) this.#line.answer(() => this.takeUnreported());
  }
}
