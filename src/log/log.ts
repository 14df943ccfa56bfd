/**
 * A log: the handle that callers have. It puts the parts together (segments, writer, syncer, readers),
 * opens and closes them in the right order, and translates between what callers ask and what the parts do.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';
import { VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { checkInteger, checkOneOf, checkOptions } from '../options.ts';
import type { RecordBatch } from '../record/batch.ts';
import type { LogRecord, RecordInput } from '../record/record.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { ExtentCache } from './extent-cache.ts';
import { checkForeign, walkFramed } from './foreign.ts';
import { LogMetrics, type LogMetricsSnapshot } from './metrics.ts';
import { type LogOptions, type ResolvedLogOptions, resolveLogOptions } from './options.ts';
import { PointReader } from './point-read.ts';
import { type ReadOptions, type ResolvedReadOptions, resolveReadOptions } from './read-options.ts';
import { LogReader, type ReaderSource } from './reader.ts';
import { type RecoveryReport, recoverLog } from './recovery.ts';
import { refreshSegments } from './refresh.ts';
import { corruptSegment, type Segment, type SegmentContext } from './segment.ts';
import { Segments } from './segments.ts';
import { BatchStream, RecordStream } from './streams.ts';
import { type Durability, ownLevel } from './sync-policy.ts';
import { Syncer } from './syncer.ts';
import { type LogVerifyReport, verifySegment } from './verify.ts';
import { Writer } from './writer.ts';

/** Where a log lives and what it works with. */
export interface LogParts {
  name: string;
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  readOnly: boolean;
}

/** How far the log is at each level: offsets below the number have reached it. */
export interface DurableState {
  accepted: number;
  written: number;
  synced: number;
  /** Bytes that a power cut could take now. */
  bytesAtRisk: number;
}

/** What a log knows of one of its segments. */
export interface SegmentInfo {
  baseOffset: number;
  nextOffset: number;
  bytes: number;
  indexBytes: number;
  /** The newest timestamp, or undefined where there is no record. */
  maxTimestamp: number | undefined;
  isSealed: boolean;
}

export interface LogInfo {
  name: string;
  partition: number;
  firstOffset: number;
  nextOffset: number;
  records: number;
  bytes: number;
  indexBytes: number;
  segments: SegmentInfo[];
}

/** Batches that our own kernels have framed, in the shared memory. */
export interface FramedBatches {
  address: number;
  bytes: number;
}

export interface AppendOptions {
  /** What the promise waits for; the log's own level unless given. */
  durability?: Durability;
}

const LEVELS = ['accepted', 'written', 'synced'] as const;
const READ_ONLY_POLL_MS = 100;
/** How often a log that removes segments by age looks for some. */
const RETENTION_CHECK_MS = 60_000;
/** How much of the memory the extents of one log may take. */
const CACHE_SHARE = 0.5;

export class Log {
  readonly name: string;
  readonly partition: number;
  readonly directory: string;
  /** What opening it met and did. */
  readonly recovery: RecoveryReport;
  readonly #parts: LogParts;
  readonly #options: ResolvedLogOptions;
  readonly #context: SegmentContext;
  readonly #segments: Segments;
  readonly #syncer: Syncer;
  readonly #writer: Writer | undefined;
  readonly #metrics: LogMetrics;
  readonly #cache: ExtentCache;
  readonly #points: PointReader;
  readonly #isOwnLevelSynced: boolean;
  readonly #source: ReaderSource;
  readonly #readers: Set<LogReader> = new Set();
  #visibleWaiters: (() => void)[] = [];
  #closing: Promise<void> | undefined;
  #poison: VarveError | undefined;
  #refreshing: Promise<void> | undefined;
  #retentionTimer: Cancel | undefined;
  #backgroundError: unknown;

