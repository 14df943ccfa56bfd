/**
 * What a tree does to the disk and to its process: how long writers and timers wait while it is overwritten, what
 * it takes on the disk when it has settled, how fast tables are merged, and how fast it is opened again.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RowSpec } from '../rows.ts';
import type { Context } from '../suite.ts';
import { RECORD_BYTES, randomIntegers, recordAt } from '../workload.ts';
import { KEY_BYTES, keyAt } from './tree-stores.ts';

const BATCH = 1000;
const MIB = 1024 * 1024;
const WORKER_TABLE_MIB = 24;
/** What the rows are about that have no peer. */
const STALL_LIMIT_MS = 10;
const OPEN_LIMIT_MS = 100;

export const diskRows: Record<'overwriteStall' | 'space' | 'compaction' | 'openLarge', RowSpec> = {
  overwriteStall: {
    id: 'tree/overwrite-stall-p99.9 vs 10-ms',
    unit: 'ms',
    versus: 'a limit of 10 ms',
    target: '<= 1',
  },
  space: { id: 'tree/space vs live-data', unit: 'MiB', versus: 'keys and values', target: '<= 1.3' },
  compaction: { id: 'tree/compaction vs cat', unit: 'MiB/s', versus: 'cat a b > c', target: '>= 0.5' },
  openLarge: { id: 'tree/open vs 100-ms', unit: 'ms', versus: 'a limit of 100 ms', target: '<= 1' },
};

type Database = Awaited<ReturnType<Context['engine']['open']>>;
type Tree = Awaited<ReturnType<Database['tree']>>;

async function fill(db: Database, tree: Tree, numbers: Float64Array): Promise<void> {
  for (let i = 0; i < numbers.length; i += BATCH) {
    const batch = db.batch();
    const end = Math.min(i + BATCH, numbers.length);
    for (let j = i; j < end; j++) batch.put(tree, keyAt(numbers[j]!), recordAt(j));
    await batch.write();
  }
}

/** Bytes of all files below a directory. */
function bytesBelow(directory: string): number {
  let bytes = 0;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    bytes += entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
  }
  return bytes;
}

/** Waits until nothing has been flushed or merged for a while. */
async function settle(tree: Tree): Promise<void> {
  await tree.flush();
  let before = -1;
  for (let quiet = 0; quiet < 5; ) {
    const { flushes, compactions } = tree.stats().work;
    quiet = flushes + compactions === before ? quiet + 1 : 0;
    before = flushes + compactions;
    await sleep(100);
  }
}

/** Overwrites a tree three times; reports how long timers waited meanwhile, what is left on the disk, and opening. */
export async function measureOverwritten(context: Context, count: number): Promise<void> {
  const stalls: number[] = [];
  const sizes: number[] = [];
  const opened: number[] = [];
  const live = (count * (KEY_BYTES + RECORD_BYTES)) / MIB;
  const rounds = context.tiny ? 1 : Math.min(2, context.rounds);
  for (let round = 0; round < rounds; round++) {
    context.say(`overwrite of ${count} records, three times`);
    const directory = join(context.directory, `overwritten-${round}`);
    const options = { wal: { sync: { mode: 'never' } } } as const;
    let db = await context.engine.open(directory, options);
    let tree = await db.tree('records');
    await fill(
      db,
      tree,
      Float64Array.from({ length: count }, (_, i) => i),
    );
    const delays = monitorEventLoopDelay({ resolution: 1 });
    delays.enable();
    for (let seed = 1; seed <= 3; seed++) await fill(db, tree, randomIntegers(count, count, seed));
    delays.disable();
    stalls.push(delays.percentile(99.9) / 1e6);
    await settle(tree);
    await db.close();
    sizes.push(bytesBelow(directory) / MIB);
    const began = performance.now();
    db = await context.engine.open(directory, options);
    tree = await db.tree('records');
    opened.push(performance.now() - began);
    if (tree.getSync(keyAt(count - 1)) === undefined) throw new Error('a record is lost');
    await db.close();
  }
  const same = (value: number): number[] => stalls.map(() => value);
  context.report(diskRows.overwriteStall.id, { samples: stalls, versusSamples: same(STALL_LIMIT_MS) });
  context.report(diskRows.space.id, { samples: sizes, versusSamples: same(live) });
  context.report(diskRows.openLarge.id, { samples: opened, versusSamples: same(OPEN_LIMIT_MS) });
}

/** Merges two tables of the same size, whose keys alternate, against `cat` of the same files. */
export async function measureCompaction(context: Context): Promise<void> {
  if (process.platform === 'win32') {
    context.skip(diskRows.compaction.id, 'there is no cat on Windows');
    return;
  }
  context.say('merging two tables');
  const bytes = context.tiny ? MIB / 2 : WORKER_TABLE_MIB * MIB;
  const count = Math.floor(bytes / (KEY_BYTES + RECORD_BYTES));
  const [samples, versusSamples]: [number[], number[]] = [[], []];
  for (let round = 0; round < context.rounds; round++) {
    const directory = join(context.directory, `compaction-${round}`);
    const db = await context.engine.open(directory, { wal: { sync: { mode: 'never' } } });
    const tree = await db.tree('records', { memtableBytes: Math.ceil(bytes * 1.3) });
    for (const first of [0, 1]) {
      await fill(
        db,
        tree,
        Float64Array.from({ length: count }, (_, i) => 2 * i + first),
      );
      await tree.flush();
    }
    const tables = join(directory, 'trees', 'records');
    const names = readdirSync(tables).map((name) => join(tables, name));
    const size = names.reduce((sum, name) => sum + statSync(name).size, 0) / MIB;
    const copy = join(directory, 'copy');
    let began = performance.now();
    const cat = spawnSync('sh', ['-c', `cat "$@" > "$0"`, copy, ...names], { stdio: 'inherit' });
    if (cat.status !== 0) throw new Error(`cat could not be run: ${cat.error?.message ?? cat.status}`);
    versusSamples.push((size / (performance.now() - began)) * 1000);
    began = performance.now();
    await tree.compact();
    samples.push((size / (performance.now() - began)) * 1000);
    if (tree.stats().work.compactions !== 1) throw new Error('the tables were not merged once');
    await db.close();
  }
  context.report(diskRows.compaction.id, { samples, versusSamples });
}
