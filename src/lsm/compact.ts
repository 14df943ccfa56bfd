/**
 * Carries out what was decided about the tables of a tree: merges them, or moves one to another level, and
 * publishes that.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import type { Choice } from './compaction/choice.ts';
import { chooseDue, chooseOutdated } from './compaction/expired.ts';
import { chooseRange, fewerTables } from './compaction/leveled.ts';
import type { OutputResult } from './compaction/output.ts';
import { choose as chooseByStrategy } from './compaction/strategy.ts';
import { dropRuleOf } from './drop-options.ts';
import type { Edit } from './manifest-state.ts';
import type { SharedParts } from './shared-parts.ts';
import type { TableFile } from './table/table-file.ts';
import type { TreeCore } from './tree-core.ts';
import type { Table } from './version.ts';

/**
 * Merges tables of a tree where it has too many, and drops values whose time has come.
 *
 * @returns whether there was anything to do
 * @throws VarveError `CORRUPT`, `NO_SPACE`, `IO`, `NO_MEMORY`: nothing has changed; `POISONED`
 */
export async function compactTree(trees: SharedParts, tree: TreeCore): Promise<boolean> {
  const choice = choose(trees, tree);
  if (choice === undefined) return false;
  await carryOutInParts(trees, tree, choice);
  return true;
}

function choose(trees: SharedParts, tree: TreeCore): Choice | undefined {
  const { levels } = tree.version;
  const { drop, strategy } = tree.options;
  const { clock } = trees.parts;
  const snapshots = trees.snapshots.list();
  const rule = dropRuleOf(tree, clock);
  if (drop === undefined || rule === undefined)
    return chooseByStrategy(levels, strategy, clock.now(), snapshots);
  return (
    chooseOutdated(levels, rule, snapshots) ??
    chooseByStrategy(levels, strategy, clock.now(), snapshots) ??
    chooseDue(levels, rule, snapshots, drop.minShare)
  );
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

/** Carries out what was chosen, or, where the memory is too small for that, a part of it. */
async function carryOutInParts(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<void> {
  for (let part = choice; ; ) {
    try {
      return await carryOut(trees, tree, part);
    } catch (error) {
      const fewer = isVarveError(error, 'NO_MEMORY') ? fewerTables(tree.version.levels, part) : undefined;
      if (fewer === undefined) throw error;
      part = fewer;
    }
  }
}

async function carryOut(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<void> {
  // The inputs must not go while they are read, nor what is new about the tree be missed.
  const version = tree.version.hold();
  try {
    const inputs = choice.inputs.flatMap(({ tables }) => tables.map(({ number }) => number));
    const { files, dropped } = await make(trees, tree, choice);
    await publish(trees, tree, choice, inputs, files);
    tree.work.droppedEntries += dropped;
  } finally {
    version.release();
  }
}

/** Makes the tables that take the place of others. */
async function make(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<OutputResult> {
  const all = inputTables(choice);
  if (choice.kind === 'move') return { files: [...all], dropped: 0 };
  if (choice.kind === 'merge') return await merge(trees, tree, choice);
  const entries = all.reduce((sum, { properties }) => sum + properties.entries - properties.tombstones, 0);
  return { files: [], dropped: entries };
}

function inputTables({ inputs }: Choice): readonly TableFile[] {
  return inputs.flatMap(({ tables }) => tables);
}

function merge(trees: SharedParts, tree: TreeCore, choice: Choice): Promise<OutputResult> {
  const { tasks, clock } = trees.parts;
  const { tableBytes } = tree.options;
  const all = inputTables(choice) as readonly Table[];
  // Another table in the place of one would be merged as if it were that.
  for (const { reader } of all) if (reader.failure !== undefined) throw reader.failure;
  const bytes = all.reduce((sum, { properties }) => sum + properties.bytes, 0);
  // Those of level 0 are in the order of their age, which tables made of one would not have.
  const numbers = choice.outputLevel === 0 ? 1 : Math.ceil(bytes / tableBytes) + 1;
  const plain = ({ number, properties }: TableFile): TableFile => ({ number, properties });
  return tasks.mergeTables({
    directory: tree.directory,
    firstNumber: trees.manifest.takeNumbers(numbers),
    numbers,
    options: tree.writeOptions,
    origin: {
      tree: tree.id,
      createdMs: clock.now(),
      firstMs: Math.min(...all.map(({ properties }) => properties.firstMs)),
      lastMs: Math.max(...all.map(({ properties }) => properties.lastMs)),
    },
    drop: dropRuleOf(tree, clock),
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
