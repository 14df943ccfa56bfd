/**
 * Looks into the records of a batch where they lie, without making anything of them: for commands that
 * count or print millions.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { columnsBytes, type RecordBatch } from '../record/batch.ts';
import { Expander } from '../record/compression.ts';

/** Room for the columns of one batch after the other. */
export class Columns {
  readonly #memory: Memory;
  readonly #expander: Expander;
  #slab: Slab | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#expander = new Expander(memory);
  }

  /**
   * Decodes a batch; what was decoded before is gone then.
   *
   * @returns address of as many column entries as the batch has records
   * @throws VarveError `CORRUPT` where its inside is broken, `UNSUPPORTED` where its codec is not to be had
   */
  decode(batch: RecordBatch): number {
    const { bytes, recordCount, attributes } = batch;
    // The batch is a view on the shared memory, so its place there is its address.
    const stored = { address: bytes.byteOffset, size: bytes.length, recordCount, attributes };
    const plain = this.#expander.expand(stored);
    const columns = this.#room(columnsBytes(plain === undefined ? 0 : recordCount));
    const isWhole =
      plain !== undefined && this.#memory.kernels.decodeBatch(plain.address, plain.size, columns) >= 0;
    // Who makes records of it says what is wrong.
    if (!isWhole) batch.records();
    return columns;
  }

  close(): void {
    this.#releaseColumns();
    this.#expander.release();
  }

  #releaseColumns(): void {
    this.#slab?.release();
    this.#slab = undefined;
  }

  #room(bytes: number): number {
    if (this.#slab === undefined || this.#slab.bytes < bytes) {
      this.#releaseColumns();
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
