/**
 * Compaction: of a log with ten records for each key, nine go. The bytes are in the page cache, as they are for `cat`,
 * which does no more than read them once; a compaction reads them twice, checks them, and writes what stays, synced.
 *
 *     VARVE_COMPACTION_BYTES=268435456 npm run bench -- compaction      a smaller log
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { createRuntime, type Database, isVarveError, type Log, open } from '../../src/index.ts';
import type { RowSpec } from '../rows.ts';
import type { Context, Suite } from '../suite.ts';
import { perSecond, recordAt } from '../workload.ts';

const MIB = 1 << 20;
const VALUE_BYTES = 1000;
const RECORDS_PER_KEY = 10;
const STALL_MS = 5;
const MAP_BYTES = 256 * MIB;
const MAP_KEYS = 10_000_000;

const rows = {
  compact: {
    id: 'compaction/10%-live vs cat',
    unit: 's',
    versus: 'cat of the segments to nowhere',
    target: '<= 6',
  },
  compactVsCopy: {
    id: 'compaction/10%-live vs cat-to-file',
    unit: 's',
    versus: 'cat of the segments to a file, not synced',
    target: null,
  },
  stall: {
    id: 'compaction/main-thread-stall-p99 vs 5ms',
    unit: 'ms',
    versus: 'a bound of 5 ms',
    target: '<= 1',
  },
  append: {
    id: 'compaction/enqueue-never vs alone',
    unit: 'records/s',
    versus: 'the same without a compaction',
    target: '>= 0.5',
  },
  map: {
    id: 'compaction/key-map-10M-keys vs 256MiB',
    unit: 'MiB',
    versus: '256 MiB, in one pass',
    target: '<= 1',
  },
} as const satisfies Record<string, RowSpec>;

/** Enqueues records, and waits where the buffer is full. */
async function enqueueAll(
  log: Log,
  count: number,
  record: (i: number) => { key: Buffer; value: Buffer },
): Promise<void> {
  for (let i = 0; i < count; i++) {
    for (;;) {
      try {
        log.enqueue(record(i));
        break;
      } catch (error) {
        if (!isVarveError(error, 'BACKPRESSURE')) throw error;
        await log.ready();
      }
    }
  }
}

/** Fills a log so that a tenth of its records are the newest of their key, and seals it. */
async function fill(log: Log, bytes: number): Promise<void> {
  const count = Math.floor(bytes / (VALUE_BYTES + 30));
  const keys = Math.max(1, Math.floor(count / RECORDS_PER_KEY));
  const key = Buffer.alloc(16);
  const value = Buffer.alloc(VALUE_BYTES, 'a value as long as they are. ');
  let state = 1;
  await enqueueAll(log, count, (i) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const id = i < keys ? i : state % keys;
    key.fill('.').write(`user-${id}`, 'latin1');
    value.writeUInt32LE(i);
    return { key, value };
  });
  await log.sync();
  await log.roll();
}

/** How long `cat` takes to read files, in seconds. */
function cat(directory: string, target: string): number {
  const began = performance.now();
  const result = spawnSync('sh', ['-c', 'cat "$1"/*.log > "$2"', 'sh', directory, target], {
    stdio: 'inherit',
  });
  if (result.status !== 0) throw new Error(`cat could not be run: ${result.error?.message ?? result.status}`);
  return (performance.now() - began) / 1000;
}

/** By how much timers of 1 ms come late while something goes on, and that millisecond: of a hundred, the last but one. */
async function delayWhile(work: () => Promise<unknown>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 1 });
  delays.enable();
  await work();
  delays.disable();
  return delays.percentile(99) / 1e6;
}

async function openLog(db: Database, name: string, keyMapBytes?: number): Promise<Log> {
  return await db.log(name, {
    cleanup: 'compact',
    sync: { mode: 'never' },
    ...(keyMapBytes !== undefined && { keyMapBytes }),
  });
}

