/**
 * All files of a disk at once: to compare what there is before and after, to change one byte of it, and to
 * have the same disk again and again.
 *
 * @module
 */

import { joinPath, type Vfs } from '../../src/vfs/vfs.ts';
import { readAll } from './disk-states.ts';

/** Files by path, sorted. */
export type FileTree = Map<string, Uint8Array>;

/** Every file below a directory. */
export async function readTree(vfs: Vfs, directory: string): Promise<FileTree> {
  const files: FileTree = new Map();
  if ((await vfs.stat(directory)) === undefined) return files;
  for (const name of await vfs.readdir(directory)) {
    const path = joinPath(directory, name);
    if ((await vfs.stat(path))?.kind === 'file') files.set(path, await readAll(vfs, path));
    else for (const [below, bytes] of await readTree(vfs, path)) files.set(below, bytes);
  }
  return files;
}

/** Makes files, and the directories that they need. */
export async function writeTree(vfs: Vfs, files: FileTree): Promise<void> {
  for (const [path, bytes] of files) {
    await vfs.mkdir(path.slice(0, path.lastIndexOf('/')));
    const file = await vfs.open(path, 'create');
    if (bytes.length > 0) await file.write(bytes, 0);
    await file.close();
  }
}

/** What is different about two trees, one line a file; empty where nothing is. */
export function compareTrees(before: FileTree, after: FileTree): string[] {
  const changes: string[] = [];
  for (const [path, bytes] of before) {
    const now = after.get(path);
    if (now === undefined) changes.push(`${path} is gone`);
    else if (Buffer.compare(now, bytes) !== 0)
      changes.push(`${path} has changed (${bytes.length} to ${now.length} bytes)`);
  }
  for (const path of after.keys()) if (!before.has(path)) changes.push(`${path} is new`);
  return changes;
}
