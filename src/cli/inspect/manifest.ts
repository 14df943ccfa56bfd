/**
 * The manifest of a database: its trees, and the version of each, level by level and table by table.
 *
 * @module
 */

import { systemClock } from '../../clock.ts';
import { MEMORY_BYTES_DEFAULT } from '../../limits.ts';
import { Manifest } from '../../lsm/manifest.ts';
import type { TableRecord, TreeRecord } from '../../lsm/manifest-state.ts';
import { keyText } from '../../lsm/table/key-text.ts';
import { Memory } from '../../memory/memory.ts';
import { nodeVfs } from '../../vfs/node.ts';
import type { Context, ExitCode } from '../context.ts';
import { formatBytes, formatCount, formatTime, plural } from '../format.ts';
import { renderTable } from '../table.ts';

const COLUMNS = [
  { title: 'level', align: 'right' },
  { title: 'table', align: 'right' },
  { title: 'size', align: 'right' },
  { title: 'entries', align: 'right' },
  { title: 'deletions', align: 'right' },
  { title: 'sequence', align: 'right' },
  { title: 'written' },
  { title: 'keys' },
] as const;

/**
 * Shows the manifest in a directory.
 *
 * @throws VarveError `CORRUPT` where it is damaged, which says where
 */
export async function inspectManifest(
  directory: string,
  { json, limit }: { json: boolean; limit: number },
  context: Context,
): Promise<ExitCode> {
  const memory = Memory.create(MEMORY_BYTES_DEFAULT);
  const manifest = await Manifest.open({
    directory,
    memory,
    vfs: nodeVfs,
    clock: systemClock,
    readOnly: true,
  });
  const { trees, next } = manifest.state;
  await manifest.close();
  for (const tree of trees.values()) {
    const tables = [...tree.tables.values()].sort(byPlace).slice(0, limit);
    if (json) showJson(tree, tables, context);
    else showTree(tree, tables, context);
  }
  const count = [...trees.values()].reduce((sum, { tables }) => sum + tables.size, 0);
  if (json) context.stdout.json({ kind: 'summary', file: directory, trees: trees.size, tables: count, next });
  else
    context.stdout.line(
      `${directory}: ${plural(trees.size, 'tree')}, ${plural(count, 'table')}; the next has number ${next}`,
    );
  return 0;
}

function byPlace(a: TableRecord, b: TableRecord): number {
  if (a.level !== b.level) return a.level - b.level;
  if (a.level === 0) return b.properties.largestSequence - a.properties.largestSequence;
  return Buffer.compare(a.properties.smallestKey, b.properties.smallestKey);
}

function showJson(
  { id, name, flushed, options }: TreeRecord,
  tables: TableRecord[],
  { stdout }: Context,
): void {
  stdout.json({ kind: 'tree', id, name, flushed, options });
  for (const { number, level, properties } of tables) {
    const keys = {
      smallestKey: Buffer.from(properties.smallestKey).toString('base64'),
      largestKey: Buffer.from(properties.largestKey).toString('base64'),
    };
    stdout.json({ kind: 'table', number, level, ...properties, ...keys, tree: id });
  }
}

function showTree({ id, name, flushed, options }: TreeRecord, tables: TableRecord[], context: Context): void {
  const { stdout, colours } = context;
  const { strategy, compression } = options;
  stdout.line(
    `${colours.bold(name)}  tree ${id}, ${strategy.kind}, compression ${compression}; in tables up to sequence number ${flushed}`,
  );
  const rows = tables.map(({ level, number, properties }) => [
    String(level),
    String(number),
    formatBytes(properties.bytes),
    formatCount(properties.entries),
    formatCount(properties.tombstones + properties.rangeTombstones),
    `${properties.smallestSequence}-${properties.largestSequence}`,
    formatTime(properties.createdMs),
    `${keyText(properties.smallestKey)} ${keyText(properties.largestKey)}`,
  ]);
  if (rows.length > 0) stdout.write(renderTable(COLUMNS, rows, colours.dim));
}
