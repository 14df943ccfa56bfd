/**
 * Repairs the trees of a database. Of tables that are damaged, the whole blocks are written to new ones; what is lost
 * is told by range of keys, and the damaged files are set aside. A manifest that is damaged or missing is made anew from the tables, which know whose they are:
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

import { isVarveError } from '../errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from '../limits.ts';
import { repairLog } from '../log/repair.ts';
import { verifyLog } from '../log/verify.ts';
import { joinPath } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import type { AddedTable, Edit, ManifestState, TreeRecord } from './manifest-state.ts';
import { collectTrees, type FoundTree, type LostKeys, mergeFound } from './rebuild.ts';
import {
  NOTHING,
  problemAt,
  type RepairTreesParts,
  setAside,
  type TreeEnd,
  type TreesRepairReport,
} from './repair-report.ts';
import { repairWal } from './repair-wal.ts';
import { endsOf, type Salvage, salvageOf, salvageTable } from './salvage.ts';
import { keyText } from './table/key-text.ts';
import { otherTable, parseTableFileName, type TableFile, tableFileName } from './table/table-file.ts';
import { verifyTable } from './table/verify.ts';
import { resolveTreeOptions } from './tree-options.ts';
import { MANIFEST_DIRECTORY, TREES_DIRECTORY } from './trees.ts';
import { damageProblem } from './verify.ts';

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
  const report: TreesRepairReport = {
    problems: [],
    actions: [],
    lost: [],
    wal: undefined,
    lostWrites: [],
  };
  const known = await readManifest(parts, report);
  const ends = known === undefined ? await rebuild(parts, report) : await repairTables(parts, known, report);
  await repairWal(parts, ends, report);
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

/** Sets aside the tables of a manifest that are damaged; what is left of them takes their place. */
async function repairTables(
  parts: RepairTreesParts,
  state: ManifestState,
  report: TreesRepairReport,
): Promise<TreeEnd[]> {
  const { directory, vfs, dryRun } = parts;
  const ends = [...state.trees.values()].map(({ id, flushed, tables }) => ({
    id,
    flushed,
    end: endOf([...tables.values()], flushed),
  }));
  const edit = { remove: [] as Required<Edit>['remove'], add: [] as AddedTable[] };
  let next = await freeNumber(parts, state);
  const replaced: string[] = [];
  for (const tree of state.trees.values()) {
    const folder = joinPath(directory, TREES_DIRECTORY, tree.name);
    for (const table of [...tree.tables.values()]) {
      const path = joinPath(folder, tableFileName(table.number));
      const found = await inspect(parts, tree, table, path, report);
      if (found === undefined) continue;
      edit.remove.push({ tree: tree.id, number: table.number });
      if (found.salvage?.isLeft === true) {
        replaced.push(path);
        report.actions.push({ ...NOTHING, kind: 'rebuilt', file: joinPath(folder, tableFileName(next)) });
        if (!dryRun) {
          const left = await salvageTable(parts, folder, table, tree.options, found.salvage, next);
          if (left !== undefined) edit.add.push({ tree: tree.id, level: table.level, ...left });
        }
        next++;
      }
      // What is left of it is in the manifest before it goes: else who comes after a crash would find it missing.
      const stays = found.salvage?.isLeft === true;
      if (found.exists) await setAside(parts, folder, tableFileName(table.number), report, stays);
    }
  }
  if (edit.remove.length === 0) return ends;
  await replaceTables(parts, edit, report);
  if (!dryRun) for (const path of replaced) await vfs.remove(path);
  return ends;
}

/** Looks at a table, and notes what is wrong with it and what is lost; undefined where it is whole. */
async function inspect(
  { memory, vfs }: RepairTreesParts,
  { name }: TreeRecord,
  { properties }: TableFile,
  path: string,
  report: TreesRepairReport,
): Promise<{ exists: boolean; salvage: Salvage | undefined } | undefined> {
  const exists = (await vfs.stat(path)) !== undefined;
  const found = exists ? await verifyTable(vfs, path, memory) : undefined;
  const other = found?.properties && otherTable(path, properties, found.properties);
  if (found?.damage.length === 0 && other === undefined) return undefined;
  report.problems.push(...(found?.damage ?? []).map((one) => damageProblem(path, one)));
  if (other !== undefined) report.problems.push({ ...problemAt(path), message: other.message });
  if (!exists) report.problems.push({ ...problemAt(path), message: `${path} is missing` });
  const salvage = found === undefined || other !== undefined ? undefined : salvageOf(found);
  const all = { from: Buffer.from(properties.smallestKey), to: Buffer.from(properties.largestKey) };
  const lost = salvage?.lost.map((stretch) => endsOf(stretch, properties)) ?? [all];
  reportLost(name, path, lost, report);
  return { exists, salvage };
}

