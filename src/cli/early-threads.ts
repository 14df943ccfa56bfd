/**
 * Starts worker threads while the code of a command is still being loaded, where the command has so much to read
 * that it will want them: a thread takes about as long to start as a gigabyte takes to search.
 *
 * @module
 */

import type { TaskName } from '../pool/tasks.ts';
import { sharedRuntime } from '../runtime.ts';
import { nodeVfs } from '../vfs/node.ts';

/** What a thread scans of the fastest task while another starts, and somewhat more. */
const BYTES_MIN: number = 256 * 1024 * 1024;

/**
 * @param files as they were typed; of patterns and directories nothing is known yet, nor of what cannot be read
 * @param task the one that comes first
 */
export async function startThreads(files: readonly string[], task: TaskName): Promise<void> {
  for (const file of files) {
    const stat = await nodeVfs.stat(file).catch(() => undefined);
    if (stat?.kind !== 'file' || stat.bytes < BYTES_MIN) continue;
    // What comes of it is told to the first task.
    await sharedRuntime()
      .pool.warm(task)
      .catch(() => undefined);
    return;
  }
}
