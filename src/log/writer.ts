/**
 * The way from `enqueue` to the disk.
 *
 *     enqueue -> builder -> filling group -> (queue) -> one write -> written -> syncer -> synced
 *                one batch   up to a buffer             in flight
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
import { BATCH_HEADER_BYTES, RECORD_OVERHEAD_MAX, SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { BatchBuilder, createMeasured, type Measured, measure } from '../record/builder.ts';
import { patchBatch } from '../record/format.ts';
import type { RecordInput } from '../record/record.ts';
import { type AdaptiveDelay, createAdaptiveDelay, observeFlush } from './adaptive-delay.ts';
import { Group, type GroupBatch, type Waiter } from './group.ts';
import type { LogMetrics } from './metrics.ts';
import type { ResolvedLogOptions } from './options.ts';
import type { Segment } from './segment.ts';
import type { Segments } from './segments.ts';
import { type Durability, ownLevel, syncsEachWrite } from './sync-policy.ts';
import type { End, Syncer } from './syncer.ts';

/** Up to this size a write on this thread is cheaper than a trip to another. */
const SYNC_WRITE_BYTES = 64 * 1024;
/** How much of that in one turn of the event loop: a loop of awaits must not starve timers and sockets. */
const SYNC_WRITES_A_TURN = 64;
/** A buffer that is filled without a pause starts its flush here, so that the disk works meanwhile. */
const EARLY_FLUSH_BYTES = 256 * 1024;
/** Turns of the microtask queue in which callers that were just woken can join the next flush. */
const JOIN_TURNS = 4;
/** Records that share one look at the clock, within one turn. */
const STAMP_USES_MAX = 64;

export interface WriterOptions {
  memory: Memory;
  clock: Clock;
  options: ResolvedLogOptions;
  metrics: LogMetrics;
  segments: Segments;
  syncer: Syncer;
  /** Everything below `end` is written. */
  onWritten: (end: End) => void;
  /** Something failed after which nothing can be promised any more. */
  onFatal: (error: unknown) => VarveError;
}

/** An append that waits for room: `step` accepts what it can and says whether that was all. */
interface Parked {
  step: () => boolean;
  reject: (error: unknown) => void;
}

export class Writer {
  /** The next offset to be given out. */
  nextOffset: number;
  /** What is written. */
  readonly written: End;
  readonly #parts: WriterOptions;
  readonly #memory: Memory;
  readonly #builder: BatchBuilder;
  readonly #measured: Measured = createMeasured();
  readonly #isOwnLevelSynced: boolean;
  readonly #syncsEachWrite: boolean;
  readonly #adaptive: AdaptiveDelay | undefined;
  readonly #stopReclaim: () => void;
  #filling: Group | undefined;
  #queue: Group[] = [];
  #inFlight: Group | undefined;
  #isRunning = false;
  #isArmed = false;
  #isFull = false;
  /** The log is poisoned: what is in flight fails too. */
  #isDead = false;
  #parked: Parked[] = [];
  #readyWaiters: { resolve: () => void; reject: (error: unknown) => void }[] = [];
  #idleWaiters: (() => void)[] = [];
  /** Why nothing is accepted any more. */
  #refusal: VarveError | undefined;
  /** A failed write of records that nobody waited for; the next call says so. */
  #unreported: VarveError | undefined;
  #syncWrites = 0;
  #stamp = 0;
  #stampUses = STAMP_USES_MAX;

  constructor(parts: WriterOptions, start: End) {
    const { memory, options } = parts;
    this.#parts = parts;
    this.#memory = memory;
    this.nextOffset = start.offset;
    this.written = { ...start };
    this.#builder = new BatchBuilder(memory, options.batchBytes);
    this.#isOwnLevelSynced = ownLevel(options.sync) === 'synced';
    this.#syncsEachWrite = syncsEachWrite(options.sync);
    this.#adaptive = options.sync.mode === 'adaptive' ? createAdaptiveDelay(options.sync.maxDelayMs) : undefined;
    this.#stopReclaim = memory.slabs.onPressure(() => (this.#builder.count === 0 ? this.#builder.release() : 0));
  }

