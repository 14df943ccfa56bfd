/**
 * Lets a log that was opened read-only see what another process has appended, rolled and removed since.
 *
 * @module
 */

import { readCheckpoint } from './checkpoint.ts';
import { parseSegmentFileName } from './names.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { scanSegment } from './segment-scan.ts';
import type { Segments } from './segments.ts';

async function scanOn(segment: Segment): Promise<void> {
  const file = await segment.open();
  await segment.loadIndex();
  await scanSegment(segment, file, await file.size(), 0, async () => false);
}

/** Brings the list of segments up to date. */
export async function refreshSegments(context: SegmentContext, segments: Segments): Promise<void> {
  const { vfs, directory, memory } = context;
  const checkpoint = await readCheckpoint(memory, vfs, directory);
  const bases: number[] = [];
  for (const name of await vfs.readdir(directory)) {
    const parsed = parseSegmentFileName(name);
    if (parsed?.kind === 'log') bases.push(parsed.baseOffset);
  }
  bases.sort((a, b) => a - b);
  const last = segments.list.at(-1);
  if (last !== undefined && !last.isSealed) await scanOn(last);
  for (const base of bases) {
    const tail = segments.list.at(-1);
    if (tail !== undefined && base < tail.nextOffset) continue;
    if (tail !== undefined && base === tail.baseOffset) continue;
    if (tail !== undefined) {
      // The roll happened after the scan above began: look once more before the segment counts as sealed.
      if (!tail.isSealed) await scanOn(tail);
      if (base !== tail.nextOffset) break;
      tail.isSealed = true;
    }
    const segment = new Segment(context, base, 0);
    segments.list.push(segment);
    await scanOn(segment);
  }
  const begin = Math.max(bases[0] ?? 0, checkpoint?.firstOffset ?? 0);
  segments.firstOffset = Math.max(segments.firstOffset, begin);
  while (segments.list.length > 1 && (segments.list[1] as Segment).baseOffset <= (bases[0] ?? 0)) {
    const gone = segments.list.shift() as Segment;
    if (gone.isPinned) gone.releaseWhenUnpinned();
    else await gone.release();
  }
}
