/**
 * Repairs the trees of a database. Tables that are damaged are set aside, and what is lost is told by range of
 * keys. A manifest that is damaged or missing is made anew from the tables, which know whose they are:
 *
 *     every whole table of a tree -> merged into one level, the newest entry of each key -> a new manifest
 *
 * They have to be merged: without the manifest nobody knows in which order they are to be read. What is not known
 * any more: the options of trees; which tables a crash had left behind, so that what they had can come back; the
 * number of a tree that has no tables, and so what of it is only in the write-ahead log.
 *
 * Nothing is deleted, but for what was merged once the new manifest is durable.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { isVarveError, VarveError } from '../errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from '../limits.ts';
import { Log } from '../log/log.ts';
import { QUARANTINE_DIRECTORY } from '../log/names.ts';
import { freeName } from '../log/quarantine-names.ts';
import { repairLog } from '../log/repair.ts';
import type { LogRepairReport, RepairAction, RepairMode } from '../log/repair-report.ts';
import { type Problem, verifyLog } from '../log/verify.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import type { ManifestState } from './manifest-state.ts';
import { collectTrees, type FoundTree, type LostKeys, mergeFound } from './rebuild.ts';
import { tableFileName } from './table/table-file.ts';
import { verifyTable } from './table/verify.ts';
import { resolveTreeOptions } from './tree-options.ts';
import { MANIFEST_DIRECTORY, TREES_DIRECTORY, WAL_DIRECTORY } from './trees.ts';
import { damageProblem, keyText } from './verify.ts';

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
}

const NOTHING = { position: undefined, bytes: undefined, to: undefined, offsets: undefined };

/**
 * Repairs the trees in a directory, whose lock is taken.
 *
 * @returns undefined where there are none
 * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`, `VERSION`, `UNSUPPORTED`; a repair that was cut short can be
 * begun anew
 */
export async function repairTrees(parts: RepairTreesParts): Promise<TreesRepairReport | undefined> {
  const { directory, vfs } = parts;
  const hasManifest = (await vfs.stat(joinPath(directory, MANIFEST_DIRECTORY))) !== undefined;
  const hasTrees = (await vfs.stat(joinPath(directory, TREES_DIRECTORY))) !== undefined;
  if (!hasManifest && !hasTrees) return undefined;
  const report: TreesRepairReport = { problems: [], actions: [], lost: [], wal: undefined };
  const known = await readManifest(parts, report);
  if (known === undefined) await rebuild(parts, report);
  else await repairTables(parts, known, report);
  await repairWal(parts, report);
  return report;
}

/** What the manifest says; undefined where it cannot be relied on. */
async function readManifest(
  parts: RepairTreesParts,
  report: TreesRepairReport,
): Promise<ManifestState | undefined> {
  const { memory, vfs } = parts;
  const directory = joinPath(parts.directory, MANIFEST_DIRECTORY);
  const wrong = (message: string): undefined => {
    report.problems.push({ file: directory, position: 0, offsets: undefined, message });
    return undefined;
  };
  if ((await vfs.stat(directory)) === undefined) return wrong(`${directory} is missing`);
  const context = { memory, vfs, directory, indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT };
  let manifest: Manifest;
  try {
    manifest = await Manifest.open({ ...parts, directory, readOnly: true });
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    report.problems.push(...(await verifyLog(context, { deep: false })).problems);
    return wrong(error.message);
  }
  const { state } = manifest;
  await manifest.close();
  // All that it says was read: what may be wrong still are files that are derived from it.
  const repaired = await repairLog(context, { mode: parts.mode, dryRun: parts.dryRun, clock: parts.clock });
  report.problems.push(...repaired.problems);
  report.actions.push(...repaired.actions);
  if (state.trees.size > 0 || !(await hasTables(parts))) return state;
  return wrong(`${directory} has no trees, but there are tables`);
}

/** Whether any tree has a table. */
async function hasTables(parts: RepairTreesParts): Promise<boolean> {
  const { trees } = await collectTrees(parts);
  return trees.some(({ tables, damaged }) => tables.length + damaged.length > 0);
}

