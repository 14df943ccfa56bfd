/**
 * Carries out what was decided about the tables of a tree: merges them, or moves one to another level, and
 * publishes that.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { type Choice, chooseLeveled, chooseRange } from './compaction/leveled.ts';
import type { Edit } from './manifest-state.ts';
import type { SharedParts } from './shared-parts.ts';
import type { TableFile } from './table/table-file.ts';
import type { TreeCore } from './tree-core.ts';
import type { Table } from './version.ts';

/**
 * Merges tables of a tree where it has too many.
 *
 * @returns whether there was anything to do
 * @throws VarveError `CORRUPT`, `NO_SPACE`, `IO`, `NO_MEMORY`: nothing has changed; `POISONED`
 */
export async function compactTree(trees: SharedParts, tree: TreeCore): Promise<boolean> {
  const choice = chooseLeveled(tree.version.levels, tree.options.leveled);
  if (choice === undefined) return false;
  await carryOut(trees, tree, choice);
  return true;
}

/** Merges all tables of a tree that have keys in a range, into its last level. */
export async function compactRange(
  trees: SharedParts,
  tree: TreeCore,
  start: Uint8Array | undefined,
  end: Uint8Array | undefined,
): Promise<void> {
  const choice = chooseRange(tree.version.levels, start, end);
  if (choice !== undefined) await carryOut(trees, tree, choice);
}

async function carryOut(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<void> {
  // The inputs must not go while they are read, nor what is new about the tree be missed.
  const version = tree.version.hold();
  try {
    const inputs = choice.inputs.flatMap(({ tables }) => tables.map(({ number }) => number));
    const added = choice.kind === 'move' ? inputTables(choice) : await merge(trees, tree, choice);
    await publish(trees, tree, choice, inputs, added);
  } finally {
    version.release();
  }
}

function inputTables({ inputs }: Choice): readonly TableFile[] {
  return inputs.flatMap(({ tables }) => tables);
}

function merge(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<TableFile[]> {
  const { tasks, clock } = trees.parts;
  const { tableBytes } = tree.options;
  const all = inputTables(choice) as readonly Table[];
  const bytes = all.reduce((sum, { properties }) => sum + properties.bytes, 0);
  const numbers = Math.ceil(bytes / tableBytes) + 1;
  const plain = ({ number, properties }: TableFile): TableFile => ({ number, properties });
  return tasks.mergeTables({
    directory: tree.directory,
    firstNumber: trees.manifest.takeNumbers(numbers),
    numbers,
    options: tree.writeOptions,
    createdMs: clock.now(),
    bytesPerSecond: trees.background.bytesPerSecond,
    inputs: choice.inputs.flatMap(({ level, tables }) =>
      level === 0 ? tables.map((table) => [plain(table)]) : [tables.map(plain)],
    ),
    rangeTombstones: all.flatMap(({ reader }) => [...reader.rangeTombstones]),
    snapshots: trees.snapshots.list(),
    bottom: choice.isBottom,
    targetBytes: tableBytes,
    cutKeys: [],
  });
}

async function publish(
  trees: SharedParts,
  tree: TreeCore,
  { kind, outputLevel }: Choice,
  inputs: readonly number[],
  files: readonly TableFile[],
): Promise<void> {
  const { manifest, tables } = trees;
  const before = new Map([...tree.version.tables()].map((table) => [table.number, table]));
  const edit: Edit = {
    remove: inputs.map((number) => ({ tree: tree.id, number })),
    add: files.map(({ number, properties }) => ({ tree: tree.id, level: outputLevel, number, properties })),
  };
  if (kind === 'move') {
    const moved = files.map(({ number }) => ({ table: before.get(number) as Table, level: outputLevel }));
    await manifest.publish(edit);
    tree.change({ remove: inputs, add: moved });
    return;
  }
  const made = await tables.openAll(tree.directory, files);
  let isPublished = false;
  try {
    await manifest.publish(edit);
    isPublished = true;
    // They go when nobody reads them any more.
    for (const number of inputs) (before.get(number) as Table).isObsolete = true;
    tree.change({ remove: inputs, add: made.map((table) => ({ table, level: outputLevel })) });
    tree.compacted(inputs, files, before);
  } catch (error) {
    // Unless nobody knows whether the manifest has them.
    if (!isPublished && !isVarveError(error, 'POISONED')) for (const table of made) table.isObsolete = true;
    throw error;
  } finally {
    for (const table of made) table.release();
  }
}
