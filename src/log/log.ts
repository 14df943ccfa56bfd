/**
 * A log: the handle that callers have. It checks what they ask for and hands it to the parts of `core.ts`.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { booleanOption, checkInteger, checkOneOf, checkOptions } from '../options.ts';
import type { RecordBatch } from '../record/batch.ts';
import type { LogRecord, RecordInput } from '../record/record.ts';
import {
  type CompactOptions,
  type DeduplicateOptions,
  type RecompressOptions,
  resolveCompactOptions,
  resolveDeduplicateOptions,
  resolveRecompressOptions,
} from './compaction/compact-options.ts';
import type { CleanablePlan } from './compaction/policy.ts';
import type { RecompressionReport } from './compaction/recompressor.ts';
import type { CompactionReport } from './compaction/report.ts';
import { copyOpenLog } from './copy.ts';
import { LogCore, type LogParts } from './core.ts';
import { checkKept } from './damage.ts';
import {
  checkForeign,
  countRecords,
  type FramedBatch,
  type FramedBatches,
  settleCodecs,
  walkFramed,
} from './foreign.ts';
import { getFrom } from './get.ts';
import { describeLog, type LogInfo } from './info.ts';
import type { LogMetricsSnapshot } from './metrics.ts';
import type { LogOptions } from './options.ts';
import { type ReadOptions, resolveReadOptions } from './read-options.ts';
import type { RecoveryReport } from './recovery-report.ts';
import { SCRUB_BYTES_DEFAULT, type ScrubReport } from './scrub.ts';
import { corruptSegment, type Segment } from './segment.ts';
import { BatchStream, RecordStream } from './streams.ts';
import {
  type AppendOptions,
  type Durability,
  type DurableState,
  LEVELS,
  resolveLevel,
} from './sync-policy.ts';
import { type LogVerifyReport, type VerifyOptions, verifyLog } from './verify.ts';

const NO_KEY = 'a record of a log that is compacted must have a key';

export class Log {
  readonly #core: LogCore;

  private constructor(core: LogCore) {
    this.#core = core;
  }

  /**
   * Opens the log in a directory that exists, and recovers it.
   *
   * @throws TypeError, RangeError where an option is wrong
   * @throws VarveError `CORRUPT` where the recovery mode does not go on; `NO_MEMORY`, `NO_SPACE`, `IO`, ...
   *
   * @internal
   */
  static async open(parts: LogParts, options?: LogOptions): Promise<Log> {
    return new Log(await LogCore.open(parts, options));
  }

  /** Whether it was closed, or is being closed. */
  get isClosed(): boolean {
    return this.#core.isClosed;
  }

  get name(): string {
    return this.#core.parts.name;
  }

  get partition(): number {
    return this.#core.options.partition;
  }

  get directory(): string {
    return this.#core.parts.directory;
  }

  /** What opening it met and did. */
  get recovery(): RecoveryReport {
    return this.#core.recovery;
  }

  /** The first offset that can be read. */
  get firstOffset(): number {
    return this.#core.segments.firstOffset;
  }

  /** The offset that the next record will get. */
  get nextOffset(): number {
    return this.#core.nextOffset;
  }

  /** The offset behind the last record that readers see. */
  get visibleOffset(): number {
    return this.#core.visibleOffset;
  }

  /** The largest record that it takes: key, value and headers together, in bytes. */
  get maxRecordBytes(): number {
    return this.#core.options.maxRecordBytes;
  }

  /** Bytes of records at which a batch is full. */
  get batchBytes(): number {
    return this.#core.options.batchBytes;
  }

  /** How far the log is at each level. */
  get durable(): DurableState {
    return this.#core.durable;
  }

  /** A failure in the background that costs nothing but time later, such as an index that could not be written. */
  get backgroundError(): unknown {
    return this.#core.backgroundError;
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
    return this.#core.writer.enqueue(record);
  }

  /**
   * Appends a record; waits for room where there is none.
   *
   * @returns its offset, once it has reached the level
   * @throws as `enqueue`, but for `BACKPRESSURE`; `NO_SPACE` or `IO` where it could not be written
   */
  append(record: RecordInput, options?: AppendOptions): Promise<number> {
    try {
      return this.#core.writer.append(record, resolveLevel(options, this.#core.isOwnLevelSynced));
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
    const lastOffset = await this.#core.writer.appendMany(
      records as readonly RecordInput[],
      resolveLevel(options, this.#core.isOwnLevelSynced),
    );
    return { firstOffset: lastOffset - records.length + 1, lastOffset };
  }

  /**
   * Appends record batches (Kafka, magic 2) that were made elsewhere, as they are: they are checked once, and
   * nothing but the base offset and the leader epoch is changed. A log that compresses what is appended compresses
   * those that are not compressed.
   *
   * @param bytes whole batches, end to end
   * @throws RangeError where one is not valid; VarveError `UNSUPPORTED` where one cannot be taken
   */
  async appendBatches(
    bytes: Uint8Array,
    options?: AppendOptions,
  ): Promise<{ firstOffset: number; lastOffset: number }> {
    if (!(bytes instanceof Uint8Array)) throw new TypeError('batches must be bytes');
    if (bytes.length === 0) throw new RangeError('there is no batch to append');
    const level = resolveLevel(options, this.#core.isOwnLevelSynced);
    const writer = this.#core.writer;
    const { memory } = this.#core.parts;
    const slab = memory.slabs.allocate(bytes.length + 16, 'foreign batches');
    let batches: FramedBatch[];
    try {
      memory.u8.set(bytes, slab.address);
      const settling = settleCodecs(bytes);
      if (settling !== undefined) await settling;
      batches = checkForeign(memory, slab.address, bytes.length, this.#core.options.cleanup !== 'delete');
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
   *
   * @internal
   */
  async appendFramed(source: FramedBatches): Promise<{ firstOffset: number; lastOffset: number }> {
    if (this.#core.options.cleanup !== 'delete') throw new TypeError(NO_KEY);
    const batches = walkFramed(this.#core.parts.memory, source.address, source.bytes);
    const lastOffset = await this.#core.writer.appendFramed(source.address, batches, undefined, 'written');
    return { firstOffset: lastOffset - countRecords(batches) + 1, lastOffset };
  }

  /** Resolves when `enqueue` has room again. Rejects where a record that nobody waited for was lost. */
  async ready(): Promise<void> {
    await this.#core.writer.ready();
  }

  /**
   * How often a failed write has taken back offsets that had been given out; see `reached`.
   *
   * @throws VarveError `READ_ONLY`
   */
  get generation(): number {
    return this.#core.writer.losses.generation;
  }

  /**
   * Resolves when an offset, and so all before it, has reached a level. Asking for more than the log's
   * policy gives makes it sync at once.
   *
   * A failed write takes back the offsets of records that were only accepted (`enqueue`, or `append` with
   * `accepted`), and others get them. So about an offset that was ever taken back this rejects, with the code of
   * the write that failed, unless the generation says that a later record is meant.
   *
   * @param generation `log.generation` at the time when the record was accepted, or before
   * @throws VarveError `OUT_OF_RANGE` where the offset was not given out; why the record was lost
   */
  async reached(offset: number, level: Durability, generation?: number): Promise<void> {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    checkOneOf('level', level, LEVELS);
    if (generation !== undefined) checkInteger('generation', generation, 0, Number.MAX_SAFE_INTEGER);
    const writer = this.#core.writer;
    writer.losses.check(offset, generation);
    if (offset >= writer.nextOffset) {
      if (this.#core.poison !== undefined) throw this.#core.poison;
      const next = writer.nextOffset;
      throw new VarveError('OUT_OF_RANGE', `offset ${offset} was not given out; the next one is ${next}`);
    }
    if (level === 'accepted') return;
    await (level === 'written' ? writer.whenWritten(offset) : writer.whenSynced(offset));
  }

  /** Resolves when everything accepted so far is synced. */
  async sync(): Promise<void> {
    const writer = this.#core.writer;
    writer.check();
    if (writer.nextOffset > 0 && writer.nextOffset > this.#core.syncer.synced.offset) {
      await writer.whenWritten(writer.nextOffset - 1);
      await this.#core.syncer.sync();
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
      this.#core.parts.memory,
      resolved,
      (asked) => this.#core.openReader(asked),
      (first, last) => corruptSegment(this.#core.segments.find(first), 0, first, last),
    );
  }

  /**
   * Reads batches without copying them. A batch and its views hold until the next step. The options
   * select whole batches, which may have records outside of what was asked for.
   */
  batches(options?: ReadOptions): AsyncIterableIterator<RecordBatch> {
    const resolved = resolveReadOptions(options);
    return new BatchStream(this.#core.parts.memory, resolved, (asked) => this.#core.openReader(asked));
  }

  /**
   * Reads one record.
   *
   * @throws VarveError `OUT_OF_RANGE`, also where compaction has removed it; `CORRUPT`, `CLOSED`, `UNSUPPORTED`, `IO`
   */
  get(offset: number): Promise<LogRecord> {
    try {
      const segment = this.#segmentOf(offset);
      const { points } = this.#core;
      // Mostly everything is at hand: then one promise is all that it takes.
      const record = points.readNow(segment, offset, this.#core.visibleBytes(segment));
      return record === undefined ? getFrom(this.#core, this, segment, offset) : Promise.resolve(record);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #segmentOf(offset: number): Segment {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    this.#core.checkOpen();
    if (offset < this.firstOffset || offset >= this.#core.visibleOffset) throw this.#core.outOfRange(offset);
    const segment = this.#core.segments.find(offset);
    if (segment.damaged.length > 0) checkKept(segment, offset);
    return segment;
  }

  /**
   * Removes the records before an offset: for readers at once, on disk as whole segments.
   *
   * @throws VarveError `OUT_OF_RANGE` where the offset is above the end of what can be read
   */
  async truncateBefore(offset: number): Promise<void> {
    checkInteger('offset', offset, 0, Number.MAX_SAFE_INTEGER);
    this.#core.writer.check();
    if (offset > this.#core.visibleOffset) throw this.#core.outOfRange(offset);
    const { calls, segments } = this.#core;
    if (offset > this.firstOffset) await calls.during(segments.truncateBefore(offset));
  }

  /** Removes the segments that retention no longer keeps. Returns how many went. */
  async retain(): Promise<number> {
    this.#core.writer.check();
    const { calls, segments } = this.#core;
    return await calls.during(segments.retain());
  }

  /**
   * Compares about `maxBytes` of what is sealed with digests, or checks every batch; goes on where the last call ended.
   * Damage is reported, and counted in the metrics; nothing is changed. @throws VarveError `CLOSED`, `NO_MEMORY`
   */
  async scrub(maxBytes: number = SCRUB_BYTES_DEFAULT): Promise<ScrubReport> {
    checkInteger('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER);
    return await this.#core.scrub(maxBytes);
  }

  /** Begins a new segment, if anything was written: then the old one can be compacted. @throws VarveError `NO_SPACE`, `IO` */
  async roll(): Promise<void> {
    const { calls, writer, segments } = this.#core;
    await calls.during(writer.roll().then(() => segments.settle()));
  }

  /**
   * Compacts the log, if it is time, or at once: of sealed segments, the newest record of each key stays.
   *
   * @throws TypeError, RangeError where an option is wrong, or the log is not one that is compacted (`cleanup`)
   * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`: what was not replaced by then stays as it was
   */
  async compact(options: CompactOptions = {}): Promise<CompactionReport> {
    const request = resolveCompactOptions(options);
    if (this.#core.options.cleanup === 'delete') {
      throw new TypeError(`the log ${this.name} is not compacted: open it with cleanup 'compact' or 'both'`);
    }
    return await this.#core.compact(request);
  }

  /**
   * Removes records from sealed segments that are there more than once: key, value, headers and time, byte for byte.
   * The first of them stays.
   *
   * @throws TypeError, RangeError where an option is wrong; VarveError as `compact`
   */
  async deduplicate(options: DeduplicateOptions): Promise<CompactionReport> {
    return await this.#core.compact(resolveDeduplicateOptions(options));
  }

  /**
   * Compresses sealed segments that were written plain (`compression: { codec, when: 'seal' }`), one after the other, as
   * far as they become smaller.
   *
   * @throws TypeError where an option is wrong, or the log is none of those; VarveError as `compact`
   */
  async recompress(options: RecompressOptions = {}): Promise<RecompressionReport> {
    return await this.#core.recompress(resolveRecompressOptions(options));
  }

  /** How much of the log is not compacted, and whether it is time to do that. */
  get compaction(): CleanablePlan {
    return this.#core.rewriting.compactor.plan();
  }

  /** For a read-only log: picks up what was appended, rolled and removed since. */
  async refresh(): Promise<void> {
    await this.#core.refresh();
  }

  /** Sizes and bounds of the log and its segments. */
  info(): LogInfo {
    const { name, partition, firstOffset } = this;
    const nextOffset = this.#core.visibleOffset;
    return describeLog(this.#core.segments.list, { name, partition, firstOffset, nextOffset });
  }

  /** Counters and latencies so far. */
  metrics(): LogMetricsSnapshot {
    return this.#core.metrics.snapshot(this.durable.bytesAtRisk, this.#core.cache.bytes);
  }

  /**
   * Reads and checks every byte.
   *
   * @throws VarveError `CLOSED`, `IO`, `NO_MEMORY`
   */
  async verify(options: VerifyOptions = {}): Promise<LogVerifyReport> {
    checkOptions('options', options, ['deep']);
    const deep = booleanOption('deep', options.deep, false);
    this.#core.checkOpen();
    const check = (): void => this.#core.checkOpen();
    const letGo = await this.#core.segments.hold();
    try {
      const verifying = verifyLog(this.#core.context, { deep, known: this.#core.known(), check });
      return await this.#core.calls.during(verifying);
    } finally {
      letGo();
    }
  }

  /** @internal Copies what readers see of it to an empty directory. @throws VarveError `CLOSED`, `NO_SPACE`, `IO` */
  async copyTo(directory: string): Promise<void> {
    this.#core.checkOpen();
    const copying = copyOpenLog(this.#core, directory);
    await this.#core.calls.during(copying);
  }

  /**
   * Writes and syncs what was accepted, and closes. A second call gets the same promise.
   *
   * @throws VarveError what failed; memory and files are given back all the same
   */
  close(): Promise<void> {
    return this.#core.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