async function compactions(context: Context, db: Database): Promise<void> {
  const asked = Number(process.env['VARVE_COMPACTION_BYTES'] ?? 1024 * MIB);
  const bytes = context.tiny ? 4 * MIB : asked;
  const rounds = context.tiny ? 1 : 3;
  const samples: number[] = [];
  const cats: number[] = [];
  const copies: number[] = [];
  const stalls: number[] = [];
  for (let round = 0; round < rounds; round++) {
    context.say(`round ${round + 1} of ${rounds}: ${Math.round(bytes / MIB)} MiB`);
    const log = await openLog(db, `compacted-${round}`);
    await fill(log, bytes);
    cat(log.directory, '/dev/null');
    cats.push(cat(log.directory, '/dev/null'));
    copies.push(cat(log.directory, `${context.directory}/copy`));
    rmSync(`${context.directory}/copy`);
    const began = performance.now();
    const report = await log.compact({ force: true });
    samples.push((performance.now() - began) / 1000);
    if (report.bytesAfter > report.bytesBefore * 0.12) throw new Error('more stayed than a tenth');
    await log.close();
    rmSync(log.directory, { recursive: true });
    // Once more, with somebody who looks at the main thread.
    const watched = await openLog(db, `watched-${round}`);
    await fill(watched, bytes / 4);
    stalls.push(await delayWhile(() => watched.compact({ force: true })));
    await watched.close();
    rmSync(watched.directory, { recursive: true });
  }
  context.report(rows.compact.id, { samples, versusSamples: cats });
  context.report(rows.compactVsCopy.id, { samples, versusSamples: copies });
  context.report(rows.stall.id, { samples: stalls, versusSamples: stalls.map(() => STALL_MS) });
}

/** Records a second that one caller enqueues for some time. */
async function appendFor(log: Log, ms: number): Promise<number> {
  const began = performance.now();
  let count = 0;
  while (performance.now() - began < ms) {
    await enqueueAll(log, 1000, (i) => ({ key: KEY, value: recordAt(count + i) }));
    count += 1000;
    // Whoever fills a buffer without a pause keeps the compaction from its next step.
    await setImmediate();
  }
  await log.sync();
  return perSecond(count, began);
}

const KEY: Buffer = Buffer.from('the same key');

async function appends(context: Context, db: Database): Promise<void> {
  const bytes = context.tiny ? 4 * MIB : 512 * MIB;
  const ms = context.tiny ? 20 : 1000;
  const alone: number[] = [];
  const beside: number[] = [];
  for (let round = 0; round < (context.tiny ? 1 : 3); round++) {
    context.say(`appends beside a compaction, round ${round + 1}`);
    const log = await openLog(db, `beside-${round}`);
    await fill(log, bytes);
    const target = await openLog(db, `target-${round}`);
    alone.push(await appendFor(target, ms));
    let isOver = false;
    const compacting = (async () => {
      while (!isOver) await log.compact({ force: true, dryRun: true });
    })();
    beside.push(await appendFor(target, ms));
    isOver = true;
    await compacting;
    for (const one of [log, target]) {
      await one.close();
      rmSync(one.directory, { recursive: true });
    }
  }
  context.report(rows.append.id, { samples: beside, versusSamples: alone });
}

/** Ten million keys, each once: all of them are in the map at once. */
async function keyMap(context: Context, db: Database): Promise<void> {
  const count = context.tiny ? 5000 : MAP_KEYS;
  context.say(`${count} different keys`);
  const log = await openLog(db, 'keys', MAP_BYTES);
  const value = Buffer.alloc(0);
  await enqueueAll(log, count, (i) => ({ key: Buffer.from(`user:${1_000_000 + i}`), value }));
  await log.sync();
  await log.roll();
  const report = await log.compact({ force: true, dryRun: true });
  if (report.keys !== count) throw new Error(`${report.keys} keys were compared instead of ${count}`);
  // What several passes take must not look as if it were less.
  const bytes = report.mapBytes * report.passes;
  context.report(rows.map.id, { samples: [bytes / MIB], versusSamples: [MAP_BYTES / MIB] });
  await log.close();
  rmSync(log.directory, { recursive: true });
}

async function run(context: Context): Promise<void> {
  if (process.platform === 'win32') {
    for (const { id } of Object.values(rows)) context.skip(id, 'there is no cat on Windows');
    return;
  }
  const runtime = createRuntime({ memoryBytes: context.tiny ? 128 * MIB : 640 * MIB });
  const db = await open(`${context.directory}/db`, { runtime });
  try {
    // The threads are there, as they are in a program that has run for a while.
    const first = await openLog(db, 'first');
    await fill(first, MIB);
    await first.compact({ force: true });
    await compactions(context, db);
    await appends(context, db);
    await keyMap(context, db);
  } finally {
    await db.close();
    await runtime.close();
  }
}

export const compactionSuite: Suite = {
  name: 'compaction',
  title: 'compacting a log of 1 GiB of which a tenth stays',
  rows: Object.values(rows),
  run,
};
