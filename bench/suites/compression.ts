/**
 * Lines of a log appended to logs whose batches are compressed, against the same log without: how fast, and
 * how many bytes lie on the disk afterwards. Nothing is synced, so that it is the processor that is measured.
 *
 * @module
 */

import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Database, Log, LogOptions } from '../../src/index.ts';
import type { RowSpec } from '../rows.ts';
import { writeSample } from '../sample-file.ts';
import { inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { perSecond } from '../workload.ts';

const MIB = 1 << 20;
const NEWLINE = 10;

const plain = 'the same log without compression';
const rows = {
  rate: { id: 'compression/append-zstd vs plain', unit: 'MB/s', versus: plain, target: '>= 0.3' },
  bytes: { id: 'compression/bytes-zstd vs plain', unit: 'MiB', versus: plain, target: '<= 0.2' },
  lz4Rate: { id: 'compression/append-lz4 vs plain', unit: 'MB/s', versus: plain, target: null },
  lz4Bytes: { id: 'compression/bytes-lz4 vs plain', unit: 'MiB', versus: plain, target: null },
  read: { id: 'compression/read-zstd vs plain', unit: 'MB/s', versus: plain, target: null },
} as const satisfies Record<string, RowSpec>;

/** The lines of a file, as views of it. */
function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, at);
    const stop = end < 0 ? bytes.length : end;
    lines.push(bytes.subarray(at, stop));
    at = stop + 1;
  }
  return lines;
}

async function enqueueLines(log: Log, lines: readonly Buffer[]): Promise<void> {
  let last = 0;
  for (const value of lines) {
    for (;;) {
      try {
        last = log.enqueue({ value });
        break;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'BACKPRESSURE') throw error;
        await log.ready();
      }
    }
  }
  await log.reached(last, 'written');
}

interface Measured {
  append: number;
  read: number;
  mib: number;
}

/** One log, written, read and removed. */
async function measure(
  database: Database,
  name: string,
  lines: readonly Buffer[],
  bytes: number,
  options: LogOptions,
): Promise<Measured> {
  const log = await database.log(name, { sync: { mode: 'never' }, ...options });
  const began = performance.now();
  await enqueueLines(log, lines);
  const append = perSecond(bytes / 1e6, began);
  const mib = log.info().bytes / MIB;
  const readBegan = performance.now();
  let records = 0;
  for await (const { value } of log.read()) if (value !== null) records++;
  const read = perSecond(bytes / 1e6, readBegan);
  await log.close();
  rmSync(log.directory, { recursive: true });
  if (records !== lines.length) throw new Error(`${records} of ${lines.length} records came back`);
  return { append, read, mib };
}

async function run(context: Context): Promise<void> {
  const file = join(context.directory, 'sample.log');
  const bytes = await writeSample(file, context.tiny ? MIB : 256 * MIB);
  const lines = linesOf(readFileSync(file));
  const database = await context.engine.open(join(context.directory, 'database'));
  const found: Record<string, Measured[]> = { none: [], zstd: [], lz4: [] };
  const missing: Record<string, string> = {};
  const contestant = (codec: 'none' | 'zstd' | 'lz4') => async (): Promise<number> => {
    try {
      const one = await measure(database, codec, lines, bytes, { compression: codec });
      found[codec]?.push(one);
      return one.append;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'UNSUPPORTED') throw error;
      missing[codec] = (error as Error).message;
      return 0;
    }
  };
  context.say(`appending ${lines.length} lines, ${Math.round(bytes / MIB)} MiB, in turn`);
  await inTurn(context.rounds, {
    none: contestant('none'),
    zstd: contestant('zstd'),
    lz4: contestant('lz4'),
  });
  await database.close();
  report(context, 'zstd', found, missing, { append: rows.rate, mib: rows.bytes, read: rows.read });
  report(context, 'lz4', found, missing, { append: rows.lz4Rate, mib: rows.lz4Bytes });
}

function report(
  context: Context,
  codec: string,
  found: Record<string, Measured[]>,
  missing: Record<string, string>,
  to: Partial<Record<keyof Measured, RowSpec>>,
): void {
  for (const [field, row] of Object.entries(to) as [keyof Measured, RowSpec][]) {
    const of = (name: string): number[] =>
      (found[name] ?? []).map((one) => one[field]).slice(-context.rounds);
    const reason = missing[codec];
    if (reason === undefined) context.report(row.id, { samples: of(codec), versusSamples: of('none') });
    else context.skip(row.id, reason);
  }
}

export const compressionSuite: Suite = {
  name: 'compression',
  title: 'lines of a log appended to logs with compressed batches',
  rows: Object.values(rows),
  run,
};
