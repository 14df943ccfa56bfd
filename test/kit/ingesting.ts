/** Databases to ingest into, and files to ingest, for tests. */

import { type IngestOptions, ingestFile } from '../../src/ingest/ingest.ts';
import type { IngestReport } from '../../src/ingest/report.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Database, open } from '../../src/open.ts';
import type { Runtime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { type PlainRecord, plain } from './batches.ts';

export const FILE = 'lines.log';

/** A database, and a disk beside it that holds what is to be ingested. */
export interface Bench {
  vfs: Vfs;
  database: Database;
  log: Log;
  /** Makes the file `FILE` on the disk, and ingests it. */
  ingest: (content: string | Uint8Array, options?: Partial<IngestOptions>) => Promise<IngestReport>;
  /** All records of the log. */
  records: () => Promise<PlainRecord[]>;
  close: () => Promise<void>;
}

export async function writeFile(vfs: Vfs, path: string, content: string | Uint8Array): Promise<void> {
  await vfs.remove(path);
  const file = await vfs.open(path, 'create');
  await file.write(typeof content === 'string' ? Buffer.from(content, 'latin1') : content, 0);
  await file.close();
}

export async function recordsIn(log: Log): Promise<PlainRecord[]> {
  const records: PlainRecord[] = [];
  for await (const record of log.read()) records.push(plain(record));
  return records;
}

/**
 * Opens a database.
 *
 * @param vfs the disk that it is on; one in memory unless given
 */
export async function createBench(
  runtime: Runtime,
  options: LogOptions = {},
  vfs: Vfs = createMemoryVfs(),
): Promise<Bench> {
  const database = await open('database', { runtime, vfs });
  const log = await database.log('log', { sync: { mode: 'never' }, ...options });
  return {
    vfs,
    database,
    log,
    ingest: async (content, ingestOptions) => {
      await writeFile(vfs, FILE, content);
      return ingestFile(log, FILE, { runtime, vfs, ...ingestOptions });
    },
    records: () => recordsIn(log),
    close: () => database.close(),
  };
}
