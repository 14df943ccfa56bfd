/**
 * A copy of a database that is open, as it is at one moment: a directory that opens as a database of its own.
 * Tables never change, so they get a second name and take no space; logs are copied.
 *
 * `VERSION` is written last: before that, the directory is no database.
 *
 * @module
 */

import { LOGS_DIRECTORY, listLogs, writeVersion } from './directory.ts';
import { VarveError } from './errors.ts';
import { copyLog } from './log/copy.ts';
import type { Log } from './log/log.ts';
import { checkpointTrees } from './lsm/checkpoint.ts';
import type { Trees } from './lsm/trees.ts';
import { joinPath, type Vfs } from './vfs/vfs.ts';

export interface CheckpointParts {
  directory: string;
  vfs: Vfs;
  /** The handle of a log, where it is open. */
  handles: (key: string) => Promise<Log> | undefined;
  /** The trees, where there are any. */
  trees: Trees | undefined;
}

/**
 * Makes the copy.
 *
 * @param target a directory that is empty, or not there
 * @throws VarveError `EXISTS` where there is something in the directory; `NO_SPACE`, `NO_MEMORY`, `IO`, `CLOSED`. What
 * was made until then is removed again, as far as the disk allows, and is no database
 */
export async function checkpointDatabase(parts: CheckpointParts, target: string): Promise<void> {
  const { vfs } = parts;
  const wasThere = (await vfs.stat(target)) !== undefined;
  await vfs.mkdir(target);
  const there = await vfs.readdir(target);
  if (there.length > 0) {
    const message = `${target} is not empty: a checkpoint overwrites nothing`;
    throw new VarveError('EXISTS', message, { file: target });
  }
  try {
    await copyDatabase(parts, target);
  } catch (error) {
    await removeAll(vfs, target, !wasThere).catch(() => undefined);
    throw error;
  }
}

async function copyDatabase(
  { directory, vfs, handles, trees }: CheckpointParts,
  target: string,
): Promise<void> {
  await vfs.mkdir(joinPath(target, LOGS_DIRECTORY));
  for (const { key, directory: from } of await listLogs(vfs, directory)) {
    const to = joinPath(target, LOGS_DIRECTORY, key);
    await vfs.mkdir(to);
    const log = await handles(key);
    // Nobody else may write to one that is not open.
    if (log === undefined || log.isClosed) await copyLog(vfs, from, to);
    else await log.copyTo(to);
  }
  await vfs.syncDir(joinPath(target, LOGS_DIRECTORY));
  if (trees !== undefined) await checkpointTrees(trees, target);
  await vfs.syncDir(target);
  await writeVersion(vfs, target);
  const parent = target.slice(0, target.lastIndexOf('/'));
  await vfs.syncDir(parent === '' ? (target.startsWith('/') ? '/' : '.') : parent);
}

/** Removes what is in a directory, which was empty before, and the directory where it is asked for. */
async function removeAll(vfs: Vfs, directory: string, itself: boolean): Promise<void> {
  for (const name of await vfs.readdir(directory)) {
    const path = joinPath(directory, name);
    if ((await vfs.stat(path))?.kind === 'directory') await removeAll(vfs, path, true);
    else await vfs.remove(path);
  }
  if (itself) await vfs.removeDir(directory);
}
