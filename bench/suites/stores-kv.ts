/**
 * Stores of keys against lmdb, Redis and a `Map`, and their face for Level against classic-level: values of 100 bytes
 * under keys of 16.
 *
 * @module
 */

import { rmSync } from 'node:fs';
import type { VarveLevel as VarveLevelClass } from '../../src/level/level.ts';
import { loadBuilt } from '../engine.ts';
import { redisStore } from '../engines/servers.ts';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context } from '../suite.ts';
import { closedLoop, perSecond, randomIntegers, recordAt } from '../workload.ts';

const unit = 'operations/s';
const rows = {
  setVsLmdb: {
    id: 'stores/kv-set-64 vs lmdb-flushed',
    unit,
    versus: 'lmdb put and flushed',
    target: '>= 1.5',
  },
  setVsRedis: {
    id: 'stores/kv-set-64 vs redis-always',
    unit,
    versus: 'redis SET, appendfsync always, 64 connections',
    target: '>= 3',
  },
  getVsLmdb: { id: 'stores/kv-getSync vs lmdb-getBinary', unit, versus: 'lmdb getBinary', target: '>= 1' },
  getVsMap: { id: 'stores/kv-getSync vs map', unit, versus: 'Map.get', target: '>= 0.2' },
  batchVsLevel: {
    id: 'stores/level-batch vs classic-level-batch',
    unit,
    versus: 'classic-level batch',
    target: '>= 1.5',
  },
  iteratorVsLevel: {
    id: 'stores/level-iterator vs classic-level-nextv',
    unit,
    versus: 'classic-level nextv',
    target: '>= 1.5',
  },
} as const satisfies Record<string, RowSpec>;

export const kvRows: readonly RowSpec[] = Object.values(rows);

const CLIENTS = 64;
const BATCH = 1000;
const KEY_DIGITS = 16;
const textAt = (number: number): string => String(number).padStart(KEY_DIGITS, '0');

/** What is done with a store of keys. */
interface Keys {
  /** Sets a key; resolves when it is on the disk. */
  set(key: string, value: Buffer): Promise<unknown>;
  get(key: string): unknown;
  fill(count: number): Promise<void>;
  close(): Promise<unknown>;
}

function place(context: Context, name: string): string {
  return `${context.directory}/${name}`;
}

/** The keys in an order that is not theirs. */
const shuffled = (i: number, count: number): number => (i * 7919) % count;

async function varveKeys(context: Context, name: string, isSynced: boolean): Promise<Keys> {
  const db = await context.engine.open(place(context, name), {
    wal: isSynced ? { preallocate: true } : { sync: { mode: 'never' } },
  });
  const store = await db.kv('keys');
  return {
    set: (key, value) => store.set(key, value),
    get: (key) => store.getSync(key),
    async fill(count) {
      for (let i = 0; i < count; i += BATCH)
        await store.setMany(
          Array.from({ length: Math.min(BATCH, count - i) }, (_, j) => [
            textAt(shuffled(i + j, count)),
            recordAt(i + j),
          ]),
        );
    },
    close: () => db.close(),
  };
}

interface LmdbKeys {
  put(key: string, value: Buffer): Promise<boolean>;
  getBinary(key: string): Buffer | undefined;
  readonly flushed: Promise<boolean>;
  close(): Promise<void>;
}

function lmdbKeys(context: Context, name: string, isSynced: boolean): Keys {
  const open = context.peers.load('lmdb').module!.open as unknown as (options: object) => LmdbKeys;
  const db = open({ path: place(context, name), encoding: 'binary', noSync: !isSynced, noMemInit: true });
  return {
    async set(key, value) {
      await db.put(key, value);
      await db.flushed;
    },
    get: (key) => db.getBinary(key),
    async fill(count) {
      let last: Promise<unknown> | undefined;
      for (let i = 0; i < count; i++) {
        last = db.put(textAt(shuffled(i, count)), recordAt(i));
        if (i % (10 * BATCH) === 0) await last;
      }
      await last;
    },
    close: () => db.close(),
  };
}

async function measureSets(context: Context): Promise<void> {
  const total = context.tiny ? 200 : 20_000;
  context.say(`${total} sets, ${CLIENTS} at a time, synced`);
  const lmdb = context.peers.load('lmdb').missing;
  const redis = context.tiny ? 'a tiny run has no peers' : redisStore.missing;
  const set = (open: (name: string) => Promise<Keys>, name: string): Contestant => {
    let round = 0;
    return async () => {
      const at = `${name}-${round++}`;
      const store = await open(at);
      const rate = await closedLoop(CLIENTS, total, (i) => store.set(textAt(i), recordAt(i)));
      await store.close();
      rmSync(place(context, at), { recursive: true, force: true });
      return rate;
    };
  };
  const contestants: Record<string, Contestant> = {
    varve: set((name) => varveKeys(context, name, true), 'set-varve'),
    ...(lmdb === null && { lmdb: set(async (name) => lmdbKeys(context, name, true), 'set-lmdb') }),
    ...(redis === null && {
      redis: set((name) => redisStore.open(place(context, name), CLIENTS), 'set-redis'),
    }),
  };
  const measured = await inTurn(context.rounds, contestants);
  const samples = measured['varve']!;
  if (lmdb === null) context.report(rows.setVsLmdb.id, { samples, versusSamples: measured['lmdb']! });
  else context.skip(rows.setVsLmdb.id, lmdb, samples);
  if (redis === null) context.report(rows.setVsRedis.id, { samples, versusSamples: measured['redis']! });
  else context.skip(rows.setVsRedis.id, redis, samples);
}

