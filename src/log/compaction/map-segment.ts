/**
 * The task that takes the keys of a segment into a key map.
 *
 * @module
 */

import { KEEP_LAST, KEEP_RECORDS, WHOLE_RECORD_BYTES } from '../../memory/key-map-layout.ts';
import { COLUMN_BYTES, COLUMN_OFFSET_DELTA } from '../../memory/layout.ts';
import { Memory } from '../../memory/memory.ts';
import { type KeyMapPlan, layOutKeyMap, type Region } from './key-map.ts';
import { Source, type SourceFile, type SourceProblem, seekColumn } from './source.ts';
import type { WorkContext } from './work-context.ts';

export interface MapSegmentArgs {
  /** The map. */
  map: Region;
  /** Where the task works. */
  work: Region;
  source: SourceFile;
  /** Records before this offset are not taken in. */
  fromOffset: number;
  /** The number of the first record that is. */
  number: number;
  /** Whether a key is what identifies a record, or all of it. */
  of: 'keys' | 'records';
  /** Makes the map anew before. */
  layOut: KeyMapPlan | undefined;
}

export interface MappedSegment {
  /** Records that were taken in. */
  records: number;
  /** The offset behind the last of them. */
  nextOffset: number;
  /** There was no room for more. */
  isFull: boolean;
  problem: SourceProblem | undefined;
}

/** Takes the keys of a segment in; see `mapKeys`. */
export async function mapSegment(context: WorkContext, args: MapSegmentArgs): Promise<MappedSegment> {
  const { map, work, layOut, source } = args;
  const memory = Memory.over(context.memory, work.address, work.bytes);
  if (layOut !== undefined) layOutKeyMap(memory, map, layOut);
  const file = await context.vfs.open(source.path, 'read');
  const scan = new Source(memory, file, source, context.isBlocking);
  try {
    return await mapBatches(memory, scan, args);
  } finally {
    await scan.close();
    await file.close();
  }
}

async function mapBatches(memory: Memory, scan: Source, args: MapSegmentArgs): Promise<MappedSegment> {
  const { map, source, fromOffset, number, of } = args;
  const keep = of === 'keys' ? KEEP_LAST : KEEP_RECORDS;
  const { kernels, i32, slabs } = memory;
  const mapped: MappedSegment = {
    records: 0,
    nextOffset: Math.max(fromOffset, source.baseOffset),
    isFull: false,
    problem: undefined,
  };
  for (let row = await scan.next(); row !== undefined; row = await scan.next()) {
    if (row.lastOffset < fromOffset) continue;
    if (!scan.decode(row)) break;
    const { recordCount, baseOffset } = row;
    const { columns } = scan;
    const first = seekColumn(memory, columns, recordCount, baseOffset, fromOffset, COLUMN_OFFSET_DELTA);
    const whole =
      of === 'keys'
        ? undefined
        : slabs.allocate(scan.decodedBytes + WHOLE_RECORD_BYTES * recordCount, 'whole records');
    if (whole !== undefined) kernels.wholeRecords(columns, recordCount, whole.address);
    const own = columns + first * COLUMN_BYTES;
    const count = recordCount - first;
    const taken = kernels.mapKeys(map.address, own, count, 0, number + mapped.records, keep);
    whole?.release();
    mapped.records += taken;
    if (taken < count) {
      // A record that there is no room for is the first of the next pass.
      mapped.nextOffset =
        baseOffset + (i32[(own + taken * COLUMN_BYTES + COLUMN_OFFSET_DELTA) >> 2] as number);
      mapped.isFull = true;
      return mapped;
    }
    mapped.nextOffset = row.lastOffset + 1;
  }
  mapped.problem = scan.problem;
  return mapped;
}
