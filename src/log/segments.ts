/**
 * The segments of an open log: which there are, the active one, and their life: created, rolled, sealed,
 * dropped. Every call that makes something durable goes through one guard; if it fails, the log is
 * poisoned.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Clock } from '../clock.ts';
import { joinPath, type VfsFile } from '../vfs/vfs.ts';
import { type SegmentState, writeCheckpoint } from './checkpoint.ts';
import type { Digests } from './digests.ts';
import type { LogMetrics } from './metrics.ts';
import { SPARE_FILE } from './names.ts';
import type { ResolvedLogOptions } from './options.ts';
import { quarantineSegment } from './quarantine.ts';
import { Replacement } from './replacement.ts';
import { chooseExpired } from './retention.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';

function ignore(): void {}
/** Files of sealed segments that stay open for readers. */
const OPEN_SEALED_MAX = 64;
const ZERO_BYTES = 1024 * 1024;

export interface SegmentsOptions {
  context: SegmentContext;
  options: ResolvedLogOptions;
  clock: Clock;
  metrics: LogMetrics;
  digests: Digests;
  /** Syncs what is written; settles when the segment's bytes are durable. */
  syncWritten: (segment: Segment) => Promise<void>;
  onSealed: () => void;
  /** A segment is gone. */
  onDropped: (segment: Segment) => void;
  /** Takes a failure of a call that makes something durable. */
  onSyncFailed: (error: unknown) => void;
  /** Something went wrong that costs nothing but time later. */
  onBackgroundError: (error: unknown) => void;
}

export class Segments {
  /** From the oldest to the active one. */
  list: Segment[];
  /** The first offset that can be read. */
  firstOffset: number;
  readonly #parts: SegmentsOptions;
  #sealing: Promise<void> = Promise.resolve();
  #checkpointing: Promise<void> = Promise.resolve();
  #spare: Promise<VfsFile | undefined> | undefined;
  #openSealed: Segment[] = [];
  /** What changes which segments there are, other than a roll: one at a time. */
  #changing: Promise<void> | undefined;
  /** Who wants the segments to stay as they are, as long as that takes. */
  #holders = 0;
  #onLetGo: (() => void)[] = [];
  /** Files of old segments that are being closed and removed. */
  #removing: Promise<void> = Promise.resolve();
  /** Files of replacements that were taken back. */
  #stale: string[] = [];
  readonly #stopReclaim: () => void;

  constructor(parts: SegmentsOptions, list: Segment[], firstOffset: number) {
    this.#parts = parts;
    this.list = list;
    this.firstOffset = firstOffset;
    this.#stopReclaim = parts.context.memory.slabs.onPressure(() => this.#releaseIndexes());
  }

  /** The segment that is being written. */
  get active(): Segment {
    const active = this.list.at(-1);
    assert(active !== undefined, 'an open log has an active segment');
    return active;
  }

