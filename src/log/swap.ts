/**
 * How rewritten segments take the place of others, so that a crash at any moment leaves the one or the other.
 *
 *     <base>.log.cleaned        being written; worth nothing until it is synced
 *       | rename, directory synced           from here on it counts, and what it replaces does not
 *     <base>.log.swap           beside all, some or none of the segments that it replaces
 *       | recovery point; others removed, directory synced; <base>.log -> <base>.log.deleted
 *     <base>.log                the switch is over; the old one is removed
 *
 * No name is renamed over: Windows would refuse that while somebody reads the old file. There are never segments
 * that overlap without a `.swap`, which says what they are.
 *
 * After a crash a `.swap` is believed only where every byte of it is right and it ends where a segment begins;
 * then the switch is carried to its end. Else the old segments stay, and it goes into quarantine; but where some
 * of those are gone already, it is all there is of them, and is treated like any segment that is damaged. No file
 * but the data itself is asked.
 *
 * @module
 */

import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { type Checkpoint, writeCheckpoint } from './checkpoint.ts';
import {
  DELETED_SUFFIX,
  isRewriteLeftover,
  parseSegmentFileName,
  parseSuffixedName,
  SWAP_SUFFIX,
  segmentFileName,
} from './names.ts';
import type { Quarantined } from './quarantine.ts';
import { quarantineFile } from './quarantine.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { scanSegment } from './segment-scan.ts';

/** What was made of the switches that a crash left behind. */
export interface SettledSwaps {
  /** Base offsets of the segments that there are, in order. */
  bases: number[];
  /** Paths of segments that have not got their own names: only where nothing was to be changed. */
  paths: Map<number, string>;
  /** What the recovery point says, without the segments of which it may say what is not true any more. */
  checkpoint: Checkpoint | undefined;
  /** Where those are: from the first of these offsets to before the second. */
  ranges: { from: number; to: number }[];
  quarantined: Quarantined[];
  hasChanged: boolean;
}

/** The path of a segment's `.log` with a suffix. */
export function suffixedPath({ directory }: SegmentContext, baseOffset: number, suffix: string): string {
  return joinPath(directory, `${segmentFileName(baseOffset, 'log')}${suffix}`);
}

/**
 * Carries a switch to its end, once the `.swap` is durable: removes what it replaces, and gives it its name. The old
 * file of its name is left as `.deleted`.
 *
 * @param replaced base offsets of the other segments that it replaces, the one of its own name not among them
 * @param hasOld whether there is one of its own name
 * @param syncDir makes the names in the directory durable
 */
export async function finishSwap(
  context: SegmentContext,
  baseOffset: number,
  replaced: readonly number[],
  hasOld: boolean,
  syncDir: () => Promise<void>,
): Promise<void> {
  const { vfs, directory } = context;
  const path = joinPath(directory, segmentFileName(baseOffset, 'log'));
  // It is of the bytes that go.
  await vfs.remove(joinPath(directory, segmentFileName(baseOffset, 'digest')));
  for (const base of replaced) await removeSegment(vfs, directory, base);
  // They must be gone before the one that covers them has no mark any more that says so.
  if (replaced.length > 0) await syncDir();
  const deleted = suffixedPath(context, baseOffset, DELETED_SUFFIX);
  await vfs.remove(deleted);
  if (hasOld) await vfs.rename(path, deleted);
  await vfs.rename(suffixedPath(context, baseOffset, SWAP_SUFFIX), path);
  await syncDir();
}

/** Removes the files of a segment; the log goes last. */
export async function removeSegment(vfs: Vfs, directory: string, base: number): Promise<void> {
  for (const kind of ['index', 'timeindex', 'digest', 'log'] as const) {
    await vfs.remove(joinPath(directory, segmentFileName(base, kind)));
  }
}

