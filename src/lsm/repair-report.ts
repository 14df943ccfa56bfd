/**
 * What a repair of trees works with, and what it says of what it found and did.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { QUARANTINE_DIRECTORY } from '../log/names.ts';
import { freeName } from '../log/quarantine-names.ts';
import type { LogRepairReport, RepairAction, RepairMode } from '../log/repair-report.ts';
import type { Problem } from '../log/verify.ts';
import type { Memory } from '../memory/memory.ts';
import { linkOrCopy } from '../vfs/copy.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import type { LostKeys } from './rebuild.ts';

export interface RepairTreesParts {
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  mode: RepairMode;
  dryRun: boolean;
}

export interface TreesRepairReport {
  problems: Problem[];
  actions: RepairAction[];
  /** Keys whose entries, or some of them, are lost. What they hid may have come to light again. */
  lost: LostKeys[];
  /** What was done to the write-ahead log. */
  wal: LogRepairReport | undefined;
  /**
   * Writes that only the write-ahead log had, and has no more, by their sequence numbers; `last` is undefined where
   * nobody knows how many there were, if any.
   */
  lostWrites: { first: number; last: number | undefined }[];
}

/** How far the tables of a tree go. */
export interface TreeEnd {
  id: number;
  /** What is older is in tables. */
  flushed: number;
  /** All that tables have is older. */
  end: number;
}

export const NOTHING = { position: undefined, bytes: undefined, to: undefined, offsets: undefined };

export function problemAt(file: string): Omit<Problem, 'message'> {
  return { file, position: 0, offsets: undefined };
}

/**
 * Moves a file to where nobody looks for it.
 *
 * @param stays whether it is where it was as well, until whoever needs it there removes it
 */
export async function setAside(
  { vfs, dryRun }: RepairTreesParts,
  folder: string,
  name: string,
  report: TreesRepairReport,
  stays = false,
): Promise<void> {
  const quarantine = joinPath(folder, QUARANTINE_DIRECTORY);
  const taken = (await vfs.stat(quarantine)) === undefined ? [] : await vfs.readdir(quarantine);
  const to = joinPath(quarantine, freeName(name, new Set(taken)));
  report.actions.push({ ...NOTHING, kind: 'setAside', file: joinPath(folder, name), to });
  if (dryRun) return;
  await vfs.mkdir(quarantine);
  await vfs.syncDir(folder);
  if (stays) await linkOrCopy(vfs, joinPath(folder, name), to);
  else await vfs.rename(joinPath(folder, name), to);
  await vfs.syncDir(quarantine);
  await vfs.syncDir(folder);
}
