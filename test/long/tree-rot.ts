/**
 * Rot of trees: one byte after the other of tables, manifest and write-ahead log is changed. Either it is told
 * (opening, reading or verifying says so) or nothing has changed for those who read; and a repair makes the
 * database open again, with nothing in it that was never written; of a damaged table, it loses only what it says.
 *
 * @module
 */

import type { Database } from '../../src/open.ts';
import { open } from '../../src/open.ts';
import { repair } from '../../src/repair.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { fileBytes, tree as filesOf, putFile } from '../kit/log-kit.ts';
import { createRandom, type Random } from '../kit/random.ts';

const DIRECTORY = '/db';
const OPTIONS = { memtableBytes: 65_536, tableBytes: 16_384, blockBytes: 512 };
const KEYS = 60;

/** What each key of each tree has ever had; and what it has in the end. */
interface History {
  ever: Map<string, Set<string>>;
  last: Map<string, string>;
}

export interface TreeRotSite {
  files: Map<string, Buffer>;
  history: History;
  runtime: Runtime;
}

/** Makes a small database with tables on two levels, and something in the log only. */
export async function createTreeSite(seed: number): Promise<TreeRotSite> {
  const runtime = createRuntime({ memoryBytes: 32 * 1024 * 1024, threads: 1 });
  const vfs = createMemoryVfs();
  await vfs.mkdir(DIRECTORY);
  const db = await open(DIRECTORY, { runtime, vfs });
  const random = createRandom(seed);
  const history: History = { ever: new Map(), last: new Map() };
  const names = ['one', 'two'];
  for (let round = 0; round < 5; round++) {
    for (const name of names) {
      const tree = await db.tree(name, OPTIONS);
      for (let i = 0; i < 25; i++) await change(db, name, random, history, `${round} ${i}`);
      if (round < 4) await tree.flush();
      if (round === 1) await tree.compact();
    }
  }
  await db.close();
  return { files: await filesOf(vfs, DIRECTORY), history, runtime };
}

async function change(
  db: Database,
  name: string,
  random: Random,
  history: History,
  value: string,
): Promise<void> {
  const tree = await db.tree(name);
  const key = `key ${random.int(0, KEYS - 1)}`;
  const known = `${name}/${key}`;
  if (random.chance(0.2)) {
    await tree.delete(key);
    history.last.delete(known);
    return;
  }
  await tree.put(key, value);
  history.last.set(known, value);
  history.ever.set(known, (history.ever.get(known) ?? new Set()).add(value));
}

/** What is in a database, read in two ways; throws what reading throws. */
async function contentsOf(runtime: Runtime, vfs: Vfs): Promise<Map<string, string>> {
  const db = await open(DIRECTORY, { runtime, vfs });
  try {
    const contents = new Map<string, string>();
    for (const name of await db.treeNames()) {
      const tree = await db.tree(name);
      for (const [key, value] of tree.entries()) {
        contents.set(`${name}/${key}`, `${value}`);
        if (tree.getSync(key)?.equals(value) !== true) throw new Error(`${name}/${key} is read in two ways`);
      }
    }
    return contents;
  } finally {
    await db.close();
  }
}

const textOf = (contents: ReadonlyMap<string, string>): string =>
  JSON.stringify([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Whether an error is one that tells of damage. */
function isTold(error: unknown): boolean {
  const code = (error as { code?: string }).code;
  return code === 'CORRUPT' || code === 'VERSION' || code === 'UNSUPPORTED' || code === 'NOT_FOUND';
}

/** The files of trees that are rotted; the lock and what is only derived are left alone. */
export function rotFiles({ files }: TreeRotSite): string[] {
  return [...files.keys()].filter((path) => /\.table$|\/(wal|manifest)\/.*\.log$/.test(path)).sort();
}

/** What became of one change: `told`, or `harmless`; else a text that says what is wrong. */
export async function rotTree(
  { files, history, runtime }: TreeRotSite,
  path: string,
  position: number,
  mask: number,
): Promise<string> {
  const where = `${path} at ${position} ^ ${mask}`;
  const vfs = createMemoryVfs();
  for (const [name, bytes] of files) {
    await vfs.mkdir(name.slice(0, name.lastIndexOf('/')));
    await putFile(vfs, name, Buffer.from(bytes));
  }
  const bytes = await fileBytes(vfs, path);
  bytes[position] = (bytes[position] as number) ^ mask;
  await putFile(vfs, path, bytes);
  let outcome: 'told' | 'harmless' = 'harmless';
  try {
    const reader = await open(DIRECTORY, { runtime, vfs, readOnly: true });
    try {
      if (!(await reader.verify()).isClean) outcome = 'told';
    } finally {
      await reader.close();
    }
    const seen = await contentsOf(runtime, vfs);
    if (textOf(seen) !== textOf(history.last) && !isOlderOnly(seen, history))
      return `${where}: what is read was never so`;
    if (textOf(seen) !== textOf(history.last) && outcome === 'harmless')
      return `${where}: something is missing and nobody says so`;
  } catch (error) {
    if (!isTold(error)) return `${where}: ${String(error)}`;
    outcome = 'told';
  }
  if (outcome === 'harmless') return outcome;
  try {
    const { trees } = await repair(DIRECTORY, { runtime, vfs });
    const left = await contentsOf(runtime, vfs);
    if (!isOlderOnly(left, history)) return `${where}: after the repair there is what was never written`;
    if (
      path.endsWith('.table') &&
      textOf(outside(trees?.lost, left)) !== textOf(outside(trees?.lost, history.last))
    )
      return `${where}: the repair has lost more than it says`;
  } catch (error) {
    return `${where}: it cannot be repaired: ${error instanceof Error ? error.stack : String(error)}`;
  }
  return outcome;
}

/** What lies in no stretch of keys that is said to be lost. */
function outside(
  lost: readonly { tree: string; from: Buffer; to: Buffer }[] = [],
  contents: ReadonlyMap<string, string>,
): Map<string, string> {
  const isLost = (name: string): boolean => {
    const [tree, key] = [name.slice(0, name.indexOf('/')), Buffer.from(name.slice(name.indexOf('/') + 1))];
    return lost.some((one) => one.tree === tree && one.from.compare(key) <= 0 && one.to.compare(key) >= 0);
  };
  return new Map([...contents].filter(([name]) => !isLost(name)));
}

/** Whether each key has a value that it has had. */
function isOlderOnly(contents: ReadonlyMap<string, string>, { ever }: History): boolean {
  return [...contents].every(([key, value]) => ever.get(key)?.has(value) === true);
}
