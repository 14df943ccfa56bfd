/**
 * Copies of files on one disk: by a second name where that is possible and nobody writes to the file any more,
 * else byte by byte.
 *
 * @module
 */

import type { Vfs } from './vfs.ts';

const PIECE_BYTES = 1024 * 1024;

/**
 * Copies a file to a name that nothing has yet. The bytes are durable when it returns; the name is when its
 * directory is synced.
 *
 * @param bytes how many from its beginning on; all that it has unless given
 * @throws VarveError `NOT_FOUND`, `NO_SPACE`, `IO`; also where the name is taken
 */
export async function copyFile(vfs: Vfs, from: string, to: string, bytes?: number): Promise<void> {
  const source = await vfs.open(from, 'read');
  try {
    const target = await vfs.open(to, 'create');
    try {
      const end = bytes ?? (await source.size());
      const piece = Buffer.alloc(Math.min(PIECE_BYTES, end));
      for (let position = 0; position < end; ) {
        const read = await source.read(piece.subarray(0, Math.min(piece.length, end - position)), position);
        if (read === 0) break;
        await target.write(piece.subarray(0, read), position);
        position += read;
      }
      await target.datasync();
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** Gives a file that never changes a second name, or copies it where the disk has no such thing. */
export async function linkOrCopy(vfs: Vfs, from: string, to: string): Promise<void> {
  if ((await vfs.link?.(from, to)) !== true) await copyFile(vfs, from, to);
}
