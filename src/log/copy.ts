/**
 * Copies a log as it is at one moment to another directory, while it is being written.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { copyFile } from '../vfs/copy.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import type { LogCore } from './core.ts';
import {
  CHECKPOINT_TEMPORARY_FILE,
  CLEANER_TEMPORARY_FILE,
  DIGEST_TEMPORARY_FILE,
  GAPS_TEMPORARY_FILE,
  isRewriteLeftover,
  parseSegmentFileName,
  QUARANTINE_DIRECTORY,
  SPARE_FILE,
} from './names.ts';
import type { SegmentContext } from './segment.ts';

/** A segment of a log that is open: how many bytes of it readers see, and whether there is more. */
interface CopiedSegment {
  baseOffset: number;
  bytes: number;
  isWhole: boolean;
}

const NOT_COPIED = [
  CHECKPOINT_TEMPORARY_FILE,
  CLEANER_TEMPORARY_FILE,
  DIGEST_TEMPORARY_FILE,
  GAPS_TEMPORARY_FILE,
  SPARE_FILE,
  QUARANTINE_DIRECTORY,
];

/**
 * Copies the files of a log. Its recovery point must not change meanwhile.
 *
 * @param to a directory that is there, and empty
 * @param segments those that the log has, where it is open; all that lie there unless given
 * @throws VarveError `NO_SPACE`, `IO`
 */
export async function copyLog(
  vfs: Vfs,
  from: string,
  to: string,
  segments?: readonly CopiedSegment[],
): Promise<void> {
  const limits = segments === undefined ? undefined : limitsOf(segments);
  const first = segments?.[0]?.baseOffset ?? 0;
  for (const name of await vfs.readdir(from)) {
    if (NOT_COPIED.includes(name) || isRewriteLeftover(name)) continue;
    const segment = parseSegmentFileName(name);
    let bytes: number | undefined;
    if (segment !== undefined && limits !== undefined && segment.baseOffset >= first) {
      const limit = limits.get(segment.baseOffset);
      // Of a segment that is not copied to its end, the indexes say too much; they are made anew.
      if (limit === undefined || (segment.kind !== 'log' && !limit.isWhole)) continue;
      if (segment.kind === 'log') bytes = limit.bytes;
    }
    try {
      await copyFile(vfs, joinPath(from, name), joinPath(to, name), bytes);
    } catch (error) {
      // What retention has just removed, and the recovery point does not name any more.
      if (!isVarveError(error, 'NOT_FOUND')) throw error;
    }
  }
  await vfs.syncDir(to);
}

/** Copies what readers see of a log that is open; it may be written meanwhile. */
export async function copyOpenLog(core: LogCore, to: string): Promise<void> {
  core.checkOpen();
  const { segments, context } = core;
  // What compaction would replace stays as it is, and what the recovery point names is there.
  const letGo = await segments.hold();
  const copying = segments.whileUnchanged(async () => {
    const known = core.known();
    const { active } = segments;
    const states = segments.list.map(({ baseOffset, bytes }) => {
      const visible = known.get(baseOffset)?.bytes ?? bytes;
      return { baseOffset, bytes: visible, isWhole: visible === bytes && baseOffset !== active.baseOffset };
    });
    await copyLog(context.vfs, context.directory, to, states);
    await takeCleanMark(context, to, active.baseOffset);
  });
  await copying.finally(letGo);
}

/**
 * A log that nobody has written to since it was opened says of itself that it was closed, and has its last indexes.
 * The copy has not.
 */
async function takeCleanMark({ memory, vfs }: SegmentContext, to: string, active: number): Promise<void> {
  const checkpoint = await readCheckpoint(memory, vfs, to);
  if (checkpoint?.isClean !== true) return;
  const segments = checkpoint.segments.filter(({ baseOffset }) => baseOffset !== active);
  await writeCheckpoint(memory, vfs, to, { ...checkpoint, isClean: false, segments });
}

/** The segments up to the first that is not whole: what follows is not visible yet. */
function limitsOf(segments: readonly CopiedSegment[]): Map<number, CopiedSegment> {
  const limits = new Map<number, CopiedSegment>();
  for (const segment of segments) {
    limits.set(segment.baseOffset, segment);
    if (!segment.isWhole) break;
  }
  return limits;
}
