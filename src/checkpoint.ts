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
 * @throws VarveError `IO` where there is something in the directory; `NO_SPACE`, `NO_MEMORY`, `CLOSED`. What was
 * made until then is left there, and is no database
 */
export async function checkpointDatabase(parts: CheckpointParts, target: string): Promise<void> {
  const { directory, vfs, handles, trees } = parts;
  await vfs.mkdir(target);
  const there = await vfs.readdir(target);
  if (there.length > 0) {
    throw new VarveError('IO', `${target} is not empty: a checkpoint overwrites nothing`, { file: target });
  }
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
