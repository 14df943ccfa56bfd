/**
 * Stores of log entries: writing and reading them, a stretch of time against everything, a rare level, a log file
 * that is ingested, and what a logger pays.
 *
 * @module
 */

import { rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pino } from 'pino';
import type { Database, EventInput, Events } from '../../src/index.ts';
import { runVarveForPeak } from '../processes.ts';
import type { RowSpec } from '../rows.ts';
import { writeSample } from '../sample-file.ts';
import { inTurn } from '../statistics.ts';
import type { Context } from '../suite.ts';
import { perSecond } from '../workload.ts';

const MIB = 1 << 20;
const WRITE_GOAL = 1_000_000;
const READ_GOAL = 1_500_000;
/** How many entries a store has of which a stretch is read: `VARVE_BENCH_EVENTS=10000000`. */
const STORED_DEFAULT = 1_000_000;
const FILE_MIB_DEFAULT = 128;

const rows = {
  write: {
    id: 'stores/events-writeMany-10k-synced vs goal',
    unit: 'entries/s',
    versus: `${WRITE_GOAL} entries/s`,
    target: '>= 1',
  },
  read: {
    id: 'stores/events-read-all vs goal',
    unit: 'entries/s',
    versus: `${READ_GOAL} entries/s`,
    target: '>= 1',
  },
  range: {
    id: 'stores/events-range-1% vs full-scan',
    unit: 'reads/s',
    versus: 'a full scan',
    target: '>= 50',
  },
  rare: { id: 'stores/events-rare-level vs full-scan', unit: 'reads/s', versus: 'a full scan', target: null },
  ingest: {
    id: 'stores/events-ingest vs log-ingest',
    unit: 'MB/s',
    versus: 'varve ingest into a log',
    target: '>= 0.5',
  },
  pino: {
    id: 'stores/pino-transport vs pino-file',
    unit: 'lines/s',
    versus: 'pino into a file, by its transport',
    target: '>= 0.8',
  },
} as const satisfies Record<string, RowSpec>;

export const eventRows: readonly RowSpec[] = Object.values(rows);

const COMPONENTS = ['http', 'db', 'dfs.DataNode$PacketResponder', 'auth', 'cache'];

/** Entries of a service, a millisecond after the other; one of ten thousand is fatal. */
function entriesFrom(first: number, count: number): EventInput[] {
  return Array.from({ length: count }, (_, i) => {
    const number = first + i;
    return {
      timestamp: 1_700_000_000_000 + number,
      level: number % 10_000 === 9_999 ? 'FATAL' : number % 5 === 0 ? 'WARN' : 'INFO',
      component: COMPONENTS[number % COMPONENTS.length]!,
      message: `Received block blk_${number * 7919} of size 67108864 from /10.251.42.${number % 256}`,
    };
  });
}

async function readAll(events: Events): Promise<number> {
  let characters = 0;
  let count = 0;
  for await (const { message, timestamp } of events.read()) {
    characters += message.length + (timestamp > 0 ? 0 : 1);
    count++;
  }
  if (characters < count) throw new Error('entries have lost their messages');
  return count;
}

async function measureStore(context: Context): Promise<void> {
  const directory = join(context.directory, 'store');
  const database: Database = await context.engine.open(directory);
  const batch = context.tiny ? 1000 : 10_000;
  const stored = context.tiny ? 5000 : Number(process.env['VARVE_BENCH_EVENTS'] ?? STORED_DEFAULT);
  const events = await database.events('app');
  context.say(`writing ${batch} entries at once`);
  let written = 0;
  const writes = await inTurn(context.rounds * 4, {
    async write() {
      const entries = entriesFrom(written, batch);
      written += batch;
      const began = performance.now();
      await events.writeMany(entries, { durability: 'synced' });
      return perSecond(batch, began);
    },
  });
  context.report(rows.write.id, { samples: writes.write, versusSamples: writes.write.map(() => WRITE_GOAL) });
  for (; written < stored; written += batch) {
    await events.writeMany(entriesFrom(written, batch), { durability: 'written' });
  }
  await events.flush();
  context.say(`reading ${written} entries`);
  const from = 1_700_000_000_000 + Math.floor(written / 2);
  const expected = Math.floor(written / 100);
  const reads = await inTurn(context.rounds, {
    async all() {
      const began = performance.now();
      const count = await readAll(events);
      if (count !== written) throw new Error(`${count} entries were read, not ${written}`);
      return perSecond(count, began);
    },
    range: () => timesASecond(() => consume(events, { from, to: from + expected }), expected),
    rare: () => timesASecond(() => consume(events, { level: 'FATAL' }), Math.floor(written / 10_000)),
  });
  context.report(rows.read.id, { samples: reads.all, versusSamples: reads.all.map(() => READ_GOAL) });
  const scans = reads.all.map((rate) => rate / written);
  context.report(rows.range.id, { samples: reads.range, versusSamples: scans });
  context.report(rows.rare.id, { samples: reads.rare, versusSamples: scans });
  await database.close();
  rmSync(directory, { recursive: true });
}

