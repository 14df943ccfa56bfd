/**
 * `varve ingest FILE… --into DIR --events NAME`: the entries of log files into a store of log entries.
 *
 * @module
 */

import type { Events } from '../events/events.ts';
import type { EventInput } from '../events/input.ts';
import { LEVEL_NAMES } from '../levels.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { type LogEntry, parseLog } from '../logfile/parse-log.ts';
import { type Database, open } from '../open.ts';
import type { Context, ExitCode } from './context.ts';
import { formatCount, formatDuration, formatRate, formatTime, isoTime, plural } from './format.ts';
import { levelsText } from './levels.ts';
import { readingOf } from './reading.ts';
import type { ReadingOptions } from './reading-options.ts';
import { findSources, type Source } from './sources.ts';
import { renderFacts } from './table.ts';

/** The options as commander gives them. */
interface IngestEventsOptions extends ReadingOptions {
  into: string;
  sync?: SyncPolicy;
  json?: boolean;
}

/** What became of one source. */
interface IngestedEvents {
  file: string;
  entries: number;
  /** Lines that are of no format: kept as they are, with the time of the entry before. */
  unparsed: number;
  firstMs: number | undefined;
  lastMs: number | undefined;
  levels: Record<string, number>;
  /** Until all was synced. */
  elapsedMs: number;
}

const BATCH_ENTRIES = 4096;

export async function ingestEvents(
  files: readonly string[],
  name: string,
  options: IngestEventsOptions,
  context: Context,
): Promise<ExitCode> {
  const reading = await readingOf(options);
  const sources = await findSources(files);
  // Nothing is promised before the end, and the end is a sync.
  const database = await open(options.into, { wal: { sync: options.sync ?? { mode: 'never' } } });
  const results: IngestedEvents[] = [];
  try {
    const events = await database.events(name);
    for (const source of sources) {
      const ingestion = new Ingestion(database, events, context);
      results.push(await ingestion.run(source, reading));
    }
  } finally {
    await database.close();
  }
  if (options.json === true) context.stdout.json({ directory: options.into, events: name, files: results });
  else for (const result of results) context.stdout.write(renderEvents(name, options.into, result, context));
  return 0;
}

class Ingestion {
  readonly #database: Database;
  readonly #events: Events;
  readonly #context: Context;
  readonly #levels: number[] = LEVEL_NAMES.map(() => 0);
  #entries = 0;
  #unparsed = 0;
  #firstMs: number | undefined;
  #lastMs: number | undefined;
  #carriedMs: number;

  constructor(database: Database, events: Events, context: Context) {
    this.#database = database;
    this.#events = events;
    this.#context = context;
    this.#carriedMs = context.clock.now();
  }

  async run(
    { title, input }: Source,
    reading: Awaited<ReturnType<typeof readingOf>>,
  ): Promise<IngestedEvents> {
    const { clock, signal } = this.#context;
    const startMs = clock.monotonic();
    const { runtime } = this.#database;
    const source = typeof input === 'string' ? [input] : input;
    let batch: EventInput[] = [];
    let writing: Promise<unknown> = Promise.resolve();
    for await (const entry of parseLog(source, { ...reading, runtime, signal, index: false })) {
      batch.push(this.#inputOf(entry));
      if (batch.length < BATCH_ENTRIES) continue;
      // The next ones are read while these are written.
      await writing;
      writing = this.#events.writeMany(batch, { durability: 'written' });
      writing.catch(() => undefined);
      batch = [];
    }
    await writing;
    await this.#events.writeMany(batch, { durability: 'written' });
    await this.#events.sync();
    return {
      file: title,
      entries: this.#entries,
      unparsed: this.#unparsed,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      levels: Object.fromEntries(
        LEVEL_NAMES.map((level, code) => [level, this.#levels[code] as number] as const).filter(
          ([, n]) => n > 0,
        ),
      ),
      elapsedMs: clock.monotonic() - startMs,
    };
  }

  #inputOf(entry: LogEntry): EventInput {
    const { timestamp, nanoseconds, level = 'OTHER', component, pid, isParsed, fields } = entry;
    this.#entries++;
    if (!isParsed) this.#unparsed++;
    const code = LEVEL_NAMES.indexOf(level);
    this.#levels[code] = (this.#levels[code] as number) + 1;
    if (timestamp !== undefined && timestamp >= 0) {
      this.#carriedMs = timestamp;
      if (this.#firstMs === undefined || timestamp < this.#firstMs) this.#firstMs = timestamp;
      if (this.#lastMs === undefined || timestamp > this.#lastMs) this.#lastMs = timestamp;
    }
    const more = { ...(pid !== undefined && { pid }), ...fields };
    return {
      timestamp: this.#carriedMs,
      nanoseconds: timestamp === this.#carriedMs ? nanoseconds : 0,
      level,
      message: isParsed ? entry.message : entry.raw,
      component,
      ...(Object.keys(more).length > 0 && { metadata: more }),
    };
  }
}

/** The report of one source, for people. */
function renderEvents(name: string, directory: string, result: IngestedEvents, { colours }: Context): string {
  const { entries, unparsed, firstMs, lastMs, levels, elapsedMs } = result;
  const counted = Object.entries(levels)
    .map(([level, records]) => ({ level, records }))
    .sort((a, b) => b.records - a.records);
  const facts = renderFacts(
    [
      ['events', `${name} in ${directory}`],
      ['entries', formatCount(entries)],
      ['rate', `${formatRate(entries, elapsedMs)} entries/s; synced after ${formatDuration(elapsedMs)}`],
      [
        'time',
        isoTime(firstMs ?? -1) === undefined ? undefined : `${formatTime(firstMs)} to ${formatTime(lastMs)}`,
      ],
      ['levels', levelsText(counted, entries)],
      ['unparsed', unparsed === 0 ? undefined : `${plural(unparsed, 'line')}, kept as they are`],
    ],
    colours.dim,
  );
  return `${colours.bold(result.file)}\n${facts}`;
}
