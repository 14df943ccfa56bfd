/**
 * The tree against lmdb and classic-level, with the workloads of LevelDB's db_bench: a million records of 100
 * bytes with keys of 16 bytes.
 *
 * @module
 */

import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { closedLoop, perSecond, RECORD_BYTES, randomIntegers } from '../workload.ts';
import { diskRows, measureCompaction, measureOverwritten } from './tree-disk.ts';
import {
  keyAt,
  levelTrees,
  lmdbTrees,
  missingKeyAt,
  type OrderedStore,
  type Stores,
  varveTrees,
} from './tree-stores.ts';

/** What is read, in the order in which it is measured; opening comes with it. */
const READS = ['open', 'readrandom', 'readmissing', 'readseq', 'readreverse', 'seekrandom'];

type Name = 'varve' | 'lmdb' | 'level';

const unit = 'records/s';
const rows = {
  fillseqVsLevel: {
    id: 'tree/fillseq vs classic-level-batch',
    unit,
    versus: 'classic-level batch',
    target: '>= 3',
  },
  fillseqVsLmdb: { id: 'tree/fillseq vs lmdb-put', unit, versus: 'lmdb put, noSync', target: '>= 1' },
  fillrandomVsLevel: {
    id: 'tree/fillrandom vs classic-level-batch',
    unit,
    versus: 'classic-level batch',
    target: '>= 3',
  },
  fillrandomVsLmdb: { id: 'tree/fillrandom vs lmdb-put', unit, versus: 'lmdb put, noSync', target: '>= 1' },
  overwriteVsLevel: {
    id: 'tree/overwrite vs classic-level-batch',
    unit,
    versus: 'classic-level batch',
    target: null,
  },
  overwriteVsLmdb: { id: 'tree/overwrite vs lmdb-put', unit, versus: 'lmdb put, noSync', target: null },
  fillsyncVsLevel: {
    id: 'tree/fillsync vs classic-level-sync',
    unit,
    versus: 'classic-level put, sync',
    target: '>= 1',
  },
  fillsyncVsLmdb: {
    id: 'tree/fillsync vs lmdb-flushed',
    unit,
    versus: 'lmdb put and flushed',
    target: '>= 1',
  },
  fillsync64VsLevel: {
    id: 'tree/fillsync-64-clients vs classic-level-sync',
    unit,
    versus: 'classic-level put, sync',
    target: '>= 10',
  },
  fillsync64VsLmdb: {
    id: 'tree/fillsync-64-clients vs lmdb-flushed',
    unit,
    versus: 'lmdb put and flushed',
    target: '>= 1.5',
  },
  readrandomVsLevel: {
    id: 'tree/readrandom vs classic-level-getSync',
    unit,
    versus: 'classic-level getSync',
    target: '>= 3',
  },
  readrandomVsLmdb: {
    id: 'tree/readrandom vs lmdb-getBinary',
    unit,
    versus: 'lmdb getBinary',
    target: '>= 1',
  },
  readmissingVsLevel: {
    id: 'tree/readmissing vs classic-level-getSync',
    unit,
    versus: 'classic-level getSync',
    target: '>= 5',
  },
  readseqVsLevel: {
    id: 'tree/readseq vs classic-level-nextv',
    unit,
    versus: 'classic-level nextv',
    target: '>= 2',
  },
  readseqVsLmdb: { id: 'tree/readseq vs lmdb-getRange', unit, versus: 'lmdb getRange', target: '>= 1' },
  readreverseVsLevel: {
    id: 'tree/readreverse vs classic-level-nextv',
    unit,
    versus: 'classic-level nextv',
    target: '>= 2',
  },
  readreverseVsLmdb: {
    id: 'tree/readreverse vs lmdb-getRange',
    unit,
    versus: 'lmdb getRange',
    target: '>= 1',
  },
  seekrandomVsLevel: {
    id: 'tree/seekrandom vs classic-level-iterator',
    unit,
    versus: 'classic-level iterator',
    target: '>= 2',
  },
  seekrandomVsLmdb: { id: 'tree/seekrandom vs lmdb-getRange', unit, versus: 'lmdb getRange', target: '>= 1' },
  openVsLevel: {
    id: 'tree/open vs classic-level-open',
    unit: 'ms',
    versus: 'classic-level open',
    target: null,
  },
  ...diskRows,
} as const satisfies Record<string, RowSpec>;

/** Numbers in order. */
function sequence(count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => i);
}

/** Fills new stores in turn, in order and at random, and then once more over what is there. */
async function measureFills(context: Context, all: Record<Name, Stores>, count: number): Promise<void> {
  let seed = 0;
  const fills: Record<string, (store: OrderedStore, before: () => void) => Promise<void>> = {
    fillseq: (store) => store.fill(sequence(count)),
    fillrandom: (store) => store.fill(randomIntegers(count, count, ++seed)),
    overwrite: async (store, before) => {
      await store.fill(randomIntegers(count, count, ++seed));
      before();
      await store.fill(randomIntegers(count, count, ++seed));
    },
  };
  for (const [workload, fill] of Object.entries(fills)) {
    if (!context.wants(`tree/${workload} `)) continue;
    context.say(`${workload}, ${count} records`);
    const contestants = contestantsOf(all, ({ open, remove }) => async () => {
      const store = await open(workload);
      let began = performance.now();
      await fill(store, () => {
        began = performance.now();
      });
      const rate = perSecond(count, began);
      await store.close();
      remove(workload);
      return rate;
    });
    report(context, all, workload, await inTurn(Math.min(3, context.rounds), contestants));
  }
}

