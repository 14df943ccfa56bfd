/**
 * Collects lines out of the shared memory: their bytes, one line after the other, and where that is wanted a
 * row about each of them.
 *
 * Rows are numbers, five for each line:
 *
 *     +-------------------+-------------------+-------------------+-------------------+-------+
 *     | where it begins   | bytes, without    | number, from 0 at | position in the   | flags |
 *     | in the collected  | its line end      | the part's begin  | text              |       |
 *     +-------------------+-------------------+-------------------+-------------------+-------+
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';

export const ROW_NUMBERS = 5;
export const ROW_START = 0;
export const ROW_LENGTH = 1;
export const ROW_LINE = 2;
export const ROW_POSITION = 3;
export const ROW_FLAGS = 4;

/** The line was not found itself, but is near to one that was. */
export const LINE_IS_CONTEXT = 1;
/** It is the beginning of a line that is too long. */
export const LINE_IS_CUT = 2;
/** Between it and the line before it lines were left out, where there should be none left out. */
export const LINE_FOLLOWS_GAP = 4;

const LINE_FEED = 10;
/** What follows the part of a line that is shown of one that is too long. */
const CUT_MARK: Buffer = Buffer.from(' […cut here]');
const BYTES_FIRST: number = 64 * 1024;

export class LineCollector {
  readonly #all: Buffer;
  readonly #hasRows: boolean;
  #bytes: Buffer = Buffer.allocUnsafe(0);
  #used = 0;
  #rows: number[] = [];
  /** Lines in the shared memory that lie end to end, and are not copied yet. */
  #from = 0;
  #to = 0;

  constructor(memory: MemoryView, hasRows: boolean) {
    this.#all = memory.buffer(0, memory.bytes.byteLength);
    this.#hasRows = hasRows;
  }

  /** About how many bytes there are. */
  get size(): number {
    return this.#used + (this.#to - this.#from);
  }

  /** Adds lines that lie end to end in the shared memory, with their line feeds. Rows are the caller's. */
  addText(from: number, to: number): void {
    if (from !== this.#to) {
      this.#copy();
      this.#from = from;
    }
    this.#to = to;
  }

  /**
   * Adds a line of the shared memory.
   *
   * @param length without its line feed
   * @param isEnded whether it has one
   */
  add(
    address: number,
    length: number,
    isEnded: boolean,
    line: number,
    position: number,
    flags: number,
  ): void {
    if (this.#hasRows) this.#rows.push(this.size, length, line, position, flags);
    this.addText(address, address + length + (isEnded ? 1 : 0));
    if (!isEnded) this.#endLine((flags & LINE_IS_CUT) !== 0);
  }

  /** Adds a line that lies elsewhere by now. */
  addCopy(bytes: Uint8Array, line: number, position: number, flags: number): void {
    this.#copy();
    if (this.#hasRows) this.#rows.push(this.#used, bytes.length, line, position, flags);
    this.#reserve(bytes.length + 1);
    this.#bytes.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#endLine(false);
  }

  /** Copies what is still in the shared memory, before that changes. */
  settle(): void {
    this.#copy();
    this.#from = 0;
    this.#to = 0;
  }

  /** Hands over what was collected. */
  take(): { text: Uint8Array; rows: Float64Array } {
    this.settle();
    const text = this.#bytes.subarray(0, this.#used);
    const rows = Float64Array.from(this.#rows);
    this.#bytes = Buffer.allocUnsafe(0);
    this.#used = 0;
    this.#rows = [];
    return { text, rows };
  }

  #endLine(isCut: boolean): void {
    this.settle();
    this.#reserve(CUT_MARK.length + 1);
    if (isCut) {
      this.#bytes.set(CUT_MARK, this.#used);
      this.#used += CUT_MARK.length;
    }
    this.#bytes[this.#used++] = LINE_FEED;
  }

  #copy(): void {
    const bytes = this.#to - this.#from;
    if (bytes === 0) return;
    this.#reserve(bytes);
    this.#all.copy(this.#bytes, this.#used, this.#from, this.#to);
    this.#used += bytes;
    this.#from = this.#to;
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(BYTES_FIRST, this.#bytes.length * 2, this.#used + bytes));
    larger.set(this.#bytes.subarray(0, this.#used));
    this.#bytes = larger;
  }
}
