/** What a database does by itself: when, in which order, and that it stops. */

import { afterEach, describe, expect, test } from 'vitest';
import type { LogOptions } from '../src/log/options.ts';
import { Memory } from '../src/memory/memory.ts';
import { type Database, open } from '../src/open.ts';
import type { OpenOptions } from '../src/open-options.ts';
import { Pool } from '../src/pool/pool.ts';
import { Runtime } from '../src/runtime.ts';
import { createMemoryVfs } from '../src/vfs/memory.ts';
import { settle, VirtualClock } from './kit/clock.ts';
import { range } from './kit/log-kit.ts';

const MIB = 1024 * 1024;
const SMALL: LogOptions = {
  segmentBytes: 4096,
  batchBytes: 512,
  bufferBytes: 64 * 1024,
  sync: { mode: 'never' },
};
const COMPACT: LogOptions = { ...SMALL, cleanup: 'compact', keyMapBytes: 64 * 1024 };

const memory = Memory.create(32 * MIB);
let clock = new VirtualClock();
const opened: Database[] = [];

afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
  clock = new VirtualClock();
});

async function openDatabase(options: OpenOptions = {}): Promise<Database> {
  const runtime = new Runtime(memory, clock, new Pool(memory, { threads: 0, clock }));
  const database = await open('/data', { vfs: createMemoryVfs(), runtime, ...options });
  opened.push(database);
  return database;
}

async function fill(database: Database, name: string, options: LogOptions): Promise<void> {
  const log = await database.log(name, options);
  await log.appendMany(range(0, 300).map((i) => ({ key: `${i % 5}`, value: `${i}`.padEnd(40) })));
  await log.roll();
}

async function wait(ms: number): Promise<void> {
  await clock.advance(ms);
  await settle(20);
}

