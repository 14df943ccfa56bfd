/**
 * Removing what a laboratory leaves.
 *
 * @module
 */

import { joinPath, type Vfs } from '../vfs/vfs.ts';

/** Removes a directory and all that is in it. */
export async function removeFolder(vfs: Vfs, path: string): Promise<void> {
  for (const name of await vfs.readdir(path)) {
    const child = joinPath(path, name);
    if ((await vfs.stat(child))?.kind === 'directory') await removeFolder(vfs, child);
    else await vfs.remove(child);
  }
  await vfs.removeDir(path);
}
