/**
 * Reading back records of 100 bytes that the operating system has in memory: one by its offset, all of
 * them record by record, all of them batch by batch; and what the index that makes the first fast costs.
 *
 * @module
 */

import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../../src/index.ts';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { perSecond, RECORD_BYTES, randomIntegers } from '../workload.ts';
import { enqueueAll } from './enqueue-all.ts';
import { lmdbStores } from './peer-stores.ts';

const MIB = 1 << 20;

const rows = {
  getVsLmdb: {
    id: 'read/get-random vs lmdb-getBinary',
    unit: 'records/s',
    versus: 'lmdb getBinary',
    target: '>= 1',
  },
  getVsScan: {
    id: 'read/get-random vs segment-scan',
    unit: 'records/s',
    versus: 'batches() from the start of the segment',
    target: '>= 100',
  },
  cursorVsRead: {
    id: 'read/batch-cursor vs read-1MiB',
    unit: 'MB/s',
    versus: 'readSync of the same files, 1 MiB at a time',
    target: '>= 0.5',
  },
  readVsRange: {
    id: 'read/read vs lmdb-getRange',
    unit: 'records/s',
    versus: 'lmdb getRange',
    target: '>= 1',
  },
  indexBytes: {
    id: 'read/offset-index-bytes vs log-bytes',
    unit: 'bytes',
    versus: 'the .log files',
    target: '<= 0.002',
  },
} as const satisfies Record<string, RowSpec>;

/** The files of a folder with a certain ending, by name. */
function filesOf(folder: string, ending: string): string[] {
  const names = readdirSync(folder).filter((name) => name.endsWith(ending));
  return names.sort().map((name) => join(folder, name));
}

function bytesOf(paths: readonly string[]): number {
  return paths.reduce((sum, path) => sum + statSync(path).size, 0);
}

/** Gets records by their offsets, one after the other, and looks at their values; records a second. */
async function getAll(log: Log, offsets: Float64Array): Promise<number> {
  const began = performance.now();
  let bytes = 0;
  for (let i = 0; i < offsets.length; i++) bytes += (await log.get(offsets[i]!)).value!.length;
  const rate = perSecond(offsets.length, began);
  if (bytes !== offsets.length * RECORD_BYTES) throw new Error('a record is not what was appended');
  return rate;
}

/** Finds records without an index: reads their segment from its start; records a second. */
async function scanForAll(
  log: Log,
  segmentStarts: readonly number[],
  offsets: Float64Array,
): Promise<number> {
  const began = performance.now();
  for (const offset of offsets) {
    const start = segmentStarts.findLast((first) => first <= offset)!;
    let found: number | undefined;
    for await (const batch of log.batches({ fromOffset: start })) {
      if (batch.lastOffset < offset) continue;
      found = batch.records().find((record) => record.offset === offset)?.value?.length;
      break;
    }
    if (found !== RECORD_BYTES) throw new Error(`the scan did not find offset ${offset}`);
  }
  return perSecond(offsets.length, began);
}

/** Reads all records in order, and looks at their values; records a second. */
async function readAll(log: Log, count: number): Promise<number> {
  const began = performance.now();
  let bytes = 0;
  for await (const record of log.read()) bytes += record.value!.length;
  const rate = perSecond(count, began);
  if (bytes !== count * RECORD_BYTES) throw new Error('read() lost a record');
  return rate;
}

/** Steps through all batches; MB/s. */
async function walkAll(log: Log, logBytes: number): Promise<number> {
  const began = performance.now();
  let bytes = 0;
  for await (const batch of log.batches()) bytes += batch.bytes.length;
  const rate = perSecond(bytes / 1e6, began);
  if (bytes !== logBytes) throw new Error(`the cursor saw ${bytes} bytes of ${logBytes}`);
  return rate;
}

/** Reads files a MiB at a time; MB/s. */
function readFiles(paths: readonly string[]): number {
  const buffer = Buffer.allocUnsafe(MIB);
  const began = performance.now();
  let bytes = 0;
  for (const path of paths) {
    const fd = openSync(path, 'r');
    for (let position = 0; ; ) {
      const read = readSync(fd, buffer, 0, MIB, position);
      if (read === 0) break;
      position += read;
      bytes += read;
    }
    closeSync(fd);
  }
  return perSecond(bytes / 1e6, began);
}

async function run(context: Context): Promise<void> {
  const count = context.tiny ? 3000 : 1_000_000;
  const lookups = context.tiny ? 50 : 50_000;
  const lmdb = lmdbStores(context);
  const store = lmdb.missing === null ? await lmdb.open() : undefined;
  const db = await context.engine.open(`${context.directory}/read`);
  let folder = '';
  try {
    context.say(`writing ${count} records`);
    const log = await db.log('records', { sync: { mode: 'never' } });
    await enqueueAll(log, count);
    await log.sync();
    await store?.putAll(count);
    folder = log.directory;
    const segments = filesOf(folder, '.log');
    const logBytes = bytesOf(segments);
    const starts = segments.map((path) => Number(path.slice(-24, -4)));

    context.say(`reading them in turn, ${lookups} at random`);
    let seed = 0;
    const contestants: Record<string, Contestant> = {
      get: () => getAll(log, randomIntegers(lookups, count, ++seed)),
      scan: () => scanForAll(log, starts, randomIntegers(context.tiny ? 2 : 10, count, ++seed)),
      cursor: () => walkAll(log, logBytes),
      files: () => readFiles(segments),
      read: () => readAll(log, count),
    };
    if (store !== undefined) {
      contestants['lmdbGet'] = () => store.getAll(randomIntegers(lookups, count, ++seed));
      contestants['lmdbRange'] = () => store.scan();
    }
    const measured = await inTurn(context.rounds, contestants);
    const pairs = [
      [rows.getVsLmdb, 'get', 'lmdbGet', lmdb.missing],
      [rows.getVsScan, 'get', 'scan', null],
      [rows.cursorVsRead, 'cursor', 'files', null],
      [rows.readVsRange, 'read', 'lmdbRange', lmdb.missing],
    ] as const;
    for (const [row, ours, theirs, missing] of pairs) {
      const samples = measured[ours]!;
      if (missing !== null) context.skip(row.id, missing, samples);
      else context.report(row.id, { samples, versusSamples: measured[theirs]! });
    }
  } finally {
    await store?.close();
    await db.close();
  }
  // Only a closed log has all of its index on disk.
  context.report(rows.indexBytes.id, {
    samples: [bytesOf(filesOf(folder, '.index'))],
    versusSamples: [bytesOf(filesOf(folder, '.log'))],
  });
}

export const readSuite: Suite = {
  name: 'read',
  title: 'reading records of 100 bytes back from the page cache',
  rows: Object.values(rows),
  run,
};
