/**
 * Writes a memtable to a table: when that is durable, and the manifest says so, the memtable goes.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { RUN_ENTRY_BYTES } from '../memory/lsm-layout.ts';
import { dropRuleOf } from './drop-options.ts';
import type { Memtable } from './memtable.ts';
import type { SharedParts } from './shared-parts.ts';
import { Run } from './sorted-runs.ts';
import type { TableFile } from './table/table-file.ts';
import type { TreeCore } from './tree-core.ts';

/**
 * Flushes the oldest frozen memtable of a tree.
 *
 * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`, `UNSUPPORTED`: nothing has changed; `POISONED`
 */
export async function flushMemtable(trees: SharedParts, tree: TreeCore, memtable: Memtable): Promise<void> {
  await settle(trees, memtable);
  if (!memtable.isEmpty) {
    const written = await write(trees, tree, memtable);
    const flushed = memtable.lastSequence + 1;
    await publish(trees, tree, written, flushed);
    tree.flushed = Math.max(tree.flushed, flushed);
  }
  tree.frozen.shift();
  memtable.release();
}

/**
 * Waits until everything in a memtable is durable in the write-ahead log: a table must not have what the log may
 * lose. What the log has not taken goes out of the memtable.
 */
async function settle({ wal, writer }: SharedParts, memtable: Memtable): Promise<void> {
  for (;;) {
    writer.forgetFailed();
    const last = memtable.lastSequence;
    if (memtable.isEmpty || last < wal.durable.synced) return;
    try {
      // What had this number before, and was lost, is not meant.
      await wal.reached(last, 'synced', wal.generation);
    } catch (error) {
      if (!isVarveError(error) || error.code === 'POISONED' || error.code === 'CLOSED') throw error;
    }
  }
}

async function write(trees: SharedParts, tree: TreeCore, memtable: Memtable): Promise<TableFile | undefined> {
  const { tasks, clock } = trees.parts;
  let runs: Run[] = [];
  try {
    runs = memtable.isSorted ? memtable.runs() : [await sort(trees, memtable)];
    const nowMs = clock.now();
    const { files, dropped } = await tasks.writeRun({
      directory: tree.directory,
      firstNumber: trees.manifest.takeNumbers(1),
      numbers: 1,
      options: tree.writeOptions,
      origin: { tree: tree.id, createdMs: nowMs, firstMs: nowMs, lastMs: nowMs },
      drop: dropRuleOf(tree, clock),
      runs: runs.filter(({ count }) => count > 0).map(({ address, count }) => ({ address, count })),
      rangeTombstones: memtable
        .rangeDeletions()
        .map(({ start, end, sequence }) => ({ start, end, sequence })),
      snapshots: trees.snapshots.list(),
      smallestSequence: memtable.firstSequence,
      bottom: tree.version.tableCount === 0,
    });
    tree.work.droppedEntries += dropped;
    return files[0];
  } finally {
    for (const run of runs) run.release();
  }
}

/** Has another thread put a memtable in order; the run is the caller's to let go of. */
async function sort({ parts }: SharedParts, memtable: Memtable): Promise<Run> {
  const { cells, chunks } = memtable;
  const slab = parts.memory.slabs.allocate(cells * RUN_ENTRY_BYTES, 'sorted run');
  try {
    const count = await parts.tasks.sortCells({ chunks: [...chunks], cells, run: slab.address });
    return new Run(slab, count);
  } catch (error) {
    slab.release();
    throw error;
  }
}

/** Has the manifest say that a table, if there is one, has what a memtable had. */
async function publish(
  trees: SharedParts,
  tree: TreeCore,
  file: TableFile | undefined,
  flushed: number,
): Promise<void> {
  const { manifest, tables } = trees;
  if (file === undefined) {
    await manifest.publish({ flushed: [[tree.id, flushed]] });
    return;
  }
  const table = await tables.open(tree.directory, file).catch(async (error: unknown) => {
    await tables.discard(tree.directory, [file.number]);
    throw error;
  });
  table.hold();
  try {
    await manifest.publish({ add: [{ tree: tree.id, level: 0, ...file }], flushed: [[tree.id, flushed]] });
    tree.change({ add: [{ table, level: 0 }] });
    tree.work.flushes++;
    tree.work.flushedBytes += file.properties.bytes;
  } catch (error) {
    // Unless nobody knows whether the manifest has it.
    table.isObsolete = !isVarveError(error, 'POISONED');
    throw error;
  } finally {
    table.release();
  }
}