describe('maintenance', () => {
  test('compacts and removes when it is time, with one timer', async () => {
    const database = await openDatabase();
    await fill(database, 'a', COMPACT);
    await fill(database, 'b', { ...SMALL, retention: { ageMs: 90_000 } });
    await wait(59_000);
    expect(database.metrics().maintenance.rounds).toBe(0);
    await wait(1001);
    await database.maintenance.run('retention');
    const a = await database.log('a');
    const b = await database.log('b');
    expect(a.info().records).toBe(5);
    expect(b.info().records).toBe(300);
    await wait(60_001);
    await database.maintenance.run('retention', { log: 'a-0' });
    expect(b.info().records).toBe(0);
    expect(database.metrics().maintenance).toMatchObject({
      rounds: 2,
      compaction: { changes: 1, failures: 0 },
      retention: { changes: 1, failures: 0 },
    });
  });

  test('is done by hand, for one log or all, and says what it did', async () => {
    const database = await openDatabase({ maintenance: false });
    await fill(database, 'a', COMPACT);
    await fill(database, 'b', COMPACT);
    await fill(database, 'c', SMALL);
    await wait(600_000);
    expect(database.metrics().maintenance.rounds).toBe(0);
    const one = await database.maintenance.run('compaction', { log: 'b-0' });
    expect(Object.keys(one.compactions)).toEqual(['b-0']);
    const all = await database.maintenance.run('compaction', { force: true });
    expect(Object.keys(all.compactions).sort()).toEqual(['a-0', 'b-0']);
    expect(all.compactions['a-0']?.supersededRecords).toBe(295);
    await expect(database.maintenance.run('compaction', { log: 'd-0' })).rejects.toThrow(/no log d-0/);
    await expect(database.maintenance.run('sweeping' as 'compaction')).rejects.toThrow(/task must be one of/);
  });

  test('begins with the log that had to wait, where time was short', async () => {
    const database = await openDatabase({ maintenance: { intervalMs: 1000, budgetMs: 1 } });
    for (const name of ['a', 'b', 'c']) await fill(database, name, COMPACT);
    const order: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const log = await database.log(name);
      const { compact } = log;
      Object.assign(log, {
        compact: async (options: object) => {
          order.push(name);
          const report = await compact.call(log, options);
          // It takes longer than there is time for.
          void clock.advance(5);
          return report;
        },
      });
    }
    for (let round = 0; round < 4; round++) await wait(1001);
    expect(order.slice(0, 3)).toEqual(['a', 'b', 'c']);
    expect(new Set(order)).toEqual(new Set(['a', 'b', 'c']));
  });

  test('counts what fails, and goes on with the others', async () => {
    const database = await openDatabase();
    await fill(database, 'a', COMPACT);
    await fill(database, 'b', COMPACT);
    const a = await database.log('a');
    Object.assign(a, { compact: () => Promise.reject(new Error('no')) });
    const report = await database.maintenance.run('compaction');
    expect(Object.keys(report.failures)).toEqual(['a-0']);
    expect(Object.keys(report.compactions)).toEqual(['b-0']);
    expect(database.metrics().maintenance.compaction).toMatchObject({ runs: 2, failures: 1 });
  });

  test('waits while it is paused, and stops with the database', async () => {
    const database = await openDatabase({ maintenance: { intervalMs: 1000 } });
    await fill(database, 'a', COMPACT);
    await database.maintenance.pause();
    await wait(5000);
    expect(database.metrics().maintenance.rounds).toBe(0);
    database.maintenance.resume();
    await wait(1001);
    expect(database.metrics().maintenance.rounds).toBe(1);
    const running = database.maintenance.run('compaction', { force: true });
    await database.close();
    await running.catch((error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' }));
    await expect(database.maintenance.run('compaction')).rejects.toMatchObject({ code: 'CLOSED' });
    expect(clock.waiting).toBe(0);
  });

  test('compresses a segment as soon as it is sealed, and in a round what was sealed before', async () => {
    const vfs = createMemoryVfs();
    const options: LogOptions = { ...SMALL, compression: { codec: 'gzip', when: 'seal' } };
    const first = await openDatabase({ vfs, maintenance: false });
    await fill(first, 'a', options);
    const plain = (await first.log('a')).info().bytes;
    await first.close();
    const database = await openDatabase({ vfs });
    const log = await database.log('a', options);
    await wait(59_000);
    expect(log.info().bytes).toBe(plain);
    await wait(1001);
    await database.maintenance.run('retention');
    expect(log.info().bytes).toBeLessThan(plain * 0.7);
    const before = log.metrics().recompression;
    await fill(database, 'a', options);
    await database.maintenance.run('retention');
    const { segments } = log.metrics().recompression;
    expect(segments).toBeGreaterThan(before.segments + 1);
    expect(segments).toBe(log.info().segments.length - 1);
    await database.maintenance.pause();
    await fill(database, 'a', options);
    expect(log.metrics().recompression.segments).toBe(segments);
    const { recompressions } = await database.maintenance.run('recompression', { log: 'a' });
    expect(recompressions['a-0']?.compressedSegments).toBe(log.info().segments.length - 1 - segments);
    expect(database.metrics().maintenance.recompression).toMatchObject({ failures: 0 });
    expect(clock.waiting).toBe(0);
  });

  test('scrubs so much a second, beside its rounds and with the same timer', async () => {
    const vfs = createMemoryVfs();
    const database = await openDatabase({ vfs });
    const scrub = { bytesPerSecond: 4096 };
    await fill(database, 'a', { ...SMALL, scrub, digest: 'crc32c', retention: { ageMs: 90_000 } });
    const log = await database.log('a');
    const sealed = log.info().segments.slice(0, -1);
    const total = sealed.reduce((sum, { bytes }) => sum + bytes, 0);
    await wait(1001);
    expect(log.metrics().scrub.bytes).toBeLessThanOrEqual(4096);
    expect(log.metrics().scrub.bytes).toBeGreaterThan(0);
    await wait(1000 * Math.ceil(total / 2048));
    expect(log.metrics().scrub).toMatchObject({ damaged: 0 });
    expect(log.metrics().scrub.passes).toBeGreaterThan(0);
    expect(clock.waiting).toBe(1);
    const baseOffset = sealed[0]?.baseOffset ?? 0;
    // In place: the log has the file open.
    const file = await vfs.open(`/data/logs/a-0/${String(baseOffset).padStart(20, '0')}.log`, 'write');
    await file.write(Uint8Array.of(0xff, 0xfe, 0xfd), 80);
    await file.close();
    await wait(1000 * Math.ceil(total / 2048));
    expect(log.metrics().scrub.damaged).toBeGreaterThan(0);
    expect(log.backgroundError).toMatchObject({ code: 'CORRUPT', offsets: { first: 0 } });
    expect(database.metrics().maintenance.scrubbing).toMatchObject({ failures: 0 });
    const { scrubs } = await database.maintenance.run('scrubbing', { log: 'a', maxBytes: 2 * total });
    expect(scrubs['a-0']?.bytes).toBeGreaterThan(0);
    await wait(80_000);
    await database.maintenance.run('retention');
    expect(log.info().records).toBe(0);
  });

  test('leaves a log alone that was closed, and takes a name for all of its partitions', async () => {
    const database = await openDatabase();
    await fill(database, 'a', COMPACT);
    await fill(database, 'a', { ...COMPACT, partition: 1 });
    await fill(database, 'b', COMPACT);
    await (await database.log('b')).close();
    const { failures, removedSegments } = await database.maintenance.run('retention');
    expect(failures).toEqual({});
    expect(Object.keys(removedSegments).sort()).toEqual(['a-0', 'a-1']);
    expect(database.metrics().maintenance.retention.failures).toBe(0);
    const both = await database.maintenance.run('compaction', { log: 'a' });
    expect(Object.keys(both.compactions).sort()).toEqual(['a-0', 'a-1']);
    const one = await database.maintenance.run('compaction', { log: 'a-1' });
    expect(Object.keys(one.compactions)).toEqual(['a-1']);
  });

  test.each<[NonNullable<OpenOptions['maintenance']>, RegExp]>([
    [{ intervalMs: 0 }, /maintenance.intervalMs/],
    [{ budgetMs: 1.5 }, /maintenance.budgetMs/],
    [{ interval: 5 } as object, /no option interval/],
  ])('refuses %j', async (maintenance, message) => {
    await expect(openDatabase({ maintenance })).rejects.toThrow(message);
  });
});
