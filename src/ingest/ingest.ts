/**
 * A text file into a log, at the speed of the disk.
 *
 *     read a window ---> worker: find lines, parse, encode batches ---> append, in the order of the file
 *       one at a time          as many as there are threads                one behind the other
 *
 * The three steps overlap; how many windows are under way is bounded, and so is the memory, whatever the
 * size of the file. This thread only cuts windows, and gives batches their offsets.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Clock } from '../clock.ts';
import { VarveError } from '../errors.ts';
import { SLAB_BYTES_MIN } from '../limits.ts';
import type { Log } from '../log/log.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { checkInteger, checkOptions, integerOption } from '../options.ts';
import { checkParser, type FormatSpec, formatName, type ParserOptions } from '../parse/parser.ts';
import {
  firstTime,
  firstYear,
  guessFormat,
  lastEntryStart,
  lastTime,
  PROBE_WORK_BYTES,
  type Reading,
  roughYear,
  type Text,
} from '../parse/probe.ts';
import { WINDOW_OUT_EXTRA_BYTES, type WindowArgs, type WindowResult } from '../parse/window.ts';
import type { Pool } from '../pool/pool.ts';
import { openFile } from '../text/file-source.ts';
import type { TextSource } from '../text/source.ts';
import { openStream } from '../text/stream-source.ts';
import { type Window, WindowReader } from '../text/windows.ts';
import { nodeVfs } from '../vfs/node.ts';
import type { Vfs } from '../vfs/vfs.ts';
import { IngestError, type IngestReport, SAMPLES_MAX, Tally } from './report.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const WINDOW_BYTES_DEFAULT: number = MIB;
const WINDOW_BYTES_MIN: number = SLAB_BYTES_MIN;
const WINDOW_BYTES_MAX: number = 16 * MIB;
/** Up to this size, a text of one window is encoded on this thread: in about a millisecond. */
const SMALL_BYTES_MAX: number = MIB;
/** The longest line that is read whole, so that it and its batch each fit into a slab of 64 MiB. */
const LINE_BYTES_MAX: number = 64 * MIB - 64 * KIB;
/** The share of the memory that windows may take. */
const MEMORY_SHARE = 0.5;
/** A window, its batches and what a task works in, by bytes of the window. */
const WINDOW_COST = 4;
/** Room for batches, by bytes of text: headers and framing make records of lines half as large again. */
const OUT_PER_TEXT = 2;

export interface IngestOptions {
  /** Memory, threads and time: a `Runtime`, the one that the log has. */
  runtime: { readonly memory: Memory; readonly pool: Pool; readonly clock: Clock };
  /** What the lines are; found out from the first of them unless given. */
  format?: FormatSpec;
  /** The zone of times that do not say theirs; UTC unless given. See `ParserOptions`. */
  zone?: string;
  /** The year of the first line, where times have none; unless given, they are of the year before the file was written last. */
  assumeYear?: number;
  /** The disk that a file is read from; the real one unless given. */
  vfs?: Vfs;
  /** How much text is worked on at once, from 16 KiB to 16 MiB; 1 MiB unless given. */
  windowBytes?: number;
  /** Stops the ingestion; what was appended before stays. */
  signal?: AbortSignal;
  /** Called now and then with the bytes of the source that are in the log. */
  onProgress?: (bytes: number) => void;
}

/**
 * Appends every entry of a text to a log, as one record: the line, without its line end, and the lines of a
 * stack trace behind it are the value; time, and the level, pid and component as headers, come from the line
 * as its format says. A line that is not of the format is kept as it is, with the time of the line before.
 *
 * @param source path of a file, or a stream of bytes
 * @returns the report, when everything is written; `log.sync()` makes it durable
 * @throws TypeError, RangeError where an argument is wrong
 * @throws the signal's reason where it was aborted
 * @throws VarveError `NOT_FOUND`, `READ_ONLY`, `IO` or `UNSUPPORTED` where the source cannot be read;
 * {@link IngestError} where the way was left half-way, with the report of what is in the log
 */
export async function ingestFile(
  log: Log,
  source: string | AsyncIterable<Uint8Array | string>,
  options: IngestOptions,
): Promise<IngestReport> {
  checkOptions('ingest options', options, [
    'runtime',
    'format',
    'zone',
    'assumeYear',
    'vfs',
    'windowBytes',
    'signal',
    'onProgress',
  ]);
  const { format, vfs = nodeVfs, signal } = options;
  checkParser(format ?? 'plain', parserOptions(options));
  if (options.assumeYear !== undefined) checkInteger('assumeYear', options.assumeYear, 1, YEAR_MAX);
  const windowBytes = integerOption(
    'windowBytes',
    options.windowBytes,
    WINDOW_BYTES_DEFAULT,
    WINDOW_BYTES_MIN,
    WINDOW_BYTES_MAX,
  );
  signal?.throwIfAborted();
  const { clock } = options.runtime;
  const written = typeof source === 'string' ? await vfs.stat(source) : undefined;
  const text =
    typeof source === 'string'
      ? await openFile(vfs, source, { clock, signal })
      : openStream(source, { clock, signal });
  try {
    return await new Ingestion(log, text, options, windowBytes, written?.modifiedMs).run();
  } finally {
    await text.close();
  }
}

