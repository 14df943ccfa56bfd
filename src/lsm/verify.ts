/**
 * Verifies the trees of a database: the write-ahead log, the manifest, and every block of every table. Damage is
 * what it reports, and no reason to fail.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { isVarveError } from '../errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from '../limits.ts';
import { type LogVerifyReport, type Problem, verifyLog } from '../log/verify.ts';
import { FOUND_BYTES } from '../memory/lsm-layout.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import { BlockCache } from './table/block-cache.ts';
import { TableReader } from './table/reader.ts';
import { tableFileName } from './table/table-file.ts';
import { MANIFEST_DIRECTORY, TREES_DIRECTORY, type Trees, WAL_DIRECTORY } from './trees.ts';

export interface VerifyTreesParts {
  directory: string;
  memory: Memory;
  vfs: Vfs;
  clock: Clock;
  deep: boolean;
  /** The trees, where they are open. */
  open: Trees | undefined;
}

/** A key of a table needs so much room while it is looked up. */
const KEY_ROOM = 66 * 1024;

/**
 * Reads and checks everything.
 *
 * @returns what is wrong
 * @throws VarveError `IO`, `NO_MEMORY`
 */
export async function verifyTrees(parts: VerifyTreesParts): Promise<Problem[]> {
  const { directory, memory, vfs, deep, open } = parts;
  const folder = joinPath(directory, MANIFEST_DIRECTORY);
  if ((await vfs.stat(folder)) === undefined) return [];
  const problems: Problem[] = [];
  for (const name of [WAL_DIRECTORY, MANIFEST_DIRECTORY]) {
    problems.push(...(await verifyShared(parts, name)).problems);
  }
  // What is open may merge and remove tables meanwhile: those that are looked at are held.
  const held = open?.list.map(({ version }) => version.hold()) ?? [];
  try {
    const tables =
      open === undefined ? await listTables(parts, folder) : held.flatMap((one) => [...one.tables()]);
    for (const { path, number } of tables)
      problems.push(...(await verifyTable(memory, vfs, path, number, deep)));
  } catch (error) {
    problems.push(problemOf(error, folder));
  } finally {
    for (const version of held) version.release();
  }
  return problems;
}

/** The tables that the manifest has. */
async function listTables(
  { directory, memory, vfs, clock }: VerifyTreesParts,
  folder: string,
): Promise<{ path: string; number: number }[]> {
  const manifest = await Manifest.open({ directory: folder, memory, vfs, clock, readOnly: true });
  const found: { path: string; number: number }[] = [];
  for (const { name, tables } of manifest.state.trees.values()) {
    for (const number of tables.keys()) {
      found.push({ path: joinPath(directory, TREES_DIRECTORY, name, tableFileName(number)), number });
    }
  }
  await manifest.close();
  return found;
}

/** Verifies one of the two logs that trees share. */
function verifyShared(
  { directory, memory, vfs, deep, open }: VerifyTreesParts,
  name: string,
): Promise<LogVerifyReport> {
  if (open !== undefined) {
    return name === WAL_DIRECTORY ? open.wal.verify({ deep }) : open.manifest.verify({ deep });
  }
  const context = {
    memory,
    vfs,
    directory: joinPath(directory, name),
    indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT,
  };
  return verifyLog(context, { deep });
}

/**
 * Reads every block of a table: data, indexes, filters.
 *
 * @param deep look every part's last key up too, which reads its filter
 */
async function verifyTable(
  memory: Memory,
  vfs: Vfs,
  path: string,
  number: number,
  deep: boolean,
): Promise<Problem[]> {
  const cache = new BlockCache(memory, 0);
  const problems: Problem[] = [];
  const slab = memory.slabs.allocate(KEY_ROOM, 'verify');
  let reader: TableReader | undefined;
  const attempt = (read: () => void): void => {
    try {
      read();
    } catch (error) {
      problems.push(problemOf(error, path));
    }
  };
  try {
    reader = await TableReader.open(vfs, path, memory, cache, number);
    const table = reader;
    for (const [part, { blocks, lastKey }] of table.parts().entries()) {
      for (let block = 0; block < blocks; block++) attempt(() => table.block(part, block));
      if (!deep) continue;
      const key = slab.address + FOUND_BYTES;
      memory.u8.set(lastKey, key);
      const hash = memory.kernels.filterHash(key, lastKey.length);
      attempt(() => table.get(key, lastKey.length, hash, Number.MAX_SAFE_INTEGER, slab.address));
    }
  } catch (error) {
    problems.push(problemOf(error, path));
  } finally {
    await reader?.close();
    slab.release();
    cache.release();
  }
  return problems;
}

/** Damage as a problem; anything else is thrown. */
function problemOf(error: unknown, file: string): Problem {
  const isDamage = isVarveError(error, 'CORRUPT') || isVarveError(error, 'NOT_FOUND');
  if (!isDamage) throw error;
  return {
    file: error.file ?? file,
    position: error.position ?? 0,
    offsets: error.offsets,
    message: error.message,
  };
}