  private constructor(
    parts: LogParts,
    options: ResolvedLogOptions,
    context: SegmentContext,
    recovered: { segments: Segment[]; firstOffset: number; report: RecoveryReport },
  ) {
    const { memory, clock } = parts;
    this.name = parts.name;
    this.partition = options.partition;
    this.directory = parts.directory;
    this.recovery = recovered.report;
    this.#parts = parts;
    this.#options = options;
    this.#context = context;
    this.#metrics = new LogMetrics();
    this.#noteRecovery(recovered.report);
    this.#isOwnLevelSynced = ownLevel(options.sync) === 'synced';
    this.#segments = new Segments(
      {
        context,
        options,
        clock,
        metrics: this.#metrics,
        syncWritten: (segment) => (this.#syncer.isClean(segment) ? Promise.resolve() : this.#syncer.sync()),
        onSyncFailed: (error) => this.#onFatal(error),
        onBackgroundError: (error) => {
          this.#backgroundError = error;
        },
      },
      recovered.segments,
      recovered.firstOffset,
    );
    const start = { offset: recovered.segments.at(-1)?.nextOffset ?? recovered.firstOffset, bytes: 0 };
    this.#syncer = new Syncer(
      {
        policy: options.sync,
        clock,
        metrics: this.#metrics,
        onSyncing: () => this.#metrics.atRisk(this.durable.bytesAtRisk),
        onSynced: () => this.#isOwnLevelSynced && this.#wakeReaders(),
        onFailed: (error) => this.#onFatal(error),
      },
      start,
    );
    this.#writer = parts.readOnly ? undefined : this.#createWriter(start);
    this.#cache = new ExtentCache(memory, memory.slabs.budgetBytes * CACHE_SHARE);
    this.#points = new PointReader(memory, this.#cache, this.#metrics);
    this.#source = {
      memory,
      segments: this.#segments,
      visibleOffset: () => this.#visibleOffset(),
      visibleBytes: (segment) => this.#visibleBytes(segment),
      waitVisible: (offset, signal) => this.#waitVisible(offset, signal),
      check: () => this.#checkOpen(),
      onCorrupt: () => {
        this.#metrics.corruptions++;
      },
      onClosed: (reader) => this.#readers.delete(reader),
    };
  }

  /**
   * Opens the log in a directory that exists, and recovers it.
   *
   * @throws TypeError, RangeError where an option is wrong
   * @throws VarveError `CORRUPT` where the recovery mode does not go on; `NO_MEMORY`, `NO_SPACE`, `IO`, ...
   */
  static async open(parts: LogParts, options?: LogOptions): Promise<Log> {
    const resolved = resolveLogOptions(options);
    const { memory, vfs, directory, clock, readOnly } = parts;
    const context = { memory, vfs, directory, indexIntervalBytes: resolved.indexIntervalBytes };
    const recovered = await recoverLog(context, { mode: resolved.recovery, readOnly, clock });
    const log = new Log(parts, resolved, context, recovered);
    try {
      if (!readOnly) {
        await log.#segments.start();
        await log.#segments.retain();
        log.#scheduleRetention();
      }
    } catch (error) {
      await log.#release();
      throw error;
    }
    return log;
  }

  /** The first offset that can be read. */
  get firstOffset(): number {
    return this.#segments.firstOffset;
  }

  /** The offset that the next record will get. */
  get nextOffset(): number {
    return this.#writer?.nextOffset ?? this.#visibleOffset();
  }

  /** How far the log is at each level. */
  get durable(): DurableState {
    const { synced } = this.#syncer;
    const writer = this.#writer;
    if (writer === undefined) {
      const offset = this.#visibleOffset();
      return { accepted: offset, written: offset, synced: offset, bytesAtRisk: 0 };
    }
    const bytesAtRisk = writer.written.bytes - synced.bytes + writer.pendingBytes;
    return { accepted: writer.nextOffset, written: writer.written.offset, synced: synced.offset, bytesAtRisk };
  }

  /** A failure in the background that costs nothing but time later, such as an index that could not be written. */
  get backgroundError(): unknown {
    return this.#backgroundError;
  }

  /**
   * Accepts a record at once.
   *
   * @returns its offset; `reached` tells when it is safe
   * @throws TypeError, RangeError where the record is wrong
   * @throws VarveError `BACKPRESSURE` where the buffer is full: await `ready()` and try again; `CLOSED`,
   * `POISONED`, `READ_ONLY`; or the failure of an earlier record that nobody waited for
   */
  enqueue(record: RecordInput): number {
    return this.#writable().enqueue(record);
  }

  /**
   * Appends a record; waits for room where there is none.
   *
   * @returns its offset, once it has reached the level
   * @throws as `enqueue`, but for `BACKPRESSURE`; `NO_SPACE` or `IO` where it could not be written
   */
  append(record: RecordInput, options?: AppendOptions): Promise<number> {
    try {
      return this.#writable().append(record, this.#level(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Appends records one behind the other, with nothing in between. If it fails, some may be there.
   *
   * @returns their offsets, once the last has reached the level
   */
  async appendMany(
    records: readonly RecordInput[],
    options?: AppendOptions,
  ): Promise<{ firstOffset: number; lastOffset: number }> {
    if (!Array.isArray(records)) throw new TypeError('records must be an array');
    const lastOffset = await this.#writable().appendMany(records as readonly RecordInput[], this.#level(options));
    return { firstOffset: lastOffset - records.length + 1, lastOffset };
  }

  /**
   * Appends record batches (Kafka, magic 2, uncompressed) that were made elsewhere, as they are: they are
   * checked once, and nothing but the base offset and the leader epoch is changed.
   *
   * @param bytes whole batches, end to end
   * @throws RangeError where one is not valid; VarveError `UNSUPPORTED` where one cannot be taken
   */
  async appendBatches(bytes: Uint8Array, options?: AppendOptions): Promise<{ firstOffset: number; lastOffset: number }> {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('batches must be bytes');
    if (bytes.length === 0) throw new RangeError('there is no batch to append');
    const level = this.#level(options);
    const writer = this.#writable();
    const { memory } = this.#parts;
    const slab = memory.slabs.allocate(bytes.length + 16, 'foreign batches');
    let batches: ReturnType<typeof checkForeign>;
    try {
      memory.u8.set(bytes, slab.address);
      batches = checkForeign(memory, slab.address, bytes.length);
      writer.check();
    } catch (error) {
      slab.release();
      throw error;
    }
    const lastOffset = await writer.appendFramed(slab.address, batches, slab, level);
    return { firstOffset: lastOffset - countRecords(batches) + 1, lastOffset };
  }

  /**
   * Appends batches that our own kernels have framed in the shared memory, from where they lie. They
   * must not change until the promise settles, which is when they are written.
   */
  async appendFramed(source: FramedBatches): Promise<{ firstOffset: number; lastOffset: number }> {
    const batches = walkFramed(this.#parts.memory, source.address, source.bytes);
    const lastOffset = await this.#writable().appendFramed(source.address, batches, undefined, 'written');
    return { firstOffset: lastOffset - countRecords(batches) + 1, lastOffset };
  }

  /** Resolves when `enqueue` has room again. Rejects where a record that nobody waited for was lost. */
  async ready(): Promise<void> {
    await this.#writable().ready();
  }

  /**
   * Resolves when an offset, and so all before it, has reached a level. Asking for more than the log's
   * policy gives makes it sync at once.
   *
   * @throws VarveError `OUT_OF_RANGE` where the offset was not given out
   */
  async reached(offset: number, level: Durability): Promise<void> {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkOneOf('level', level, LEVELS);
    const writer = this.#writable();
    if (offset >= writer.nextOffset) {
      if (this.#poison !== undefined) throw this.#poison;
      const next = writer.nextOffset;
      throw new VarveError('OUT_OF_RANGE', `offset ${offset} was not given out; the next one is ${next}`);
    }
    if (level === 'accepted') return;
    await (level === 'written' ? writer.whenWritten(offset) : writer.whenSynced(offset));
  }

  /** Resolves when everything accepted so far is synced. */
  async sync(): Promise<void> {
    const writer = this.#writable();
    writer.check();
    if (writer.nextOffset > 0 && writer.nextOffset > this.#syncer.synced.offset) {
      await writer.whenWritten(writer.nextOffset - 1);
      await this.#syncer.sync();
    }
  }

  /**
   * Reads records, in the order of their offsets.
   *
   * @throws TypeError, RangeError where an option is wrong; the iterator throws VarveError `OUT_OF_RANGE`,
   * `CORRUPT`, `CLOSED`, `UNSUPPORTED` or `IO`, and the signal's reason when it aborts
   */
  read(options?: ReadOptions): AsyncIterableIterator<LogRecord> {
    const resolved = resolveReadOptions(options);
    return new RecordStream(
      this.#parts.memory,
      resolved,
      (asked) => this.#openReader(asked),
      (first, last) => corruptSegment(this.#segments.find(first), 0, first, last),
    );
  }

  /**
   * Reads batches without copying them. A batch and its views hold until the next step. The options
   * select whole batches, which may have records outside of what was asked for.
   */
  batches(options?: ReadOptions): AsyncIterableIterator<RecordBatch> {
    const resolved = resolveReadOptions(options);
    return new BatchStream(this.#parts.memory, resolved, (asked) => this.#openReader(asked));
  }

  /**
   * Reads one record.
   *
   * @throws VarveError `OUT_OF_RANGE`, `CORRUPT`, `CLOSED`, `UNSUPPORTED`, `IO`
   */
  async get(offset: number): Promise<LogRecord> {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    this.#checkOpen();
    if (offset < this.firstOffset || offset >= this.#visibleOffset()) throw this.#outOfRange(offset);
    const segment = this.#segments.find(offset);
    segment.pin();
    try {
      const record = await this.#points.read(segment, offset, this.#visibleBytes(segment));
      this.#segments.touch(segment);
      if (record !== null) return record;
    } finally {
      const unpinned = segment.unpin();
      if (unpinned !== undefined) await unpinned;
    }
    const lost = segment.damaged.find(({ firstOffset, lastOffset }) => offset >= firstOffset && offset <= lastOffset);
    if (lost !== undefined) throw corruptSegment(segment, lost.start, lost.firstOffset, lost.lastOffset);
    throw this.#outOfRange(offset);
  }

  /**
   * Removes the records before an offset: for readers at once, on disk as whole segments.
   *
   * @throws VarveError `OUT_OF_RANGE` where the offset is above the end of what can be read
   */
  async truncateBefore(offset: number): Promise<void> {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    this.#writable().check();
    if (offset > this.#visibleOffset()) throw this.#outOfRange(offset);
    if (offset > this.firstOffset) await this.#segments.truncateBefore(offset);
  }

  /** Removes the segments that retention no longer keeps. Returns how many went. */
  async retain(): Promise<number> {
    this.#writable().check();
    const count = await this.#segments.retain();
    this.#metrics.droppedSegments += count;
    return count;
  }

  /** For a read-only log: picks up what was appended, rolled and removed since. */
  async refresh(): Promise<void> {
    this.#checkOpen();
    if (!this.#parts.readOnly) return;
    this.#refreshing ??= refreshSegments(this.#context, this.#segments).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
    this.#wakeReaders();
  }

  /** Sizes and bounds of the log and its segments. */
  info(): LogInfo {
    const segments = this.#segments.list.map((segment) => ({
      baseOffset: segment.baseOffset,
      nextOffset: segment.nextOffset,
      bytes: segment.bytes,
      indexBytes: segment.indexBytes,
      maxTimestamp: segment.maxTimestamp === -Infinity ? undefined : segment.maxTimestamp,
      isSealed: segment.isSealed,
    }));
    return {
      name: this.name,
      partition: this.partition,
      firstOffset: this.firstOffset,
      nextOffset: this.#visibleOffset(),
      records: this.#visibleOffset() - this.firstOffset,
      bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
      indexBytes: segments.reduce((sum, { indexBytes }) => sum + indexBytes, 0),
      segments,
    };
  }

  /** Counters and latencies so far. */
  metrics(): LogMetricsSnapshot {
    return this.#metrics.snapshot(this.durable.bytesAtRisk, this.#cache.bytes);
  }

  /** Reads and checks every byte that can be read. */
  async verify(): Promise<LogVerifyReport> {
    this.#checkOpen();
    const report: LogVerifyReport = { segments: 0, batches: 0, records: 0, bytes: 0, problems: [] };
    for (const segment of [...this.#segments.list]) {
      segment.pin();
      try {
        await verifySegment(segment, this.#visibleBytes(segment), report);
      } finally {
        await segment.unpin();
      }
    }
    return report;
  }

  /**
   * Writes and syncs what was accepted, and closes. A second call gets the same promise.
   *
   * @throws VarveError what failed; memory and files are given back all the same
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const closed = new VarveError('CLOSED', `the log ${this.name} is closed`);
    const writer = this.#writer;
    this.#retentionTimer?.();
    let failure: unknown;
    if (writer !== undefined) {
      writer.close(closed);
      await writer.idle();
      failure = this.#poison ?? writer.takeUnreported();
      try {
        if (this.#poison === undefined) {
          await this.#syncer.sync();
          await this.#segments.finish();
          failure ??= this.#poison;
        }
      } catch (error) {
        failure ??= error;
      }
      this.#syncer.stop(closed);
      await this.#segments.settle();
    }
    this.#wakeReaders();
    for (const reader of [...this.#readers]) await reader.close();
    await this.#release();
    if (failure !== undefined) throw failure;
  }

  async #release(): Promise<void> {
    this.#writer?.release();
    this.#cache.release();
    this.#points.release();
    await this.#segments.release();
  }

  #createWriter(start: { offset: number; bytes: number }): Writer {
    const { memory, clock } = this.#parts;
    return new Writer(
      {
        memory,
        clock,
        options: this.#options,
        metrics: this.#metrics,
        segments: this.#segments,
        syncer: this.#syncer,
        onWritten: () => {
          if (!this.#isOwnLevelSynced) this.#wakeReaders();
        },
        onFatal: (error) => this.#onFatal(error),
      },
      start,
    );
  }

  /** A log that is not written to any more still grows old. */
  #scheduleRetention(): void {
    if (this.#options.retention.ageMs === Number.MAX_SAFE_INTEGER) return;
    this.#retentionTimer = this.#parts.clock.after(RETENTION_CHECK_MS, () => {
      if (this.#closing !== undefined || this.#poison !== undefined) return;
      this.retain()
        .catch((error: unknown) => {
          this.#backgroundError = error;
        })
        .finally(() => this.#scheduleRetention());
    });
  }

  /** Nothing can be promised any more: everything pending and later fails. */
  #onFatal(cause: unknown): VarveError {
    if (this.#poison !== undefined) return this.#poison;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#poison = new VarveError(
      'POISONED',
      `the log ${this.name} takes nothing more until it is opened again, since it could not be synced: ${reason}`,
      { file: this.directory, cause },
    );
    this.#metrics.isPoisoned = true;
    this.#syncer.stop(this.#poison);
    this.#writer?.refuse(this.#poison);
    return this.#poison;
  }

  #noteRecovery(report: RecoveryReport): void {
    this.#metrics.recovery = {
      scannedSegments: report.scannedSegments,
      scannedBytes: report.scannedBytes,
      tornTails: report.tornTails,
      quarantinedBytes: report.quarantined.reduce((sum, { bytes }) => sum + bytes, 0),
      elapsedMs: report.elapsedMs,
    };
    this.#metrics.corruptions = report.damage.length;
  }

  #level(options: AppendOptions | undefined): Durability {
    if (options === undefined) return this.#isOwnLevelSynced ? 'synced' : 'written';
    checkOptions('append options', options, ['durability']);
    if (options.durability === undefined) return this.#level(undefined);
    return checkOneOf('durability', options.durability, LEVELS);
  }

  #writable(): Writer {
    if (this.#writer === undefined) throw new VarveError('READ_ONLY', `the log ${this.name} is open for reading only`);
    return this.#writer;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) throw new VarveError('CLOSED', `the log ${this.name} is closed`);
  }

  #visibleOffset(): number {
    if (this.#writer === undefined) return this.#segments.list.at(-1)?.nextOffset ?? this.firstOffset;
    return this.#isOwnLevelSynced ? this.#syncer.synced.offset : this.#writer.written.offset;
  }

  #visibleBytes(segment: Segment): number {
    return this.#writer !== undefined && this.#isOwnLevelSynced ? segment.syncedPosition : segment.bytes;
  }

  #wakeReaders(): void {
    const waiters = this.#visibleWaiters;
    this.#visibleWaiters = [];
    for (const wake of waiters) wake();
  }

  async #waitVisible(offset: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.#parts.readOnly) await this.refresh();
    while (offset >= this.#visibleOffset()) {
      signal?.throwIfAborted();
      this.#checkOpen();
      await new Promise<void>((resolve) => {
        this.#visibleWaiters.push(resolve);
        signal?.addEventListener('abort', () => resolve(), { once: true });
        if (this.#parts.readOnly) this.#parts.clock.after(READ_ONLY_POLL_MS, resolve, true);
      });
      if (this.#parts.readOnly && this.#closing === undefined) await this.refresh();
    }
  }

  async #openReader(asked: ResolvedReadOptions): Promise<LogReader> {
    this.#checkOpen();
    const { toOffset, follow, signal, fromTimestamp } = asked;
    const end = this.#visibleOffset();
    let fromOffset = asked.fromOffset ?? this.firstOffset;
    if (fromOffset < this.firstOffset || (fromOffset > end && !follow)) throw this.#outOfRange(fromOffset);
    if (fromTimestamp !== -Infinity) fromOffset = Math.max(fromOffset, await this.#offsetBefore(fromTimestamp));
    const reader = new LogReader(this.#source, { fromOffset, toOffset, follow, signal });
    this.#readers.add(reader);
    return reader;
  }

  /** An offset before which every record is older than the timestamp. */
  async #offsetBefore(timestamp: number): Promise<number> {
    for (const segment of this.#segments.list) {
      if (segment.maxTimestamp < timestamp) continue;
      segment.pin();
      try {
        const index = await segment.loadIndex();
        return Math.min(segment.baseOffset + index.offsetBefore(timestamp), this.#visibleOffset());
      } finally {
        await segment.unpin();
      }
    }
    return this.#visibleOffset();
  }

  #outOfRange(offset: number): VarveError {
    const range = `${this.firstOffset} to ${this.#visibleOffset() - 1}`;
    const has = this.#visibleOffset() === this.firstOffset ? 'is empty' : `has offsets ${range}`;
    return new VarveError('OUT_OF_RANGE', `offset ${offset} cannot be read: the log ${this.name} ${has}`, {
      offsets: { first: offset, last: offset },
    });
  }
}

function countRecords(batches: readonly { records: number }[]): number {
  let count = 0;
  for (const { records } of batches) count += records;
  return count;
}
