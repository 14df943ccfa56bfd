/**
 * `varve ingest FILE… --into DIR --events NAME`: the entries of log files into a store of log entries.
 *
 * @module
 */

import type { EventBulk } from '../events/bulk.ts';
import type { Events } from '../events/events.ts';
import { journalDamageText } from '../events/journal-recovery.ts';
import { LEVEL_NAMES } from '../levels.ts';
import type { SyncPolicy } from '../log/sync-policy.ts';
import { checkParse, LogColumns } from '../logfile/parse-log.ts';
import { type RowBatch, readRows } from '../logfile/rows.ts';
import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_COMPONENT_LENGTH,
  FIELDS_CONTENT,
  FIELDS_CONTENT_LENGTH,
  FIELDS_LEVEL_CODE,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_PID_LENGTH,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
} from '../memory/layout.ts';
import { type Database, open } from '../open.ts';
import type { Entry } from '../parse/entry.ts';
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

/** Formats whose lines are made of keys and values. */
const KEYED_FORMATS: readonly string[] = ['json', 'logfmt'];
const NO_METADATA = new Uint8Array(0);
const PIDS_MAX = 4096;
const PID_DIGITS_MAX = 9;
/** A longer one is left to what makes strings of it. */
const MESSAGE_BYTES_MAX = 65_536;

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
    for (const damage of events.recovery.damage) context.note(journalDamageText(damage));
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
  /** For lines without a time. */
  #carriedMs: number;
  #open: { entry: Entry; more: string } | undefined;
  readonly #bulk: EventBulk;
  readonly #pids: Map<number, Uint8Array> = new Map();

  constructor(database: Database, events: Events, context: Context) {
    this.#database = database;
    this.#events = events;
    this.#context = context;
    this.#carriedMs = context.clock.now();
    this.#bulk = events.bulk();
  }

  async run(
    { title, input }: Source,
    reading: Awaited<ReturnType<typeof readingOf>>,
  ): Promise<IngestedEvents> {
    const { clock, signal } = this.#context;
    const startMs = clock.monotonic();
    const { runtime } = this.#database;
    const source = typeof input === 'string' ? [input] : input;
    const { reading: asked, how } = checkParse({ ...reading, runtime, signal, index: false });
    for await (const batch of readRows(source, asked, how)) {
      this.#addBatch(batch);
      if (this.#bulk.isFull) await this.#bulk.send();
    }
    this.#addOpen();
    await this.#bulk.end();
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

  #addBatch(batch: RowBatch): void {
    const lines = new LogColumns(this.#database.runtime.memory, batch);
    const { extraNames, name } = batch.parser;
    const isSimple = extraNames.length === 0 && !KEYED_FORMATS.includes(name);
    for (let i = 0; i < lines.count; i++) {
      if (this.#open !== undefined && lines.isContinuation(i)) {
        this.#open.more += `\n${lines.raw(i)}`;
        continue;
      }
      this.#addOpen();
      const isAlone = i + 1 < lines.count ? !lines.isContinuation(i + 1) : !batch.isContinued;
      if (isSimple && isAlone && this.#addRow(batch, i)) continue;
      this.#open = { entry: lines.entry(i), more: '' };
    }
    if (!batch.isContinued) this.#addOpen();
  }

  /** Adds a line as it lies in memory; false where that is not all there is to it. */
  #addRow({ rows }: RowBatch, i: number): boolean {
    const { i32, f64, u8 } = this.#database.runtime.memory;
    const row = rows + i * FIELDS_BYTES;
    const ms = f64[(row + FIELDS_TIMESTAMP) >> 3] as number;
    const isParsed = i32[(row + FIELDS_STATUS) >> 2] === FIELDS_PARSED;
    const messageBytes = i32[(row + FIELDS_CONTENT_LENGTH) >> 2] as number;
    if (!isParsed || !(ms >= 0) || messageBytes > MESSAGE_BYTES_MAX) return false;
    const pid = i32[(row + FIELDS_PID) >> 2] as number;
    const metadata = this.#metadataOf(pid, i32[(row + FIELDS_PID_LENGTH) >> 2] as number);
    if (metadata === undefined) return false;
    const level = i32[(row + FIELDS_LEVEL_CODE) >> 2] as number;
    this.#bulk.addBytes({
      memory: u8,
      ms,
      nanoseconds: i32[(row + FIELDS_NANOSECONDS) >> 2] as number,
      level,
      component: i32[(row + FIELDS_COMPONENT) >> 2] as number,
      componentBytes: i32[(row + FIELDS_COMPONENT_LENGTH) >> 2] as number,
      message: i32[(row + FIELDS_CONTENT) >> 2] as number,
      messageBytes,
      metadata,
      metadataBytes: metadata.length,
    });
    this.#count(level, ms);
    return true;
  }

  /** Metadata with a pid of digits; undefined for any other. */
  #metadataOf(address: number, bytes: number): Uint8Array | undefined {
    if (bytes === 0) return NO_METADATA;
    if (bytes > PID_DIGITS_MAX) return undefined;
    const { u8 } = this.#database.runtime.memory;
    let number = 0;
    for (let at = address; at < address + bytes; at++) {
      const digit = (u8[at] as number) - 0x30;
      if (digit < 0 || digit > 9 || (at === address && digit === 0 && bytes > 1)) return undefined;
      number = number * 10 + digit;
    }
    let known = this.#pids.get(number);
    if (known === undefined) {
      known = Buffer.from(JSON.stringify({ pid: String(number) }));
      if (this.#pids.size >= PIDS_MAX) this.#pids.clear();
      this.#pids.set(number, known);
    }
    return known;
  }

  /** Adds the entry that more lines might have belonged to. */
  #addOpen(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const { entry, more } = open;
    const { timestamp, nanoseconds, level = 'OTHER', component, pid, isParsed, fields } = entry;
    if (!isParsed) this.#unparsed++;
    const hasTime = timestamp !== undefined && timestamp >= 0;
    this.#count(LEVEL_NAMES.indexOf(level), hasTime ? timestamp : undefined);
    const metadata = { ...(pid !== undefined && { pid }), ...fields };
    this.#bulk.add({
      timestamp: this.#carriedMs,
      nanoseconds: hasTime ? nanoseconds : 0,
      level,
      message: (isParsed ? entry.message : entry.raw) + more,
      component,
      ...(Object.keys(metadata).length > 0 && { metadata }),
    });
  }

  #count(code: number, ms: number | undefined): void {
    this.#entries++;
    this.#levels[code] = (this.#levels[code] as number) + 1;
    if (ms === undefined) return;
    this.#carriedMs = ms;
    if (this.#firstMs === undefined || ms < this.#firstMs) this.#firstMs = ms;
    if (this.#lastMs === undefined || ms > this.#lastMs) this.#lastMs = ms;
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
