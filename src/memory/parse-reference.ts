/**
 * The kernels of `parse-kernels.ts` in plain JavaScript: the specification that the WebAssembly builds are
 * compared with. Lines are strings of one character a byte (latin1), so that a regular expression can say
 * what a format is.
 *
 * @module
 */

import type { Kernels } from './kernels.ts';
import { pairsOfJson, pairsOfLogfmt, putPairs } from './key-value-reference.ts';
import {
  BATCH_HEADER_BYTES,
  ENCODED_BATCHES,
  ENCODED_LEFT,
  ENCODED_SIZE,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_CONTINUATION,
  FIELDS_FAILED,
  FIELDS_FLAGS,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_LOCAL,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PID,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  LEVEL_OTHER,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
  SUMMARY_CARRIED,
  SUMMARY_CUT,
  SUMMARY_EARLIEST,
  SUMMARY_EMPTY,
  SUMMARY_FAILED,
  SUMMARY_JOINED,
  SUMMARY_LATEST,
  SUMMARY_LEVELS,
} from './layout.ts';
import { LEVEL_CODES } from './level-reference.ts';
import type { ParseKernels } from './parse-kernels.ts';
import { extrasBytes, parseLine } from './pattern-reference.ts';
import { createTallyReference } from './tally-reference.ts';

const HDFS_LINE =
  /^(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) (\d{1,20}) ([A-Za-z]{1,16}) ([^ ]{1,255}):(?: ([^]*))?$/d;
/** The groups of `HDFS_LINE`. */
const [PID, LEVEL, COMPONENT, CONTENT] = [7, 8, 9, 10] as const;

const CONTINUATION =
  /^(?:[ \t]|at |Caused by:|Suppressed:|\.\.\. |Traceback \(|Exception in |\}|(?=[\w$.]{1,255}(?::|$))[\w$.]*(?:Exception|Error|Throwable)(?::|$))/;

/** What the header of a level is where the line has no word for it, by code. */
const LEVEL_WORDS = ['', 'TRACE', 'DEBUG', 'INFO', 'NOTICE', 'WARN', 'ERROR', 'FATAL'];

/** Milliseconds since the epoch, or undefined where there is no such date or time of day. */
function utc(parts: readonly number[]): number | undefined {
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = parts;
  const fullYear = year < 70 ? 2000 + year : 1900 + year;
  // A leap second is the second after it.
  if (minutes === 59 && seconds === 60) {
    const before = utc([year, month, day, hours, minutes, 59]);
    return before === undefined ? undefined : before + 1000;
  }
  const time = Date.UTC(fullYear, month - 1, day, hours, minutes, seconds);
  const date = new Date(time);
  // Date.UTC turns 30 February into a day of March: then the parts are not what they were.
  const back = [date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes()];
  const same = back.every((part, i) => part === [month, day, hours, minutes][i]);
  return same && date.getUTCSeconds() === seconds ? time : undefined;
}

/**
 * Creates the reference over `memory`.
 *
 * @param memory where all addresses are
 * @param kernels what encodes one batch
 */