/** Sets aside the tables of a manifest that are damaged. */
async function repairTables(
  parts: RepairTreesParts,
  state: ManifestState,
  report: TreesRepairReport,
): Promise<void> {
  const { directory, memory, vfs, dryRun } = parts;
  const remove: { tree: number; number: number }[] = [];
  for (const { id, name, tables } of state.trees.values()) {
    const folder = joinPath(directory, TREES_DIRECTORY, name);
    for (const { number, properties } of tables.values()) {
      const path = joinPath(folder, tableFileName(number));
      const exists = (await vfs.stat(path)) !== undefined;
      const { damage } = exists ? await verifyTable(vfs, path, memory) : { damage: [] };
      if (exists && damage.length === 0) continue;
      const { smallestKey, largestKey } = properties;
      report.problems.push(...damage.map((one) => damageProblem(path, one)));
      if (!exists) report.problems.push({ ...problemAt(path), message: `${path} is missing` });
      report.lost.push({ tree: name, from: Buffer.from(smallestKey), to: Buffer.from(largestKey) });
      report.problems.push({
        ...problemAt(path),
        message: `entries of the tree ${name} are lost with keys from ${keyText(smallestKey)} to ${keyText(largestKey)}`,
      });
      remove.push({ tree: id, number });
      if (exists) await setAside(parts, folder, tableFileName(number), report);
    }
  }
  if (remove.length === 0) return;
  const manifestAt = joinPath(directory, MANIFEST_DIRECTORY);
  report.actions.push({ kind: 'rebuilt', file: manifestAt, ...NOTHING });
  if (dryRun) return;
  const manifest = await Manifest.open({ ...parts, directory: manifestAt, readOnly: false });
  try {
    await manifest.publish({ remove });
  } finally {
    await manifest.close();
  }
}

function problemAt(file: string): Omit<Problem, 'message'> {
  return { file, position: 0, offsets: undefined };
}

/** Moves a file to where nobody looks for it. */
async function setAside(
  { vfs, dryRun }: RepairTreesParts,
  folder: string,
  name: string,
  report: TreesRepairReport,
): Promise<void> {
  const quarantine = joinPath(folder, QUARANTINE_DIRECTORY);
  const taken = (await vfs.stat(quarantine)) === undefined ? [] : await vfs.readdir(quarantine);
  const to = joinPath(quarantine, freeName(name, new Set(taken)));
  report.actions.push({ ...NOTHING, kind: 'setAside', file: joinPath(folder, name), to });
  if (dryRun) return;
  await vfs.mkdir(quarantine);
  await vfs.syncDir(folder);
  await vfs.rename(joinPath(folder, name), to);
  await vfs.syncDir(quarantine);
  await vfs.syncDir(folder);
}

/** Makes the manifest anew. */
async function rebuild(parts: RepairTreesParts, report: TreesRepairReport): Promise<void> {
  const { directory, vfs, dryRun } = parts;
  const place = joinPath(directory, MANIFEST_DIRECTORY);
  const { trees, next } = await collectTrees(parts);
  for (const tree of trees) reportFound(tree, report);
  report.actions.push({ kind: 'rebuilt', file: place, ...NOTHING });
  if (dryRun) return;
  for (const { folder, damaged } of trees)
    for (const { file } of damaged) await setAside(parts, folder, file, report);
  let free = next;
  const made: (FoundTree & { flushed: number })[] = [];
  for (const tree of trees.filter(({ tables }) => tables.length > 0)) {
    const tables = await mergeFound(parts, tree, free);
    for (const { number } of tables) free = Math.max(free, number + 1);
    // A memtable is flushed when all older ones are.
    const flushed = 1 + Math.max(...tree.tables.map(({ properties }) => properties.largestSequence));
    made.push({ ...tree, tables, flushed });
  }
  await vfs.mkdir(place);
  for (const name of await vfs.readdir(place))
    if ((await vfs.stat(joinPath(place, name)))?.kind === 'file') await setAside(parts, place, name, report);
  await publish(parts, place, made, free);
  for (const { folder, tables } of trees)
    for (const { number } of tables) await vfs.remove(joinPath(folder, tableFileName(number)));
}

function reportFound({ name, folder, damaged, tables }: FoundTree, report: TreesRepairReport): void {
  for (const { file, problems, range } of damaged) {
    report.problems.push(...problems);
    if (range === undefined) continue;
    report.lost.push({ tree: name, ...range });
    report.problems.push({
      ...problemAt(joinPath(folder, file)),
      message: `entries of the tree ${name} are lost with keys from ${keyText(range.from)} to ${keyText(range.to)}`,
    });
  }
  if (tables.length > 0) return;
  const message = `the tree ${name} has no whole table, so that its number is not known: what it has only in the write-ahead log is lost`;
  report.problems.push({ ...problemAt(folder), message });
}