  /** Makes sure that there is an active segment, open for writing. */
  async start(): Promise<void> {
    const { context, options } = this.#parts;
    await context.vfs.remove(joinPath(context.directory, SPARE_FILE));
    await this.#parts.digests.start();
    const last = this.list.at(-1);
    if (last === undefined || last.isSealed) {
      if (options.preallocate) await this.#prepareSpare();
      this.list.push(await this.#create(last?.nextOffset ?? this.firstOffset));
    } else {
      await context.vfs.remove(last.pathOf('digest'));
      const opened = last.file;
      last.file = await context.vfs.open(last.path, 'write');
      await opened?.close();
      await last.loadIndex();
      last.syncedPosition = last.bytes;
    }
    if (options.preallocate) void this.#prepareSpare();
  }

  /** Whether `bytes` more do not belong into the active segment. */
  mustRoll(bytes: number): boolean {
    const { options, clock } = this.#parts;
    const { active } = this;
    if (active.bytes === 0) return false;
    return (
      active.bytes + bytes > options.segmentBytes ||
      clock.now() - active.createdAtMs >= Math.min(options.rollMs, options.maxCompactionLagMs)
    );
  }

  /**
   * Begins a new segment; the old one is sealed in the background, and the next roll waits for that.
   *
   * @param baseOffset of the new segment
   */
  async roll(baseOffset: number): Promise<Segment> {
    await this.#sealing;
    const old = this.active;
    const next = await this.#create(baseOffset);
    old.isSealed = true;
    this.list.push(next);
    this.#parts.metrics.rolls++;
    this.#sealing = this.#seal(old).catch((error: unknown) => this.#parts.onBackgroundError(error));
    if (this.#parts.options.preallocate) void this.#prepareSpare();
    return next;
  }

  /** The segment that holds an offset, by binary search. */
  find(offset: number): Segment {
    let low = 0;
    let high = this.list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.list[middle] as Segment).baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return this.list[low] as Segment;
  }

  /**
   * The segment in which to go on behind another, or undefined where that is the last. It need not begin there:
   * several may have been put together since.
   */
  after(segment: Segment): Segment | undefined {
    return this.list.find(
      (other) =>
        other !== segment &&
        (other.nextOffset > segment.nextOffset || other.baseOffset >= segment.nextOffset),
    );
  }

  /** Notes that a segment's file is in use, and closes one that has not been for long. */
  touch(segment: Segment): void {
    if (!segment.isSealed || this.#openSealed.at(-1) === segment) return;
    const at = this.#openSealed.indexOf(segment);
    if (at >= 0) this.#openSealed.splice(at, 1);
    this.#openSealed.push(segment);
    if (this.#openSealed.length <= OPEN_SEALED_MAX) return;
    const idle = this.#openSealed.findIndex((one) => !one.isPinned && one.state !== undefined);
    if (idle < 0 || idle === this.#openSealed.length - 1) return;
    const [oldest] = this.#openSealed.splice(idle, 1);
    oldest?.release().catch((error: unknown) => this.#parts.onBackgroundError(error));
  }

  /** Removes what retention no longer keeps. Returns how many segments went. */
  retain(): Promise<number> {
    const { options, clock } = this.#parts;
    return this.#exclusively(async () => {
      const limits = { ...options.retention, firstOffset: this.firstOffset };
      const count = chooseExpired(this.#settled(), limits, clock.now());
      if (count > 0) await this.#drop(count, this.list[count]?.baseOffset ?? 0);
      return count;
    });
  }

  /** Removes what lies before an offset: it is gone for readers at once, its segments as far as they are sealed. */
  truncateBefore(offset: number): Promise<void> {
    return this.#exclusively(() =>
      this.#drop(this.sealed.filter(({ nextOffset }) => nextOffset <= offset).length, offset),
    );
  }

  /** The sealed segments that can be rewritten: no more is to be done about them, and nothing is known to be lost. */
  get sealed(): Segment[] {
    return this.#settled().filter(({ isSealed }) => isSealed);
  }

  /**
   * Puts a rewritten segment in the place of others, which lie one behind the other. Its `.log`, synced, and its
   * indexes have the names of the first of them and `.cleaned` behind; see swap.ts. Who reads one of the old ones
   * reads on in it.
   *
   * @param state what a checkpoint is to say of it; it has the offsets of all of them together
   * @returns the new one, or undefined where the log has not got those segments any more: then nothing was done
   * @throws VarveError `IO`, `NO_SPACE`, ...: the old ones stay
   */
  async replace(sources: readonly Segment[], state: SegmentState): Promise<Segment | undefined> {
    for (;;) {
      while (this.#holders > 0) await new Promise<void>((resolve) => this.#onLetGo.push(resolve));
      const replaced = await this.#exclusively(async () => {
        if (this.#holders > 0) return 'held';
        await this.#clearStale();
        return await new Replacement(this.#replacementParts(), sources, state).run();
      });
      if (replaced !== 'held') return replaced;
    }
  }

  /** Removes what replacements left: opening the log would go on with one, though others have come in its place. */
  async #clearStale(): Promise<void> {
    if (this.#stale.length === 0) return;
    const { vfs, directory } = this.#parts.context;
    // Whatever was made known of the new segment, that of the old ones is to be known.
    await this.checkpoint(false);
    for (const path of this.#stale) await vfs.remove(path);
    await this.#guard(() => vfs.syncDir(directory));
    this.#stale = [];
  }

  /** Keeps the segments from being replaced until what is returned is called; waits for a replacement under way. */
  async hold(): Promise<() => void> {
    this.#holders++;
    while (this.#changing !== undefined) await this.#changing;
    return () => {
      if (--this.#holders > 0) return;
      for (const wake of this.#onLetGo.splice(0)) wake();
    };
  }

  #replacementParts(): ConstructorParameters<typeof Replacement>[0] {
    const { context, digests, onDropped, onBackgroundError } = this.#parts;
    return {
      context,
      digests,
      segments: this,
      syncDir: () => this.#guard(() => context.vfs.syncDir(context.directory)),
      forget: (segments) => {
        this.#openSealed = this.#openSealed.filter((segment) => !segments.includes(segment));
      },
      onTakenBack: (path) => this.#stale.push(path),
      onOld: (path) => this.#whenRemoved(this.#removing.then(() => context.vfs.remove(path))),
      onRetiring: (retiring) => this.#whenRemoved(Promise.all([this.#removing, retiring])),
      onDropped,
      onBackgroundError,
    };
  }

  #whenRemoved(removing: Promise<unknown>): void {
    this.#removing = removing.then(ignore, this.#parts.onBackgroundError);
  }

  /** Runs a change of which segments there are, at once where no other is under way. */
  async #exclusively<T>(change: () => Promise<T>): Promise<T> {
    while (this.#changing !== undefined) await this.#changing;
    const run = change();
    const done = run.then(ignore, ignore);
    this.#changing = done;
    try {
      return await run;
    } finally {
      if (this.#changing === done) this.#changing = undefined;
    }
  }

  /** Writes the checkpoint; one at a time, in the order of the calls. */
  checkpoint(isClean: boolean): Promise<void> {
    return this.whileUnchanged(() => this.#writeCheckpoint(isClean));
  }

  /** Does something while no checkpoint is written, and so no segment goes that the last one names. */
  whileUnchanged(work: () => Promise<void>): Promise<void> {
    const done = this.#checkpointing.then(work);
    this.#checkpointing = done.catch(() => undefined);
    return done;
  }

  /** Waits until nothing goes on in the background. */
  async settle(): Promise<void> {
    await this.#sealing;
    await this.#checkpointing;
    await Promise.all([this.#parts.digests.settle(), this.#removing, this.#spare]);
  }

  /** Writes what a clean close leaves behind: the active segment's indexes and the mark. */
  async finish(): Promise<void> {
    await this.settle();
    await this.#cutZeros(this.active);
    try {
      for (const segment of this.list) if (segment.isIndexStale) await segment.repairIndex();
      await this.active.writeIndex();
      await this.checkpoint(true);
    } catch (error) {
      // Everything is synced: without the mark, opening only takes longer. A failed sync is told elsewhere.
      this.#parts.onBackgroundError(error);
    }
  }

  /** Gives back memory and files, whatever state they are in. */
  async release(): Promise<void> {
    this.#stopReclaim();
    const spare = await this.#spare;
    await spare?.close().catch(() => undefined);
    const { vfs, directory } = this.#parts.context;
    if (spare !== undefined) await vfs.remove(joinPath(directory, SPARE_FILE)).catch(() => undefined);
    for (const segment of this.list) {
      if (!segment.isPinned) await segment.release().catch(() => undefined);
      else segment.releaseWhenUnpinned();
    }
  }

  async #create(baseOffset: number): Promise<Segment> {
    const { context, clock } = this.#parts;
    const { vfs, directory, memory, indexIntervalBytes } = context;
    const segment = new Segment(context, baseOffset, clock.now());
    // A roll that failed half way, or an older life of the log, may have left the name behind.
    if ((await vfs.stat(segment.path)) !== undefined) await quarantineSegment(vfs, directory, baseOffset);
    segment.index = new SegmentIndex(memory, indexIntervalBytes);
    try {
      const spare = await this.#spare;
      this.#spare = undefined;
      if (spare === undefined) segment.file = await vfs.open(segment.path, 'create');
      else {
        await spare.close();
        await vfs.rename(joinPath(directory, SPARE_FILE), segment.path);
        segment.file = await vfs.open(segment.path, 'write');
      }
      await this.#guard(() => vfs.syncDir(directory));
    } catch (error) {
      await segment.release();
      throw error;
    }
    return segment;
  }

  async #seal(segment: Segment): Promise<void> {
    const { syncWritten, onBackgroundError } = this.#parts;
    await syncWritten(segment);
    const { index } = segment;
    assert(index !== undefined, 'a segment has its index until it is sealed');
    await this.#cutZeros(segment);
    index.seal();
    // Without its files the indexes are made again when they are needed: no reason to stop.
    await segment.writeIndex().catch(onBackgroundError);
    await this.checkpoint(false);
    this.#parts.digests.add(segment);
    this.touch(segment);
    this.#parts.onSealed();
    await this.retain();
  }

  /** Cuts off what was made ahead of its use. */
  async #cutZeros({ file, bytes, zeroedBytes }: Segment): Promise<void> {
    assert(file !== undefined, 'a segment is open until it is sealed');
    if (!this.#parts.options.preallocate && zeroedBytes <= bytes) return;
    await file.truncate(bytes);
    await this.#guard(() => file.datasync());
  }

  /** The segments from the oldest on, up to the first that is being sealed. */
  #settled(): Segment[] {
    const end = this.list.findIndex((segment) => segment.isSealed && segment.state === undefined);
    return end < 0 ? this.list : this.list.slice(0, end);
  }

  /** Removes the first segments, and all records before an offset. If that cannot be made durable, nothing happens. */
  async #drop(count: number, offset: number): Promise<void> {
    const { metrics, context } = this.#parts;
    const before = this.firstOffset;
    const firstOffset = Math.max(before, offset);
    const dropped = this.list.slice(0, count);
    this.list = this.list.slice(count);
    this.firstOffset = firstOffset;
    this.#openSealed = this.#openSealed.filter((segment) => !dropped.includes(segment));
    try {
      // First the checkpoint says that they are gone, then they go: the other way round, a crash between
      // the two would look like a loss.
      await this.checkpoint(false);
    } catch (error) {
      this.list = [...dropped, ...this.list];
      if (this.firstOffset === firstOffset) this.firstOffset = before;
      throw error;
    }
    if (count === 0) return;
    metrics.droppedSegments += count;
    const failures: unknown[] = [];
    for (const segment of dropped) {
      await segment.drop().catch((error: unknown) => failures.push(error));
      this.#parts.onDropped(segment);
    }
    if (failures.length > 0) throw failures[0];
    await this.#guard(() => context.vfs.syncDir(context.directory));
  }

  async #writeCheckpoint(isClean: boolean): Promise<void> {
    const { memory, vfs, directory } = this.#parts.context;
    const segments = this.list.filter((segment) =>
      segment.isSealed ? segment.state !== undefined : isClean,
    );
    const checkpoint = {
      firstOffset: this.firstOffset,
      isClean,
      segments: segments.map((one) => one.snapshot()),
    };
    await writeCheckpoint(memory, vfs, directory, checkpoint, (sync) => this.#guard(sync));
  }

  async #guard(sync: () => Promise<void>): Promise<void> {
    try {
      await sync();
    } catch (error) {
      this.#parts.onSyncFailed(error);
      throw error;
    }
  }

  /** Fills the next segment's file with zeros, so that syncing it later does not have to allocate. */
  #prepareSpare(): Promise<VfsFile | undefined> {
    this.#spare ??= this.#fillSpare().catch((error: unknown) => {
      this.#parts.onBackgroundError(error);
      return undefined;
    });
    return this.#spare;
  }

  async #fillSpare(): Promise<VfsFile> {
    const { context, options } = this.#parts;
    const path = joinPath(context.directory, SPARE_FILE);
    await context.vfs.remove(path);
    const file = await context.vfs.open(path, 'create');
    try {
      const zeros = new Uint8Array(Math.min(ZERO_BYTES, options.segmentBytes));
      for (let at = 0; at < options.segmentBytes; at += zeros.length) {
        await file.write(zeros.subarray(0, Math.min(zeros.length, options.segmentBytes - at)), at);
      }
      await this.#guard(() => file.datasync());
      return file;
    } catch (error) {
      await file.close();
      await context.vfs.remove(path).catch(() => undefined);
      throw error;
    }
  }

  #releaseIndexes(): void {
    for (const segment of this.list) {
      // Who has pinned a segment may be looking something up.
      if (segment.isSealed && segment.state !== undefined && !segment.isPinned) segment.releaseIndex();
    }
  }
}
