/**
 * A segment: its batches, one a line, and what lies between them that is none.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import { findBehind } from '../../log/behind.ts';
import { NO_LANDMARKS } from '../../log/landmarks.ts';
import { parseSegmentFileName } from '../../log/names.ts';
import { BatchScan } from '../../log/scan.ts';
import { ROW_BYTES } from '../../memory/layout.ts';
import { type BatchRow, columnsBytes, readRow } from '../../record/batch.ts';
import { Expander, isCodecSettled, settleCodec } from '../../record/compression.ts';
import {
  COMPRESSION_MASK,
  COMPRESSION_NAMES,
  CONTROL_BIT,
  CRC_POSITION,
  LOG_APPEND_TIME_BIT,
} from '../../record/format.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes, formatChecksum, formatCount, formatTime, isoTime, plural } from '../format.ts';
import { TableWriter } from '../table.ts';
import { type Damage, findNextBatch, isZero, reasonOf } from './damage.ts';
import type { Inspection } from './inspection.ts';

const TRANSACTIONAL_BIT = 16;

/** What was seen so far. */
interface Tally {
  batches: number;
  records: number;
  firstOffset: number | undefined;
  /** What the next batch should start with, where that is known. */
  nextOffset: number | undefined;
  minTimestamp: number;
  maxTimestamp: number;
  damage: Damage[];
  /** Where zeros reach from to the end of the file. */
  zerosPosition: number | undefined;
}

/** @returns 1 where a part of the segment is damaged */
export async function inspectSegment(inspection: Inspection): Promise<ExitCode> {
  const { path, bytes, context } = inspection;
  const { stdout, signal } = context;
  const tally: Tally = {
    batches: 0,
    records: 0,
    firstOffset: undefined,
    nextOffset: parseSegmentFileName(path.split(/[/\\]/).at(-1) ?? '')?.baseOffset,
    minTimestamp: Number.POSITIVE_INFINITY,
    maxTimestamp: Number.NEGATIVE_INFINITY,
    damage: [],
    zerosPosition: undefined,
  };
  if (!inspection.json) stdout.line(`${context.colours.bold(path)}  segment, ${formatBytes(bytes)}`);
  const table = new TableWriter(COLUMNS, context.colours.dim);
  for (let position = 0; position < bytes; ) {
    signal.throwIfAborted();
    const reached = await showBatches(inspection, tally, table, position);
    if (reached.position >= bytes) break;
    if (await isZero(inspection.file, reached.position, bytes)) {
      tally.zerosPosition = reached.position;
      break;
    }
    const damage = await lookAtDamage(inspection, tally, reached.position, reached.reason);
    tally.damage.push(damage);
    showDamage(inspection, damage);
    position = damage.end;
  }
  if (inspection.json) stdout.json(summaryOf(inspection, tally));
  else showSummary(inspection, tally);
  return tally.damage.length > 0 ? 1 : 0;
}

/** Shows the batches from `position` to the first thing that is none. */
async function showBatches(
  inspection: Inspection,
  tally: Tally,
  table: TableWriter,
  position: number,
): Promise<{ position: number; reason?: string }> {
  const { memory, file, bytes, context } = inspection;
  const scan = new BatchScan(memory, file, position, bytes, true);
  let lines: string[][] = [];
  const print = (): void => {
    if (lines.length > 0) context.stdout.write(table.block(lines));
    lines = [];
  };
  try {
    for (;;) {
      context.signal.throwIfAborted();
      const count = await scan.next();
      if (count === 0) return { position: scan.position };
      for (let i = 0; i < count; i++) {
        const row = readRow(memory, scan.rows + i * ROW_BYTES);
        const at = scan.positionOf(row.address);
        if (!isCodecSettled(row.attributes)) await settleCodec(row.attributes);
        const reason = objectionTo(inspection, tally, row);
        if (reason !== undefined) {
          print();
          return { position: at, reason };
        }
        if (tally.batches < inspection.limit) {
          const stored = memory.data.getUint32(row.address + CRC_POSITION);
          if (inspection.json) context.stdout.json(batchJson(row, at, stored));
          else lines.push(batchLine(row, at, stored));
        }
        countBatch(tally, row);
      }
      print();
      if (context.stdout.full) await context.stdout.flush();
    }
  } finally {
    await scan.close();
  }
}

function countBatch(tally: Tally, row: BatchRow): void {
  tally.batches++;
  tally.records += row.recordCount;
  tally.firstOffset ??= row.baseOffset;
  tally.nextOffset = row.lastOffset + 1;
  tally.minTimestamp = Math.min(tally.minTimestamp, row.baseTimestamp);
  tally.maxTimestamp = Math.max(tally.maxTimestamp, row.maxTimestamp);
}

/** What is wrong with a batch whose checksum is right: its place in the log, or what is inside. */
function objectionTo(inspection: Inspection, tally: Tally, row: BatchRow): string | undefined {
  if (tally.nextOffset !== undefined && row.baseOffset !== tally.nextOffset) {
    return `the batch there should start at offset ${tally.nextOffset}, and starts at ${row.baseOffset}`;
  }
  const { memory } = inspection;
  const expander = new Expander(memory);
  try {
    const plain = expander.expand(row);
    if (plain === undefined)
      return 'the checksum is right, but the records do not expand, or become too much';
    const columns = memory.slabs.allocate(columnsBytes(plain.recordCount), 'batch columns');
    const decoded = memory.kernels.decodeBatch(plain.address, plain.size, columns.address);
    columns.release();
    return decoded < 0 ? 'the checksum is right, but the records do not fit together' : undefined;
  } catch (error) {
    // Without its codec a batch is taken on trust.
    if (isVarveError(error, 'UNSUPPORTED')) return undefined;
    throw error;
  } finally {
    expander.release();
  }
}

