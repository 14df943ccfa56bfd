/**
 * Opens the segments of a log's directory, after a clean close or a crash.
 *
 * 1. Read the checkpoint, carry on with rewritten segments that were taking the place of others (swap.ts), and list
 *    the segment files.
 * 2. In the default mode, segments that the checkpoint knows are taken as they are, if their size is
 *    right; their batches are checked when they are read.
 * 3. The others (after a crash the active one, and one before it that was being sealed) are scanned:
 *    indexes are rebuilt, and where the chain of batches breaks, the recovery mode decides.
 * 4. What is taken out is put into quarantine, and what was accepted is synced before anyone reads it.
 *
 * @module
 */

import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../clock.ts';
import { isVarveError, type VarveError } from '../errors.ts';
import { joinPath, type VfsFile } from '../vfs/vfs.ts';
import { type Checkpoint, readCheckpoint, type SegmentState, writeCheckpoint } from './checkpoint.ts';
import type { Gap } from './gaps.ts';
import { KnownGaps } from './known-gaps.ts';
import type { Landmarks } from './landmarks.ts';
import { segmentFileName } from './names.ts';
import type { RecoveryMode } from './options.ts';
import { quarantineSegment, quarantineTail } from './quarantine.ts';
import type { RecoveryReport } from './recovery-report.ts';
import { corruptSegment, Segment, type SegmentContext } from './segment.ts';
import { type Break, isZero, scanSegment } from './segment-scan.ts';
import { removeSegment, settleSwaps } from './swap.ts';

/** How often a log that is open read-only is looked at anew, because its writer was just removing segments. */
const TRIES_MAX = 10;

export interface Recovered {
  segments: Segment[];
  firstOffset: number;
  report: RecoveryReport;
}

export interface RecoveryOptions {
  mode: RecoveryMode;
  readOnly: boolean;
  clock: Clock;
}

