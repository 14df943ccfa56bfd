/**
 * Where recovery puts what it takes out of a log: `quarantine/` beside the segments. Nothing that was
 * written is thrown away, since what looks like a torn write may be all that is left of a record.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs, type VfsFile } from '../vfs/vfs.ts';
import { QUARANTINE_DIRECTORY, segmentFileName } from './names.ts';
import { freeName } from './quarantine-names.ts';

const COPY_BYTES = 1024 * 1024;

/** Bytes that were set aside. */
export interface Quarantined {
  /** The file that holds them now. */
  file: string;
  /** The file and position they were at. */
  from: string;
  position: number;
  bytes: number;
}

/** The path for bytes of a segment from a position on. */
async function quarantinePath(
  vfs: Vfs,
  directory: string,
  baseOffset: number,
  position: number,
): Promise<string> {
  const folder = joinPath(directory, QUARANTINE_DIRECTORY);
  await vfs.mkdir(folder);
  await vfs.syncDir(directory);
  const name = `${segmentFileName(baseOffset, 'log')}.${position}`;
  return joinPath(folder, freeName(name, new Set(await vfs.readdir(folder))));
}

/**
 * Copies a part of a file into a new one; when it returns, the bytes are durable, but not yet the name.
 *
 * @param path of the copy
 */
export async function copyAside(
  memory: Memory,
  vfs: Vfs,
  file: VfsFile,
  position: number,
  end: number,
  path: string,
): Promise<void> {
  const slab = memory.slabs.allocate(COPY_BYTES, 'quarantine');
  let target: VfsFile | undefined;
  try {
    target = await vfs.open(path, 'create');
    for (let at = position; at < end; ) {
      const view = memory.u8.subarray(slab.address, slab.address + Math.min(COPY_BYTES, end - at));
      const bytes = await file.read(view, at);
      if (bytes === 0) break;
      await target.write(view.subarray(0, bytes), at - position);
      at += bytes;
    }
    await target.datasync();
  } finally {
    slab.release();
    await target?.close();
  }
}

/**
 * Copies the end of a segment aside and cuts it off. When it returns, both are durable.
 *
 * @param file of the segment, open for writing
 * @param end where its bytes end
 */
export async function quarantineTail(
  memory: Memory,
  vfs: Vfs,
  directory: string,
  baseOffset: number,
  file: VfsFile,
  position: number,
  end: number,
): Promise<Quarantined> {
  const path = await quarantinePath(vfs, directory, baseOffset, position);
  await copyAside(memory, vfs, file, position, end, path);
  await vfs.syncDir(joinPath(directory, QUARANTINE_DIRECTORY));
  await file.truncate(position);
  await file.datasync();
  return { file: path, from: file.path, position, bytes: end - position };
}

/** Moves a file aside under its own name. The caller syncs the directory. */
export async function quarantineFile(vfs: Vfs, directory: string, from: string): Promise<Quarantined> {
  const folder = joinPath(directory, QUARANTINE_DIRECTORY);
  await vfs.mkdir(folder);
  await vfs.syncDir(directory);
  const name = from.slice(from.lastIndexOf('/') + 1);
  const path = joinPath(folder, freeName(name, new Set(await vfs.readdir(folder))));
  const bytes = (await vfs.stat(from))?.bytes ?? 0;
  await vfs.rename(from, path);
  await vfs.syncDir(folder);
  return { file: path, from, position: 0, bytes };
}

/** Moves a whole segment aside. The caller syncs the directory. */
export async function quarantineSegment(
  vfs: Vfs,
  directory: string,
  baseOffset: number,
): Promise<Quarantined> {
  const path = await quarantinePath(vfs, directory, baseOffset, 0);
  const from = joinPath(directory, segmentFileName(baseOffset, 'log'));
  const bytes = (await vfs.stat(from))?.bytes ?? 0;
  await vfs.rename(from, path);
  for (const kind of ['index', 'timeindex', 'digest'] as const) {
    await vfs.remove(joinPath(directory, segmentFileName(baseOffset, kind)));
  }
  await vfs.syncDir(joinPath(directory, QUARANTINE_DIRECTORY));
  return { file: path, from, position: 0, bytes };
}
