/**
 * Lets a log that was opened read-only see what another process has appended, rolled and removed since.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { type Checkpoint, readCheckpoint } from './checkpoint.ts';
import { parseSegmentFileName, SWAP_SUFFIX, segmentFileName } from './names.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { scanSegment } from './segment-scan.ts';
import type { Segments } from './segments.ts';
import { suffixedPath } from './swap.ts';

/** How often it is looked anew, because the writer was just removing segments. */
const TRIES_MAX = 10;

async function scanOn(segment: Segment): Promise<void> {
  const file = await segment.open();
  await segment.loadIndex();
  await scanSegment(segment, file, await file.size(), 0, async () => false);
}

async function listBases({ vfs, directory }: SegmentContext): Promise<number[]> {
  const bases: number[] = [];
  for (const name of await vfs.readdir(directory)) {
    const parsed = parseSegmentFileName(name);
    if (parsed?.kind === 'log') bases.push(parsed.baseOffset);
  }
  return bases.sort((a, b) => a - b);
}

/** Takes in a segment that was not there before. */
async function addSegment(context: SegmentContext, segments: Segments, base: number): Promise<void> {
  const segment = new Segment(context, base, 0);
  try {
    await scanOn(segment);
  } catch (error) {
    await segment.release();
    throw error;
  }
  segments.list.push(segment);
}

/** Takes in what was appended and rolled. */
async function extend(context: SegmentContext, segments: Segments, bases: readonly number[]): Promise<void> {
  const last = segments.list.at(-1);
  if (last !== undefined && !last.isSealed && bases.includes(last.baseOffset)) await scanOn(last);
  for (const base of bases) {
    const tail = segments.list.at(-1);
    if (tail !== undefined && (base < tail.nextOffset || base === tail.baseOffset)) continue;
    // Where the one that was last is gone, all between it and the first that is there are gone too.
    if (tail !== undefined && bases.includes(tail.baseOffset)) {
      // The roll happened after the scan above began: look once more before the segment counts as sealed.
      if (!tail.isSealed) await scanOn(tail);
      if (base !== tail.nextOffset) break;
    }
    if (tail !== undefined) tail.isSealed = true;
    await addSegment(context, segments, base);
  }
}

/**
 * Takes in segments that were rewritten: the recovery point says of them what was not so before. As long as they
 * have not got their own names, they are read under the others.
 */
async function takeRewritten(
  context: SegmentContext,
  segments: Segments,
  checkpoint: Checkpoint | undefined,
): Promise<void> {
  const names = new Set(await context.vfs.readdir(context.directory));
  const swapPath = (base: number): string | undefined =>
    names.has(`${segmentFileName(base, 'log')}${SWAP_SUFFIX}`)
      ? suffixedPath(context, base, SWAP_SUFFIX)
      : undefined;
  for (const segment of segments.list) {
    if (segment.isSwap && swapPath(segment.baseOffset) === undefined) segment.swapPath = undefined;
  }
  for (const state of checkpoint?.segments ?? []) {
    const at = segments.list.findIndex(({ baseOffset }) => baseOffset === state.baseOffset);
    const old = segments.list[at];
    if (old === undefined || !old.isSealed) continue;
    if (old.bytes === state.bytes && old.nextOffset === state.nextOffset) continue;
    const gone = segments.list.filter(
      (one) => one.baseOffset >= state.baseOffset && one.nextOffset <= state.nextOffset && one.isSealed,
    );
    // The recovery point of a writer that has not come so far says nothing new.
    if (gone[0] !== old || gone.at(-1)?.nextOffset !== state.nextOffset) continue;
    const segment = Segment.fromState(context, state, true);
    segment.swapPath = swapPath(state.baseOffset);
    segments.list.splice(at, gone.length, segment);
    for (const one of gone) await one.retire();
  }
}

/** Brings the list of segments up to date. */
export async function refreshSegments(context: SegmentContext, segments: Segments): Promise<void> {
  const { vfs, directory, memory } = context;
  for (let tries = 1; ; tries++) {
    const checkpoint = await readCheckpoint(memory, vfs, directory);
    const bases = await listBases(context);
    try {
      await takeRewritten(context, segments, checkpoint);
      await extend(context, segments, bases);
    } catch (error) {
      if (isVarveError(error, 'NOT_FOUND') && tries < TRIES_MAX) continue;
      throw error;
    }
    const begin = Math.max(bases[0] ?? 0, checkpoint?.firstOffset ?? 0);
    segments.firstOffset = Math.max(segments.firstOffset, begin);
    while (segments.list.length > 1 && (segments.list[1] as Segment).baseOffset <= (bases[0] ?? 0)) {
      const gone = segments.list.shift() as Segment;
      if (gone.isPinned) gone.releaseWhenUnpinned();
      else await gone.release();
    }
    return;
  }
}
