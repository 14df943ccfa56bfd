/**
 * `varve ingest` of an HDFS-style file of 1 GiB, as the process that a user starts, from its start to its
 * end: the rate against `cat file > copy`, and the memory it takes at most. The file is the generator's,
 * and in the page cache.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { runVarveForPeak } from '../processes.ts';
import type { RowSpec } from '../rows.ts';
import { writeSample } from '../sample-file.ts';
import { inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { perSecond } from '../workload.ts';

const MIB = 1 << 20;
const RESIDENT_MIB_MAX = 400;

const rows = {
  rate: { id: 'ingest/hdfs-1GiB vs cat', unit: 'MB/s', versus: 'cat file > copy', target: '>= 0.25' },
  memory: {
    id: 'ingest/hdfs-1GiB-peak-rss vs limit',
    unit: 'MiB',
    versus: `${RESIDENT_MIB_MAX} MiB`,
    target: '<= 1',
  },
} as const satisfies Record<string, RowSpec>;

/** Ingests the file with the command, in a process of its own. */
function ingest(file: string, bytes: number, directory: string): { rate: number; peakMib: number } {
  const ran = runVarveForPeak(['ingest', file, '--into', directory, '--format', 'hdfs']);
  return { rate: bytes / 1e3 / ran.ms, peakMib: ran.peakMib };
}

/** Copies the file with cat; MB/s. */
function cat(file: string, bytes: number, copy: string): number {
  const began = performance.now();
  const ran = spawnSync('sh', ['-c', 'cat "$1" > "$2"', 'sh', file, copy], { stdio: 'inherit' });
  const rate = perSecond(bytes / 1e6, began);
  if (ran.status !== 0) throw new Error(`cat could not be run: ${ran.error?.message ?? ran.status}`);
  return rate;
}

async function run(context: Context): Promise<void> {
  if (process.platform === 'win32') {
    for (const { id } of Object.values(rows)) context.skip(id, 'there is no cat on Windows');
    return;
  }
  const file = join(context.directory, 'sample.log');
  const wanted = context.tiny ? MIB : 1024 * MIB;
  context.say(`generating ${wanted / MIB} MiB`);
  const bytes = await writeSample(file, wanted);
  const peaks: number[] = [];
  const into = join(context.directory, 'database');
  const copy = join(context.directory, 'copy');
  context.say('ingesting and copying it in turn');
  const measured = await inTurn(context.rounds, {
    ingest() {
      const { rate, peakMib } = ingest(file, bytes, into);
      peaks.push(peakMib);
      rmSync(into, { recursive: true });
      return rate;
    },
    cat() {
      const rate = cat(file, bytes, copy);
      rmSync(copy);
      return rate;
    },
  });
  context.report(rows.rate.id, { samples: measured.ingest, versusSamples: measured.cat });
  const limits = peaks.map(() => RESIDENT_MIB_MAX);
  context.report(rows.memory.id, { samples: peaks, versusSamples: limits });
}

export const ingestSuite: Suite = {
  name: 'ingest',
  title: 'varve ingest of an HDFS-style file of 1 GiB',
  rows: Object.values(rows),
  run,
};
