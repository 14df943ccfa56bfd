/**
 * Looks into the records of a batch where they lie, without making anything of them: for commands that
 * count or print millions.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { columnsBytes, type RecordBatch } from '../record/batch.ts';
import { COMPRESSION_MASK } from '../record/format.ts';

/** Room for the columns of one batch after the other. */
export class Columns {
  readonly #memory: Memory;
  #slab: Slab | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Decodes a batch.
   *
   * @returns address of as many column entries as the batch has records; undefined where it is compressed
   * @throws VarveError `CORRUPT` where its inside is broken
   */
  decode(batch: RecordBatch): number | undefined {
    if ((batch.attributes & COMPRESSION_MASK) !== 0) return undefined;
    const { bytes } = batch;
    const columns = this.#room(columnsBytes(batch.recordCount));
    // The batch is a view on the shared memory, so its place there is its address.
    if (this.#memory.kernels.decodeBatch(bytes.byteOffset, bytes.length, columns) < 0) batch.records();
    return columns;
  }

  close(): void {
    this.#slab?.release();
    this.#slab = undefined;
  }

  #room(bytes: number): number {
    if (this.#slab === undefined || this.#slab.bytes < bytes) {
      this.close();
      this.#slab = this.#memory.slabs.allocate(bytes, 'batch columns');
    }
    return this.#slab.address;
  }
}

/** Steps through the headers of a record; the kernels have checked every length in them. */
export class HeaderCursor {
  keyAddress = 0;
  keyLength = 0;
  valueAddress = 0;
  /** -1 where the value is null. */
  valueLength = 0;
  readonly #u8: Uint8Array;
  #at = 0;
  #left = 0;

  constructor(memory: Memory) {
    this.#u8 = memory.u8;
  }

  /** Begins with the headers of another record. */
  start(address: number, count: number): void {
    this.#at = address;
    this.#left = count;
  }

  /** Goes to the next header; false where there is none. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    this.keyLength = this.#varint();
    this.keyAddress = this.#at;
    this.#at += this.keyLength;
    this.valueLength = this.#varint();
    this.valueAddress = this.#at;
    if (this.valueLength > 0) this.#at += this.valueLength;
    return true;
  }

  #varint(): number {
    let zigzag = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#u8[this.#at++] as number;
      zigzag |= (byte & 0x7f) << shift;
      if (byte < 0x80 || shift >= 28) return (zigzag >>> 1) ^ -(zigzag & 1);
    }
  }
}
