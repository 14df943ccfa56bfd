/**
 * The inside of an open log: its parts, wired together; what readers may see; how it is poisoned, and how
 * it is opened and closed. `log.ts` is the face that callers have.
 *
 * @module
 */

import { type Clock, SELDOM_MS, untilWoken } from '../clock.ts';
import { codecs } from '../codec/registry.ts';
import { isVarveError, VarveError } from '../errors.ts';
import type { Memory } from '../memory/memory.ts';
import { Flights } from '../vfs/flights.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { openCleanerPoint } from './compaction/cleaner-point.ts';
import type { CompactionRequest } from './compaction/compaction-run.ts';
import type { RecompressionReport, RecompressionRequest } from './compaction/recompressor.ts';
import type { CompactionReport } from './compaction/report.ts';
import { Rewriting } from './compaction/rewriting.ts';
import { Digests } from './digests.ts';
import { ExtentCache } from './extent-cache.ts';
import type { Known } from './judge.ts';
import { LogMetrics } from './metrics.ts';
import { type LogOptions, type ResolvedLogOptions, resolveLogOptions } from './options.ts';
import { PointReader } from './point-read.ts';
import type { ResolvedReadOptions } from './read-options.ts';
import { LogReader, type ReaderSource } from './reader.ts';
import { type Recovered, recoverLog } from './recovery.ts';
import type { RecoveryReport } from './recovery-report.ts';
import { refreshSegments, wasReplaced } from './refresh.ts';
import { Scrubber, type ScrubReport } from './scrub.ts';
import type { Segment, SegmentContext } from './segment.ts';
import { Segments } from './segments.ts';
import { type DurableState, ownLevel } from './sync-policy.ts';
import { Syncer } from './syncer.ts';
import { offsetBefore } from './time-lookup.ts';
import { type LogWork, workHere } from './work.ts';
import { Writer } from './writer.ts';

/** Where a log lives and what it works with. */
export interface LogParts {
  name: string;
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  readOnly: boolean;
  /** Its file grows ahead of small writes that are synced; not unless given. */
  growsAhead?: boolean;
  /** Where its heavy work runs; on the calling thread unless given. */
  work?: LogWork;
  /** Told when a segment was sealed. */
  onSealed?: () => void;
}

const READ_ONLY_POLL_MS = 100;
/** How much of the memory the extents of one log may take. */
const CACHE_SHARE = 0.5;

export class LogCore {
  readonly parts: LogParts;
  readonly options: ResolvedLogOptions;
  readonly recovery: RecoveryReport;
  readonly segments: Segments;
  readonly syncer: Syncer;
  readonly metrics: LogMetrics = new LogMetrics();
  readonly cache: ExtentCache;
  readonly points: PointReader;
  /** Appends resolve when synced, and readers see no more than that. */
  readonly isOwnLevelSynced: boolean;
  /** A failure that costs nothing but time later, such as an index that could not be written. */
  backgroundError: unknown;
  /** Calls that use memory or files and that closing has to wait for. */
  readonly calls: Flights = new Flights();
  readonly context: SegmentContext;
  readonly #scrubber: Scrubber;
  readonly #digests: Digests;
  readonly #work: LogWork;
  readonly #writer: Writer | undefined;
  readonly #source: ReaderSource;
  readonly #readers: Set<LogReader> = new Set();
  readonly #visibleWaiters: Set<() => void> = new Set();
  #closing: Promise<void> | undefined;
  #poison: VarveError | undefined;
  #refreshing: Promise<void> | undefined;
  #rewriting: Rewriting | undefined;

