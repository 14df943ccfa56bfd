/** What the steps of a compaction are given beside their arguments. */

import type { MemoryView } from '../../memory/memory.ts';
import type { Vfs } from '../../vfs/vfs.ts';

export interface WorkContext {
  memory: MemoryView;
  vfs: Vfs;
  /** Whether the thread has nothing else to do, and may wait for the disk. */
  isBlocking: boolean;
}
