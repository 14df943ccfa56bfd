/** Small files that are read and replaced as a whole. */

import { joinPath, type Vfs } from '../vfs/vfs.ts';

/** Runs a call that makes something durable, whose failure the caller wants to know of. */
export type SyncGuard = (sync: () => Promise<void>) => Promise<void>;

/** All bytes of a file; undefined where there is none. */
export async function readWhole(vfs: Vfs, path: string): Promise<Uint8Array | undefined> {
  const stat = await vfs.stat(path);
  if (stat?.kind !== 'file') return undefined;
  const file = await vfs.open(path, 'read');
  try {
    const bytes = new Uint8Array(stat.bytes);
    const read = await file.read(bytes, 0);
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

/**
 * Replaces a file at once: whoever looks finds the old one or the new one. When it returns, the new one is
 * durable.
 *
 * @param temporary the name under which it is written
 * @param guard what the two calls that make it durable are run by
 */
export async function replaceFile(
  vfs: Vfs,
  directory: string,
  name: string,
  temporary: string,
  bytes: Uint8Array,
  guard: SyncGuard = (sync) => sync(),
): Promise<void> {
  const path = joinPath(directory, temporary);
  await vfs.remove(path);
  const file = await vfs.open(path, 'create');
  try {
    await file.write(bytes, 0);
    await guard(() => file.datasync());
  } finally {
    await file.close();
  }
  await vfs.rename(path, joinPath(directory, name));
  await guard(() => vfs.syncDir(directory));
}
