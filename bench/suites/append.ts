/**
 * Appending records of 100 bytes.
 *
 * Two groups of rows. Without syncs (`never`): the rate at which records reach the operating system, against
 * a loop that does no more than frame and write, and against two engines with their syncs off. With a
 * sync behind every write (`always`): what an append waits for, against the bare system calls, and what
 * group commit makes of many callers.
 *
 * @module
 */

import { rmSync } from 'node:fs';
import type { Database, Log, SyncPolicy } from '../../src/index.ts';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn, quantile } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { closedLoop, latenciesUs, perSecond, recordAt } from '../workload.ts';
import { AppendFile, framedAppend } from './bare-append.ts';
import { enqueueAll } from './enqueue-all.ts';
import { levelStores, lmdbStores } from './peer-stores.ts';

const rows = {
  enqueueVsLoop: {
    id: 'append/enqueue-never vs js-frame-loop',
    unit: 'records/s',
    versus: 'a loop that frames in JS and writes 1 MiB at a time',
    target: '>= 1',
  },
  enqueueVsLmdb: {
    id: 'append/enqueue-never vs lmdb-put',
    unit: 'records/s',
    versus: 'lmdb put, noSync, every 10,000th awaited',
    target: '>= 5',
  },
  enqueueVsLevel: {
    id: 'append/enqueue-never vs classic-level-batch-1000',
    unit: 'records/s',
    versus: 'classic-level batch of 1,000, no sync',
    target: '>= 10',
  },
  awaitVsLmdb: {
    id: 'append/await-1000-never vs lmdb-put-1000',
    unit: 'records/s',
    versus: 'lmdb put, noSync, the same 1,000 callers',
    target: '>= 1.5',
  },
  awaitVsLmdbUnawaited: {
    id: 'append/await-1000-never vs lmdb-put',
    unit: 'records/s',
    versus: 'lmdb put, noSync, every 10,000th awaited',
    target: null,
  },
  alwaysVsBare: {
    id: 'append/always-1-p50 vs write-fdatasync',
    unit: 'us',
    versus: 'writeSync and fdatasyncSync of the same bytes',
    target: '<= 1.3',
  },
  alwaysVsBareAsync: {
    id: 'append/always-1-p50 vs async-write-fdatasync',
    unit: 'us',
    versus: 'write and fdatasync with callbacks, same bytes',
    target: null,
  },
  always16: {
    id: 'append/always-16 vs fdatasync-each',
    unit: 'records/s',
    versus: 'one write and fdatasync (Sync) per record',
    target: '>= 12',
  },
  always256: {
    id: 'append/always-256 vs fdatasync-each',
    unit: 'records/s',
    versus: 'one write and fdatasync (Sync) per record',
    target: '>= 100',
  },
  always2048: {
    id: 'append/always-2048 vs fdatasync-each',
    unit: 'records/s',
    versus: 'one write and fdatasync (Sync) per record',
    target: '>= 200',
  },
  poll1VsBare: {
    id: 'append/always-poll-1-p50 vs write-fdatasync',
    unit: 'us',
    versus: 'writeSync and fdatasyncSync of the same bytes',
    target: '<= 1.3',
  },
  poll16: {
    id: 'append/always-poll-16 vs fdatasync-each',
    unit: 'records/s',
    versus: 'one write and fdatasync (Sync) per record',
    target: '>= 12',
  },
  always16VsConcurrent: {
    id: 'append/always-16 vs fdatasync-each-at-once',
    unit: 'records/s',
    versus: 'the same callers, each with a write and fdatasync of its own',
    target: null,
  },
  always256VsConcurrent: {
    id: 'append/always-256 vs fdatasync-each-at-once',
    unit: 'records/s',
    versus: 'the same callers, each with a write and fdatasync of its own',
    target: null,
  },
} as const satisfies Record<string, RowSpec>;

/** Logs that are used once. The database stays open meanwhile, as it does in a program. */
class FreshLogs {
  readonly #db: Database;
  #count = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Runs something on a new log, which is closed and removed afterwards. */
  async measure(sync: SyncPolicy, run: (log: Log) => Promise<number>): Promise<number> {
    const log = await this.#db.log(`fresh-${this.#count++}`, { sync });
    try {
      return await run(log);
    } finally {
      await log.close();
      rmSync(log.directory, { recursive: true });
    }
  }
}

/**
 * Each turn starts from nothing and ends with its files removed: what an engine puts off (the compactions
 * of classic-level, the write-back of all) is not left for the next one to pay.
 */