function contestantsOf(
  all: Record<Name, Stores>,
  make: (stores: Stores, name: Name) => Contestant,
): Record<string, Contestant> {
  const there = (Object.entries(all) as [Name, Stores][]).filter(([, { missing }]) => missing === null);
  return Object.fromEntries(there.map(([name, stores]) => [name, make(stores, name)]));
}

/** Hands in what was measured in one workload, against each peer that has a row for it. */
function report(
  context: Context,
  all: Record<Name, Stores>,
  workload: string,
  measured: Record<string, number[]>,
): void {
  const samples = measured['varve']!;
  for (const [name, label] of [
    ['level', 'Level'],
    ['lmdb', 'Lmdb'],
  ] as const) {
    const row = (rows as Record<string, RowSpec>)[`${workload}Vs${label}`];
    if (row === undefined) continue;
    const { missing } = all[name];
    if (missing !== null) context.skip(row.id, missing, samples);
    else context.report(row.id, { samples, versusSamples: measured[name]! });
  }
}

/** Has clients write records that each waits for, one after the other. */
async function measureSyncs(context: Context, all: Record<Name, Stores>, clients: number): Promise<void> {
  const workload = clients === 1 ? 'fillsync' : `fillsync${clients}`;
  const count = clients * (context.tiny ? 20 : clients === 1 ? 500 : 50);
  context.say(`${workload}, ${count} records`);
  const contestants = contestantsOf(all, ({ open, remove }) => async () => {
    const store = await open(workload);
    const rate = await closedLoop(clients, count, (i) => store.putSynced(i));
    await store.close();
    remove(workload);
    return rate;
  });
  report(context, all, workload, await inTurn(Math.min(3, context.rounds), contestants));
}

/** Reads stores that were filled in random order. */
async function measureReads(context: Context, all: Record<Name, Stores>, count: number): Promise<void> {
  const lookups = context.tiny ? 200 : 200_000;
  const seeks = context.tiny ? 50 : 20_000;
  const stores = {} as Record<Name, OrderedStore>;
  const opened = {} as Record<Name, number[]>;
  context.say(`filling ${count} records to be read`);
  for (const [name, { missing, open }] of Object.entries(all) as [Name, Stores][]) {
    if (missing !== null) continue;
    const store = await open('reads');
    await store.fill(sequence(count).map((i) => (i * 7919) % count));
    await store.close();
    opened[name] = [];
    for (let round = 0; round < 3; round++) {
      const began = performance.now();
      stores[name] = await open('reads');
      opened[name].push(performance.now() - began);
      if (round < 2) await stores[name].close();
    }
  }
  if (all.level.missing === null)
    context.report(rows.openVsLevel.id, { samples: opened.varve, versusSamples: opened.level });
  else context.skip(rows.openVsLevel.id, all.level.missing, opened.varve);
  let seed = 100;
  const reads: Record<string, (store: OrderedStore) => Promise<number>> = {
    readrandom: async (store) => look(store, randomIntegers(lookups, count, ++seed), keyAt, lookups),
    readmissing: async (store) => look(store, randomIntegers(lookups, count, ++seed), missingKeyAt, 0),
    readseq: (store) => scan(store, false, count),
    readreverse: (store) => scan(store, true, count),
    seekrandom: async (store) => {
      const keys = Array.from(randomIntegers(seeks, count, ++seed), keyAt);
      const began = performance.now();
      let found = 0;
      for (const key of keys) if (await store.seek(key)) found++;
      if (found !== seeks) throw new Error('a seek finds nothing');
      return perSecond(seeks, began);
    },
  };
  for (const [workload, read] of Object.entries(reads)) {
    if (!context.wants(`tree/${workload} `)) continue;
    context.say(workload);
    const contestants = contestantsOf(all, (_, name) => () => read(stores[name]));
    report(context, all, workload, await inTurn(context.rounds, contestants));
  }
  for (const store of Object.values(stores)) await store.close();
}

/** Looks keys up, which are made before: how long that takes has nothing to do with a store. */
function look(
  store: OrderedStore,
  numbers: Float64Array,
  keyOf: (number: number) => Buffer,
  expected: number,
): number {
  const keys = Array.from(numbers, keyOf);
  const began = performance.now();
  let found = 0;
  for (let i = 0; i < keys.length; i++) if (store.get(keys[i]!) !== undefined) found++;
  const rate = perSecond(numbers.length, began);
  if (found !== expected) throw new Error(`${found} keys were found, not ${expected}`);
  return rate;
}

async function scan(store: OrderedStore, isBackward: boolean, count: number): Promise<number> {
  const began = performance.now();
  const bytes = await store.scan(isBackward);
  const rate = perSecond(count, began);
  if (bytes !== count * RECORD_BYTES) throw new Error('a scan lost a record');
  return rate;
}

async function run(context: Context): Promise<void> {
  const count = context.tiny ? 3000 : (context.records ?? 1_000_000);
  const all = { varve: varveTrees(context), lmdb: lmdbTrees(context, false), level: levelTrees(context) };
  await measureFills(context, all, count);
  const synced = { ...all, lmdb: lmdbTrees(context, true) };
  for (const clients of [1, 64]) {
    if (context.wants(clients === 1 ? 'tree/fillsync vs' : 'tree/fillsync-64'))
      await measureSyncs(context, synced, clients);
  }
  if (READS.some((workload) => context.wants(`tree/${workload} `))) await measureReads(context, all, count);
  if ([diskRows.overwriteStall, diskRows.space, diskRows.openLarge].some(({ id }) => context.wants(id)))
    await measureOverwritten(context, count);
  if (context.wants(diskRows.compaction.id)) await measureCompaction(context);
}

export const treeSuite: Suite = {
  name: 'tree',
  title: 'an ordered tree of records of 100 bytes, with the workloads of db_bench',
  rows: Object.values(rows),
  run,
};
