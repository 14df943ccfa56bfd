/**
 * Reads everything that a log has on disk and says what is wrong with it: every batch and every record,
 * and that the indexes are what they would be if they were made again. Changes nothing.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { ROW_BYTES } from '../memory/layout.ts';
import { columnsBytes, readRow } from '../record/batch.ts';
import { COMPRESSION_MASK } from '../record/format.ts';
import { describeDamage } from './damage.ts';
import { BatchScan } from './scan.ts';
import type { Segment } from './segment.ts';
import { SegmentIndex } from './segment-index.ts';
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
  const { memory, indexIntervalBytes } = segment.context;
  const index = new SegmentIndex(memory, indexIntervalBytes);
  into.segments++;
  into.bytes += limit;
  let position = 0;
  let offset = segment.baseOffset;
  try {
    const file = await segment.open();
    while (position < limit) {
      const scan = new BatchScan(memory, file, position, limit, true);
      let isWrong = false;
      try {
        for (let count = await scan.next(); count > 0 && !isWrong; count = isWrong ? 0 : await scan.next()) {
          index.reserve(count);
          for (let i = 0; i < count && !isWrong; i++) {
            const row = readRow(memory, scan.rows + i * ROW_BYTES);
            const at = scan.positionOf(row.address);
            isWrong = row.baseOffset !== offset || !isWhole(segment, row.address, row.size, row.recordCount, row.attributes);
            if (isWrong) break;
            index.observe(at, row.size, row.lastOffset - segment.baseOffset, row.maxTimestamp);
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
      const error = await describeDamage(segment, position, offset, limit);
      into.problems.push({ file: segment.path, position, offsets: error.offsets, message: error.message });
      const resume = await resumeAfter(segment, position, limit, offset);
      if (resume === undefined) return;
      position = resume.position;
      offset = resume.offset;
    }
    await compareIndex(segment, index, into);
  } finally {
    index.release();
  }
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
function isWhole(segment: Segment, address: number, size: number, records: number, attributes: number): boolean {
  if ((attributes & COMPRESSION_MASK) !== 0) return true;
  const { memory } = segment.context;
  const columns = memory.slabs.allocate(columnsBytes(records), 'verify');
  const count = memory.kernels.decodeBatch(address, size, columns.address);
  columns.release();
  return count === records;
}

/** The index files of a sealed segment must be byte for byte what the log yields. */
async function compareIndex(segment: Segment, made: SegmentIndex, into: LogVerifyReport): Promise<void> {
  if (!segment.isSealed || segment.state === undefined || segment.damaged.length > 0) return;
  made.reserve(0);
  made.seal();
  const { vfs } = segment.context;
  for (const [kind, bytes] of [
    ['index', made.offsetBytes()],
    ['timeindex', made.timeBytes()],
  ] as const) {
    const path = segment.pathOf(kind);
    const problem = (message: string): Problem => ({ file: path, position: 0, offsets: undefined, message });
    try {
      const file = await vfs.open(path, 'read');
      const stored = Buffer.alloc(await file.size());
      await file.read(stored, 0).finally(() => file.close());
      if (!stored.equals(bytes)) into.problems.push(problem(`${path} is not what the log yields; it will be made again`));
    } catch (error) {
      if (!isVarveError(error)) throw error;
      into.problems.push(problem(`${path} cannot be read (${error.code}); it will be made again`));
    }
  }
}
