/**
 * The batches of a sealed segment, one after the other, each of them checked: what compaction reads. Damage is an
 * answer here and no error, since the segment is left as it is then.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import { COLUMN_BYTES, ROW_BYTES } from '../../memory/layout.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';
import { type BatchRow, columnsBytes, readRow } from '../../record/batch.ts';
import { Expander, isCodecSettled, settleCodec } from '../../record/compression.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { BatchScan } from '../scan.ts';

/** A segment, as plain values. */
export interface SourceFile {
  path: string;
  baseOffset: number;
  nextOffset: number;
  bytes: number;
}

/** Why a segment cannot be compacted. */
export interface SourceProblem {
  file: string;
  position: number;
  message: string;
}

export class Source {
  /** Why it ended before its end. */
  problem: SourceProblem | undefined;
  /** Address of the columns of the batch, once they were decoded. */
  columns = 0;
  /** Size of the batch that was decoded last, expanded. */
  decodedBytes = 0;
  readonly #memory: Memory;
  readonly #source: SourceFile;
  readonly #scan: BatchScan;
  readonly #expander: Expander;
  #expected: number;
  #position = 0;
  #row = 0;
  #rowCount = 0;
  #columnSlab: Slab | undefined;

  /** @param isBlocking whether this thread may wait for the disk */
  constructor(memory: Memory, file: VfsFile, source: SourceFile, isBlocking: boolean) {
    this.#memory = memory;
    this.#source = source;
    this.#expected = source.baseOffset;
    this.#expander = new Expander(memory);
    this.#scan = new BatchScan(memory, file, 0, source.bytes, isBlocking ? 'blocking' : 'ahead');
  }

  /** Steps to the next batch; undefined at the end, or where something is wrong. */
  async next(): Promise<BatchRow | undefined> {
    if (this.#row === this.#rowCount) {
      this.#row = 0;
      this.#rowCount = await this.#scan.next();
      if (this.#rowCount === 0) return this.#end();
    }
    const row = readRow(this.#memory, this.#scan.rows + this.#row++ * ROW_BYTES);
    this.#position = this.#scan.positionOf(row.address);
    if (row.baseOffset !== this.#expected) return this.#fail('its batches do not follow one another');
    this.#expected = row.lastOffset + 1;
    if (!isCodecSettled(row.attributes)) await settleCodec(row.attributes);
    return row;
  }

  /** Decodes the records of a batch into `columns`; false where something is wrong. */
  decode(row: BatchRow): boolean {
    const plain = this.#expand(row);
    if (plain === undefined) return false;
    this.decodedBytes = plain.size;
    const bytes = columnsBytes(row.recordCount);
    if (this.#columnSlab === undefined || this.#columnSlab.bytes < bytes) {
      this.#columnSlab?.release();
      this.#columnSlab = undefined;
      this.#columnSlab = this.#memory.slabs.allocate(bytes, 'compaction columns');
      this.columns = this.#columnSlab.address;
    }
    if (this.#memory.kernels.decodeBatch(plain.address, plain.size, this.columns) === row.recordCount)
      return true;
    this.#fail('the records of a batch are broken');
    return false;
  }

  /** The batch without compression; undefined where that cannot be had. */
  #expand(row: BatchRow): BatchRow | undefined {
    try {
      const plain = this.#expander.expand(row);
      if (plain === undefined) this.#fail('a compressed batch does not expand');
      return plain;
    } catch (error) {
      if (!isVarveError(error, 'UNSUPPORTED')) throw error;
      this.#fail(error.message);
      return undefined;
    }
  }

  /** Gives the memory back. */
  async close(): Promise<void> {
    this.#columnSlab?.release();
    this.#columnSlab = undefined;
    this.#expander.release();
    await this.#scan.close();
  }

  #end(): undefined {
    const { bytes, nextOffset } = this.#source;
    this.#position = this.#scan.position;
    if (this.#position < bytes) return this.#fail('it is damaged');
    if (this.#expected !== nextOffset) return this.#fail('it does not end where it should');
    return undefined;
  }

  #fail(reason: string): undefined {
    const { path } = this.#source;
    const position = this.#position;
    this.problem = {
      file: path,
      position,
      message: `${path} cannot be compacted: ${reason}, at position ${position}`,
    };
    return undefined;
  }
}

/** The number of the first column from an index on whose offset is not below `offset`. */
export function seekColumn(
  memory: Memory,
  columns: number,
  count: number,
  baseOffset: number,
  offset: number,
  field: number,
): number {
  let i = 0;
  const delta = offset - baseOffset;
  while (i < count && (memory.i32[(columns + i * COLUMN_BYTES + field) >> 2] as number) < delta) i++;
  return i;
}