async function consume(events: Events, options: Parameters<Events['read']>[0]): Promise<number> {
  let count = 0;
  for await (const { message } of events.read(options)) count += message === '' ? 0 : 1;
  return count;
}

async function timesASecond(read: () => Promise<number>, expected: number): Promise<number> {
  const began = performance.now();
  const times = 3;
  for (let i = 0; i < times; i++) {
    const count = await read();
    if (count !== expected) throw new Error(`${count} entries were read, not ${expected}`);
  }
  return perSecond(times, began);
}

async function measureIngest(context: Context): Promise<void> {
  const file = join(context.directory, 'sample.log');
  const mib = context.tiny ? 1 : Number(process.env['VARVE_BENCH_MIB'] ?? FILE_MIB_DEFAULT);
  context.say(`ingesting ${mib} MiB, into a store and into a log`);
  const bytes = await writeSample(file, mib * MIB);
  const into = join(context.directory, 'database');
  const ingest = (...args: string[]): number => {
    const { ms } = runVarveForPeak(['ingest', file, '--into', into, '--format', 'hdfs', ...args]);
    rmSync(into, { recursive: true });
    return bytes / 1e3 / ms;
  };
  const measured = await inTurn(Math.min(3, context.rounds), {
    events: () => ingest('--events', 'app'),
    log: () => ingest(),
  });
  context.report(rows.ingest.id, { samples: measured.events, versusSamples: measured.log });
  rmSync(file);
}

/** Logs through a transport, from the first line until it has closed. */
async function logTo(target: string, options: Record<string, string>, lines: number): Promise<number> {
  const transport = pino.transport({ target, options });
  // Its thread does not keep this process alive.
  const awake = setInterval(() => undefined, 1000);
  await new Promise((resolve) => transport.once('ready', resolve));
  const logger = pino(transport);
  const began = performance.now();
  for (let i = 0; i < lines; i++) {
    logger.info({ request: i, user: 'u17' }, 'request completed');
    if (i % 1000 === 999) await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => {
    transport.on('close', resolve);
    transport.end();
  });
  clearInterval(awake);
  return perSecond(lines, began);
}

async function measurePino(context: Context): Promise<void> {
  const lines = context.tiny ? 1000 : 600_000;
  context.say(`logging ${lines} lines with pino`);
  const target = createRequire(import.meta.url).resolve('varve/pino');
  const file = join(context.directory, 'pino.log');
  const directory = join(context.directory, 'pino');
  const measured = await inTurn(context.rounds, {
    async varve() {
      const rate = await logTo(target, { directory, name: 'app' }, lines);
      rmSync(directory, { recursive: true });
      return rate;
    },
    async file() {
      const rate = await logTo('pino/file', { destination: file }, lines);
      if (statSync(file).size < lines) throw new Error('pino has lost lines');
      rmSync(file);
      return rate;
    },
  });
  context.report(rows.pino.id, { samples: measured.varve, versusSamples: measured.file });
}

/** Measures stores of log entries. */
export async function measureEvents(context: Context): Promise<void> {
  await measureStore(context);
  await measureIngest(context);
  await measurePino(context);
}