/** One recovery under way. */
class Recovery {
  readonly #context: SegmentContext;
  readonly #options: RecoveryOptions;
  readonly #segments: Segment[] = [];
  readonly #report: RecoveryReport = {
    wasClean: true,
    scannedSegments: 0,
    scannedBytes: 0,
    tornTails: 0,
    quarantined: [],
    damage: [],
    gaps: [],
    elapsedMs: 0,
  };
  #checkpoint: Checkpoint | undefined;
  /** None where any loss is to be refused. */
  #gaps: KnownGaps | undefined;
  #hasChanged = false;
  /** Paths of segments that have not got their own names. */
  #paths: ReadonlyMap<number, string> = new Map();

  constructor(context: SegmentContext, options: RecoveryOptions) {
    this.#context = context;
    this.#options = options;
  }

  async run(): Promise<Recovered> {
    const { clock } = this.#options;
    const startMs = clock.monotonic();
    try {
      await this.#recoverAll();
      if (this.#hasChanged && !this.#options.readOnly) await this.#makeDurable();
    } catch (error) {
      for (const segment of this.#segments) await segment.release().catch(() => undefined);
      throw error;
    }
    this.#report.elapsedMs = clock.monotonic() - startMs;
    return { segments: this.#segments, firstOffset: this.#firstOffset, report: this.#report };
  }

  /** The first offset that can be read. */
  get #firstOffset(): number {
    const asked = this.#checkpoint?.firstOffset ?? 0;
    // What was removed may never have been durable itself: then the log begins at its end, and not behind it.
    const end = this.#segments.at(-1)?.nextOffset ?? asked;
    return Math.max(this.#segments[0]?.baseOffset ?? 0, Math.min(asked, end));
  }

  async #recoverAll(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    this.#checkpoint = await readCheckpoint(memory, vfs, directory);
    if (this.#options.mode !== 'absoluteConsistency') {
      this.#gaps = await KnownGaps.open(this.#context, (segment, gap) => this.#noteGap(segment, gap));
    }
    const bases = await this.#listBases();
    const known = new Map(this.#checkpoint?.segments.map((state) => [state.baseOffset, state]));
    this.#checkMissing(bases);
    const lastKnown = this.#checkpoint?.segments.at(-1)?.baseOffset ?? -1;
    for (const [i, base] of bases.entries()) {
      const expected = this.#segments.at(-1)?.nextOffset;
      const state = known.get(base);
      if (expected !== undefined && base < expected && (await this.#isBlank(base))) {
        // A roll failed half way, and the log went on in the segment before.
        await this.#setAside([base]);
        continue;
      }
      const isBeforeBeginning = base <= (this.#checkpoint?.firstOffset ?? 0);
      if (expected !== undefined && base > expected && isBeforeBeginning) await this.#forget();
      else if (
        expected !== undefined &&
        base !== expected &&
        !(await this.#acceptGap(base, expected, bases.slice(i)))
      )
        return;
      const isActiveState = this.#checkpoint?.isClean === true && base === lastKnown;
      // The other modes promise something of every byte, so they read every byte. What was the active segment
      // when the log was closed has been sealed since where another one follows it.
      const isQuick =
        this.#options.mode === 'tolerateCorruptedTail' && !(isActiveState && i < bases.length - 1);
      if (isQuick && state !== undefined && (await this.#takeKnown(state, isActiveState))) continue;
      const laterSyncs = base < lastKnown;
      const goesOn = await this.#scan(base, state, laterSyncs, bases.slice(i + 1));
      if (!goesOn) return;
    }
  }

  async #listBases(): Promise<number[]> {
    const { vfs, directory } = this.#context;
    const settled = await settleSwaps(this.#context, this.#options.readOnly, this.#checkpoint);
    const { bases } = settled;
    this.#checkpoint = settled.checkpoint;
    this.#paths = settled.paths;
    this.#hasChanged ||= settled.hasChanged;
    this.#report.quarantined.push(...settled.quarantined);
    const firstOffset = this.#checkpoint?.firstOffset ?? 0;
    // Retention was dropping these when the crash came: the checkpoint that says so was durable. That it does
    // not name a segment says nothing: it may not have been sealed yet.
    let begin = bases.findLastIndex((base) => base <= firstOffset);
    // A segment that was written to says where the one before it ends; one that a failed roll left does not.
    while (begin > 0 && (await this.#isBlank(bases[begin] as number))) begin--;
    const dropped = bases.slice(0, Math.max(begin, 0));
    for (const base of dropped) {
      if (this.#options.readOnly) continue;
      await removeSegment(vfs, directory, base);
      this.#hasChanged = true;
    }
    return bases.slice(dropped.length);
  }

  /** Removes what was met so far: it lies before the beginning, and was being removed when the crash came. */
  async #forget(): Promise<void> {
    const { vfs, directory } = this.#context;
    for (const segment of this.#segments.splice(0)) {
      await segment.release();
      if (!this.#options.readOnly) await removeSegment(vfs, directory, segment.baseOffset);
    }
    this.#hasChanged = true;
  }

  /** A segment that the checkpoint knows and the directory does not have. */
  #checkMissing(bases: number[]): void {
    const { segments = [], firstOffset = 0 } = this.#checkpoint ?? {};
    for (const state of segments) {
      if (bases.includes(state.baseOffset) || state.nextOffset === state.baseOffset) continue;
      // It was truncated while it was being sealed, and removed like all that lies before the beginning.
      if (state.nextOffset <= firstOffset) continue;
      const segment = Segment.fromState(this.#context, state, true);
      this.#tolerate(corruptSegment(segment, 0, state.baseOffset, state.nextOffset - 1));
    }
  }

  /** Takes a segment as the checkpoint describes it, if the file has the size that it should. */
  async #takeKnown(state: SegmentState, isActive: boolean): Promise<boolean> {
    const segment = Segment.fromState(this.#context, state, !isActive);
    segment.swapPath = this.#paths.get(state.baseOffset);
    const bytes = (await this.#context.vfs.stat(segment.path))?.bytes ?? 0;
    if (bytes !== state.bytes && (isActive || bytes < state.bytes)) return false;
    this.#segments.push(segment);
    this.#gaps?.takeInside(segment);
    if (isActive) await segment.loadIndex();
    return true;
  }

  #noteGap({ path }: Segment, { start, firstOffset, lastOffset }: Gap): void {
    this.#report.gaps.push({ file: path, position: start, firstOffset, lastOffset });
  }

  /** @returns whether to go on with the segments behind */
  async #scan(
    base: number,
    state: SegmentState | undefined,
    laterSyncs: boolean,
    later: number[],
  ): Promise<boolean> {
    const { vfs } = this.#context;
    const { clock, readOnly } = this.#options;
    const segment = this.#segmentAt(base, state?.createdAtMs ?? clock.now());
    this.#segments.push(segment);
    const file = await vfs.open(segment.path, readOnly ? 'read' : 'write');
    segment.file = file;
    const fileBytes = await file.size();
    const knownBytes = state?.bytes ?? 0;
    this.#report.wasClean = false;
    this.#report.scannedSegments++;
    this.#report.scannedBytes += fileBytes;
    this.#hasChanged = true;
    let isWhole = true;
    // Where the next segment goes on with the next offset, nothing is missing: what follows here is space that
    // was made ahead, or what a failed write left.
    const isComplete = (): boolean => later.includes(segment.nextOffset);
    const wasSynced = async (): Promise<boolean> =>
      !isComplete() && (laterSyncs || (await this.#isSyncWitness(later)));
    const landmarks: Landmarks = {
      endOffset: state?.bytes === fileBytes ? state.nextOffset : undefined,
      gaps: this.#gaps?.inside(base) ?? [],
      isSparse: (state?.absentOffsets ?? 0) > 0,
      lastOffsetAt: () => undefined,
    };
    for (;;) {
      if (await this.#gaps?.scanTo(segment, file, fileBytes)) continue;
      const limit = Math.max(fileBytes, segment.bytes);
      const found = await scanSegment(segment, file, limit, knownBytes, wasSynced, landmarks);
      if (found === undefined) break;
      const resume = await this.#settle(segment, file, found, fileBytes, later[0] ?? state?.nextOffset ?? 0);
      if (!resume) {
        isWhole = found.kind !== 'damaged' && isComplete();
        break;
      }
    }
    if (segment.bytes < knownBytes && isWhole) {
      this.#tolerate(
        corruptSegment(segment, segment.bytes, segment.nextOffset, (state?.nextOffset ?? 0) - 1),
      );
    }
    if (!readOnly) await file.datasync();
    segment.syncedPosition = segment.bytes;
    segment.isSealed = later.length > 0 && (isWhole || this.#options.mode === 'skipAnyCorrupted');
    if (segment.isSealed) {
      segment.index?.reserve(0);
      segment.index?.seal();
      return true;
    }
    if (later.length > 0) await this.#setAside(later);
    return false;
  }

  /**
   * Deals with a break in a segment's chain.
   *
   * @param end the offset that something else knows to lie behind the segment, or 0
   * @returns whether to scan on behind it
   */
  async #settle(
    segment: Segment,
    file: VfsFile,
    found: Break,
    fileBytes: number,
    end: number,
  ): Promise<boolean> {
    const { mode } = this.#options;
    // Where something had been synced, one record at least is lost.
    const least =
      found.kind === 'damaged' ? Math.max(end, found.offset + 1, found.claimedOffset) : found.offset;
    const lastLost = (found.resume?.offset ?? Math.max(found.offset, least)) - 1;
    const error = corruptSegment(segment, found.position, found.offset, lastLost);
    if (found.kind !== 'zeros' && mode === 'absoluteConsistency') throw error;
    if (found.kind === 'damaged') {
      this.#tolerate(error);
      if (mode === 'skipAnyCorrupted' && found.resume !== undefined) {
        const { position, offset } = found.resume;
        segment.damaged.push({
          start: found.position,
          end: position,
          firstOffset: found.offset,
          lastOffset: lastLost,
        });
        segment.bytes = position;
        segment.nextOffset = offset;
        return true;
      }
    }
    if (found.kind === 'torn') this.#report.tornTails++;
    if (this.#options.readOnly) return false;
    if (found.kind === 'zeros') {
      await file.truncate(found.position);
      return false;
    }
    const { memory, vfs, directory } = this.#context;
    this.#report.quarantined.push(
      await quarantineTail(memory, vfs, directory, segment.baseOffset, file, found.position, fileBytes),
    );
    return false;
  }

  /**
   * A segment that does not begin where its predecessor ends.
   *
   * @returns whether to go on with it
   */
  async #acceptGap(base: number, expected: number, rest: number[]): Promise<boolean> {
    const previous = this.#segments.at(-1) as Segment;
    if (this.#gaps?.takeBehind(previous, base) === true) return true;
    const isDamage = previous.isSealed && (this.#isKnown(previous) || (await this.#isSyncWitness(rest)));
    if (isDamage || base < expected || this.#options.mode === 'absoluteConsistency') {
      const isNoted = this.#report.damage.some(
        (one) => one.firstOffset <= expected && one.lastOffset >= base - 1,
      );
      if (!isNoted) this.#tolerate(corruptSegment(previous, previous.bytes, expected, base - 1));
      if (this.#options.mode === 'skipAnyCorrupted' && base > expected) {
        const position = previous.bytes;
        previous.damaged.push({
          start: position,
          end: position,
          firstOffset: expected,
          lastOffset: base - 1,
        });
        return true;
      }
    }
    previous.isSealed = false;
    // Its time index was ended: it is made anew without that.
    previous.releaseIndex();
    previous.state = undefined;
    await this.#setAside(rest);
    return false;
  }

  /**
   * Whether the checkpoint says that a segment was sealed, and so synced to its end. It does not say that of
   * the one that was active when the log was closed: that one has grown since.
   */
  #isKnown({ baseOffset }: Segment): boolean {
    const { segments = [], isClean = false } = this.#checkpoint ?? {};
    const sealed = isClean ? segments.slice(0, -1) : segments;
    return sealed.some((state) => state.baseOffset === baseOffset);
  }

  /** Whether a segment behind says that anything was synced since it was begun: then all before it was too. */
  async #isSyncWitness(later: number[]): Promise<boolean> {
    for (const base of later) {
      const probe = this.#segmentAt(base, 0);
      const file = await probe.open();
      try {
        const bytes = await file.size();
        await scanSegment(probe, file, bytes, 0, async () => false);
        if (probe.syncedPosition > 0) return true;
      } finally {
        await probe.release();
      }
    }
    return false;
  }

  #segmentAt(base: number, createdAtMs: number): Segment {
    const segment = new Segment(this.#context, base, createdAtMs);
    segment.swapPath = this.#paths.get(base);
    return segment;
  }

  /** Whether nothing was ever written to a segment's file. */
  async #isBlank(base: number): Promise<boolean> {
    const segment = this.#segmentAt(base, 0);
    try {
      const file = await segment.open();
      return await isZero(this.#context.memory, file, 0, await file.size());
    } finally {
      await segment.release();
    }
  }

  async #setAside(bases: number[]): Promise<void> {
    if (this.#options.readOnly) return;
    const { vfs, directory } = this.#context;
    for (const base of bases) {
      const bytes = (await vfs.stat(joinPath(directory, segmentFileName(base, 'log'))))?.bytes ?? 0;
      if (bytes > 0) this.#report.quarantined.push(await quarantineSegment(vfs, directory, base));
      else await vfs.remove(joinPath(directory, segmentFileName(base, 'log')));
    }
    this.#hasChanged = true;
  }

  /** Notes damage where the mode goes on in spite of it. */
  #tolerate(error: VarveError): void {
    const { mode } = this.#options;
    if (mode === 'tolerateCorruptedTail' || mode === 'absoluteConsistency') throw error;
    this.#report.damage.push({
      file: error.file ?? '',
      position: error.position ?? 0,
      firstOffset: error.offsets?.first ?? 0,
      lastOffset: error.offsets?.last ?? 0,
    });
  }

  /** Makes the directory, and then the checkpoint, say what was found. */
  async #makeDurable(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    await vfs.syncDir(directory);
    // What is no more must not be taken for known where other bytes come to lie there.
    await this.#gaps?.prune();
    const sealed = this.#segments.filter((segment) => segment.isSealed);
    for (const segment of sealed) {
      if (segment.index === undefined || segment.state !== undefined) continue;
      await segment.writeIndex();
    }
    await writeCheckpoint(memory, vfs, directory, {
      firstOffset: this.#firstOffset,
      isClean: false,
      segments: sealed.map((segment) => segment.snapshot()),
    });
  }
}

/**
 * Recovers the log in a directory.
 *
 * @returns its segments, the last of which may be unsealed, with its index loaded; none where the
 * directory has none
 * @throws VarveError `CORRUPT` where the mode does not go on
 */
export async function recoverLog(context: SegmentContext, options: RecoveryOptions): Promise<Recovered> {
  const { memory, vfs, directory } = context;
  for (let tries = 1; ; tries++) {
    const look = async (): Promise<unknown> => [
      await readCheckpoint(memory, vfs, directory),
      await vfs.readdir(directory),
    ];
    const before = options.readOnly ? await look() : undefined;
    try {
      return await new Recovery(context, options).run();
    } catch (error) {
      // Its writer may have removed segments meanwhile, or put others in their place.
      if (!options.readOnly || tries === TRIES_MAX) throw error;
      if (!isVarveError(error, 'NOT_FOUND') && isDeepStrictEqual(before, await look())) throw error;
    }
  }
}
