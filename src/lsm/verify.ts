/**
 * Verifies the trees of a database: the write-ahead log, the manifest, and every byte of every table. Damage is
 * what it reports, and no reason to fail.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { isVarveError } from '../errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from '../limits.ts';
import { type LogVerifyReport, type Problem, verifyLog } from '../log/verify.ts';
import type { Memory } from '../memory/memory.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { Manifest } from './manifest.ts';
import { stretchText } from './table/key-text.ts';
import { otherTable, type TableFile, tableFileName } from './table/table-file.ts';
import { type TableDamage, verifyTable } from './table/verify.ts';
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

/** A table that is looked at, and what the manifest says of it. */
interface KnownTable extends TableFile {
  path: string;
}

/**
 * Reads and checks everything.
 *
 * @returns what is wrong
 * @throws VarveError `IO`, `NO_MEMORY`
 */
export async function verifyTrees(parts: VerifyTreesParts): Promise<Problem[]> {
  const { directory, vfs, open } = parts;
  const folder = joinPath(directory, MANIFEST_DIRECTORY);
  if ((await vfs.stat(folder)) === undefined) return [];
  const problems: Problem[] = [];
  for (const name of [WAL_DIRECTORY, MANIFEST_DIRECTORY]) {
    problems.push(...(await verifyShared(parts, name)).problems);
  }
  // What is open may merge and remove tables meanwhile: those that are looked at are held.
  const isOurs = open !== undefined && !open.parts.readOnly;
  const held = isOurs ? open.list.map(({ version }) => version.hold()) : [];
  try {
    const tables: Iterable<KnownTable> = isOurs
      ? held.flatMap((one) => [...one.tables()])
      : (await listTables(parts, folder)).values();
    for (const table of tables) {
      const found = await verifyKnown(parts, table);
      // Beside one who writes, a table may go; then the manifest does not have it any more.
      const isGone = found.isMissing && !isOurs && !(await listTables(parts, folder)).has(table.path);
      if (!isGone) problems.push(...found.problems);
    }
  } catch (error) {
    problems.push(problemOf(error, folder));
  } finally {
    for (const version of held) version.release();
  }
  return problems;
}

/** The tables that the manifest has, by their paths. */
async function listTables(
  { directory, memory, vfs, clock }: VerifyTreesParts,
  folder: string,
): Promise<Map<string, KnownTable>> {
  const manifest = await Manifest.open({ directory: folder, memory, vfs, clock, readOnly: true });
  const found = new Map<string, KnownTable>();
  for (const { name, tables } of manifest.state.trees.values()) {
    for (const { number, properties } of tables.values()) {
      const path = joinPath(directory, TREES_DIRECTORY, name, tableFileName(number));
      found.set(path, { path, number, properties });
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

/** Verifies one table, and that it is the one that the manifest means. */
async function verifyKnown(
  { memory, vfs }: VerifyTreesParts,
  { path, properties: known }: KnownTable,
): Promise<{ problems: Problem[]; isMissing: boolean }> {
  try {
    const { damage, properties } = await verifyTable(vfs, path, memory);
    const problems = damage.map((one) => damageProblem(path, one));
    const other = properties === undefined ? undefined : otherTable(path, known, properties);
    if (other !== undefined) problems.push(problemOf(other, path));
    return { problems, isMissing: false };
  } catch (error) {
    return { problems: [problemOf(error, path)], isMissing: isVarveError(error, 'NOT_FOUND') };
  }
}

/** Damage of a table in words, with the keys that may be lost by it. */
export function damageProblem(path: string, { position, reason, after, upTo }: TableDamage): Problem {
  const range = upTo === undefined ? '' : `; entries may be lost with keys ${stretchText(after, upTo)}`;
  return { file: path, position, offsets: undefined, message: `${reason}${range}` };
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