  private constructor(
    parts: LogParts,
    options: ResolvedLogOptions,
    context: SegmentContext,
    recovered: Recovered,
  ) {
    const { memory } = parts;
    this.parts = parts;
    this.options = options;
    this.context = context;
    this.recovery = recovered.report;
    this.metrics.recovered(recovered.report);
    this.isOwnLevelSynced = ownLevel(options.sync) === 'synced';
    const onBackgroundError = (error: unknown): void => {
      this.backgroundError = error;
    };
    this.#work = parts.work ?? workHere(memory, parts.vfs);
    // Who only reads writes no digests.
    const algorithm = parts.readOnly ? 'none' : options.digest;
    this.#digests = new Digests({ context, work: this.#work, algorithm, onBackgroundError });
    this.segments = this.#createSegments(recovered, onBackgroundError);
    const { metrics, segments } = this;
    const digests = this.#digests;
    this.#scrubber = new Scrubber({ context, digests, metrics, segments: () => segments.list });
    const start = { offset: recovered.segments.at(-1)?.nextOffset ?? recovered.firstOffset, bytes: 0 };
    this.syncer = this.#createSyncer(start);
    this.#writer = parts.readOnly ? undefined : this.#createWriter(start);
    this.cache = new ExtentCache(memory, memory.slabs.budgetBytes * CACHE_SHARE);
    this.points = new PointReader(memory, this.cache, this.metrics);
    this.#source = {
      memory,
      segments: this.segments,
      visibleOffset: () => this.visibleOffset,
      visibleBytes: (segment) => this.visibleBytes(segment),
      waitVisible: (offset, signal) => this.#waitVisible(offset, signal),
      check: () => this.checkOpen(),
      wasReplaced: (segment, error) => this.wasReplaced(segment, error),
      onMissing: (segment, offset, error) => this.explainMissing(segment, offset, error),
      onCorrupt: () => {
        this.metrics.corruptions++;
      },
      onClosed: (reader) => this.#readers.delete(reader),
    };
  }

  /** Recovers the log in a directory that exists, and makes it ready. */
  static async open(parts: LogParts, options: LogOptions | undefined): Promise<LogCore> {
    const resolved = resolveLogOptions(options);
    const { codec } = resolved.compression;
    // What it cannot be written with must be known before anything is.
    if (codec !== 'none' && !parts.readOnly) await codecs.load(codec);
    const { memory, vfs, directory, clock, readOnly } = parts;
    const context = { memory, vfs, directory, indexIntervalBytes: resolved.indexIntervalBytes };
    const recovered = await recoverLog(context, { mode: resolved.recovery, readOnly, clock });
    const core = new LogCore(parts, resolved, context, recovered);
    if (readOnly) return core;
    try {
      if (!core.writer.canHoldLargest) {
        const { maxRecordBytes, bufferBytes } = resolved;
        throw new RangeError(
          `maxRecordBytes (${maxRecordBytes}) and bufferBytes (${bufferBytes}) must fit into the memory of ${memory.slabs.budgetBytes} bytes: a record is held twice while it is written`,
        );
      }
      await core.segments.start();
      core.#rewriting = core.#createRewriting(
        await openCleanerPoint(context, core.segments.active.baseOffset),
      );
      await core.segments.retain();
      return core;
    } catch (error) {
      await core.#release();
      throw error;
    }
  }

  /** @throws VarveError `READ_ONLY` where the log takes nothing */
  get writer(): Writer {
    if (this.#writer !== undefined) return this.#writer;
    throw new VarveError('READ_ONLY', `the log ${this.parts.name} is open for reading only`);
  }

  get nextOffset(): number {
    return this.#writer?.nextOffset ?? this.visibleOffset;
  }

  /** Why nothing more is accepted, where an fdatasync failed. */
  get poison(): VarveError | undefined {
    return this.#poison;
  }

  get durable(): DurableState {
    const { synced } = this.syncer;
    const writer = this.#writer;
    if (writer === undefined) {
      const offset = this.visibleOffset;
      return { accepted: offset, written: offset, synced: offset, bytesAtRisk: 0 };
    }
    const bytesAtRisk = writer.written.bytes - synced.bytes + writer.pendingBytes;
    return {
      accepted: writer.nextOffset,
      written: writer.written.offset,
      synced: synced.offset,
      bytesAtRisk,
    };
  }

  /** The offset behind the last record that may be seen. */
  get visibleOffset(): number {
    if (this.#writer === undefined) return this.segments.list.at(-1)?.nextOffset ?? this.segments.firstOffset;
    return this.isOwnLevelSynced ? this.syncer.synced.offset : this.#writer.written.offset;
  }

  /** Where the bytes of a segment end that may be seen. */
  visibleBytes(segment: Segment): number {
    return this.#writer !== undefined && this.isOwnLevelSynced ? segment.syncedPosition : segment.bytes;
  }

  /** How far its segments reach, as far as it is this handle that knows. */
  known(): Map<number, Known> {
    const known = new Map<number, Known>();
    if (this.#writer === undefined) return known;
    const visible = this.visibleOffset;
    for (const segment of this.segments.list) {
      const nextOffset = Math.min(segment.nextOffset, visible);
      known.set(segment.baseOffset, { bytes: this.visibleBytes(segment), nextOffset });
    }
    return known;
  }

  get isClosed(): boolean {
    return this.#closing !== undefined;
  }

  /** @throws VarveError `CLOSED` */
  checkOpen(): void {
    if (this.#closing !== undefined) throw new VarveError('CLOSED', `the log ${this.parts.name} is closed`);
  }

  /** Makes a reader for what was asked, after a look at whether it can be had. */
  async openReader(asked: ResolvedReadOptions): Promise<LogReader> {
    this.checkOpen();
    const { toOffset, follow, signal, fromTimestamp } = asked;
    const { firstOffset } = this.segments;
    let fromOffset = asked.fromOffset ?? firstOffset;
    if (fromOffset < firstOffset || (fromOffset > this.visibleOffset && !follow))
      throw this.outOfRange(fromOffset);
    if (fromTimestamp !== -Infinity)
      fromOffset = Math.max(
        fromOffset,
        (await offsetBefore(this.segments.list, fromTimestamp)) ?? this.visibleOffset,
      );
    const reader = new LogReader(this.#source, { fromOffset, toOffset, follow, signal });
    this.#readers.add(reader);
    return reader;
  }

  outOfRange(offset: number): VarveError {
    const { firstOffset } = this.segments;
    const last = this.visibleOffset - 1;
    const has = last < firstOffset ? 'is empty' : `has offsets ${firstOffset} to ${last}`;
    return new VarveError(
      'OUT_OF_RANGE',
      `offset ${offset} cannot be read: the log ${this.parts.name} ${has}`,
      {
        offsets: { first: offset, last: offset },
      },
    );
  }

  /**
   * Says why the file of a segment cannot be opened: the writer of a log that is open read-only may have
   * removed it.
   *
   * @throws VarveError `OUT_OF_RANGE` if so, else `error`
   */
  async explainMissing(segment: Segment, offset: number, error: unknown): Promise<never> {
    if (this.parts.readOnly && isVarveError(error, 'NOT_FOUND')) {
      await this.refresh();
      if (segment.nextOffset <= this.segments.firstOffset) throw this.outOfRange(offset);
    }
    throw error;
  }

  /** Whether compaction by another process explains an error that was met in a segment. */
  async wasReplaced(segment: Segment, error: unknown): Promise<boolean> {
    const isSuspect = isVarveError(error, 'CORRUPT') || isVarveError(error, 'NOT_FOUND');
    if (!this.parts.readOnly || !isSuspect || this.#closing !== undefined) return false;
    return await wasReplaced(this.context, this.segments, segment, () => this.refresh());
  }

  /** Picks up what another process has done to a log that is open read-only. */
  async refresh(): Promise<void> {
    this.checkOpen();
    if (!this.parts.readOnly) return;
    this.#refreshing ??= this.calls.during(refreshSegments(this.context, this.segments)).finally(() => {
      this.#refreshing = undefined;
    });
    await this.#refreshing;
    this.#wakeReaders();
  }

  /** What writes its segments anew. @throws VarveError `READ_ONLY` */
  get rewriting(): Rewriting {
    this.writer.check();
    return this.#rewriting as Rewriting;
  }

  /** Compacts it. */
  async compact(request: CompactionRequest): Promise<CompactionReport> {
    const report = await this.calls.during(this.rewriting.compact(request));
    // In the background nobody sees the report.
    for (const one of report.skipped) this.backgroundError = new VarveError('CORRUPT', one.message, one);
    return report;
  }

  /** Compresses sealed segments. */
  recompress(request: RecompressionRequest): Promise<RecompressionReport> {
    return this.calls.during(this.rewriting.recompress(request));
  }

  /** Reads about so many bytes of what is sealed, and notes what is damaged. */
  async scrub(bytes: number): Promise<ScrubReport> {
    this.checkOpen();
    const report = await this.calls.during(this.#scrubber.scrub(bytes));
    if (report.damage.length > 0) this.backgroundError = report.damage.at(-1);
    return report;
  }

  /** Closes once; every call gets the same promise. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failure = this.#writer === undefined ? undefined : await this.#finishWriting(this.#writer);
    this.#wakeReaders();
    for (const reader of [...this.#readers]) await reader.close();
    await this.calls.idle();
    await this.#release();
    if (failure !== undefined) throw failure;
  }

  /** Writes and syncs what was accepted, and the marks of a clean close. Returns what failed. */
  async #finishWriting(writer: Writer): Promise<unknown> {
    const closed = new VarveError('CLOSED', `the log ${this.parts.name} is closed`);
    writer.close(closed);
    await writer.idle();
    let failure: unknown = this.#poison ?? writer.takeUnreported();
    try {
      if (this.#poison === undefined) {
        await this.syncer.sync();
        await this.segments.finish();
        failure ??= this.#poison;
      }
    } catch (error) {
      failure ??= error;
    }
    this.syncer.stop(closed);
    await this.segments.settle();
    return failure;
  }

  async #release(): Promise<void> {
    this.#writer?.release();
    this.cache.release();
    this.points.release();
    await this.segments.release();
  }

  #createSegments(recovered: Recovered, onBackgroundError: (error: unknown) => void): Segments {
    return new Segments(
      {
        context: this.context,
        options: this.options,
        clock: this.parts.clock,
        metrics: this.metrics,
        syncWritten: (segment) => (this.syncer.isClean(segment) ? Promise.resolve() : this.syncer.sync()),
        onSealed: this.parts.onSealed ?? (() => undefined),
        onDropped: ({ id }) => this.cache.forget(id),
        onSyncFailed: (error) => this.#onFatal(error),
        onBackgroundError,
        digests: this.#digests,
      },
      recovered.segments,
      recovered.firstOffset,
    );
  }

  #createRewriting(cleanedTo: number): Rewriting {
    const { context, options, segments, metrics } = this;
    const { clock } = this.parts;
    const check = (): void => {
      this.checkOpen();
      if (this.#poison !== undefined) throw this.#poison;
    };
    return new Rewriting({ context, options, segments, metrics, clock, work: this.#work, check }, cleanedTo);
  }

  #createSyncer(start: { offset: number; bytes: number }): Syncer {
    return new Syncer(
      {
        policy: this.options.sync,
        clock: this.parts.clock,
        metrics: this.metrics,
        onSyncing: () => this.metrics.atRisk(this.durable.bytesAtRisk),
        onSynced: () => {
          if (this.isOwnLevelSynced) this.#wakeReaders();
        },
        onFailed: (error) => this.#onFatal(error),
      },
      start,
    );
  }

  #createWriter(start: { offset: number; bytes: number }): Writer {
    const { memory, clock, growsAhead = false } = this.parts;
    const { options, metrics, segments, syncer } = this;
    const onWritten = (): void => {
      if (!this.isOwnLevelSynced) this.#wakeReaders();
    };
    const onFatal = (error: unknown): VarveError => this.#onFatal(error);
    const parts = { memory, clock, growsAhead, options, metrics, segments, syncer, onWritten, onFatal };
    return new Writer({ ...parts, work: this.#work }, start);
  }

  /** Nothing can be promised any more: everything pending and later fails. */
  #onFatal(cause: unknown): VarveError {
    if (this.#poison !== undefined) return this.#poison;
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#poison = new VarveError(
      'POISONED',
      `the log ${this.parts.name} takes nothing more until it is opened again, since it could not be synced: ${reason}`,
      { file: this.parts.directory, cause },
    );
    this.metrics.isPoisoned = true;
    this.syncer.stop(this.#poison);
    this.#writer?.refuse(this.#poison);
    return this.#poison;
  }

  #wakeReaders(): void {
    for (const wake of this.#visibleWaiters) wake();
    this.#visibleWaiters.clear();
  }

  async #waitVisible(offset: number, signal: AbortSignal | undefined): Promise<void> {
    const { readOnly, clock } = this.parts;
    if (readOnly) await this.refresh();
    while (offset >= this.visibleOffset) {
      signal?.throwIfAborted();
      this.checkOpen();
      const waitMs = readOnly ? READ_ONLY_POLL_MS : SELDOM_MS;
      let waiter: () => void = () => undefined;
      await untilWoken(clock, waitMs, signal, (wake) => {
        waiter = wake;
        this.#visibleWaiters.add(wake);
      });
      // Who looks by itself now and then was woken by nobody else.
      this.#visibleWaiters.delete(waiter);
      if (readOnly && this.#closing === undefined) await this.refresh();
    }
  }
}
