/**
 * A window of text into finished record batches, on whatever thread it is called: some hundreds of lines
 * are indexed, taken apart, made into entries and encoded, then the next, so that all that lies between
 * the text and the batches stays in the processor's cache.
 *
 * Entries that do not fill a batch wait for the next lines: they are moved to the front, and their headers
 * with them.
 *
 * The working memory:
 *
 *     +----------+--------+-------------------+---------------------------+---------+---------+--------+--------+
 *     |  spans   | fields |      entries      |          headers          | summary | encoded | parser | extras |
 *     | ROWS + 1 |  ROWS  |ROWS + one batch's | ROWS + one batch's lines  |         |         |        |  ROWS  |
 *     +----------+--------+-------------------+---------------------------+---------+---------+--------+--------+
 *
 * @module
 */

import { assert } from '../assert.ts';
import { BATCH_RECORDS_MAX } from '../limits.ts';
import {
  BATCH_HEADER_BYTES,
  ENCODED_BATCHES,
  ENCODED_BYTES,
  ENCODED_LEFT,
  ENCODED_SIZE,
  ENTRY_BYTES,
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_HEADERS_BYTES_MAX,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_PARSED,
  FIELDS_STATUS,
  LEVEL_COUNT,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SUMMARY_BYTES,
  SUMMARY_CARRIED,
  SUMMARY_CUT,
  SUMMARY_EARLIEST,
  SUMMARY_EMPTY,
  SUMMARY_FAILED,
  SUMMARY_JOINED,
  SUMMARY_LATEST,
  SUMMARY_LEVELS,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { wholeEntries } from './entries.ts';
import {
  createParser,
  EXTRAS_MAX,
  type FormatSpec,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from './parser.ts';

/** Lines that go through all steps together: what is between text and batches then has about 200 KiB. */
const ROWS = 512;
const ENTRIES_MAX: number = ROWS + BATCH_RECORDS_MAX;
const HEADERS_BYTES: number = ENTRIES_MAX * FIELDS_HEADERS_BYTES_MAX + SLACK_BYTES;
/** What a record can need beyond its line, where it has a batch of its own. */
const RECORD_EXTRA_BYTES: number =
  FIELDS_HEADERS_BYTES_MAX + RECORD_OVERHEAD_MAX + BATCH_HEADER_BYTES + SLACK_BYTES;
/** The same for a record whose headers have been counted. */
const FRAMING_BYTES: number = RECORD_EXTRA_BYTES - FIELDS_HEADERS_BYTES_MAX;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const FIELDS_AT: number = align((ROWS + 1) * SPAN_BYTES);
const ENTRIES_AT: number = FIELDS_AT + ROWS * FIELDS_BYTES;
const HEADERS_AT: number = align(ENTRIES_AT + ENTRIES_MAX * ENTRY_BYTES);
const SUMMARY_AT: number = align(HEADERS_AT + HEADERS_BYTES);
const ENCODED_AT: number = SUMMARY_AT + align(SUMMARY_BYTES);
const PARSER_AT: number = ENCODED_AT + align(ENCODED_BYTES);
const EXTRAS_AT: number = PARSER_AT + PARSER_WORK_BYTES;

/** Working memory that `encodeWindow` needs. */
export const WINDOW_WORK_BYTES: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;

const LINE_END_BYTES_MAX = 2;

/** What must be free for batches besides the bytes of the longest record, so that any text makes progress. */
export const WINDOW_OUT_EXTRA_BYTES: number = RECORD_EXTRA_BYTES + LINE_END_BYTES_MAX;

const SAMPLE_CHARACTERS = 200;
/** No character has more bytes in UTF-8. */
const CHARACTER_BYTES_MAX = 4;

export interface WindowArgs {
  format: FormatSpec;
  /** What the format leaves open. */
  options: ParserOptions;
  /** Address of the text, which starts with a line; `SLACK_BYTES` behind it can be read. */
  text: number;
  textBytes: number;
  /** Whether what is behind the last line end is a line too; if not, there is nothing. */
  last: boolean;
  /** Where the batches go: room for the longest record and `WINDOW_OUT_EXTRA_BYTES`. */
  out: number;
  outBytes: number;
  /** A batch is closed before its records have more bytes than this. */
  batchBytes: number;
  /** A longer line is cut off. */
  recordBytesMax: number;
  /** Time for lines that have none and no line before them in the window that has one. */
  carried: number;
  /** How many of the lines that do not parse are wanted as text. */
  samples: number;
}

/** A line that does not parse. */
export interface LineSample {
  /** Number of the line, from 0 for the first of the window. */
  line: number;
  /** Its first 200 characters. */
  text: string;
}

export interface WindowResult {
  /** How much of the text was taken: less than all where `out` is full. */
  textBytes: number;
  outBytes: number;
  batches: number;
  lines: number;
  records: number;
  /** Lines that are in the record of a line before them. */
  joined: number;
  unparsed: number;
  empty: number;
  cut: number;
  /** The time that a line behind these, without one of its own, takes over. */
  carried: number;
  /** Least and greatest timestamp; not finite where there are no records. */
  earliest: number;
  latest: number;
  /** Lines by level code. */
  levels: number[];
  samples: LineSample[];
}

/**
 * Turns text into record batches whose offsets start at 0.
 *
 * @param memory as this thread sees it
 * @param work address of `WINDOW_WORK_BYTES`, aligned to 64 bytes
 */
export function encodeWindow(memory: MemoryView, work: number, args: WindowArgs): WindowResult {
  const { kernels, i32 } = memory;
  const parser = createParser(args.format, args.options, memory, work + PARSER_AT);
  const spans = work;
  const fields = work + FIELDS_AT;
  const entries = work + ENTRIES_AT;
  const headers = work + HEADERS_AT;
  const summary = work + SUMMARY_AT;
  const encoded = work + ENCODED_AT;
  const textEnd = args.text + args.textBytes;
  const outEnd = args.out + args.outBytes;
  const last = args.last ? 1 : 0;
  const samples: LineSample[] = [];
  startSummary(memory, summary, args.carried);

  let text = args.text;
  let out = args.out;
  let linesDone = 0;
  let records = 0;
  let batches = 0;
  // Entries that wait at the front for more, the bytes of their records, and the end of their headers.
  let waiting = 0;
  let waitingBytes = 0;
  let headersEnd = headers;

  function encode(isLast: boolean): void {
    const done = kernels.encodeBatches(
      entries,
      waiting,
      out,
      outEnd - out,
      args.batchBytes,
      BATCH_RECORDS_MAX,
      records,
      isLast ? 1 : 0,
      encoded,
    );
    out += i32[(encoded + ENCODED_SIZE) >> 2] as number;
    batches += i32[(encoded + ENCODED_BATCHES) >> 2] as number;
    waitingBytes = i32[(encoded + ENCODED_LEFT) >> 2] as number;
    records += done;
    headersEnd = kernels.keepEntries(entries, done, waiting, headers);
    waiting -= done;
  }

  for (;;) {
    let lines = kernels.indexLines(text, textEnd - text, spans, ROWS, last);
    const found = lines;
    const room = outEnd - out - waitingBytes - waiting * FRAMING_BYTES;
    while (lines > 0 && roomFor(lineEnd(i32, spans, lines) - text, lines, args.recordBytesMax) > room)
      lines >>= 1;
    if (lines === 0) break;
    const parsed = parser.parse(spans, lines, fields, work + EXTRAS_AT);
    if (parser.joins && lineEnd(i32, spans, lines) < textEnd) {
      const whole = wholeEntries(i32, fields, lines);
      // What there is room for may be less than an entry, and then the next call has more.
      if (whole === lines && lines < found && (out > args.out || waiting > 0)) break;
      lines = whole;
    }
    if (parsed < found && samples.length < args.samples) {
      takeSamples(memory, fields, lines, linesDone, args.samples, samples);
    }
    const added = entries + waiting * ENTRY_BYTES;
    waiting += kernels.makeEntries(fields, lines, added, headersEnd, args.recordBytesMax, summary);
    text = lineEnd(i32, spans, lines);
    linesDone += lines;
    encode(false);
    assert(waiting < BATCH_RECORDS_MAX, 'what waits is less than a batch');
  }
  encode(true);
  assert(waiting === 0, 'there is room for what was begun');
  return {
    textBytes: text - args.text,
    outBytes: out - args.out,
    batches,
    lines: linesDone,
    records,
    samples,
    ...readSummary(memory, summary),
  };
}

/** What the batches of so many lines take at most. */
function roomFor(bytes: number, lines: number, recordBytesMax: number): number {
  return Math.min(bytes, lines * recordBytesMax) + lines * RECORD_EXTRA_BYTES;
}

/** Address behind the line end of the last of `lines` lines. */
function lineEnd(i32: Int32Array, spans: number, lines: number): number {
  return i32[(spans + lines * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
}

function startSummary(memory: MemoryView, summary: number, carried: number): void {
  memory.u8.fill(0, summary, summary + SUMMARY_BYTES);
  memory.f64[(summary + SUMMARY_CARRIED) >> 3] = carried;
  memory.f64[(summary + SUMMARY_EARLIEST) >> 3] = Number.POSITIVE_INFINITY;
  memory.f64[(summary + SUMMARY_LATEST) >> 3] = Number.NEGATIVE_INFINITY;
}

type Summary = Omit<WindowResult, 'textBytes' | 'outBytes' | 'batches' | 'lines' | 'records' | 'samples'>;

function readSummary(memory: MemoryView, summary: number): Summary {
  const { i32, f64 } = memory;
  const levels = (summary + SUMMARY_LEVELS) >> 2;
  return {
    unparsed: i32[(summary + SUMMARY_FAILED) >> 2] as number,
    joined: i32[(summary + SUMMARY_JOINED) >> 2] as number,
    empty: i32[(summary + SUMMARY_EMPTY) >> 2] as number,
    cut: i32[(summary + SUMMARY_CUT) >> 2] as number,
    carried: f64[(summary + SUMMARY_CARRIED) >> 3] as number,
    earliest: f64[(summary + SUMMARY_EARLIEST) >> 3] as number,
    latest: f64[(summary + SUMMARY_LATEST) >> 3] as number,
    levels: Array.from(i32.subarray(levels, levels + LEVEL_COUNT)),
  };
}

/** Takes the text of lines that failed until there are enough samples. */
function takeSamples(
  memory: MemoryView,
  fields: number,
  lines: number,
  firstLine: number,
  wanted: number,
  samples: LineSample[],
): void {
  const { i32 } = memory;
  for (let i = 0; i < lines && samples.length < wanted; i++) {
    const row = fields + i * FIELDS_BYTES;
    if (i32[(row + FIELDS_STATUS) >> 2] === FIELDS_PARSED) continue;
    if (i > 0 && i32[(row + FIELDS_STATUS) >> 2] === FIELDS_CONTINUATION) continue;
    const address = i32[(row + FIELDS_LINE) >> 2] as number;
    const bytes = i32[(row + FIELDS_LINE_LENGTH) >> 2] as number;
    const start = memory.buffer(address, Math.min(bytes, SAMPLE_CHARACTERS * CHARACTER_BYTES_MAX));
    samples.push({ line: firstLine + i, text: start.toString('utf8').slice(0, SAMPLE_CHARACTERS) });
  }
}
