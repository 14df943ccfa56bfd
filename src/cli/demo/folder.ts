/**
 * A folder for the time of a run.
 *
 * @module
 */

import { tmpdir } from 'node:os';
import type { Clock } from '../../clock.ts';
import { nodeVfs } from '../../vfs/node.ts';
import { joinPath } from '../../vfs/vfs.ts';

/** Makes a new directory where the system keeps what is temporary. */
export async function makeTemporaryFolder(clock: Clock): Promise<string> {
  // One process makes one folder, and no two have the same number at the same time.
  const path = joinPath(tmpdir(), `varve-demo-${process.pid}-${clock.now().toString(36)}`);
  await nodeVfs.mkdir(path);
  return path;
}
