/**
 * Reads everything that a log has on disk and says what is wrong with it: every batch, every record and
 * every entry of an index. Changes nothing.
 *
 * @module
 */

import { ROW_BYTES } from '../memory/layout.ts';
import { columnsBytes, readRow } from '../record/batch.ts';
import { COMPRESSION_MASK } from '../record/format.ts';
import { describeDamage } from './damage.ts';
import { IndexCheck } from './index-check.ts';
import { BatchScan } from './scan.ts';
import type { Segment } from './segment.ts';
import { findBehind } from './segment-scan.ts';

/** One thing that is wrong. */
export interface Problem {
  file: string;
  position: number;
  /** The offsets that cannot be read; none where only derived data is wrong. */
  offsets: { first: number; last: number } | undefined;
  message: string;
}

export interface LogVerifyReport {
  segments: number;
  batches: number;
  records: number;
  bytes: number;
  problems: Problem[];
}

/**
 * Verifies one segment.
 *
 * @param limit where its bytes end
 * @param into what is added to
 */
export async function verifySegment(segment: Segment, limit: number, into: LogVerifyReport): Promise<void> {
  const { memory } = segment.context;
  const index = await IndexCheck.open(segment);
  let isDamaged = false;
  into.segments++;
  into.bytes += limit;
  let position = 0;
  let offset = segment.baseOffset;
  const file = await segment.open();
  while (position < limit) {
    const scan = new BatchScan(memory, file, position, limit, true);
    let isWrong = false;
    try {
      for (let count = await scan.next(); count > 0 && !isWrong; count = isWrong ? 0 : await scan.next()) {
        for (let i = 0; i < count && !isWrong; i++) {
          const row = readRow(memory, scan.rows + i * ROW_BYTES);
          const at = scan.positionOf(row.address);
          isWrong =
            row.baseOffset !== offset ||
            !isWhole(segment, row.address, row.size, row.recordCount, row.attributes);
          if (isWrong) break;
          index.observe(at, row.lastOffset - segment.baseOffset, row.maxTimestamp);
          into.batches++;
          into.records += row.recordCount;
          offset = row.lastOffset + 1;
          position = at + row.size;
        }
      }
    } finally {
      await scan.close();
    }
    if (position >= limit) break;
    isDamaged = true;
    const error = await describeDamage(segment, position, offset, limit, offset);
    into.problems.push({ file: segment.path, position, offsets: error.offsets, message: error.message });
    const resume = await resumeAfter(segment, position, limit, offset);
    if (resume === undefined) break;
    position = resume.position;
    offset = resume.offset;
  }
  for (const problem of index.problems(isDamaged)) into.problems.push({ ...problem, offsets: undefined });
}

async function resumeAfter(
  segment: Segment,
  position: number,
  limit: number,
  offset: number,
): Promise<{ position: number; offset: number } | undefined> {
  const behind = await findBehind(segment.context.memory, await segment.open(), position + 1, limit, offset);
  return behind.first;
}

/** Whether the records inside a batch are what its header says; compressed ones are taken on trust. */
function isWhole(
  segment: Segment,
  address: number,
  size: number,
  records: number,
  attributes: number,
): boolean {
  if ((attributes & COMPRESSION_MASK) !== 0) return true;
  const { memory } = segment.context;
  const columns = memory.slabs.allocate(columnsBytes(records), 'verify');
  const count = memory.kernels.decodeBatch(address, size, columns.address);
  columns.release();
  return count === records;
}
