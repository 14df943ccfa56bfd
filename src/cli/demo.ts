/**
 * `varve demo [FILE]`: everything once, in under a minute. A log file goes in, and out come its statistics,
 * the lines of a stretch of time, single records at random, and what each sync policy costs on this disk.
 *
 * @module
 */

import { cpus } from 'node:os';
import { removeFolder } from '../lab/folder.ts';
import type { Log } from '../log/log.ts';
import type { Memory } from '../memory/memory.ts';
import { type Database, open } from '../open.ts';
import { generateHdfsSample } from '../parse/sample.ts';
import { nodeVfs } from '../vfs/node.ts';
import { joinPath } from '../vfs/vfs.ts';
import type { Context, ExitCode } from './context.ts';
import { makeTemporaryFolder } from './demo/folder.ts';
import { POLICIES, type PolicyResult, policyRow, policyTable, tryPolicy } from './demo/policies.ts';
import { readAtRandom } from './demo/random-reads.ts';
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatRate,
  formatTime,
  plural,
  printable,
} from './format.ts';
import { renderDetails } from './info.ts';
import { ingestSources, renderIngested } from './ingest.ts';
import { RecordPrinter } from './record-printer.ts';
import { findSources, logNameOf } from './sources.ts';
import { type LogTally, tallyLog } from './tally.ts';

const SAMPLE_BYTES_DEFAULT: number = 200 * 1024 * 1024;
const SAMPLE_SEED = 1;
const SECONDS_DEFAULT = 1.5;
const RANDOM_READS = 5000;
const CLIENTS = 64;
const RECORD_BYTES = 100;
const QUERY_LINES = 3;
/** The stretch of time that is asked for: this share of all, from the middle on. */
const QUERY_SHARE = 1 / 1000;
const LINE_CHARACTERS = 110;
/** No disk makes anything durable in less; a file system in memory does. */
const CREDIBLE_SYNC_MS = 0.02;

export interface DemoCommandOptions {
  dir?: string;
  bytes?: number;
  seconds?: number;
}

export async function demo(
  file: string | undefined,
  options: DemoCommandOptions,
  context: Context,
): Promise<ExitCode> {
  const startMs = context.clock.monotonic();
  if (file !== undefined) await findSources([file]);
  const folder = options.dir ?? (await makeTemporaryFolder(context.clock));
  try {
    await nodeVfs.mkdir(folder);
    await new Demo(folder, options, context).run(file);
  } finally {
    if (options.dir === undefined) await removeFolder(nodeVfs, folder);
  }
  const elapsed = formatDuration(context.clock.monotonic() - startMs);
  const rest =
    options.dir === undefined
      ? 'its files are gone again; --dir DIR keeps them'
      : `its files are in ${folder}`;
  context.stdout.line(`\nAll of this took ${elapsed}, and ${rest}.`);
  return 0;
}

class Demo {
  readonly #folder: string;
  readonly #options: DemoCommandOptions;
  readonly #context: Context;

  constructor(folder: string, options: DemoCommandOptions, context: Context) {
    this.#folder = folder;
    this.#options = options;
    this.#context = context;
  }

  async run(file: string | undefined): Promise<void> {
    const [cpu] = cpus();
    await this.#say(
      `Node ${process.version} on ${process.platform} ${process.arch}, ${cpus().length} × ${cpu?.model ?? 'unknown processor'}`,
    );
    const path = file ?? (await this.#makeSample());
    const directory = joinPath(this.#folder, 'data');
    const database = await open(directory);
    try {
      const log = await this.#ingest(database, path);
      const tally = await this.#statistics(database, log);
      if (tally.records > 0) {
        await this.#timeRange(log, tally, database.runtime.memory);
        await this.#randomReads(log);
      }
      await this.#policies(database);
    } finally {
      await database.close();
    }
  }

  async #makeSample(): Promise<string> {
    const { clock, signal } = this.#context;
    const bytes = this.#options.bytes ?? SAMPLE_BYTES_DEFAULT;
    await this.#title(
      'A log file',
      `in the style of the Hadoop file system's, made from the seed ${SAMPLE_SEED}`,
    );
    const path = joinPath(this.#folder, 'sample.log');
    await nodeVfs.remove(path);
    const bar = this.#context.progress({ label: 'make', total: bytes });
    const startMs = clock.monotonic();
    const file = await nodeVfs.open(path, 'create');
    let position = 0;
    try {
      for (const piece of generateHdfsSample({ bytes, seed: SAMPLE_SEED })) {
        signal.throwIfAborted();
        await file.write(piece, position);
        position += piece.length;
        bar.update(position);
      }
    } finally {
      bar.clear();
      await file.close();
    }
    await this.#say(`${formatBytes(position)} in ${formatDuration(clock.monotonic() - startMs)}`);
    return path;
  }

  async #ingest(database: Database, path: string): Promise<Log> {
    const name = logNameOf(path);
    await this.#title('Ingest it', `varve ingest ${path} --into ${database.directory}`);
    const sources = await findSources([path]);
    const log = await database.log(name, { sync: { mode: 'never' } });
    for (const result of await ingestSources(database, log, sources, {}, this.#context)) {
      this.#context.stdout.write(renderIngested(log, result, this.#context));
    }
    await this.#context.stdout.flush();
    return log;
  }