/** How far the batches of a file follow one another, and whether there is nothing else in it. */
export async function scanFile(
  context: SegmentContext,
  base: number,
  path: string,
): Promise<{ end: number; isWhole: boolean }> {
  const probe = new Segment(context, base, 0);
  probe.swapPath = path;
  try {
    const file = await probe.open();
    const found = await scanSegment(probe, file, await file.size(), 0, async () => false);
    return { end: probe.nextOffset, isWhole: found === undefined };
  } finally {
    await probe.release();
  }
}

class Settling {
  readonly #context: SegmentContext;
  readonly #readOnly: boolean;
  readonly #settled: SettledSwaps;

  constructor(context: SegmentContext, readOnly: boolean, checkpoint: Checkpoint | undefined) {
    this.#context = context;
    this.#readOnly = readOnly;
    const paths = new Map<number, string>();
    this.#settled = { bases: [], paths, checkpoint, ranges: [], quarantined: [], hasChanged: false };
  }

  get #firstOffset(): number {
    return this.#settled.checkpoint?.firstOffset ?? 0;
  }

  async run(): Promise<SettledSwaps> {
    const { vfs, directory } = this.#context;
    const settled = this.#settled;
    const names = await vfs.readdir(directory);
    const swaps: number[] = [];
    for (const name of names) {
      const parsed = parseSegmentFileName(name);
      if (parsed?.kind === 'log') settled.bases.push(parsed.baseOffset);
      const swap = parseSuffixedName(name, SWAP_SUFFIX);
      if (swap?.kind === 'log') swaps.push(swap.baseOffset);
    }
    settled.bases.sort((a, b) => a - b);
    for (const base of swaps.sort((a, b) => a - b)) await this.#settle(base);
    await this.#bringBack(names);
    if (!this.#readOnly) await this.#clear(names);
    return settled;
  }

  async #settle(base: number): Promise<void> {
    const settled = this.#settled;
    const { end, isWhole } = await scanFile(
      this.#context,
      base,
      suffixedPath(this.#context, base, SWAP_SUFFIX),
    );
    const hasOld = settled.bases.includes(base);
    if (isWhole && end > base && settled.bases.includes(end)) {
      await this.#finish(base, end, hasOld);
    } else if (!hasOld && end <= this.#firstOffset) {
      // It was given up, and then all that it is about was removed.
      if (!this.#readOnly) await this.#context.vfs.remove(suffixedPath(this.#context, base, SWAP_SUFFIX));
    } else if (hasOld && (await this.#isOldWhole(base))) {
      await this.#undo(base);
    } else {
      await this.#takeOver(base, hasOld);
    }
  }

  async #finish(base: number, end: number, hasOld: boolean): Promise<void> {
    const settled = this.#settled;
    const { vfs, directory } = this.#context;
    const replaced = settled.bases.filter((other) => other > base && other < end);
    await this.#forget(base, end);
    settled.bases = settled.bases.filter((other) => other < base || other >= end);
    settled.bases.push(base);
    settled.bases.sort((a, b) => a - b);
    if (this.#readOnly) {
      settled.paths.set(base, suffixedPath(this.#context, base, SWAP_SUFFIX));
      return;
    }
    await finishSwap(this.#context, base, replaced, hasOld, () => vfs.syncDir(directory));
    await vfs.remove(suffixedPath(this.#context, base, DELETED_SUFFIX));
    settled.hasChanged = true;
  }

  /** The old segments are all there: they stay. */
  async #undo(base: number): Promise<void> {
    const { vfs, directory } = this.#context;
    await this.#forgetAround(base);
    if (this.#readOnly) return;
    const path = suffixedPath(this.#context, base, SWAP_SUFFIX);
    this.#settled.quarantined.push(await quarantineFile(vfs, directory, path));
    await vfs.syncDir(directory);
    this.#settled.hasChanged = true;
  }

  /** Some of the old segments are gone: what is there of the new one is all that is left of them. */
  async #takeOver(base: number, hasOld: boolean): Promise<void> {
    const settled = this.#settled;
    const { vfs, directory } = this.#context;
    await this.#forgetAround(base);
    if (!hasOld) {
      settled.bases.push(base);
      settled.bases.sort((a, b) => a - b);
    }
    const swap = suffixedPath(this.#context, base, SWAP_SUFFIX);
    if (this.#readOnly) {
      settled.paths.set(base, swap);
      return;
    }
    const path = joinPath(directory, segmentFileName(base, 'log'));
    if (hasOld) settled.quarantined.push(await quarantineFile(vfs, directory, path));
    await vfs.rename(swap, path);
    await vfs.syncDir(directory);
    settled.hasChanged = true;
  }

  /** What the recovery point says of a segment may be true of the old one or of the new one. */
  async #forgetAround(base: number): Promise<void> {
    const state = this.#settled.checkpoint?.segments.find(({ baseOffset }) => baseOffset === base);
    await this.#forget(base, state?.nextOffset ?? base + 1);
  }

  /** Forgets what is said of segments in a range, durably, before anything is done there. */
  async #forget(from: number, to: number): Promise<void> {
    const settled = this.#settled;
    settled.ranges.push({ from, to });
    if (settled.checkpoint === undefined) return;
    const before = settled.checkpoint.segments.length;
    settled.checkpoint = withoutRange(settled.checkpoint, from, to);
    if (this.#readOnly || settled.checkpoint.segments.length === before) return;
    const { memory, vfs, directory } = this.#context;
    await writeCheckpoint(memory, vfs, directory, settled.checkpoint);
  }

  /** Whether the old segments follow one another from an offset on. */
  async #isOldWhole(base: number): Promise<boolean> {
    const bases = this.#settled.bases.filter((other) => other >= base);
    for (const [i, from] of bases.slice(0, -1).entries()) {
      const { end } = await scanFile(
        this.#context,
        from,
        joinPath(this.#context.directory, segmentFileName(from, 'log')),
      );
      if (end < (bases[i + 1] as number)) return false;
    }
    return true;
  }

  /** An old segment without a new one in its place: it was not to be removed yet. */
  async #bringBack(names: readonly string[]): Promise<void> {
    const { vfs, directory } = this.#context;
    for (const name of names) {
      const old = parseSuffixedName(name, DELETED_SUFFIX);
      if (old?.kind !== 'log' || this.#settled.bases.includes(old.baseOffset)) continue;
      if (old.baseOffset < this.#firstOffset) continue;
      this.#settled.bases.push(old.baseOffset);
      this.#settled.bases.sort((a, b) => a - b);
      await this.#forgetAround(old.baseOffset);
      const path = joinPath(directory, name);
      if (this.#readOnly) {
        this.#settled.paths.set(old.baseOffset, path);
        continue;
      }
      await vfs.rename(path, joinPath(directory, segmentFileName(old.baseOffset, 'log')));
      await vfs.syncDir(directory);
      this.#settled.hasChanged = true;
    }
  }

  /** Removes what a rewrite left behind that was not finished, or was over. */
  async #clear(names: readonly string[]): Promise<void> {
    const { vfs, directory } = this.#context;
    for (const name of names) {
      const isIndex = parseSuffixedName(name, SWAP_SUFFIX) !== undefined && !name.includes('.log.');
      if (isRewriteLeftover(name) || isIndex) await vfs.remove(joinPath(directory, name));
    }
  }
}

/** A recovery point without what it says of the segments that begin in a range of offsets. */
function withoutRange(checkpoint: Checkpoint, from: number, to: number): Checkpoint {
  const segments = checkpoint.segments.filter(({ baseOffset }) => baseOffset < from || baseOffset >= to);
  // The mark of a clean close is about the last of them.
  const isClean = checkpoint.isClean && segments.at(-1) === checkpoint.segments.at(-1);
  return { ...checkpoint, isClean, segments };
}

/**
 * Settles what a crash left of segments that were being rewritten, and lists the segments that there are.
 *
 * @param readOnly whether nothing is to be changed
 * @param checkpoint what the recovery point says
 */
export async function settleSwaps(
  context: SegmentContext,
  readOnly: boolean,
  checkpoint: Checkpoint | undefined,
): Promise<SettledSwaps> {
  return await new Settling(context, readOnly, checkpoint).run();
}
