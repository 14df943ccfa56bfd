/**
 * What is left of a table that is damaged: its whole blocks, which are written to a new one.
 *
 *     damaged    | block | block | xxxxx | block | filter | index | ... | footer |
 *     new        | block | block |         block | filter | index | ... | footer |
 *     lost                       |-----|   keys behind the last one of the block before, up to its own
 *
 * It takes the table's end, the block of its parts and the block of its deleted ranges. Without the index of a part,
 * nobody knows where its blocks begin, and all of them are lost. Filters are made anew.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { mergeTables, mergeTablesBytes } from './compaction/merge-tables.ts';
import { dropNothing } from './drop-options.ts';
import type { RangeTombstone } from './range-tombstones.ts';
import { BlockCache } from './table/block-cache.ts';
import { TableReader } from './table/reader.ts';
import { type TableFile, type TableProperties, tableFileName } from './table/table-file.ts';
import type { TableVerification } from './table/verify.ts';
import { type StoredTreeOptions, writeOptionsOf } from './tree-options.ts';

/** Keys behind the first, up to the second; undefined for the table's least. */
interface Stretch {
  after: Uint8Array | undefined;
  upTo: Uint8Array;
}

/** What can be kept of a table. */
export interface Salvage {
  /** Whether there is anything left of it. */
  isLeft: boolean;
  /** Where blocks are that cannot be read: of data, and indexes. */
  damaged: ReadonlySet<number>;
  /** In order, without overlap. */
  lost: Stretch[];
}

/** What can be kept of a table that is damaged; undefined where nobody knows what belongs to it. */
export function salvageOf({ damage, properties, wholeBlocks }: TableVerification): Salvage | undefined {
  if (properties === undefined || damage.some(({ what }) => what === 'whole')) return undefined;
  const lost: Stretch[] = [];
  const damaged = new Set<number>();
  for (const { what, position, after, upTo } of damage) {
    if (what === 'filter' || upTo === undefined) continue;
    damaged.add(position);
    const last = lost.at(-1);
    const goesOn = last !== undefined && after !== undefined && Buffer.compare(after, last.upTo) <= 0;
    if (goesOn) last.upTo = upTo;
    else lost.push({ after, upTo });
  }
  return { isLeft: wholeBlocks + properties.rangeTombstones > 0, damaged, lost };
}

/** The ends of a stretch of a table, both inclusive. */
export function endsOf(
  { after, upTo }: Stretch,
  { smallestKey, largestKey }: TableProperties,
): { from: Buffer; to: Buffer } {
  return {
    // The least key that is greater.
    from: after === undefined ? Buffer.from(smallestKey) : Buffer.concat([after, Buffer.alloc(1)]),
    // The name of a block may be a key that is not there.
    to: Buffer.from(Buffer.compare(upTo, largestKey) < 0 ? upTo : largestKey),
  };
}

interface SalvageParts {
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
}

/**
 * Writes what is left of a table to a new one, which can take its place: nothing else has to be merged with it.
 *
 * @param number of the new table
 * @returns the new table, which is durable; undefined where nothing is left
 */
export async function salvageTable(
  { memory, vfs, clock }: SalvageParts,
  folder: string,
  table: TableFile,
  options: StoredTreeOptions,
  { damaged }: Salvage,
  number: number,
): Promise<TableFile | undefined> {
  const { tree, createdMs, firstMs, lastMs, bytes } = table.properties;
  const args = {
    directory: folder,
    firstNumber: number,
    numbers: 1,
    options: writeOptionsOf(options),
    origin: { tree, createdMs, firstMs, lastMs },
    drop: options.drop === undefined ? undefined : dropNothing(options.drop.kind, clock),
    inputs: [[table]],
    rangeTombstones: await rangesOf(memory, vfs, folder, [table]),
    snapshots: [],
    bottom: false,
    targetBytes: bytes,
    cutKeys: [],
    damaged: new Map([[table.number, damaged]]),
  };
  const slab = memory.slabs.allocate(mergeTablesBytes(args), 'repair');
  try {
    const { files } = await mergeTables({ memory, work: slab.address, vfs, clock }, args);
    return files[0];
  } finally {
    slab.release();
  }
}

/** The deleted ranges of tables. */
export async function rangesOf(
  memory: Memory,
  vfs: Vfs,
  folder: string,
  tables: readonly TableFile[],
): Promise<RangeTombstone[]> {
  const cache = new BlockCache(memory, 0);
  const ranges: RangeTombstone[] = [];
  try {
    for (const { number, properties } of tables) {
      if (properties.rangeTombstones === 0) continue;
      const path = joinPath(folder, tableFileName(number));
      const reader = await TableReader.open(vfs, path, memory, cache, number);
      ranges.push(...reader.rangeTombstones);
      await reader.close();
    }
    return ranges;
  } finally {
    cache.release();
  }
}
