/** What the inspectors of the kinds of files share. */

import type { Memory } from '../../memory/memory.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import type { Context } from '../context.ts';

/** What the inspection of one kind of file works with. */
export interface Inspection {
  readonly path: string;
  readonly file: VfsFile;
  /** Size of the file. */
  readonly bytes: number;
  readonly memory: Memory;
  readonly context: Context;
  /** How many lines to show. */
  readonly limit: number;
  readonly json: boolean;
}
