/** How long the keys of a log are, about: told from the first batches of a segment; and its records. */

import { WHOLE_RECORD_BYTES } from '../../memory/key-map-layout.ts';
import { COLUMN_BYTES, COLUMN_KEY_LENGTH } from '../../memory/layout.ts';
import type { Segment, SegmentContext } from '../segment.ts';
import { Source } from './source.ts';

const SAMPLE_BYTES = 64 * 1024;

/** @returns the mean, or undefined where there are none, or they cannot be read */
export async function meanKeyBytes(context: SegmentContext, segment: Segment): Promise<number | undefined> {
  const { memory, vfs } = context;
  const { path, baseOffset, nextOffset } = segment;
  const bytes = Math.min(segment.bytes, SAMPLE_BYTES);
  const file = await vfs.open(path, 'read');
  const source = new Source(memory, file, { path, baseOffset, nextOffset, bytes }, false);
  let keys = 0;
  let total = 0;
  try {
    for (let row = await source.next(); row !== undefined; row = await source.next()) {
      if (!source.decode(row)) break;
      for (let i = 0; i < row.recordCount; i++) {
        const length = memory.i32[(source.columns + i * COLUMN_BYTES + COLUMN_KEY_LENGTH) >> 2] as number;
        if (length < 0) continue;
        keys++;
        total += length;
      }
    }
  } finally {
    await source.close();
    await file.close();
  }
  return keys === 0 ? undefined : total / keys;
}

/** How long a record is, about, with what compares it. */
export function meanRecordBytes({ bytes, baseOffset, nextOffset, absentOffsets }: Segment): number {
  return bytes / Math.max(1, nextOffset - baseOffset - absentOffsets) + WHOLE_RECORD_BYTES;
}
