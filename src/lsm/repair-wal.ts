/**
 * Repairs the write-ahead log of trees, and has it fit to their tables: a log that ends before what tables have cannot
 * go on.
 *
 *     tables    |------------- end
 *     log       |------|             too short: set aside, an empty one begins at `end`
 *     log            first ---|      begins behind what a tree has flushed: the manifest is told
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { repairLog } from '../log/repair.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import {
  NOTHING,
  problemAt,
  type RepairTreesParts,
  setAside,
  type TreeEnd,
  type TreesRepairReport,
} from './repair-report.ts';
import { MANIFEST_DIRECTORY, WAL_DIRECTORY } from './trees.ts';

/** What a log has, or will have when it is repaired. */
interface Extent {
  firstOffset: number;
  nextOffset: number;
}

/**
 * Repairs the log where it is damaged, and has it fit to what trees have.
 *
 * @param ends of the trees, as they are after the repair
 */
export async function repairWal(
  parts: RepairTreesParts,
  ends: readonly TreeEnd[],
  report: TreesRepairReport,
): Promise<void> {
  const directory = joinPath(parts.directory, WAL_DIRECTORY);
  let extent = await repairFiles(parts, directory, report);
  const from = Math.min(...ends.map(({ flushed }) => flushed));
  // What is older is in tables.
  for (const { first, last } of report.wal?.lost ?? [])
    if (last >= from) report.lostWrites.push({ first: Math.max(first, from), last });
  const end = Math.max(0, ...ends.map((tree) => tree.end));
  if (extent.nextOffset < end) {
    await beginAnew(parts, directory, extent, end, report);
    extent = { firstOffset: end, nextOffset: end };
  }
  if (parts.dryRun) return;
  const late = ends.filter(({ flushed }) => flushed < extent.firstOffset);
  if (late.length > 0) await tellManifest(parts, late, extent.firstOffset);
}

async function repairFiles(
  parts: RepairTreesParts,
  directory: string,
  report: TreesRepairReport,
): Promise<Extent> {
  const { memory, vfs, mode, dryRun, clock } = parts;
  if ((await vfs.stat(directory)) === undefined) {
    report.problems.push({ ...problemAt(directory), message: `${directory} is missing` });
    report.actions.push({ kind: 'rebuilt', file: directory, ...NOTHING });
    if (!dryRun) await vfs.mkdir(directory);
    if (!dryRun) await vfs.syncDir(parts.directory);
    return { firstOffset: 0, nextOffset: 0 };
  }
  const context = { memory, vfs, directory, indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT };
  const repaired = await repairLog(context, { mode, dryRun, clock });
  if (repaired.actions.length > 0) report.wal = repaired;
  report.problems.push(...repaired.problems);
  report.actions.push(...repaired.actions);
  return repaired;
}

/** Sets aside what there is of the log, and begins an empty one behind what tables have. */
async function beginAnew(
  parts: RepairTreesParts,
  directory: string,
  { firstOffset, nextOffset }: Extent,
  end: number,
  report: TreesRepairReport,
): Promise<void> {
  const { vfs, dryRun } = parts;
  const message = `${directory} ends before ${end}, which tables have; what is in it is set aside`;
  const offsets = nextOffset > firstOffset ? { first: firstOffset, last: nextOffset - 1 } : undefined;
  report.problems.push({ ...problemAt(directory), offsets, message });
  report.lostWrites.push({ first: end, last: undefined });
  const names = (await vfs.stat(directory)) === undefined ? [] : await vfs.readdir(directory);
  for (const name of names)
    if ((await vfs.stat(joinPath(directory, name)))?.kind === 'file')
      await setAside(parts, directory, name, report);
  report.actions.push({ kind: 'created', file: directory, ...NOTHING });
  if (dryRun) return;
  await beginLog(vfs, directory, end);
  const log = await Log.open({ ...parts, name: WAL_DIRECTORY, directory, readOnly: false });
  const { nextOffset: begun } = log;
  await log.close();
  if (begun !== end) throw new VarveError('IO', `${directory} cannot be made anew`, { file: directory });
}

/** Makes an empty segment with which a log begins. */
async function beginLog(vfs: Vfs, directory: string, offset: number): Promise<void> {
  const path = joinPath(directory, `${String(offset).padStart(20, '0')}.log`);
  const file = await vfs.open(path, 'create');
  await file.datasync();
  await file.close();
  await vfs.syncDir(directory);
}

/** Says that trees need no more of the log than there is. */
async function tellManifest(parts: RepairTreesParts, trees: readonly TreeEnd[], from: number): Promise<void> {
  const directory = joinPath(parts.directory, MANIFEST_DIRECTORY);
  const manifest = await Manifest.open({ ...parts, directory, readOnly: false });
  try {
    await manifest.publish({ flushed: trees.map(({ id }) => [id, from]) });
  } finally {
    await manifest.close();
  }
}
