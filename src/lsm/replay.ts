/**
 * Takes the write-ahead log again when a database is opened: what tables do not have goes into memtables, and
 * from there into tables where it is too much for the memory. It can be interrupted at any point and begun anew,
 * since nothing is taken twice: each tree knows from which sequence number on it needs the log.
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { COLUMN_BYTES, COLUMN_OFFSET_DELTA, COLUMN_VALUE, COLUMN_VALUE_LENGTH } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { RecordBatch } from '../record/batch.ts';
import { brokenOperations } from './operations.ts';
import type { TreeCore } from './tree-core.ts';
import type { TreeWriter } from './writer.ts';

export interface ReplayParts {
  memory: Memory;
  wal: Log;
  writer: TreeWriter;
  trees: readonly TreeCore[];
  /** Makes room in a tree that takes no more: true where it did. */
  makeRoom: (tree: TreeCore) => Promise<boolean>;
}

/**
 * Takes the log from where the first tree needs it.
 *
 * @returns how many records were looked at
 * @throws VarveError `CORRUPT` where the log does not have what a tree needs, or is damaged; `NO_MEMORY`
 */
export async function replay(parts: ReplayParts): Promise<number> {
  const { wal, trees } = parts;
  let from = wal.nextOffset;
  for (const { flushed, name } of trees) {
    if (flushed > wal.nextOffset) {
      throw new VarveError(
        'CORRUPT',
        `the tree ${name} has sequence numbers up to ${flushed - 1}, but the write-ahead log ends before ${wal.nextOffset}`,
        { file: wal.directory, offsets: { first: wal.nextOffset, last: flushed - 1 } },
      );
    }
    from = Math.min(from, flushed);
  }
  if (from < wal.firstOffset) {
    throw new VarveError(
      'CORRUPT',
      `the write-ahead log begins at ${wal.firstOffset}, but trees need it from ${from} on`,
      { file: wal.directory, offsets: { first: from, last: wal.firstOffset - 1 } },
    );
  }
  let records = 0;
  let next = from;
  try {
    for await (const batch of wal.batches({ fromOffset: from })) {
      next = batch.baseOffset;
      records += await replayBatch(parts, batch);
      next += batch.recordCount;
    }
  } catch (error) {
    if (isVarveError(error, 'NO_MEMORY')) throw tooLittle(parts, next, error);
    throw error;
  }
  return records;
}

/** What is said where a database was written with more memory than it is opened with. */
function tooLittle({ memory, wal }: ReplayParts, offset: number, cause: VarveError): VarveError {
  const message = `the memory, ${memory.slabs.budgetBytes} bytes, is too small for what the write-ahead log has at offset ${offset}: it takes as much as there was when that was written (${cause.message})`;
  return new VarveError('NO_MEMORY', message, {
    file: wal.directory,
    offsets: { first: offset, last: offset },
    cause,
  });
}

async function replayBatch({ memory, writer, makeRoom }: ReplayParts, batch: RecordBatch): Promise<number> {
  const { baseOffset, recordCount, bytes } = batch;
  const columns = memory.slabs.allocate(recordCount * COLUMN_BYTES, 'replay columns');
  try {
    // The batch lies in the shared memory, and so do the operations in it.
    const count = memory.kernels.decodeBatch(bytes.byteOffset, bytes.length, columns.address);
    if (count < 0) throw brokenOperations(baseOffset);
    for (let i = 0; i < count; i++) {
      const column = (columns.address + i * COLUMN_BYTES) >> 2;
      const address = memory.i32[column + (COLUMN_VALUE >> 2)] as number;
      const length = memory.i32[column + (COLUMN_VALUE_LENGTH >> 2)] as number;
      const sequence = baseOffset + (memory.i32[column + (COLUMN_OFFSET_DELTA >> 2)] as number);
      for (;;) {
        let full: TreeCore | undefined;
        const isTaken = writer.replay(address, length, sequence, (tree) => {
          full = tree;
        });
        if (isTaken) break;
        if (full === undefined || !(await makeRoom(full))) {
          throw new VarveError('NO_MEMORY', 'the memory cannot hold what the write-ahead log has');
        }
      }
    }
    return count;
  } finally {
    columns.release();
  }
}