async function measureGets(context: Context): Promise<void> {
  const count = context.tiny ? 3000 : 1_000_000;
  const lookups = context.tiny ? 500 : 300_000;
  context.say(`${count} keys to be read`);
  const lmdb = context.peers.load('lmdb').missing;
  const stores: Record<string, Pick<Keys, 'get' | 'close'>> = {};
  const varve = await varveKeys(context, 'get-varve', false);
  await varve.fill(count);
  stores['varve'] = varve;
  if (lmdb === null) {
    const store = lmdbKeys(context, 'get-lmdb', false);
    await store.fill(count);
    stores['lmdb'] = store;
  }
  const map = new Map<string, Buffer>();
  for (let i = 0; i < count; i++) map.set(textAt(shuffled(i, count)), Buffer.from(recordAt(i)));
  stores['map'] = { get: (key) => map.get(key), close: async () => map.clear() };
  let seed = 0;
  const contestants = Object.fromEntries(
    Object.entries(stores).map(([name, store]): [string, Contestant] => [
      name,
      () => {
        const keys = Array.from(randomIntegers(lookups, count, ++seed), textAt);
        const began = performance.now();
        let found = 0;
        for (let i = 0; i < lookups; i++) if (store.get(keys[i]!) !== undefined) found++;
        if (found !== lookups) throw new Error(`${name} finds ${found} of ${lookups} keys`);
        return perSecond(lookups, began);
      },
    ]),
  );
  const measured = await inTurn(context.rounds, contestants);
  const samples = measured['varve']!;
  if (lmdb === null) context.report(rows.getVsLmdb.id, { samples, versusSamples: measured['lmdb']! });
  else context.skip(rows.getVsLmdb.id, lmdb, samples);
  context.report(rows.getVsMap.id, { samples, versusSamples: measured['map']! });
  for (const store of Object.values(stores)) await store.close();
}

/** What both databases for Level have. */
interface LevelFace {
  open(): Promise<void>;
  batch(operations: { type: 'put'; key: Buffer; value: Buffer }[]): Promise<void>;
  iterator(): { nextv(size: number): Promise<[Buffer, Buffer][]>; close(): Promise<void> };
  close(): Promise<void>;
}

async function fillLevel(level: LevelFace, count: number): Promise<number> {
  const keys = Array.from({ length: count }, (_, i) => Buffer.from(textAt(shuffled(i, count))));
  const began = performance.now();
  for (let i = 0; i < count; i += BATCH) {
    await level.batch(
      keys.slice(i, i + BATCH).map((key, j) => ({ type: 'put', key, value: recordAt(i + j) })),
    );
  }
  return perSecond(count, began);
}

async function scanLevel(level: LevelFace, count: number): Promise<number> {
  const began = performance.now();
  const iterator = level.iterator();
  let seen = 0;
  for (;;) {
    const entries = await iterator.nextv(BATCH);
    if (entries.length === 0) break;
    for (const [key, value] of entries) if (key.length + value.length > 100) seen++;
  }
  await iterator.close();
  if (seen !== count) throw new Error(`an iterator has ${seen} of ${count} entries`);
  return perSecond(count, began);
}

async function measureLevel(context: Context): Promise<void> {
  const count = context.tiny ? 3000 : 300_000;
  context.say(`${count} entries by way of Level`);
  const { VarveLevel } = await loadBuilt<{ VarveLevel: typeof VarveLevelClass }>('level/level.js');
  const peer = context.peers.load('classic-level');
  const encodings = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
  const make: Record<string, (path: string) => LevelFace> = {
    varve: (path) => new VarveLevel<Buffer, Buffer>(path, encodings),
  };
  if (peer.missing === null) {
    const { ClassicLevel } = peer.module as unknown as {
      ClassicLevel: new (path: string, options: object) => LevelFace;
    };
    make['level'] = (path) => new ClassicLevel(path, { ...encodings, compression: false });
  }
  const scans: Record<string, number[]> = { varve: [], level: [] };
  const contestants = Object.fromEntries(
    Object.entries(make).map(([name, open]): [string, Contestant] => [
      name,
      async () => {
        const path = place(context, `${name}-level`);
        const level = open(path);
        await level.open();
        const rate = await fillLevel(level, count);
        scans[name]!.push(await scanLevel(level, count));
        await level.close();
        rmSync(path, { recursive: true, force: true });
        return rate;
      },
    ]),
  );
  const measured = await inTurn(context.rounds, contestants);
  // The first round has warmed up both.
  const [samples, scanned] = [measured['varve']!, scans['varve']!.slice(1)];
  if (peer.missing !== null) {
    context.skip(rows.batchVsLevel.id, peer.missing, samples);
    context.skip(rows.iteratorVsLevel.id, peer.missing, scanned);
    return;
  }
  context.report(rows.batchVsLevel.id, { samples, versusSamples: measured['level']! });
  context.report(rows.iteratorVsLevel.id, { samples: scanned, versusSamples: scans['level']!.slice(1) });
}

/** Measures all rows of keys. */
export async function measureKeys(context: Context): Promise<void> {
  await measureSets(context);
  await measureGets(context);
  await measureLevel(context);
}