  /** Bytes accepted that are not written yet. */
  get pendingBytes(): number {
    let bytes = this.#builder.bytes + (this.#filling?.bytes ?? 0) + (this.#inFlight?.bytes ?? 0);
    for (const group of this.#queue) bytes += group.bytes;
    return bytes;
  }

  /**
   * Accepts a record.
   *
   * @returns its offset
   * @throws VarveError `BACKPRESSURE`, `CLOSED`, `POISONED`, or what made the write of earlier records fail
   */
  enqueue(record: RecordInput): number {
    this.#measure(record);
    this.check();
    if (this.#parked.length > 0 || !this.#admit(this.#measured.bytes)) {
      this.#parts.metrics.backpressure++;
      throw new VarveError('BACKPRESSURE', 'the buffer is full: await ready() and enqueue again');
    }
    (this.#filling as Group).hasUnwatched = true;
    return this.#accept();
  }

  /** Accepts a record, now or when there is room, and resolves when it has reached the level. */
  append(record: RecordInput, level: Durability): Promise<number> {
    this.#measure(record);
    this.check();
    return new Promise((resolve, reject) => {
      if (this.#parked.length === 0 && this.#admit(this.#measured.bytes)) {
        const group = this.#filling as Group;
        this.#watch(group, { offset: this.#accept(), resolve, reject }, level);
        return;
      }
      const step = (): boolean => {
        this.#measure(record);
        if (!this.#admit(this.#measured.bytes)) return false;
        const group = this.#filling as Group;
        this.#watch(group, { offset: this.#accept(), resolve, reject }, level);
        return true;
      };
      this.#park({ step, reject });
    });
  }

  /** Accepts records one behind the other; resolves with the last offset when all have reached the level. */
  appendMany(records: readonly RecordInput[], level: Durability): Promise<number> {
    for (const record of records) this.#measure(record);
    this.check();
    if (records.length === 0) return Promise.resolve(this.nextOffset - 1);
    return new Promise((resolve, reject) => {
      let done = 0;
      let failure: { error: unknown } | undefined;
      const fail = (error: unknown): void => {
        failure ??= { error };
        reject(error);
      };
      const step = (): boolean => {
        if (failure !== undefined) return true;
        let group: Group | undefined;
        for (; done < records.length; done++) {
          this.#measure(records[done] as RecordInput);
          if (!this.#admit(this.#measured.bytes)) return false;
          const current = this.#filling as Group;
          const offset = this.#accept();
          // Each group on the way is watched, since a part that fails is not made good by the next one.
          if (done === records.length - 1) this.#watch(current, { offset, resolve, reject: fail }, level);
          else if (group !== current) current.written.add({ offset, resolve: () => undefined, reject: fail });
          group = current;
        }
        return true;
      };
      if (this.#parked.length > 0 || !step()) this.#park({ step, reject: fail });
    });
  }

  /**
   * Takes batches that are framed already, end to end at an address, as the next group. Their base
   * offsets are set here.
   *
   * @param slab what is given back when they are written; none where the memory is the caller's
   */
  appendFramed(
    address: number,
    batches: readonly { size: number; records: number; maxTimestamp: number }[],
    slab: Group['slab'],
    level: Durability,
  ): Promise<number> {
    this.check();
    return new Promise((resolve, reject) => {
      const step = (): boolean => {
        this.#closeFilling();
        const group = new Group(this.nextOffset, address, slab);
        for (const { size, records, maxTimestamp } of batches) {
          group.add(size, group.nextOffset + records - 1, maxTimestamp);
        }
        this.nextOffset = group.nextOffset;
        this.#queue.push(group);
        this.#watch(group, { offset: group.nextOffset - 1, resolve, reject }, level);
        this.#arm();
        return true;
      };
      if (this.#parked.length > 0) this.#park({ step, reject });
      else step();
    });
  }

  /** Resolves when `enqueue` has room; rejects where an earlier record that nobody waited for was lost. */
  async ready(): Promise<void> {
    this.check();
    if (!this.#isFull && this.#parked.length === 0) return;
    await new Promise<void>((resolve, reject) => this.#readyWaiters.push({ resolve, reject }));
  }

  /** Resolves when an accepted offset is written. */
  whenWritten(offset: number): Promise<void> {
    return offset < this.written.offset ? Promise.resolve() : this.#groupOf(offset).written.share();
  }

  /** Resolves when an accepted offset is synced. */
  whenSynced(offset: number): Promise<void> {
    const { syncer } = this.#parts;
    if (offset < syncer.synced.offset) return Promise.resolve();
    if (offset < this.written.offset) return syncer.reach(offset, !this.#isOwnLevelSynced);
    const group = this.#groupOf(offset);
    if (!this.#isOwnLevelSynced) group.isSyncDemanded = true;
    return group.synced.share();
  }

  /** Resolves when nothing accepted is left unwritten, or it failed. */
  async idle(): Promise<void> {
    while (this.#isRunning || this.#isArmed || this.#parked.length > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
  }

  /**
   * Refuses everything from now on; what is accepted but not in flight is given up.
   *
   * @param error what callers are told
   */
  refuse(error: VarveError): void {
    this.#refusal = error;
    this.#isDead = true;
    for (const group of this.#giveUp()) group.reject(error);
    this.#wake();
    if (!this.#isRunning) this.#wakeIdle();
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

  /** Gives the memory back. */
  release(): void {
    this.#stopReclaim();
    this.#builder.clear();
    this.#builder.release();
  }

  /** @throws VarveError where nothing is accepted, or an earlier failure has to be told */
  check(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#unreported !== undefined) throw this.takeUnreported();
  }

  #park(parked: Parked): void {
    this.#parts.metrics.backpressure++;
    this.#parked.push(parked);
  }

  #measure(record: RecordInput): void {
    measure(record, this.#measured);
    const { maxRecordBytes } = this.#parts.options;
    if (this.#measured.bytes > maxRecordBytes) {
      throw new RangeError(`a record has at most ${maxRecordBytes} bytes (maxRecordBytes), not ${this.#measured.bytes}`);
    }
  }

  /** Makes room for a record of `bytes`: afterwards there is a group for it. */
  #admit(bytes: number): boolean {
    if (this.#isFull) return false;
    const builder = this.#builder;
    if (builder.isFull(bytes) || (bytes > this.#parts.options.batchBytes && builder.count > 0)) this.#closeBatch();
    if (this.#filling !== undefined && this.#filling.roomBytes < builder.encodedBytesMax(bytes)) {
      if (this.#isRunning) {
        this.#isFull = true;
        return false;
      }
      this.#closeFilling();
      this.#start();
    }
    return this.#allocate(bytes);
  }

  #allocate(bytes: number): boolean {
    const { slabs } = this.#memory;
    if (this.#filling === undefined) {
      const needed = BATCH_HEADER_BYTES + bytes + 2 * RECORD_OVERHEAD_MAX + SLACK_BYTES;
      const slab = slabs.tryAllocate(Math.max(needed, this.#parts.options.bufferBytes), 'write buffer');
      if (slab !== undefined) this.#filling = new Group(this.nextOffset, slab.address, slab);
    }
    if (this.#filling !== undefined && this.#builder.reserve(bytes)) return true;
    this.#isFull = true;
    if (!this.#isRunning) void slabs.released().then(() => this.#wake());
    return false;
  }

  #accept(): number {
    const measured = this.#measured;
    this.#builder.add(measured, measured.timestamp ?? this.#timestamp());
    const offset = this.nextOffset++;
    if (this.#isRunning || this.#isArmed) {
      if (this.#isRunning || (this.#filling as Group).bytes < EARLY_FLUSH_BYTES) return offset;
      // The caller fills the buffer without letting go of the thread: do not wait for it.
      this.#closeFilling();
      this.#start();
      return offset;
    }
    this.#arm();
    return offset;
  }

  /** The time of records that bring none. */
  #timestamp(): number {
    if (this.#stampUses < STAMP_USES_MAX) {
      this.#stampUses++;
      return this.#stamp;
    }
    this.#stamp = this.#parts.clock.now();
    this.#stampUses = 0;
    queueMicrotask(() => {
      this.#stampUses = STAMP_USES_MAX;
    });
    return this.#stamp;
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

  #groupOf(offset: number): Group {
    const { syncer } = this.#parts;
    for (const group of [this.#inFlight, ...this.#queue]) {
      if (group !== undefined && offset >= group.firstOffset && offset < group.nextOffset) return group;
    }
    if (this.#filling !== undefined) return this.#filling;
    throw new VarveError('OUT_OF_RANGE', `offset ${offset} is not on its way (synced: ${syncer.synced.offset})`);
  }

  /** Frames what the builder holds, at the end of the filling group. */
  #closeBatch(): void {
    const builder = this.#builder;
    const group = this.#filling;
    if (builder.count === 0 || group === undefined) return;
    const { maxTimestamp, count } = builder;
    const size = builder.encode(group.address + group.bytes, this.nextOffset - count);
    group.add(size, this.nextOffset - 1, maxTimestamp);
  }

  #closeFilling(): void {
    this.#closeBatch();
    const group = this.#filling;
    this.#filling = undefined;
    if (group === undefined) return;
    if (group.batches.length === 0) group.release();
    else this.#queue.push(group);
  }

  #arm(): void {
    if (this.#isRunning || this.#isArmed) return;
    this.#isArmed = true;
    queueMicrotask(() => {
      if (this.#isArmed) this.#start();
    });
  }

  #start(): void {
    this.#isArmed = false;
    if (this.#isRunning) return;
    void this.#run();
  }

  /** Flushes until nothing is left. It never rejects. */
  async #run(): Promise<void> {
    this.#isRunning = true;
    for (;;) {
      const delayMs = this.#adaptive?.delayMs ?? 0;
      if (delayMs > 0 && this.#queue.length === 0 && !this.#isFull) await this.#pause(delayMs);
      if (this.#queue.length === 0) this.#closeFilling();
      const group = this.#queue.shift();
      if (group === undefined) break;
      this.#inFlight = group;
      if (this.#isFull) this.#wake();
      await this.#flush(group);
      this.#inFlight = undefined;
      this.#wake();
      for (let i = 0; i < JOIN_TURNS; i++) await undefined;
    }
    this.#isRunning = false;
    this.#wakeIdle();
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const wake of waiters) wake();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#parts.clock.after(delayMs, resolve, true));
  }

  async #flush(group: Group): Promise<void> {
    const { syncer, metrics, clock, onWritten } = this.#parts;
    metrics.atRisk(this.written.bytes - syncer.synced.bytes + this.pendingBytes);
    try {
      for (let from = 0; from < group.batches.length; ) from = await this.#writeRun(group, from);
    } catch (error) {
      await this.#fail(group, error);
      return;
    }
    group.release();
    if (this.#isDead) {
      group.reject(this.#refusal);
      return;
    }
    onWritten(this.written);
    group.written.resolve();
    if (this.#syncsEachWrite) {
      await syncer.sync().catch(() => undefined);
      if (this.#adaptive !== undefined) observeFlush(this.#adaptive, group.records, syncer.lastSyncMs, clock.monotonic());
    } else if (group.isSyncDemanded) {
      syncer.sync().catch(() => undefined);
    } else {
      syncer.schedule();
    }
  }

  /** Writes as many batches as belong into the active segment. Returns the index of the next one. */
  async #writeRun(group: Group, from: number): Promise<number> {
    const { segments, options, metrics, clock, syncer } = this.#parts;
    const { batches } = group;
    const first = batches[from] as GroupBatch;
    const segment = segments.mustRoll(first.size) ? await segments.roll(first.baseOffset) : segments.active;
    let bytes = 0;
    let to = from;
    for (; to < batches.length; to++) {
      const { size } = batches[to] as GroupBatch;
      if (to > from && segment.bytes + bytes + size > options.segmentBytes) break;
      bytes += size;
    }
    segment.index?.reserve(to - from);
    for (let i = from; i < to; i++) {
      const { address, baseOffset } = batches[i] as GroupBatch;
      patchBatch(this.#memory.data, address, baseOffset, segment.syncedPosition);
    }
    const startMs = clock.monotonic();
    await this.#write(segment, first.address, bytes);
    metrics.wrote(clock.monotonic() - startMs, to - from, (batches[to - 1] as GroupBatch).lastOffset + 1 - first.baseOffset, bytes);
    for (let i = from; i < to; i++) {
      const { size, lastOffset, maxTimestamp } = batches[i] as GroupBatch;
      segment.observe(segment.bytes, size, lastOffset, maxTimestamp);
    }
    this.written.offset = segment.nextOffset;
    this.written.bytes += bytes;
    const isWhole = to === batches.length;
    syncer.wrote(segment, segment.nextOffset - first.baseOffset, this.written, isWhole ? group.synced : undefined);
    return to;
  }

  #write(segment: Segment, address: number, bytes: number): Promise<void> | undefined {
    const { file } = segment;
    if (file === undefined) throw new VarveError('CLOSED', `${segment.path} is closed`);
    const view = this.#memory.buffer(address, bytes);
    if (bytes > SYNC_WRITE_BYTES || this.#syncWrites >= SYNC_WRITES_A_TURN) return file.write(view, segment.bytes);
    if (this.#syncWrites++ === 0) {
      this.#parts.clock.nextTurn(() => {
        this.#syncWrites = 0;
      });
    }
    file.writeSync(view, segment.bytes);
    return undefined;
  }

  /** A write failed: cuts off what it left behind, and rejects it and all that was accepted behind it. */
  async #fail(group: Group, cause: unknown): Promise<void> {
    const { segments, metrics, onFatal } = this.#parts;
    const { active } = segments;
    metrics.failedWrites++;
    let error = fromSystem(cause, 'write', active.path);
    // Neither varve nor the system has said so: a bug, after which nothing can be promised.
    if (!(cause instanceof VarveError) && systemCode(cause) === undefined) error = onFatal(cause);
    try {
      await active.file?.truncate(active.bytes);
    } catch (truncateError) {
      error = onFatal(truncateError);
    }
    if (this.#isDead) error = this.#refusal as VarveError;
    const groups = [group, ...this.#giveUp()];
    if (groups.some(({ hasUnwatched }) => hasUnwatched)) this.#unreported = error;
    group.release();
    for (const one of groups) one.reject(error);
  }

  /** Takes back what is accepted but not in flight, and its offsets. */
  #giveUp(): Group[] {
    const groups = this.#queue;
    this.#queue = [];
    if (this.#filling !== undefined) groups.push(this.#filling);
    this.#filling = undefined;
    this.#builder.clear();
    for (const group of groups) group.release();
    this.nextOffset = this.written.offset;
    this.#isFull = false;
    return groups;
  }

  /** There may be room again: lets in who waited, in their order. */
  #wake(): void {
    this.#isFull = false;
    while (this.#parked.length > 0) {
      const first = this.#parked[0] as Parked;
      if (this.#isDead) {
        first.reject(this.#refusal);
      } else {
        try {
          if (!first.step()) break;
        } catch (error) {
          first.reject(error);
        }
      }
      this.#parked.shift();
    }
    if (this.#isFull || this.#parked.length > 0) return;
    const waiters = this.#readyWaiters;
    this.#readyWaiters = [];
    const error = this.#refusal ?? (waiters.length > 0 ? this.takeUnreported() : undefined);
    for (const waiter of waiters) {
      if (error === undefined) waiter.resolve();
      else waiter.reject(error);
    }
  }
}