export function createParseReference(
  memory: SharedArrayBuffer | ArrayBuffer,
  kernels: Pick<Kernels, 'encodeBatch'>,
): ParseKernels {
  const view = new DataView(memory);
  const load = (address: number): number => view.getInt32(address, true);
  const store = (address: number, value: number): void => view.setInt32(address, value, true);
  const add = (address: number, value: number): void => store(address, load(address) + value);

  function textAt(address: number, length: number): string {
    let text = '';
    for (let i = address; i < address + length; i++) text += String.fromCharCode(view.getUint8(i));
    return text;
  }

  function storeSpan(span: number, address: number, length: number): void {
    store(span + SPAN_ADDRESS, address);
    store(span + SPAN_LENGTH, length);
  }

  function indexLines(
    address: number,
    length: number,
    spans: number,
    maxLines: number,
    last: number,
  ): number {
    const end = address + length;
    let start = address;
    let count = 0;
    for (let at = address; at < end && count < maxLines; at++) {
      if (view.getUint8(at) !== 0x0a) continue;
      const hasReturn = at > start && view.getUint8(at - 1) === 0x0d;
      storeSpan(spans + count * SPAN_BYTES, start, at - start - (hasReturn ? 1 : 0));
      count++;
      start = at + 1;
    }
    if (last !== 0 && start < end && count < maxLines) {
      storeSpan(spans + count * SPAN_BYTES, start, end - start);
      count++;
      start = end;
    }
    storeSpan(spans + count * SPAN_BYTES, start, 0);
    return count;
  }

  function clearFields(row: number, span: number, status: number): void {
    storeSpan(row + FIELDS_LINE, load(span + SPAN_ADDRESS), load(span + SPAN_LENGTH));
    view.setFloat64(row + FIELDS_TIMESTAMP, Number.NaN, true);
    store(row + FIELDS_STATUS, status);
    store(row + FIELDS_LEVEL_CODE, LEVEL_OTHER);
    for (const field of [FIELDS_LEVEL, FIELDS_PID, FIELDS_COMPONENT, FIELDS_CONTENT]) {
      storeSpan(row + field, 0, 0);
    }
    store(row + FIELDS_NANOSECONDS, 0);
    store(row + FIELDS_FLAGS, 0);
  }

  function parseHdfs(spans: number, count: number, fields: number): number {
    let parsed = 0;
    for (let i = 0; i < count; i++) {
      const row = fields + i * FIELDS_BYTES;
      clearFields(row, spans + i * SPAN_BYTES, FIELDS_FAILED);
      const address = load(row + FIELDS_LINE);
      const length = load(row + FIELDS_LINE_LENGTH);
      const match = HDFS_LINE.exec(textAt(address, length));
      const time = match === null ? undefined : utc(match.slice(1, 7).map(Number));
      if (match?.indices === undefined || time === undefined) continue;
      view.setFloat64(row + FIELDS_TIMESTAMP, time, true);
      store(row + FIELDS_STATUS, FIELDS_PARSED);
      store(row + FIELDS_FLAGS, FIELDS_LOCAL);
      store(row + FIELDS_LEVEL_CODE, LEVEL_CODES.get((match[LEVEL] ?? '').toLowerCase()) ?? LEVEL_OTHER);
      const groups = [
        [FIELDS_PID, PID],
        [FIELDS_LEVEL, LEVEL],
        [FIELDS_COMPONENT, COMPONENT],
        [FIELDS_CONTENT, CONTENT],
      ] as const;
      for (const [field, group] of groups) {
        // Where nothing follows the component, the content is empty, at the end of the line.
        const [start] = match.indices[group] ?? [length];
        storeSpan(row + field, address + start, (match[group] ?? '').replace(/[ \t]+$/, '').length);
      }
      parsed++;
    }
    return parsed;
  }

  function plainFields(spans: number, count: number, fields: number): number {
    for (let i = 0; i < count; i++)
      clearFields(fields + i * FIELDS_BYTES, spans + i * SPAN_BYTES, FIELDS_PLAIN);
    return count;
  }

  /** Takes each line apart with a function that says whether it is of the format. */
  function parseEach(
    parse: (program: number, address: number, line: string, row: number, extras: number) => boolean,
  ): ParseKernels['parsePattern'] {
    return (spans, count, fields, extras, program) => {
      let parsed = 0;
      for (let i = 0; i < count; i++) {
        const row = fields + i * FIELDS_BYTES;
        clearFields(row, spans + i * SPAN_BYTES, FIELDS_FAILED);
        const address = load(row + FIELDS_LINE);
        const line = textAt(address, load(row + FIELDS_LINE_LENGTH));
        if (!parse(program, address, line, row, extras + i * extrasBytes(view, program))) continue;
        store(row + FIELDS_STATUS, FIELDS_PARSED);
        parsed++;
      }
      return parsed;
    };
  }

  const parsePattern = parseEach((program, address, line, row, extras) =>
    parseLine(view, program, address, line, row, extras),
  );
  const parseJson = parseEach((table, address, line, row, extras) =>
    putPairs(view, table, address, line, pairsOfJson(line), false, row, extras),
  );
  const parseLogfmt = parseEach((table, address, line, row, extras) =>
    putPairs(view, table, address, line, pairsOfLogfmt(line), true, row, extras),
  );

  function markContinuations(fields: number, count: number): number {
    let marked = 0;
    for (let i = 0; i < count; i++) {
      const row = fields + i * FIELDS_BYTES;
      if (load(row + FIELDS_STATUS) !== FIELDS_FAILED) continue;
      if (!CONTINUATION.test(textAt(load(row + FIELDS_LINE), load(row + FIELDS_LINE_LENGTH)))) continue;
      store(row + FIELDS_STATUS, FIELDS_CONTINUATION);
      marked++;
    }
    return marked;
  }

  /** The headers of a line in wire form. */
  function headersOf(row: number): { bytes: number[]; count: number } {
    const named = [
      ['level', FIELDS_LEVEL],
      ['pid', FIELDS_PID],
      ['component', FIELDS_COMPONENT],
    ] as const;
    const headers = named
      .map(([name, field]) => [name, textAt(load(row + field), load(row + field + SPAN_LENGTH))] as const)
      .map(([name, text]) => {
        const code = load(row + FIELDS_LEVEL_CODE);
        const isName = name === 'level' && code !== LEVEL_OTHER && !/^[^\d]/.test(text);
        return [name, isName ? (LEVEL_WORDS[code] ?? '') : text] as const;
      })
      .filter(([, text]) => text !== '');
    const bytes = headers.flatMap(([name, text]) => [
      ...bytesWithLength(Buffer.from(name)),
      ...bytesWithLength(Buffer.from(text, 'latin1')),
    ]);
    return { bytes, count: headers.length };
  }

  function makeEntries(
    fields: number,
    count: number,
    entries: number,
    headers: number,
    recordBytesMax: number,
    summary: number,
  ): number {
    let headersAt = headers;
    let made = 0;
    for (let i = 0; i < count; ) {
      const row = fields + i * FIELDS_BYTES;
      const entry = entries + made * ENTRY_BYTES;
      const status = load(row + FIELDS_STATUS);
      const own = view.getFloat64(row + FIELDS_TIMESTAMP, true);
      const statusOf = (n: number): number => load(fields + n * FIELDS_BYTES + FIELDS_STATUS);
      let next = i + 1;
      while (next < count && statusOf(next) === FIELDS_CONTINUATION) next++;
      const last = fields + (next - 1) * FIELDS_BYTES;
      const length = load(last + FIELDS_LINE) + load(last + FIELDS_LINE_LENGTH) - load(row + FIELDS_LINE);
      let header: ReturnType<typeof headersOf> = { bytes: [], count: 0 };
      if (status === FIELDS_PARSED) {
        if (!Number.isNaN(own)) view.setFloat64(summary + SUMMARY_CARRIED, own, true);
        add(summary + SUMMARY_LEVELS + 4 * load(row + FIELDS_LEVEL_CODE), 1);
        header = headersOf(row);
      }
      const isCut = length + header.bytes.length > recordBytesMax;
      if (header.bytes.length > recordBytesMax) header = { bytes: [], count: 0 };

      const time = view.getFloat64(summary + SUMMARY_CARRIED, true);
      const earliest = view.getFloat64(summary + SUMMARY_EARLIEST, true);
      const latest = view.getFloat64(summary + SUMMARY_LATEST, true);
      view.setFloat64(summary + SUMMARY_EARLIEST, Math.min(earliest, time), true);
      view.setFloat64(summary + SUMMARY_LATEST, Math.max(latest, time), true);
      add(summary + SUMMARY_FAILED, status === FIELDS_FAILED || status === FIELDS_CONTINUATION ? 1 : 0);
      add(summary + SUMMARY_EMPTY, load(row + FIELDS_LINE_LENGTH) === 0 ? 1 : 0);
      add(summary + SUMMARY_CUT, isCut ? 1 : 0);
      add(summary + SUMMARY_JOINED, next - i - 1);

      view.setFloat64(entry + ENTRY_TIMESTAMP, time, true);
      store(entry + ENTRY_KEY, 0);
      store(entry + ENTRY_KEY_LENGTH, -1);
      store(entry + ENTRY_VALUE, load(row + FIELDS_LINE));
      store(entry + ENTRY_VALUE_LENGTH, Math.min(length, recordBytesMax - header.bytes.length));
      store(entry + ENTRY_HEADERS, headersAt);
      store(entry + ENTRY_HEADERS_LENGTH, header.bytes.length);
      store(entry + ENTRY_HEADERS_COUNT, header.count);
      for (const byte of header.bytes) view.setUint8(headersAt++, byte);
      i = next;
      made++;
    }
    return made;
  }

  function recordBytes(entry: number): number {
    const lengths = [ENTRY_KEY_LENGTH, ENTRY_VALUE_LENGTH, ENTRY_HEADERS_LENGTH];
    return lengths.reduce((sum, field) => sum + Math.max(0, load(entry + field)), 0);
  }

  function encodeBatches(
    entries: number,
    count: number,
    out: number,
    outBytes: number,
    batchBytes: number,
    maxRecords: number,
    baseOffset: number,
    last: number,
    encoded: number,
  ): number {
    let done = 0;
    let size = 0;
    let batches = 0;
    let left = 0;
    while (done < count) {
      let bytes = recordBytes(entries + done * ENTRY_BYTES);
      let records = 1;
      let isFull = records === maxRecords;
      while (!isFull && done + records < count) {
        const next = recordBytes(entries + (done + records) * ENTRY_BYTES);
        if (bytes + next > batchBytes) {
          isFull = true;
        } else {
          bytes += next;
          records++;
          isFull = records === maxRecords;
        }
      }
      const room = BATCH_HEADER_BYTES + bytes + records * RECORD_OVERHEAD_MAX + SLACK_BYTES;
      if ((!isFull && last === 0) || room > outBytes - size) {
        left = bytes;
        break;
      }
      size += kernels.encodeBatch(entries + done * ENTRY_BYTES, records, out + size, baseOffset + done, 0);
      done += records;
      batches++;
    }
    store(encoded + ENCODED_SIZE, size);
    store(encoded + ENCODED_BATCHES, batches);
    store(encoded + ENCODED_LEFT, left);
    return done;
  }

  function keepEntries(entries: number, done: number, count: number, headers: number): number {
    let headersEnd = headers;
    for (let i = done; i < count; i++) {
      const from = entries + i * ENTRY_BYTES;
      const to = from - done * ENTRY_BYTES;
      for (let at = 0; at < ENTRY_BYTES; at++) view.setUint8(to + at, view.getUint8(from + at));
      const start = load(to + ENTRY_HEADERS);
      store(to + ENTRY_HEADERS, headersEnd);
      const end = start + load(to + ENTRY_HEADERS_LENGTH);
      for (let at = start; at < end; at++) view.setUint8(headersEnd++, view.getUint8(at));
    }
    return headersEnd;
  }

  return {
    indexLines,
    parseHdfs,
    plainFields,
    parsePattern,
    parseJson,
    parseLogfmt,
    markContinuations,
    makeEntries,
    encodeBatches,
    keepEntries,
    ...createTallyReference(memory),
  };
}

/** A length as a zigzag varint, then the bytes. */
function bytesWithLength(bytes: Uint8Array): number[] {
  const out: number[] = [];
  let zigzag = bytes.length * 2;
  for (; zigzag >= 0x80; zigzag >>>= 7) out.push((zigzag & 0x7f) | 0x80);
  return [...out, zigzag, ...bytes];
}
