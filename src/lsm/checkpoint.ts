/**
 * The trees of a database, copied as they are at one moment. While that is done, nothing is published, so that no
 * table goes; writes go on.
 *
 * @module
 */

import { linkOrCopy } from '../vfs/copy.ts';
import { joinPath } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import { snapshotOf } from './manifest-state.ts';
import { tableFileName } from './table/table-file.ts';
import { MANIFEST_DIRECTORY, TREES_DIRECTORY, type Trees, WAL_DIRECTORY } from './trees.ts';

/** An edit has so many tables, so that it fits into a record. */
const TABLES_A_RECORD = 500;

/**
 * Copies the trees.
 *
 * @param target a directory that has none
 * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`, `CLOSED`
 */
export async function checkpointTrees(trees: Trees, target: string): Promise<void> {
  const { vfs } = trees.parts;
  trees.check();
  const folders = [WAL_DIRECTORY, MANIFEST_DIRECTORY, TREES_DIRECTORY].map((name) => joinPath(target, name));
  for (const folder of folders) await vfs.mkdir(folder);
  await trees.calls.during(trees.manifest.alone(() => copyTrees(trees, target)));
  await vfs.syncDir(target);
}

async function copyTrees(trees: Trees, target: string): Promise<void> {
  const { directory, vfs, memory, clock } = trees.parts;
  const { trees: all = [], add = [], next = 1 } = snapshotOf(trees.manifest.state);
  for (const { id, name } of all) {
    const folder = joinPath(target, TREES_DIRECTORY, name);
    await vfs.mkdir(folder);
    for (const { tree, number } of add) {
      if (tree !== id) continue;
      const file = tableFileName(number);
      await linkOrCopy(vfs, joinPath(directory, TREES_DIRECTORY, name, file), joinPath(folder, file));
    }
    await vfs.syncDir(folder);
  }
  await vfs.syncDir(joinPath(target, TREES_DIRECTORY));
  // It begins no later than the manifest says that it is needed: it is not cut before that is published.
  await trees.wal.copyTo(joinPath(target, WAL_DIRECTORY));
  const place = joinPath(target, MANIFEST_DIRECTORY);
  const manifest = await Manifest.open({ directory: place, memory, vfs, clock, readOnly: false });
  try {
    await manifest.publish({ trees: all, next });
    for (let i = 0; i < add.length; i += TABLES_A_RECORD)
      await manifest.publish({ add: add.slice(i, i + TABLES_A_RECORD) });
  } finally {
    await manifest.close();
  }
}