/** Says which keys of a tree have lost entries with a table. */
function reportLost(
  name: string,
  path: string,
  lost: readonly Omit<LostKeys, 'tree'>[],
  report: TreesRepairReport,
): void {
  for (const { from, to } of lost) {
    report.lost.push({ tree: name, from, to });
    const message = `entries of the tree ${name} are lost with keys from ${keyText(from)} to ${keyText(to)}`;
    report.problems.push({ ...problemAt(path), message });
  }
}

/** The least number that no table has, nor a file that somebody has left behind. */
async function freeNumber({ directory, vfs }: RepairTreesParts, state: ManifestState): Promise<number> {
  let { next } = state;
  for (const { name } of state.trees.values()) {
    const folder = joinPath(directory, TREES_DIRECTORY, name);
    if ((await vfs.stat(folder)) === undefined) continue;
    for (const file of await vfs.readdir(folder)) next = Math.max(next, 1 + (parseTableFileName(file) ?? 0));
  }
  return next;
}

/** Has the manifest say which tables there are now. */
async function replaceTables(parts: RepairTreesParts, edit: Edit, report: TreesRepairReport): Promise<void> {
  const directory = joinPath(parts.directory, MANIFEST_DIRECTORY);
  report.actions.push({ kind: 'rebuilt', file: directory, ...NOTHING });
  if (parts.dryRun) return;
  const manifest = await Manifest.open({ ...parts, directory, readOnly: false });
  try {
    await manifest.publish(edit);
  } finally {
    await manifest.close();
  }
}

/** The least sequence number that is greater than all that tables have. */
function endOf(tables: readonly TableFile[], flushed: number): number {
  return Math.max(flushed, ...tables.map(({ properties }) => properties.largestSequence + 1));
}

/** Makes the manifest anew. */
async function rebuild(parts: RepairTreesParts, report: TreesRepairReport): Promise<TreeEnd[]> {
  const { directory, vfs, dryRun } = parts;
  const place = joinPath(directory, MANIFEST_DIRECTORY);
  const { trees, next } = await collectTrees(parts);
  for (const tree of trees) reportFound(tree, report);
  report.actions.push({ kind: 'rebuilt', file: place, ...NOTHING });
  const whole = trees.filter(({ tables }) => tables.length > 0);
  // A memtable is flushed when all older ones are.
  const ends = whole.map(({ id, tables }) => ({ id, flushed: endOf(tables, 0), end: endOf(tables, 0) }));
  for (const { folder, damaged } of trees)
    for (const { file, isKept } of damaged) await setAside(parts, folder, file, report, isKept);
  if (dryRun) {
    await setManifestAside(parts, place, report);
    return ends;
  }
  let free = next;
  const made: (FoundTree & { flushed: number })[] = [];
  for (const tree of whole) {
    const tables = await mergeFound(parts, tree, free);
    for (const { number } of tables) free = Math.max(free, number + 1);
    made.push({ ...tree, tables, flushed: endOf(tree.tables, 0) });
  }
  await vfs.mkdir(place);
  await setManifestAside(parts, place, report);
  await publish(parts, place, made, free);
  for (const { folder, tables } of trees)
    for (const { number } of tables) await vfs.remove(joinPath(folder, tableFileName(number)));
  return ends;
}

async function setManifestAside(
  parts: RepairTreesParts,
  place: string,
  report: TreesRepairReport,
): Promise<void> {
  const { vfs } = parts;
  if ((await vfs.stat(place)) === undefined) return;
  for (const name of await vfs.readdir(place))
    if ((await vfs.stat(joinPath(place, name)))?.kind === 'file') await setAside(parts, place, name, report);
}

function reportFound({ name, folder, damaged, tables }: FoundTree, report: TreesRepairReport): void {
  for (const { file, problems, lost = [] } of damaged) {
    report.problems.push(...problems);
    reportLost(name, joinPath(folder, file), lost, report);
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
