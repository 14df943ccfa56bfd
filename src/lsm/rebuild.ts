/**
 * What can be known of trees from their tables alone: whose each is, whether it is whole, and what has to be
 * merged with what.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Problem } from '../log/verify.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { mergeTables, mergeTablesBytes } from './compaction/merge-tables.ts';
import { endsOf, rangesOf, salvageOf } from './salvage.ts';
import {
  endsBefore,
  parseTableFileName,
  type TableFile,
  type TableProperties,
  tableFileName,
} from './table/table-file.ts';
import { verifyTable } from './table/verify.ts';
import { resolveTreeOptions } from './tree-options.ts';
import { TREES_DIRECTORY } from './trees.ts';
import { damageProblem } from './verify.ts';

/** A stretch of keys, both ends inclusive, of which entries are lost. */
export interface LostKeys {
  tree: string;
  from: Buffer;
  to: Buffer;
}

interface DamagedTable {
  file: string;
  problems: Problem[];
  /** The keys of which entries are lost; undefined where not even that is known. */
  lost: { from: Buffer; to: Buffer }[] | undefined;
  /** Whether what is left of it is merged with the others. */
  isKept: boolean;
}

/** A tree as its tables tell of it. */
export interface FoundTree {
  /** 0 where it has no whole table. */
  id: number;
  name: string;
  folder: string;
  tables: TableFile[];
  damaged: DamagedTable[];
  /** Of tables: where blocks are damaged. */
  damagedBlocks: Map<number, ReadonlySet<number>>;
}

export interface RebuildParts {
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
}

/** Reads every table of every tree; `next` is the least number that none has. */
export async function collectTrees(parts: RebuildParts): Promise<{ trees: FoundTree[]; next: number }> {
  const { directory, vfs } = parts;
  const place = joinPath(directory, TREES_DIRECTORY);
  if ((await vfs.stat(place)) === undefined) return { trees: [], next: 1 };
  const trees: FoundTree[] = [];
  let next = 1;
  for (const name of await vfs.readdir(place)) {
    const folder = joinPath(place, name);
    if ((await vfs.stat(folder))?.kind !== 'directory') continue;
    const tree: FoundTree = { id: 0, name, folder, tables: [], damaged: [], damagedBlocks: new Map() };
    for (const file of await vfs.readdir(folder)) {
      const number = parseTableFileName(file);
      if (number === undefined) continue;
      next = Math.max(next, number + 1);
      await collectTable(parts, tree, file, number);
    }
    trees.push(tree);
  }
  return { trees: distinct(trees), next };
}

async function collectTable(
  { memory, vfs }: RebuildParts,
  tree: FoundTree,
  file: string,
  number: number,
): Promise<void> {
  const path = joinPath(tree.folder, file);
  const found = await verifyTable(vfs, path, memory);
  const { damage, properties } = found;
  const problems = damage.map((one) => damageProblem(path, one));
  const salvage = salvageOf(found);
  if (salvage === undefined || properties === undefined) {
    tree.damaged.push({ file, problems, lost: properties && [allOf(properties)], isKept: false });
    return;
  }
  if (tree.id === 0) tree.id = properties.tree;
  if (properties.tree !== tree.id) {
    const message = `${path} was written for the tree ${properties.tree}, not for ${tree.id}`;
    problems.push({ file: path, position: 0, offsets: undefined, message });
    tree.damaged.push({ file, problems, lost: [allOf(properties)], isKept: false });
    return;
  }
  const { isLeft, damaged, lost } = salvage;
  if (isLeft || damage.length === 0) tree.tables.push({ number, properties });
  if (damage.length === 0) return;
  tree.damagedBlocks.set(number, damaged);
  tree.damaged.push({ file, problems, lost: lost.map((one) => endsOf(one, properties)), isKept: isLeft });
}

/** All keys that a table may have. */
function allOf({ smallestKey, largestKey }: TableProperties): { from: Buffer; to: Buffer } {
  return { from: Buffer.from(smallestKey), to: Buffer.from(largestKey) };
}

/** Of trees that say the same number of themselves, only the first can be believed. */
function distinct(trees: FoundTree[]): FoundTree[] {
  const taken = new Set<number>();
  return trees.map((tree) => {
    if (tree.id === 0 || !taken.has(tree.id)) {
      taken.add(tree.id);
      return tree;
    }
    const message = `the tree ${tree.name} has the number ${tree.id}, as another has`;
    const others = tree.tables.map(({ number, properties }) => ({
      file: tableFileName(number),
      problems: [{ file: tree.folder, position: 0, offsets: undefined, message }],
      lost: [allOf(properties)],
      isKept: false,
    }));
    return {
      ...tree,
      id: 0,
      tables: [],
      damaged: [...tree.damaged.filter(({ isKept }) => !isKept), ...others],
    };
  });
}

/**
 * Merges all tables of a tree: of each key the newest entry stays.
 *
 * @param firstNumber from which on numbers for tables are free
 * @returns tables that do not overlap; those that were merged are still there
 */
export async function mergeFound(
  { memory, vfs, clock }: RebuildParts,
  { id, folder, tables, damagedBlocks }: FoundTree,
  firstNumber: number,
): Promise<TableFile[]> {
  const { tableBytes, blockBytes, compression } = resolveTreeOptions({}, memory.slabs.budgetBytes);
  const bytes = tables.reduce((sum, { properties }) => sum + properties.bytes, 0);
  const args = {
    directory: folder,
    firstNumber,
    numbers: Math.ceil(bytes / tableBytes) + 1,
    options: { blockBytes, compression, bitsPerKey: 10.5 },
    origin: {
      tree: id,
      createdMs: clock.now(),
      firstMs: Math.min(...tables.map(({ properties }) => properties.firstMs)),
      lastMs: Math.max(...tables.map(({ properties }) => properties.lastMs)),
    },
    inputs: runsWithoutOverlap(tables),
    rangeTombstones: await rangesOf(memory, vfs, folder, tables),
    snapshots: [],
    bottom: true,
    targetBytes: tableBytes,
    cutKeys: [],
    damaged: damagedBlocks,
  };
  const slab = memory.slabs.allocate(mergeTablesBytes(args), 'repair');
  try {
    return (await mergeTables({ memory, work: slab.address, vfs, clock }, args)).files;
  } finally {
    slab.release();
  }
}

/** Tables in as few runs as there can be, in each of which none overlaps another. */
export function runsWithoutOverlap(tables: readonly TableFile[]): TableFile[][] {
  const runs: TableFile[][] = [];
  const byKey = tables.toSorted((a, b) => Buffer.compare(a.properties.smallestKey, b.properties.smallestKey));
  for (const table of byKey) {
    const run = runs.find((some) =>
      endsBefore((some.at(-1) as TableFile).properties, table.properties.smallestKey),
    );
    if (run === undefined) runs.push([table]);
    else run.push(table);
  }
  return runs;
}
