/**
 * What Linux tells about this process and its disks, in /proc and /sys. On other systems these answers are
 * undefined.
 *
 * @module
 */

import { nodeVfs } from '../vfs/node.ts';

const FILE_BYTES_MAX = 256 * 1024;
const SECTOR_BYTES = 512;

/** The text of a file that the kernel makes up as it is read; undefined where it is not there. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    const file = await nodeVfs.open(path, 'read');
    try {
      const bytes = Buffer.alloc(FILE_BYTES_MAX);
      return bytes.toString('utf8', 0, await file.read(bytes, 0));
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/**
 * Bytes that were written to a device so far, by whomever: the file system's own journal included, which is
 * what a sync costs the disk. (What Linux counts for each process is no use here: it takes a write of some
 * bytes into a large folio for a write of all of it.)
 *
 * @param device `major:minor`
 */
export async function readWrittenBytes(device: string): Promise<number | undefined> {
  // Documentation/block/stat.rst: the seventh number counts sectors of 512 bytes.
  const sectors = Number((await readText(`/sys/dev/block/${device}/stat`))?.trim().split(/\s+/)[6]);
  return Number.isSafeInteger(sectors) ? sectors * SECTOR_BYTES : undefined;
}

/** A mounted file system, as a line of /proc/self/mountinfo tells it. */
export interface Mount {
  readonly mountPoint: string;
  /** Its type: `ext4`, `tmpfs`, ... */
  readonly type: string;
  /** What is mounted: a device, mostly. */
  readonly source: string;
  readonly options: string;
  /** `major:minor` of the device. */
  readonly device: string;
}

/**
 * The file system that holds a path: the one with the longest mount point; of several on the same point the
 * last, which is on top.
 *
 * @param mountinfo as in proc(5), /proc/pid/mountinfo
 * @param path absolute, without links
 */
export function mountOf(mountinfo: string, path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const [, , device, , mountPoint, options] = before?.split(' ') ?? [];
    const [type, source, superOptions] = after?.split(' ') ?? [];
    if (device === undefined || mountPoint === undefined || type === undefined) continue;
    const point = unescape(mountPoint);
    const prefix = point.endsWith('/') ? point : `${point}/`;
    if (!`${path}/`.startsWith(prefix) || point.length < (best?.mountPoint.length ?? 0)) continue;
    best = {
      mountPoint: point,
      type,
      source: unescape(source ?? ''),
      options: [options, superOptions].filter(Boolean).join(','),
      device,
    };
  }
  return best;
}

/** Blanks and other separators are written as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
