/**
 * What the files of a log tell of how it was written, for commands that write segments anew: its options are not kept
 * with it.
 *
 * @module
 */

import { SEGMENT_BYTES_DEFAULT, SEGMENT_BYTES_MIN } from '../limits.ts';
import { decodeDigest } from '../log/digest.ts';
import { parseSegmentFileName } from '../log/names.ts';
import type { LogOptions } from '../log/options.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';

const DIGEST_BYTES_MAX = 4096;

/**
 * Segments become no larger than the largest that there is, and have digests of the kind that others have.
 *
 * @throws VarveError `NOT_FOUND`, `IO`
 */
export async function keptOptions(
  vfs: Vfs,
  memory: Memory,
  directory: string,
): Promise<Pick<LogOptions, 'segmentBytes' | 'digest'>> {
  let largest = 0;
  let digest: LogOptions['digest'] = 'none';
  for (const name of await vfs.readdir(directory)) {
    const path = joinPath(directory, name);
    const kind = parseSegmentFileName(name)?.kind;
    if (kind === 'log') largest = Math.max(largest, (await vfs.stat(path))?.bytes ?? 0);
    if (kind === 'digest') digest = (await algorithmOf(vfs, memory, path)) ?? digest;
  }
  const segmentBytes = largest === 0 ? SEGMENT_BYTES_DEFAULT : Math.max(SEGMENT_BYTES_MIN, largest);
  return { segmentBytes, digest };
}

async function algorithmOf(
  vfs: Vfs,
  memory: Memory,
  path: string,
): Promise<LogOptions['digest'] | undefined> {
  const file = await vfs.open(path, 'read');
  try {
    const bytes = new Uint8Array(DIGEST_BYTES_MAX);
    return decodeDigest(memory, bytes.subarray(0, await file.read(bytes, 0)))?.algorithm;
  } finally {
    await file.close();
  }
}
