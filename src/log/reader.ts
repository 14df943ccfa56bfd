/**
 * Reads a log forwards, batch by batch, from segment to segment, up to what is visible; when asked to
 * follow, it waits there for more. It pins the segment it is in, so that retention cannot take it away.
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import { ROW_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { type BatchRow, readRow } from '../record/batch.ts';
import { isCodecSettled, settleCodec } from '../record/compression.ts';
import { findBehind } from './behind.ts';
import { describeDamage } from './damage.ts';
import { landmarksOf } from './landmarks.ts';
import { BatchScan } from './scan.ts';
import type { DamagedRange, Segment } from './segment.ts';
import type { Segments } from './segments.ts';

/** With this much before it, a reader starts with large windows at once. */
const READ_AHEAD_BYTES = 512 * 1024;

/** What a reader sees of its log. */
export interface ReaderSource {
  memory: Memory;
  segments: Segments;
  /** The offset behind the last record that may be seen. */
  visibleOffset: () => number;
  /** Where the bytes of a segment end that may be seen. */
  visibleBytes: (segment: Segment) => number;
  /** Resolves when more than `offset` is visible; rejects when the log closes or the signal aborts. */
  waitVisible: (offset: number, signal: AbortSignal | undefined) => Promise<void>;
  check: () => void;
  /** Whether a log that is open read-only has other segments by now, so that an error about one means nothing. */
  wasReplaced: (segment: Segment, error: unknown) => Promise<boolean>;
  /** The file of a segment cannot be opened; throws what that means. */
  onMissing: (segment: Segment, offset: number, error: unknown) => Promise<never>;
  onCorrupt: () => void;
  onClosed: (reader: LogReader) => void;
}

export interface ReaderOptions {
  /** The first offset to be read. */
  fromOffset: number;
  /** The offset behind the last one. */
  toOffset: number;
  follow: boolean;
  signal: AbortSignal | undefined;
}

export class LogReader {
  readonly #source: ReaderSource;
  readonly #options: ReaderOptions;
  #offset: number;
  #segment: Segment | undefined;
  /** Where in the segment the next scan begins; undefined: to be looked up. */
  #position: number | undefined;
  #limit = 0;
  #scan: BatchScan | undefined;
  /** The offset that the next batch of the scan must begin with; undefined before the first. */
  #expected: number | undefined;
  /** The last offset of the first batch of the scan, where that begins at an entry of the index. */
  #entryOffset: number | undefined;
  #row = 0;
  #rowCount = 0;
  #isClosed = false;
  /** The step that is on its way, or the last one. */
  #step: Promise<unknown> = Promise.resolve();
  /** Told when what was returned last is about to go, other than by the next step. */
  onClose: (() => void) | undefined;

  constructor(source: ReaderSource, options: ReaderOptions) {
    this.#source = source;
    this.#options = options;
    this.#offset = options.fromOffset;
  }

  /** The first offset that was asked for; the first batch may begin before it. */
  get fromOffset(): number {
    return this.#options.fromOffset;
  }

  /**
   * Steps to the next batch. What was returned before is gone then.
   *
   * @returns its row, or undefined at the end
   */
  next(): Promise<BatchRow | undefined> {
    const step = this.#advance().catch((error: unknown) => this.#tryAgain(error));
    this.#step = step.catch(() => undefined);
    return step;
  }