/** Says everything in one record: with a part of it, tables would belong to nobody. */
async function publish(
  parts: RepairTreesParts,
  directory: string,
  trees: readonly (FoundTree & { flushed: number })[],
  next: number,
): Promise<void> {
  const { memory } = parts;
  const options = resolveTreeOptions({}, memory.slabs.budgetBytes);
  const manifest = await Manifest.open({ ...parts, directory, readOnly: false });
  try {
    await manifest.publish({
      trees: trees.map(({ id, name, flushed }) => ({ id, name, flushed, options })),
      add: trees.flatMap(({ id, tables }) => tables.map((table) => ({ tree: id, level: 6, ...table }))),
      next,
    });
  } finally {
    await manifest.close();
  }
}

/** Repairs the write-ahead log where it is damaged, and has it fit to what the manifest says. */
async function repairWal(parts: RepairTreesParts, report: TreesRepairReport): Promise<void> {
  const { memory, vfs, mode, dryRun, clock } = parts;
  const directory = joinPath(parts.directory, WAL_DIRECTORY);
  if ((await vfs.stat(directory)) === undefined) {
    report.problems.push({ ...problemAt(directory), message: `${directory} is missing` });
    report.actions.push({ kind: 'rebuilt', file: directory, ...NOTHING });
    if (!dryRun) await vfs.mkdir(directory);
    if (!dryRun) await vfs.syncDir(parts.directory);
  } else {
    const context = { memory, vfs, directory, indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT };
    const repaired = await repairLog(context, { mode, dryRun, clock });
    if (repaired.actions.length > 0) report.wal = repaired;
    report.problems.push(...repaired.problems);
    report.actions.push(...repaired.actions);
  }
  if (!dryRun) await fitWal(parts, directory, report);
}

/**
 * Where the log ends before what tables have, it cannot go on; what it has is set aside, and an empty one begins
 * behind them. Where it begins later than the manifest thinks, the manifest is told.
 */
async function fitWal(parts: RepairTreesParts, directory: string, report: TreesRepairReport): Promise<void> {
  const { vfs } = parts;
  const place = joinPath(parts.directory, MANIFEST_DIRECTORY);
  const manifest = await Manifest.open({ ...parts, directory: place, readOnly: false });
  try {
    const trees = [...manifest.state.trees.values()];
    const end = trees.reduce((most, { tables, flushed }) => {
      const last = [...tables.values()].map(({ properties }) => properties.largestSequence + 1);
      return Math.max(most, flushed, ...last);
    }, 0);
    let log = await Log.open({ ...parts, name: WAL_DIRECTORY, directory, readOnly: false });
    if (log.nextOffset < end) {
      const { firstOffset, nextOffset } = log;
      await log.close();
      const message = `${directory} ends before ${end}, which tables have; what is in it is set aside`;
      report.problems.push({
        file: directory,
        position: 0,
        offsets: { first: firstOffset, last: nextOffset },
        message,
      });
      for (const name of await vfs.readdir(directory))
        if ((await vfs.stat(joinPath(directory, name)))?.kind === 'file')
          await setAside(parts, directory, name, report);
      await beginLog(vfs, directory, end);
      report.actions.push({ kind: 'created', file: directory, ...NOTHING });
      log = await Log.open({ ...parts, name: WAL_DIRECTORY, directory, readOnly: false });
      if (log.nextOffset !== end)
        throw new VarveError('IO', `${directory} cannot be made anew`, { file: directory });
    }
    const from = log.firstOffset;
    await log.close();
    const late = trees.filter(({ flushed }) => flushed < from);
    if (late.length > 0) await manifest.publish({ flushed: late.map(({ id }) => [id, from]) });
  } finally {
    await manifest.close();
  }
}

/** Makes an empty segment with which a log begins. */
async function beginLog(vfs: Vfs, directory: string, offset: number): Promise<void> {
  const path = joinPath(directory, `${String(offset).padStart(20, '0')}.log`);
  const file = await vfs.open(path, 'create');
  await file.datasync();
  await file.close();
  await vfs.syncDir(directory);
}