  async #statistics(database: Database, log: Log): Promise<LogTally> {
    const { clock, signal, stdout } = this.#context;
    await this.#title('What is in it?', `varve info ${database.directory} ${log.name}`);
    const known = log.info();
    const bar = this.#context.progress({ label: 'read', total: known.bytes });
    const startMs = clock.monotonic();
    const { memory } = database.runtime;
    const tally = await tallyLog(log, memory, signal, (bytes) => bar.update(bytes)).finally(() =>
      bar.clear(),
    );
    const elapsedMs = clock.monotonic() - startMs;
    stdout.write(renderDetails(known, tally, this.#context));
    await this.#say(`read from end to end, and every checksum checked, in ${formatDuration(elapsedMs)}`);
    return tally;
  }

  async #timeRange(log: Log, tally: LogTally, memory: Memory): Promise<void> {
    const { minTimestamp, maxTimestamp, records } = tally;
    const { clock, signal } = this.#context;
    const durationMs = maxTimestamp - minTimestamp;
    const since = Math.floor((minTimestamp + durationMs / 2) / 1000) * 1000;
    const until = since + Math.max(1000, Math.ceil((durationMs * QUERY_SHARE) / 1000) * 1000);
    await this.#title(
      'What happened then?',
      `varve read DIR ${log.name} --since ${formatTime(since)} --until ${formatTime(until)}`,
    );
    const startMs = clock.monotonic();
    const selection = { fromOffset: 0, toOffset: Infinity, fromTimestamp: since, toTimestamp: until };
    const pieces: Uint8Array[] = [];
    const printer = new RecordPrinter(memory, { give: (bytes) => pieces.push(bytes) }, false);
    let count = 0;
    try {
      for await (const batch of log.batches({ fromTimestamp: since, signal })) {
        count += printer.print(batch, selection, Infinity);
      }
      printer.flush();
    } finally {
      printer.close();
    }
    const elapsedMs = clock.monotonic() - startMs;
    const lines = Buffer.concat(pieces).toString().split('\n', Math.min(count, QUERY_LINES));
    for (const line of lines) this.#context.stdout.line(`  ${shorten(line)}`);
    await this.#say(`${plural(count, 'record')} of ${formatCount(records)} in ${formatDuration(elapsedMs)}`);
  }

  async #randomReads(log: Log): Promise<void> {
    const { clock, signal, stdout } = this.#context;
    await this.#title(
      'Single records',
      `log.get(offset), ${formatCount(RANDOM_READS)} times at random, one after the other`,
    );
    const { latencies, elapsedMs, last } = await readAtRandom(log, RANDOM_READS, SAMPLE_SEED, clock, signal);
    stdout.line(`  ${formatCount(last.offset)}: ${shorten(last.value?.toString() ?? '')}`);
    await this.#say(
      `p50 ${formatDuration(latencies.percentile(50))}, p99 ${formatDuration(latencies.percentile(99))}; ${formatRate(RANDOM_READS, elapsedMs)} a second`,
    );
  }

  async #policies(database: Database): Promise<void> {
    const { clock, signal, stdout, colours } = this.#context;
    const seconds = this.#options.seconds ?? SECONDS_DEFAULT;
    await this.#title(
      'How safe, and at what price?',
      `${CLIENTS} clients, each of which waits for its record of ${RECORD_BYTES} bytes; ${seconds} s with each policy`,
    );
    const table = policyTable(colours.dim);
    stdout.write(table.block([]));
    const results: PolicyResult[] = [];
    for (const policy of POLICIES) {
      await stdout.flush();
      const load = { clients: CLIENTS, recordBytes: RECORD_BYTES, durationMs: seconds * 1000, clock, signal };
      const result = await tryPolicy(database, `policy-${policy.mode}`, policy, load);
      results.push(result);
      stdout.write(table.block([policyRow(result)]));
    }
    await this.#say('at risk: what a power cut would have taken, at the worst moment');
    await this.#warn(results);
  }

  /** Says when the figures cannot be those of a disk. */
  async #warn(results: readonly PolicyResult[]): Promise<void> {
    const always = results.find(({ mode }) => mode === 'always');
    if (always === undefined || always.syncs === 0 || always.syncP50Ms >= CREDIBLE_SYNC_MS) return;
    await this.#say(
      `an fdatasync took ${formatDuration(always.syncP50Ms)}, which no disk can do: ${this.#folder} may be in memory; --dir names another place`,
    );
  }

  async #title(text: string, how: string): Promise<void> {
    const { stdout, colours, signal } = this.#context;
    signal.throwIfAborted();
    stdout.line(`\n${colours.bold(text)}  ${colours.dim(how)}`);
    await stdout.flush();
  }

  async #say(text: string): Promise<void> {
    this.#context.stdout.line(text);
    await this.#context.stdout.flush();
  }
}

function shorten(text: string): string {
  const safe = printable(text);
  return safe.length <= LINE_CHARACTERS ? safe : `${safe.slice(0, LINE_CHARACTERS)}…`;
}
