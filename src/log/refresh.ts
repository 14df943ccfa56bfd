/**
 * Lets a log that was opened read-only see what another process has appended, rolled and removed since.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { joinPath } from '../vfs/vfs.ts';
import { type Checkpoint, readCheckpoint, type SegmentState } from './checkpoint.ts';
import { parseSegmentFileName, parseSuffixedName, SWAP_SUFFIX, segmentFileName } from './names.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { scanSegment } from './segment-scan.ts';
import type { Segments } from './segments.ts';
import { scanFile, suffixedPath } from './swap.ts';

/** How often it is looked anew, because the writer was just removing segments. */
const TRIES_MAX = 10;

async function scanOn(segment: Segment): Promise<void> {
  const file = await segment.open();
  await segment.loadIndex();
  await scanSegment(segment, file, await file.size(), 0, async () => false);
}

/** The segments that there are; of one that is being replaced at this moment there may be only the new file. */
function basesIn(names: readonly string[]): number[] {
  const bases = new Set<number>();
  for (const name of names) {
    const parsed = parseSegmentFileName(name) ?? parseSuffixedName(name, SWAP_SUFFIX);
    if (parsed?.kind === 'log') bases.add(parsed.baseOffset);
  }
  return [...bases].sort((a, b) => a - b);
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

/** The path of a segment, as long as that has not got its own name; undefined where it has. */
async function swapPathOf(
  context: SegmentContext,
  { baseOffset, nextOffset, bytes }: SegmentState,
  names: readonly string[],
): Promise<string | undefined> {
  const name = segmentFileName(baseOffset, 'log');
  if (!names.includes(`${name}${SWAP_SUFFIX}`)) return undefined;
  // One of them is meant; the other is what it replaces, or what is about to replace it. They may have the same size.
  const path = joinPath(context.directory, name);
  const isSameSize = (await context.vfs.stat(path))?.bytes === bytes;
  const isOwn = isSameSize && (await scanFile(context, baseOffset, path)).end === nextOffset;
  return isOwn ? undefined : suffixedPath(context, baseOffset, SWAP_SUFFIX);
}

/**
 * Takes in what the recovery point says of sealed segments: they may have been rewritten, put together, removed, or
 * sealed. What is as it was stays; behind them, so does everything.
 */
async function takeSealed(
  context: SegmentContext,
  segments: Segments,
  { segments: states, isClean }: Checkpoint,
  names: readonly string[],
): Promise<void> {
  const sealed = isClean ? states.slice(0, -1) : states;
  const end = sealed.at(-1)?.nextOffset;
  if (end === undefined) return;
  const before = segments.list;
  const list: Segment[] = [];
  for (const state of sealed) {
    const path = await swapPathOf(context, state, names);
    const known = before.find(({ baseOffset }) => baseOffset === state.baseOffset);
    const isSame = known?.isSealed === true && known.nextOffset === state.nextOffset;
    // Of one that is damaged, more is known than the recovery point says.
    const isAsItWas = isSame && (known.bytes === state.bytes || known.damaged.length > 0);
    const segment = isAsItWas ? known : Segment.fromState(context, state, true);
    // One that was being written then, and has grown since, has lost what it had.
    if (known?.isSealed === false) segment.damaged = known.damaged;
    segment.swapPath = path;
    list.push(segment);
  }
  const tail = before.filter(({ baseOffset }) => baseOffset >= end);
  segments.list = [...list, ...tail];
  for (const gone of before) {
    if (segments.list.includes(gone)) continue;
    // Who reads it goes on in another one.
    gone.isSealed = true;
    await gone.retire();
  }
}

/** Brings the list of segments up to date. */
export async function refreshSegments(context: SegmentContext, segments: Segments): Promise<void> {
  const { vfs, directory, memory } = context;
  for (let tries = 1; ; tries++) {
    const checkpoint = await readCheckpoint(memory, vfs, directory);
    const names = await vfs.readdir(directory);
    const bases = basesIn(names);
    try {
      if (checkpoint !== undefined) await takeSealed(context, segments, checkpoint, names);
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

/** Segments that are there instead of others which were opened when another file had their name. */
const anew = new WeakSet<Segment>();

/**
 * Whether what went wrong in a segment, of a log that is open read-only, is explained by its writer: it has put
 * another in its place since, or was doing so when the file was opened. Then the list has others.
 *
 * @param refresh brings the list up to date
 */
export async function wasReplaced(
  { vfs }: SegmentContext,
  segments: Segments,
  segment: Segment,
  refresh: () => Promise<void>,
): Promise<boolean> {
  for (let look = 1; ; look++) {
    await refresh();
    if (!segments.list.includes(segment)) return true;
    const { state } = segment;
    if (!segment.isSealed || state === undefined) return false;
    if ((await vfs.stat(segment.path))?.bytes === state.bytes) break;
    if (look === TRIES_MAX) return false;
  }
  // The file is the right one now. Which one was opened is not known, and so that is tried once more.
  const at = segments.list.indexOf(segment);
  if (anew.has(segment) || at < 0) return at < 0;
  const fresh = Segment.fromState(segment.context, segment.state as SegmentState, true);
  fresh.damaged = segment.damaged;
  if (segment.isSwap) fresh.swapPath = segment.path;
  anew.add(fresh);
  segments.list = segments.list.with(at, fresh);
  await segment.retire();
  return true;
}