  /** Goes on in the segment that has taken the place of the one in which something went wrong. */
  async #tryAgain(error: unknown): Promise<BatchRow | undefined> {
    const segment = this.#segment;
    if (segment === undefined || !(await this.#source.wasReplaced(segment, error))) throw error;
    await this.#leave();
    this.#row = this.#rowCount = 0;
    return await this.next();
  }

  async #advance(): Promise<BatchRow | undefined> {
    const { toOffset, follow, signal } = this.#options;
    for (;;) {
      if (this.#offset >= toOffset) return undefined;
      // One that the log has closed must not look as if it were at its end.
      if (this.#isClosed) this.#source.check();
      if (this.#isClosed) return undefined;
      signal?.throwIfAborted();
      if (this.#row < this.#rowCount) {
        const row = await this.#takeRow();
        if (row === undefined) continue;
        // Whoever decodes it then finds its codec at hand.
        if (!isCodecSettled(row.attributes)) await settleCodec(row.attributes);
        return row;
      }
      this.#source.check();
      if (this.#scan !== undefined) {
        await this.#scanOn(this.#scan);
        continue;
      }
      const visible = this.#source.visibleOffset();
      if (this.#offset >= visible) {
        if (!follow) return undefined;
        await this.#source.waitVisible(this.#offset, signal);
        continue;
      }
      await this.#begin();
    }
  }

  /**
   * Steps to the next batch where that takes no reading and no second look.
   *
   * @returns its row, or undefined where `next` has to be asked
   */
  nextReady(): BatchRow | undefined {
    const { toOffset, signal } = this.#options;
    if (
      this.#row >= this.#rowCount ||
      this.#isClosed ||
      this.#offset >= toOffset ||
      signal?.aborted === true
    ) {
      return undefined;
    }
    const segment = this.#segment as Segment;
    if (this.#entryOffset !== undefined || segment.damaged.length > 0) return undefined;
    const row = readRow(this.#source.memory, (this.#scan as BatchScan).rows + this.#row * ROW_BYTES);
    if (row.baseOffset !== this.#expected || row.lastOffset < this.#offset) return undefined;
    if (!isCodecSettled(row.attributes)) return undefined;
    this.#row++;
    this.#expected = this.#offset = row.lastOffset + 1;
    return row;
  }

  /** Lets go of memory and segment, once the step that is on its way is over. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#step;
    this.onClose?.();
    this.#rowCount = 0;
    this.#source.onClosed(this);
    await this.#leave();
  }

  /** The next row, unless it lies before what is to be read. */
  async #takeRow(): Promise<BatchRow | undefined> {
    const scan = this.#scan as BatchScan;
    const segment = this.#segment as Segment;
    const row = readRow(this.#source.memory, scan.rows + this.#row * ROW_BYTES);
    const position = scan.positionOf(row.address);
    if (this.#entryOffset !== undefined && position > 0) {
      // No checksum covers the base offset: of the first batch, the index knows which one it must be.
      this.#expected = this.#entryOffset - (row.lastOffset - row.baseOffset);
    }
    this.#entryOffset = undefined;
    const expected = position === 0 ? segment.baseOffset : this.#expected;
    const isOther = expected !== undefined && row.baseOffset !== expected;
    if (isOther || (segment.damaged.length > 0 && knownLoss(segment, position) !== undefined)) {
      this.#rowCount = 0;
      await this.#meetDamage(segment, position);
      await this.#endScan(scan);
      return undefined;
    }
    this.#row++;
    this.#expected = row.lastOffset + 1;
    if (row.lastOffset < this.#offset) return undefined;
    this.#offset = row.lastOffset + 1;
    return row;
  }

  async #scanOn(scan: BatchScan): Promise<void> {
    this.#row = 0;
    this.#rowCount = await scan.next();
    if (this.#rowCount > 0) return;
    const segment = this.#segment as Segment;
    this.#position = scan.position;
    if (scan.position < this.#limit) await this.#meetDamage(segment, scan.position);
    await this.#endScan(scan);
  }

  async #endScan(scan: BatchScan): Promise<void> {
    await scan.close();
    this.#scan = undefined;
  }

  /** Steps over damage before what is to be read, and over what recovery was told to live with; else it is an error. */
  async #meetDamage(segment: Segment, position: number): Promise<void> {
    this.#entryOffset = undefined;
    const known = knownLoss(segment, position);
    if (known !== undefined) {
      this.#position = known.end;
      this.#expected = known.lastOffset + 1;
      this.#offset = Math.max(this.#offset, known.lastOffset + 1);
      return;
    }
    const { memory, onCorrupt } = this.#source;
    const behind = await findBehind({
      memory,
      file: await segment.open(),
      position,
      due: this.#expected,
      least: this.#expected ?? segment.baseOffset,
      limit: this.#limit,
      landmarks: landmarksOf(segment, this.#limit),
      isThorough: false,
    });
    if (behind.first === undefined || behind.first.offset > this.#offset) {
      onCorrupt();
      throw await describeDamage(segment, position, this.#expected, this.#limit, this.#offset);
    }
    this.#position = behind.first.position;
    this.#expected = behind.first.offset;
  }

  /** Begins to scan the segment that holds the next offset. */
  async #begin(): Promise<void> {
    const { segments, memory, visibleBytes, onMissing } = this.#source;
    const current = this.#segment;
    if (current === undefined || (current.isSealed && this.#isThrough(current))) await this.#enter();
    const segment = this.#segment as Segment;
    const file = await segment.open().catch((error: unknown) => onMissing(segment, this.#offset, error));
    segments.touch(segment);
    if (this.#position === undefined) {
      const index = await segment.loadIndex();
      const entry = index.entryBefore(this.#offset - segment.baseOffset);
      this.#position = index.position(entry);
      this.#entryOffset = entry < 0 ? undefined : segment.baseOffset + index.lastOffset(entry);
      this.#expected = undefined;
    }
    this.#limit = visibleBytes(segment);
    this.#scan = new BatchScan(
      memory,
      file,
      this.#position,
      this.#limit,
      this.#limit - this.#position > READ_AHEAD_BYTES,
    );
  }

  #isThrough(segment: Segment): boolean {
    return this.#position !== undefined && this.#position >= segment.bytes;
  }

  /** Moves to the segment that holds the next offset. */
  async #enter(): Promise<void> {
    const { segments } = this.#source;
    const previous = this.#segment;
    await this.#leave();
    // From here to the pin without a pause, or retention might take it away.
    const segment = previous === undefined ? segments.find(this.#offset) : segments.after(previous);
    if (segment === undefined) throw new VarveError('CLOSED', 'the segment behind this one is gone');
    if (this.#offset < segment.baseOffset) {
      const isRemoved = this.#offset < segments.firstOffset;
      const offsets = {
        first: this.#offset,
        last: (isRemoved ? segments.firstOffset : segment.baseOffset) - 1,
      };
      if (isRemoved)
        throw new VarveError('OUT_OF_RANGE', `offsets ${offsets.first} to ${offsets.last} were removed`, {
          offsets,
        });
      this.#offset = segment.baseOffset;
    }
    segment.pin();
    this.#segment = segment;
    // One that was put together of several may begin before what is to be read.
    this.#position = previous === undefined || this.#offset > segment.baseOffset ? undefined : 0;
    this.#expected = undefined;
  }

  async #leave(): Promise<void> {
    const scan = this.#scan;
    const segment = this.#segment;
    this.#scan = undefined;
    this.#segment = undefined;
    await scan?.close();
    try {
      await segment?.unpin();
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
  }
}

/** What is known to be lost at a position. */
function knownLoss(segment: Segment, position: number): DamagedRange | undefined {
  return segment.damaged.find(({ start, end }) => position >= start && position < end);
}
