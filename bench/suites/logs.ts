/**
 * Log files: an HDFS-style file of 1 GiB in the page cache, read by the commands as whole processes, against
 * the tools that everybody has; and the kernels that read it, against loops in JavaScript.
 *
 * @module
 */

import { createReadStream, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type * as Layout from '../../src/memory/layout.ts';
import type * as MemoryModule from '../../src/memory/memory.ts';
import { loadBuilt } from '../engine.ts';
import { isInstalled, runProgram, runVarve, runVarveForPeak } from '../processes.ts';
import type { RowSpec } from '../rows.ts';
import { writeSample } from '../sample-file.ts';
import { inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';

const MIB = 1 << 20;
const RESIDENT_MIB_MAX = 300;
const LINE_FEED = 10;
/** In lines of the sample; none of the others has it. */
const LITERAL = 'no volume has';
const REGEX_WITH_LITERAL = 'no volume has [0-9]+ bytes';
const REGEX_WITHOUT_LITERAL = '[0-9]{9} [a-z]+ [0-9]{8}';

const rows = {
  columns: {
    id: 'logs/columns-1-thread vs indexOf-loop',
    unit: 'GB/s',
    versus: 'a loop of Buffer.indexOf(10) that only finds the lines',
    target: '>= 1.2',
  },
  stats: { id: 'logs/stats vs wc-l', unit: 's', versus: 'wc -l', target: '<= 3' },
  grepFixed: { id: 'logs/loggrep-c-F vs grep', unit: 's', versus: 'LC_ALL=C grep -c -F', target: '<= 1' },
  grepFixedRg: { id: 'logs/loggrep-c-F vs rg', unit: 's', versus: 'rg -c -F', target: '<= 2' },
  grepLiteral: {
    id: 'logs/loggrep-c-regex-with-literal vs grep',
    unit: 's',
    versus: 'LC_ALL=C grep -c -E',
    target: '<= 1',
  },
  grepNoLiteral: {
    id: 'logs/loggrep-c-regex-without-literal vs grep',
    unit: 's',
    versus: 'LC_ALL=C grep -c -E',
    target: '<= 3',
  },
  version: { id: 'logs/version vs node-e-0', unit: 'ms', versus: 'node -e 0', target: '<= 1.6' },
  since: {
    id: 'logs/since-indexed vs full-scan',
    unit: 'answers/s',
    versus: 'the same without an index',
    target: '>= 100',
  },
  tail: {
    id: 'logs/logtail-n-1000 vs tail',
    unit: 'ms',
    versus: 'tail -n 1000, without its start',
    target: '<= 1',
  },
  lines: {
    id: 'logs/columns vs readline',
    unit: 'MB/s',
    versus: 'the lines of node:readline over createReadStream, which are not taken apart',
    target: null,
  },
  peakStats: peakRow('stats'),
  peakGrep: peakRow('loggrep'),
  peakRead: peakRow('logread'),
} as const satisfies Record<string, RowSpec>;

function peakRow(command: string): RowSpec {
  return {
    id: `logs/${command}-peak-rss vs limit`,
    unit: 'MiB',
    versus: `${RESIDENT_MIB_MAX} MiB`,
    target: '<= 1',
  };
}

/** The lines of some of the file, in memory: found and taken apart by the kernels, or only found in JavaScript. */
async function measureColumns(context: Context, file: string): Promise<void> {
  const { Memory } = await loadBuilt<typeof MemoryModule>('memory/memory.js');
  const { FIELDS_BYTES, SPAN_BYTES } = await loadBuilt<typeof Layout>('memory/layout.js');
  const text = readFileSync(file).subarray(0, (context.tiny ? 1 : 16) * MIB);
  const memory = Memory.create(64 * MIB);
  const { kernels, i32 } = memory;
  const lines = 512;
  const slab = memory.slabs.allocate(text.length + MIB, 'bench');
  const at = slab.address + MIB;
  const rowsAt = slab.address + 2 * lines * SPAN_BYTES;
  memory.u8.set(text, at);
  const rounds = context.tiny ? 1 : 20;
  const rate = (once: () => void): number => {
    const began = performance.now();
    for (let i = 0; i < rounds; i++) once();
    return (text.length * rounds) / 1e6 / (performance.now() - began);
  };
  const measured = await inTurn(context.rounds, {
    columns: () =>
      rate(() => {
        for (let next = at; ; ) {
          const count = kernels.indexLines(next, at + text.length - next, slab.address, lines, 0);
          if (count === 0) break;
          kernels.parseHdfs(slab.address, count, rowsAt);
          next = i32[(slab.address + count * SPAN_BYTES) >> 2] as number;
        }
      }),
    loop: () =>
      rate(() => {
        let found = 0;
        for (let next = text.indexOf(LINE_FEED); next >= 0; next = text.indexOf(LINE_FEED, next + 1)) found++;
        if (found * FIELDS_BYTES === 0) throw new Error('there are no lines');
      }),
  });
  context.report(rows.columns.id, { samples: measured.columns, versusSamples: measured.loop });
}

/** One command against another, in seconds. */
async function compare(
  context: Context,
  row: RowSpec,
  own: readonly string[],
  program: string,
  args: readonly string[],
): Promise<void> {
  const unit = row.unit === 'ms' ? 1 : 1000;
  const measured = await inTurn(context.rounds, {
    own: () => runVarve(own).ms / unit,
    other: () => runProgram(program, args, { LC_ALL: 'C' }).ms / unit,
  });
  context.report(row.id, { samples: measured.own, versusSamples: measured.other });
}

/** The last lines, in this process; and as a process that is compared with one that has nothing to read. */
async function measureTail(context: Context, file: string): Promise<void> {
  const { tail, createRuntime } = context.engine;
  const runtime = createRuntime();
  const times = context.tiny ? 1 : 20;
  const empty = join(context.directory, 'empty.log');
  writeFileSync(empty, '');
  const own = async (): Promise<number> => {
    const began = performance.now();
    let found = 0;
    for (let i = 0; i < times; i++) for await (const _ of tail(file, { runtime, lines: 1000 })) found++;
    if (found !== 1000 * times) throw new Error(`there are ${found} last lines`);
    return (performance.now() - began) / times;
  };
  const other = (): number => {
    let ms = 0;
    for (let i = 0; i < times; i++) {
      ms += runProgram('tail', ['-n', '1000', file]).ms - runProgram('tail', ['-n', '1000', empty]).ms;
    }
    return Math.max(0.01, ms / times);
  };
  await own();
  const measured = await inTurn(context.rounds, { own, other });
  await runtime.close();
  context.report(rows.tail.id, { samples: measured.own, versusSamples: measured.other });
}

/** All lines of a part of the file, as the library yields them and as Node.js does. */
async function measureLines(context: Context, file: string): Promise<void> {
  const { columns, createRuntime } = context.engine;
  const runtime = createRuntime();
  const part = join(context.directory, 'part.log');
  writeFileSync(part, readFileSync(file).subarray(0, (context.tiny ? 1 : 64) * MIB));
  const { size } = statSync(part);
  const rate = async (count: () => Promise<number>): Promise<number> => {
    const began = performance.now();
    if ((await count()) === 0) throw new Error('there are no lines');
    return size / 1e3 / (performance.now() - began);
  };
  const measured = await inTurn(context.rounds, {
    own: () =>
      rate(async () => {
        let lines = 0;
        for await (const { count } of columns(part, { runtime, format: 'hdfs' })) lines += count;
        return lines;
      }),
    other: () =>
      rate(async () => {
        let lines = 0;
        for await (const _ of createInterface({ input: createReadStream(part) })) lines++;
        return lines;
      }),
  });
  await runtime.close();
  context.report(rows.lines.id, { samples: measured.own, versusSamples: measured.other });
}

/** Entries of two seconds in the middle of the file, asked for in this process. */
async function measureSince(context: Context, file: string): Promise<void> {
  const { parseLog, createRuntime } = context.engine;
  const since = Date.parse(context.tiny ? '2009-03-02T05:30:30Z' : '2009-03-04T12:00:00Z');
  const runtime = createRuntime();
  const ask = async (index: boolean, times: number): Promise<number> => {
    const began = performance.now();
    let found = 0;
    const options = { runtime, since, until: since + 2000, index, format: 'hdfs' } as const;
    for (let i = 0; i < times; i++) {
      for await (const { isParsed } of parseLog(file, options)) if (isParsed) found++;
    }
    if (found === 0) throw new Error('nothing was found');
    return (1000 * times) / (performance.now() - began);
  };
  // The first question makes the index.
  await ask(true, 1);
  const measured = await inTurn(context.rounds, { indexed: () => ask(true, 10), scan: () => ask(false, 1) });
  await runtime.close();
  context.report(rows.since.id, { samples: measured.indexed, versusSamples: measured.scan });
}

/** The most memory that a command has. */
function measurePeak(context: Context, row: RowSpec, args: readonly string[]): void {
  const peaks = Array.from({ length: context.tiny ? 1 : 3 }, () => runVarveForPeak(args).peakMib);
  context.report(row.id, { samples: peaks, versusSamples: peaks.map(() => RESIDENT_MIB_MAX) });
}

async function run(context: Context): Promise<void> {
  const file = join(context.directory, 'sample.log');
  const wanted = context.tiny ? MIB : 1024 * MIB;
  context.say(`generating ${wanted / MIB} MiB`);
  await writeSample(file, wanted);
  context.say('columns');
  await measureColumns(context, file);
  context.say('start');
  await compare(context, rows.version, ['--version'], process.execPath, ['-e', '0']);
  context.say('a time, with and without an index');
  await measureSince(context, file);
  context.say('lines');
  await measureLines(context, file);
  context.say('memory');
  measurePeak(context, rows.peakStats, ['stats', file]);
  measurePeak(context, rows.peakGrep, ['loggrep', '-c', REGEX_WITHOUT_LITERAL, file]);
  measurePeak(context, rows.peakRead, ['logread', '--no-index', '--since', '2038-01-01', file]);
  if (process.platform === 'win32') {
    const { stats, tail, grepFixed, grepFixedRg, grepLiteral, grepNoLiteral } = rows;
    for (const { id } of [stats, tail, grepFixed, grepFixedRg, grepLiteral, grepNoLiteral]) {
      context.skip(id, 'there is no wc, no tail and no grep on Windows');
    }
    return;
  }
  context.say('tail');
  await measureTail(context, file);
  context.say('stats');
  await compare(context, rows.stats, ['stats', file], 'wc', ['-l', file]);
  context.say('loggrep');
  await compare(context, rows.grepFixed, ['loggrep', '-c', '-F', LITERAL, file], 'grep', [
    '-c',
    '-F',
    LITERAL,
    file,
  ]);
  if (isInstalled('rg')) {
    await compare(context, rows.grepFixedRg, ['loggrep', '-c', '-F', LITERAL, file], 'rg', [
      '-c',
      '-F',
      LITERAL,
      file,
    ]);
  } else context.skip(rows.grepFixedRg.id, `${context.tiny ? 'a tiny run, and ' : ''}rg is not installed`);
  for (const [row, pattern] of [
    [rows.grepLiteral, REGEX_WITH_LITERAL],
    [rows.grepNoLiteral, REGEX_WITHOUT_LITERAL],
  ] as const) {
    await compare(context, row, ['loggrep', '-c', pattern, file], 'grep', ['-c', '-E', pattern, file]);
  }
}

export const logsSuite: Suite = {
  name: 'logs',
  title: 'log files: an HDFS-style file of 1 GiB in the page cache',
  rows: Object.values(rows),
  run,
};
