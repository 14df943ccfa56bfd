/**
 * Records that came out of the engine, and those that a text should become, in the same plain form.
 *
 * @module
 */

import { ROW_BYTES, SCAN_STATUS_BYTES, SCAN_STATUS_STOP, SCAN_STOP_END } from '../../src/memory/layout.ts';
import type { Memory } from '../../src/memory/memory.ts';
import type { LineFormat } from '../../src/parse/formats.ts';
import { columnsBytes, decodeRecords, readRow } from '../../src/record/batch.ts';
import type { LogRecord } from '../../src/record/record.ts';

export interface PlainRecord {
  offset: number;
  timestamp: number;
  /** As latin1, so that every byte is told from every other. */
  value: string;
  headers: Record<string, string>;
}

export interface PlainBatch {
  records: PlainRecord[];
  /** Of the batch, header included. */
  size: number;
}

const BATCHES_MAX = 10_000;

export function plain({ offset, timestamp, key, value, headers }: LogRecord): PlainRecord {
  if (key !== null) throw new Error('a line has no key');
  return {
    offset,
    timestamp,
    value: value?.toString('latin1') ?? 'null',
    headers: Object.fromEntries(
      headers.map((header) => [header.key, header.value?.toString('latin1') ?? 'null']),
    ),
  };
}

/** Checks and decodes batches that lie end to end in the memory. */
export function decodeBatches(memory: Memory, address: number, bytes: number): PlainBatch[] {
  const rows = memory.slabs.allocate(BATCHES_MAX * ROW_BYTES + SCAN_STATUS_BYTES, 'test');
  const columns = memory.slabs.allocate(columnsBytes(1024), 'test');
  try {
    const status = rows.address + BATCHES_MAX * ROW_BYTES;
    const count = memory.kernels.scanBatches(address, bytes, rows.address, BATCHES_MAX, status);
    if (memory.i32[(status + SCAN_STATUS_STOP) >> 2] !== SCAN_STOP_END) throw new Error('no whole batches');
    return Array.from({ length: count }, (_, i) => {
      const row = readRow(memory, rows.address + i * ROW_BYTES);
      const records = decodeRecords(memory, row, columns.address);
      if (records === undefined) throw new Error(`batch ${i} is broken`);
      return { records: records.map(plain), size: row.size };
    });
  } finally {
    rows.release();
    columns.release();
  }
}

const HDFS_LINE =
  /^(\d\d)(\d\d)(\d\d) (\d\d)(\d\d)(\d\d) (?<pid>\d{1,20}) (?<level>[A-Za-z]{1,16}) (?<component>[^ ]{1,255}):(?: |$)/;

function parse(line: string): { timestamp: number; headers: Record<string, string> } | undefined {
  const match = HDFS_LINE.exec(line);
  if (match?.groups === undefined) return undefined;
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1, 7).map(Number);
  const text = `${year < 70 ? 20 : 19}${line.slice(0, 2)}-${line.slice(2, 4)}-${line.slice(4, 6)}`;
  const timestamp = Date.UTC(year < 70 ? 2000 + year : 1900 + year, month - 1, day, hours, minutes, seconds);
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  if (new Date(timestamp).toISOString().slice(0, 10) !== text) return undefined;
  const { level = '', pid = '', component = '' } = match.groups;
  return { timestamp, headers: { level, pid, component } };
}

/** The lines of a text (latin1), without their ends. */
export function linesOf(text: string): string[] {
  const pieces = text.split('\n');
  const last = pieces.pop() ?? '';
  const lines = pieces.map((piece) => (piece.endsWith('\r') ? piece.slice(0, -1) : piece));
  return last === '' ? lines : [...lines, last];
}

const CONTINUATION =
  /^(?:[ \t}]|at |\.\.\. |Caused by:|Suppressed:|Traceback \(|Exception in |[A-Za-z0-9_$.]{0,249}(?:Exception|Error|Throwable)(?::|$))/;

/**
 * The records that a text becomes.
 *
 * @param fallback time of lines before the first that has one; the first time there is, unless given
 */
export function recordsOf(text: string, format: LineFormat, fallback?: number): PlainRecord[] {
  const lines = linesOf(text);
  const parsed = lines.map((line) => (format === 'hdfs' ? parse(line) : undefined));
  let timestamp = fallback ?? parsed.find((one) => one !== undefined)?.timestamp ?? Number.NaN;
  const records: PlainRecord[] = [];
  let position = 0;
  let start = 0;
  for (const [i, line] of lines.entries()) {
    const one = parsed[i];
    const last = records.at(-1);
    if (format === 'hdfs' && one === undefined && last !== undefined && CONTINUATION.test(line)) {
      last.value = text.slice(start, position + line.length);
    } else {
      start = position;
      timestamp = one?.timestamp ?? timestamp;
      records.push({ offset: records.length, timestamp, value: line, headers: one?.headers ?? {} });
    }
    position = text.indexOf('\n', position + line.length) + 1;
  }
  return records;
}