/** Goes on where recovery would: at a batch that other bytes confirm, and not at one that may lie in a value. */
async function lookAtDamage(
  inspection: Inspection,
  tally: Tally,
  position: number,
  reason: string | undefined,
): Promise<Damage> {
  const { memory, file, bytes } = inspection;
  const due = tally.nextOffset;
  const least = due ?? 0;
  const search = { memory, file, position, due, least, limit: bytes, landmarks: NO_LANDMARKS };
  const { first: next } = await findBehind({ ...search, isThorough: true });
  const damage: Damage = {
    position,
    end: next?.position ?? bytes,
    reason: reason ?? (await reasonOf(memory, file, position, bytes)),
    isTail: next === undefined,
  };
  if (next === undefined) {
    const found = await findNextBatch(memory, file, position + 1, bytes, least);
    if (found !== undefined) damage.unconfirmedPosition = found;
    return damage;
  }
  if (next.offset > least) damage.offsets = { first: least, last: next.offset - 1 };
  tally.nextOffset = next.offset;
  return damage;
}

const COLUMNS = [
  { title: 'position', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'first offset', align: 'right' },
  { title: 'last offset', align: 'right' },
  { title: 'records', align: 'right' },
  { title: 'first time' },
  { title: 'newest time' },
  { title: 'crc stored' },
  { title: 'computed' },
  { title: 'epoch', align: 'right' },
  { title: 'attributes' },
] as const;

function batchLine(row: BatchRow, position: number, crc: number): string[] {
  return [
    String(position),
    String(row.size),
    String(row.baseOffset),
    String(row.lastOffset),
    String(row.recordCount),
    formatTime(row.baseTimestamp),
    formatTime(row.maxTimestamp),
    formatChecksum(crc),
    'the same',
    String(row.leaderEpoch),
    attributesText(row.attributes),
  ];
}

function attributesText(attributes: number): string {
  const compression = attributes & COMPRESSION_MASK;
  const words = compression === 0 ? [] : [COMPRESSION_NAMES[compression] ?? `compression ${compression}`];
  if ((attributes & LOG_APPEND_TIME_BIT) !== 0) words.push('append time');
  if ((attributes & TRANSACTIONAL_BIT) !== 0) words.push('transactional');
  if ((attributes & CONTROL_BIT) !== 0) words.push('control');
  return words.length === 0 ? 'none' : words.join(', ');
}

function batchJson(row: BatchRow, position: number, crc: number): unknown {
  return {
    kind: 'batch',
    position,
    bytes: row.size,
    firstOffset: row.baseOffset,
    lastOffset: row.lastOffset,
    records: row.recordCount,
    firstTimestamp: row.baseTimestamp,
    maxTimestamp: row.maxTimestamp,
    crcStored: formatChecksum(crc),
    crcComputed: formatChecksum(crc),
    attributes: row.attributes,
    compression: COMPRESSION_NAMES[row.attributes & COMPRESSION_MASK] ?? 'unknown',
    leaderEpoch: row.leaderEpoch,
  };
}

function showDamage(inspection: Inspection, damage: Damage): void {
  const { stdout, colours } = inspection.context;
  if (inspection.json) {
    stdout.json({ kind: 'damage', ...damage });
    return;
  }
  const { position, end, isTail, unconfirmedPosition } = damage;
  const behind =
    unconfirmedPosition === undefined
      ? 'nothing valid follows'
      : `a batch at ${unconfirmedPosition} is whole, but may lie in a value: nothing confirms it`;
  const where = `from position ${position} to ${isTail ? `the end (${behind})` : end}`;
  const lost =
    damage.offsets === undefined ? '' : `; lost: offsets ${damage.offsets.first} to ${damage.offsets.last}`;
  stdout.line(colours.red(`damaged ${where}: ${damage.reason}${lost}`));
}

function summaryOf(inspection: Inspection, tally: Tally): unknown {
  return {
    kind: 'summary',
    file: inspection.path,
    bytes: inspection.bytes,
    batches: tally.batches,
    records: tally.records,
    firstOffset: tally.firstOffset ?? null,
    nextOffset: tally.firstOffset === undefined ? null : tally.nextOffset,
    from: isoTime(tally.minTimestamp) ?? null,
    to: isoTime(tally.maxTimestamp) ?? null,
    zerosPosition: tally.zerosPosition ?? null,
    damages: tally.damage.length,
  };
}

function showSummary(inspection: Inspection, tally: Tally): void {
  const { stdout, colours } = inspection.context;
  const hidden = tally.batches - Math.min(tally.batches, inspection.limit);
  if (hidden > 0) stdout.line(colours.dim(`… and ${plural(hidden, 'more batch', 'more batches')}`));
  if (tally.zerosPosition !== undefined) {
    const zeros = inspection.bytes - tally.zerosPosition;
    stdout.line(
      `zeros from position ${tally.zerosPosition} to the end: ${formatBytes(zeros)} that wait to be written`,
    );
  }
  const counted = `${plural(tally.batches, 'batch', 'batches')}, ${plural(tally.records, 'record')}`;
  const range =
    tally.firstOffset === undefined
      ? ''
      : `, offsets ${formatCount(tally.firstOffset)} to ${formatCount((tally.nextOffset ?? 0) - 1)}`;
  const verdict =
    tally.damage.length === 0
      ? colours.green('all checksums are right')
      : colours.red(plural(tally.damage.length, 'damaged part'));
  stdout.line(`${counted}${range}; ${verdict}`);
}
