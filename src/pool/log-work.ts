/** The work of logs, done by the threads of a pool. */

import type { LogWork } from '../log/work.ts';
import type { Vfs } from '../vfs/vfs.ts';
import type { Pool } from './pool.ts';

/** @param vfs the disk that the logs are on */
export function createPoolWork(pool: Pool, vfs: Vfs): LogWork {
  return {
    idleThreads: () => pool.idleThreads,
    compressBatches: (args) => pool.run('compressBatches', args),
    digestFile: (args, disk) => pool.run('digestFile', args, { vfs: disk }),
    mapSegment: (args) => pool.run('mapSegment', args, { vfs }),
    rewriteSegments: (args) => pool.run('rewriteSegments', args, { vfs }),
  };
}