async function withoutSyncs(context: Context, logs: FreshLogs): Promise<void> {
  const count = context.tiny ? 2000 : 500_000;
  context.say(`${count} records without syncs, in turn`);
  const lmdb = lmdbStores(context);
  const level = levelStores(context);
  const never = { mode: 'never' } as const;
  const contestants: Record<string, Contestant> = {
    enqueue: () => logs.measure(never, (log) => enqueueAll(log, count)),
    bare: () => framedAppend(`${context.directory}/framed`, count),
    await: () =>
      logs.measure(never, (log) => closedLoop(1000, count, (i) => log.append({ value: recordAt(i) }))),
  };
  if (lmdb.missing === null) {
    contestants['lmdb'] = () => lmdb.withFresh((store) => store.putAll(count));
    contestants['lmdbAwaited'] = () => lmdb.withFresh((store) => store.putFromClients(1000, count));
  }
  if (level.missing === null) contestants['level'] = () => level.withFresh((store) => store.batchAll(count));
  const measured = await inTurn(context.rounds, contestants);
  const pairs = [
    [rows.enqueueVsLoop, 'enqueue', 'bare', null],
    [rows.enqueueVsLmdb, 'enqueue', 'lmdb', lmdb.missing],
    [rows.enqueueVsLevel, 'enqueue', 'level', level.missing],
    [rows.awaitVsLmdb, 'await', 'lmdbAwaited', lmdb.missing],
    [rows.awaitVsLmdbUnawaited, 'await', 'lmdb', lmdb.missing],
  ] as const;
  for (const [row, ours, theirs, missing] of pairs) {
    const samples = measured[ours]!;
    if (missing !== null) context.skip(row.id, missing, samples);
    else context.report(row.id, { samples, versusSamples: measured[theirs]! });
  }
}

/** How many bytes a log grows by for a record that is appended alone. */
function loneRecordBytes(logs: FreshLogs): Promise<number> {
  return logs.measure({ mode: 'never' }, async (log) => {
    await log.append({ value: recordAt(0) });
    return log.info().bytes;
  });
}

async function withSyncs(context: Context, db: Database, logs: FreshLogs): Promise<void> {
  const singles = context.tiny ? 20 : 500;
  const flushes = context.tiny ? 2 : 300;
  const bytes = await loneRecordBytes(logs);
  context.say(`a sync behind every write, ${bytes} bytes for a single record`);
  const sync = new AppendFile(`${context.directory}/bare-sync`, bytes);
  const callbacks = new AppendFile(`${context.directory}/bare-callbacks`, bytes);
  const openLog = (clients: number, busyPollMs = 0): Promise<Log> =>
    db.log(`clients-${clients}-${busyPollMs}`, { sync: { mode: 'always', busyPollMs } });
  try {
    const fromClients = async (clients: number, busyPollMs = 0): Promise<Contestant> => {
      const log = await openLog(clients, busyPollMs);
      return () => closedLoop(clients, clients * flushes, (i) => log.append({ value: recordAt(i) }));
    };
    const lone = await openLog(1);
    const polling = await openLog(1, 1);
    // The rate of the bare loop comes from the same calls as its median latency.
    const bareRates: number[] = [];
    const measured = await inTurn(context.rounds, {
      always1: async () =>
        quantile(await latenciesUs(singles, (i) => lone.append({ value: recordAt(i) })), 0.5),
      bare() {
        const began = performance.now();
        const p50 = quantile(sync.latenciesUs(singles), 0.5);
        bareRates.push(perSecond(singles, began));
        return p50;
      },
      bareAsync: async () => quantile(await latenciesUs(singles, () => callbacks.append()), 0.5),
      poll1: async () =>
        quantile(await latenciesUs(singles, (i) => polling.append({ value: recordAt(i) })), 0.5),
      always16: await fromClients(16),
      poll16: await fromClients(16, 1),
      always256: await fromClients(256),
      always2048: await fromClients(2048),
      bare16: () => closedLoop(16, 16 * flushes, () => callbacks.append()),
      bare256: () => closedLoop(256, 16 * flushes, () => callbacks.append()),
    });
    // The first is of the round that warmed up.
    const rates = bareRates.slice(1);
    context.report(rows.alwaysVsBare.id, { samples: measured.always1, versusSamples: measured.bare });
    context.report(rows.alwaysVsBareAsync.id, {
      samples: measured.always1,
      versusSamples: measured.bareAsync,
    });
    context.report(rows.poll1VsBare.id, { samples: measured.poll1, versusSamples: measured.bare });
    context.report(rows.poll16.id, { samples: measured.poll16, versusSamples: rates });
    context.report(rows.always16.id, { samples: measured.always16, versusSamples: rates });
    context.report(rows.always256.id, { samples: measured.always256, versusSamples: rates });
    context.report(rows.always2048.id, { samples: measured.always2048, versusSamples: rates });
    context.report(rows.always16VsConcurrent.id, {
      samples: measured.always16,
      versusSamples: measured.bare16,
    });
    context.report(rows.always256VsConcurrent.id, {
      samples: measured.always256,
      versusSamples: measured.bare256,
    });
  } finally {
    sync.close();
    callbacks.close();
  }
}

async function run(context: Context): Promise<void> {
  const db = await context.engine.open(`${context.directory}/database`);
  try {
    const logs = new FreshLogs(db);
    await withSyncs(context, db, logs);
    await withoutSyncs(context, logs);
  } finally {
    await db.close();
  }
}

export const appendSuite: Suite = {
  name: 'append',
  title: 'appending records of 100 bytes',
  rows: Object.values(rows),
  run,
};