function parserOptions({ zone }: IngestOptions): ParserOptions {
  return zone === undefined ? {} : { zone };
}

const YEAR_MAX = 9999;

class Ingestion {
  readonly #log: Log;
  readonly #source: TextSource;
  readonly #options: IngestOptions;
  readonly #memory: Memory;
  readonly #reader: WindowReader;
  readonly #startMs: number;
  readonly #outstandingMax: number;
  readonly #startOffset: number;
  #format: FormatSpec;
  #tally: Tally;
  /** Working memory of this thread's own looks at the text. */
  #probe: Slab | undefined;
  /** What the format leaves open. */
  #parserOptions: ParserOptions;
  /** Time for lines that have none, at the start of the next window. */
  #carried: number;
  /** The text is one window: it is encoded sooner than a thread would start. */
  #isSmall = false;
  #hasLooked = false;
  /** When the last line can have been written, at the latest. */
  readonly #writtenMs: number;
  #outstanding = 0;
  #wake: () => void = () => undefined;
  /** What went wrong first, in the order of the text. */
  #failure: { error: unknown } | undefined;

  constructor(
    log: Log,
    source: TextSource,
    options: IngestOptions,
    windowBytes: number,
    writtenMs: number | undefined,
  ) {
    const { memory, pool, clock } = options.runtime;
    this.#log = log;
    this.#source = source;
    this.#options = options;
    this.#startOffset = log.nextOffset;
    this.#format = options.format ?? 'plain';
    this.#parserOptions = parserOptions(options);
    this.#tally = new Tally(formatName(this.#format));
    this.#memory = memory;
    this.#startMs = clock.monotonic();
    this.#carried = clock.now();
    this.#writtenMs = writtenMs ?? this.#carried;
    const affordable = Math.floor((memory.slabs.budgetBytes * MEMORY_SHARE) / (windowBytes * WINDOW_COST));
    this.#outstandingMax = Math.max(1, Math.min(2 * pool.threads + 4, affordable));
    this.#reader = new WindowReader({
      memory,
      source,
      windowBytes,
      lineBytesMax: this.#lineBytesMax,
      outstanding: () => this.#outstanding,
      wholeBytes: (text) => this.#wholeBytes(text),
      outBytes: (textBytes) => {
        const longest = Math.min(textBytes, this.#lineBytesMax) + WINDOW_OUT_EXTRA_BYTES;
        return Math.max(windowBytes * OUT_PER_TEXT, longest);
      },
    });
  }

  get #lineBytesMax(): number {
    return Math.min(this.#log.maxRecordBytes, LINE_BYTES_MAX);
  }

  async run(): Promise<IngestReport> {
    let readFailure: { error: unknown } | undefined;
    try {
      await this.#readAll();
    } catch (error) {
      readFailure = { error };
    }
    // What was read goes on its way, also where nothing more can be read.
    while (this.#outstanding > 0) await this.#change();
    this.#probe?.release();
    const failure = this.#failure ?? readFailure;
    if (failure !== undefined) throw this.#describe(failure.error);
    return this.#report();
  }

  #report(): IngestReport {
    const elapsedMs = this.#options.runtime.clock.monotonic() - this.#startMs;
    return this.#tally.report(this.#reader.position, elapsedMs);
  }

  #describe(error: unknown): unknown {
    if (!(error instanceof VarveError)) return error;
    return new IngestError(error, this.#source.title, this.#report());
  }

  /** Reads windows and sends them on their way, until the text or the patience ends. */
  async #readAll(): Promise<void> {
    const { signal } = this.#options;
    this.#probe = this.#memory.slabs.allocate(PROBE_WORK_BYTES, 'ingest');
    let previous: Promise<void> = Promise.resolve();
    for (let isFirst = true; this.#failure === undefined; isFirst = false) {
      signal?.throwIfAborted();
      const window = await this.#reader.next();
      if (window === undefined) break;
      this.#outstanding++;
      if (isFirst) this.#isSmall = this.#reader.isOver && window.textBytes <= SMALL_BYTES_MAX;
      this.#lookAtFirst({ address: window.text.address, bytes: window.textBytes }, this.#probe.address);
      if (this.#format === 'plain') this.#carried = this.#options.runtime.clock.now();
      const carried = this.#carried;
      this.#carried = this.#timeAfter(window, this.#probe.address);
      previous = this.#process(window, carried, previous);
      while (this.#outstanding >= this.#outstandingMax) await this.#change();
    }
  }

  /** Resolves when a window is done with. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  /** What the beginning of the text tells: the format, the year, and the time for lines before the first that has one. */
  #lookAtFirst(text: Text, work: number): void {
    if (this.#hasLooked) return;
    this.#hasLooked = true;
    const { assumeYear } = this.#options;
    const rough = { ...this.#parserOptions, yearFrom: roughYear(assumeYear, this.#writtenMs) };
    this.#format = this.#options.format ?? guessFormat(this.#memory, work, text, rough).format;
    this.#tally = new Tally(formatName(this.#format));
    if (this.#format === 'plain') return;
    const yearFrom = firstYear(this.#memory, work, this.#reading(), text, assumeYear, this.#writtenMs);
    this.#parserOptions = { ...this.#parserOptions, yearFrom };
    this.#carried = firstTime(this.#memory, work, this.#reading(), text) ?? this.#carried;
  }

  /** Windows end where an entry does. */
  #wholeBytes(text: Text): number {
    const work = this.#probe?.address;
    assert(work !== undefined, 'there is memory to look at text');
    this.#lookAtFirst(text, work);
    return lastEntryStart(this.#memory, work, this.#reading(), text);
  }

  #reading(): Reading {
    return { format: this.#format, options: this.#parserOptions };
  }

  /** The time that a line at the start of the window behind this one takes over. */
  #timeAfter(window: Window, work: number): number {
    if (this.#format === 'plain') return this.#carried;
    const text = { address: window.text.address, bytes: window.textBytes };
    return lastTime(this.#memory, work, this.#reading(), text) ?? this.#carried;
  }

  /**
   * Takes a window all the way. It never rejects: a failure is noted, and ends the windows behind it.
   *
   * @returns resolves when its batches have been handed to the log, so that those of the next window may be
   */
  #process(window: Window, carried: number, previous: Promise<void>): Promise<void> {
    return new Promise((handedOver) => {
      void this.#encodeAndAppend(window, carried, previous, handedOver)
        .catch((error: unknown) => {
          this.#failure ??= { error };
        })
        .finally(() => {
          handedOver();
          window.release();
          this.#outstanding--;
          this.#wake();
        });
    });
  }

  async #encodeAndAppend(
    window: Window,
    carried: number,
    previous: Promise<void>,
    handedOver: () => void,
  ): Promise<void> {
    let done = 0;
    let time = carried;
    while (done < window.textBytes) {
      const encoding = this.#encode(window, done, time);
      // The failure of this window counts only if none before it failed.
      const [encoded] = await Promise.allSettled([encoding, previous]);
      if (this.#failure !== undefined) return;
      if (encoded.status === 'rejected') throw encoded.reason;
      const result = encoded.value;
      assert(result.textBytes > 0, 'there is room for at least one line');
      done += result.textBytes;
      time = result.carried;
      this.#tally.addLines(result);
      const appending = this.#append(window, result);
      if (done >= window.textBytes) handedOver();
      await appending;
    }
    this.#options.onProgress?.(window.endPosition);
  }

  async #encode(window: Window, done: number, carried: number): Promise<WindowResult> {
    const { runtime, signal } = this.#options;
    const args: WindowArgs = {
      ...this.#reading(),
      text: window.text.address + done,
      textBytes: window.textBytes - done,
      last: window.last,
      out: roomOf(window).address,
      outBytes: roomOf(window).bytes,
      batchBytes: this.#log.batchBytes,
      recordBytesMax: this.#lineBytesMax,
      carried,
      samples: SAMPLES_MAX,
    };
    if (this.#isSmall) return runtime.pool.runHere('encodeWindow', args);
    return runtime.pool.run('encodeWindow', args, { signal });
  }

  async #append(window: Window, result: WindowResult): Promise<void> {
    const log = this.#log;
    try {
      const source = { address: roomOf(window).address, bytes: result.outBytes };
      const { firstOffset, lastOffset } = await log.appendFramed(source);
      this.#tally.addRecords(firstOffset, lastOffset);
    } catch (error) {
      // Where the batches went to two segments, those in the first are there.
      const first = this.#tally.records > 0 ? this.#tally.lastOffset + 1 : this.#startOffset;
      const records = Math.min(log.nextOffset - first, result.records);
      if (records > 0) this.#tally.addRecords(first, first + records - 1);
      throw error;
    }
  }
}

/** Where the batches of a window go. */
function roomOf(window: Window): Slab {
  assert(window.out !== undefined, 'windows are read with room for their batches');
  return window.out;
}
