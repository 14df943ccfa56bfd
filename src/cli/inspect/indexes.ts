/**
 * The two indexes of a segment: their entries, and whether these can be true. An index is derived data, so
 * the recovery-point knows its checksum and the log beside it knows where its batches are; both are asked
 * where they are there.
 *
 * @module
 */

import { readCheckpoint } from '../../log/checkpoint.ts';
import { parseSegmentFileName, segmentFileName } from '../../log/names.ts';
import {
  BATCH_HEADER_BYTES,
  OFFSET_ENTRY_BYTES,
  SLACK_BYTES,
  TIME_ENTRY_BYTES,
} from '../../memory/layout.ts';
import { LAST_DELTA_POSITION, MAGIC_POSITION, readInt64 } from '../../record/format.ts';
import { nodeVfs } from '../../vfs/node.ts';
import { joinPath, type VfsFile } from '../../vfs/vfs.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes, formatChecksum, formatTime, isoTime, plural } from '../format.ts';
import { type Column, TableWriter } from '../table.ts';
import type { Inspection } from './inspection.ts';

const ROWS_A_BLOCK = 1024;

/** What differs between the two indexes. */
interface IndexKind {
  name: string;
  entryBytes: number;
  columns: readonly Column[];
  /** Reads entry after entry, and says what is wrong with one that cannot stand behind those before. */
  entries(data: DataView, baseOffset: number): Entry[];
}

interface Entry {
  /** As JSON has it. */
  fields: Record<string, number | string | null>;
  cells: string[];
  objection?: string | undefined;
}

const OFFSET_INDEX: IndexKind = {
  name: 'offset index',
  entryBytes: OFFSET_ENTRY_BYTES,
  columns: [
    { title: 'entry', align: 'right' },
    { title: 'last offset of batch', align: 'right' },
    { title: 'position of batch', align: 'right' },
  ],
  entries(data, baseOffset) {
    const entries: Entry[] = [];
    let [lastOffset, lastPosition] = [-1, -1];
    for (let at = 0; at + OFFSET_ENTRY_BYTES <= data.byteLength; at += OFFSET_ENTRY_BYTES) {
      const offset = data.getInt32(at);
      const position = data.getInt32(at + 4);
      const objection =
        offset <= lastOffset || position <= lastPosition ? 'offsets and positions must grow' : undefined;
      [lastOffset, lastPosition] = [offset, position];
      entries.push({
        fields: { offset: baseOffset + offset, position },
        cells: [String(baseOffset + offset), String(position)],
        objection,
      });
    }
    return entries;
  },
};

const TIME_INDEX: IndexKind = {
  name: 'time index',
  entryBytes: TIME_ENTRY_BYTES,
  columns: [
    { title: 'entry', align: 'right' },
    { title: 'newest time so far' },
    { title: 'at offset', align: 'right' },
  ],
  entries(data, baseOffset) {
    const entries: Entry[] = [];
    let [lastTimestamp, lastOffset] = [Number.NEGATIVE_INFINITY, -1];
    for (let at = 0; at + TIME_ENTRY_BYTES <= data.byteLength; at += TIME_ENTRY_BYTES) {
      const timestamp = readInt64(data, at);
      const offset = data.getInt32(at + 8);
      const objection =
        timestamp <= lastTimestamp || offset < lastOffset ? 'times and offsets must grow' : undefined;
      [lastTimestamp, lastOffset] = [timestamp, offset];
      entries.push({
        fields: { timestamp, time: isoTime(timestamp) ?? null, offset: baseOffset + offset },
        cells: [formatTime(timestamp), String(baseOffset + offset)],
        objection,
      });
    }
    return entries;
  },
};

export function inspectOffsetIndex(inspection: Inspection): Promise<ExitCode> {
  return inspectIndex(inspection, OFFSET_INDEX);
}

export function inspectTimeIndex(inspection: Inspection): Promise<ExitCode> {
  return inspectIndex(inspection, TIME_INDEX);
}

async function inspectIndex(inspection: Inspection, kind: IndexKind): Promise<ExitCode> {
  const { context, path, bytes } = inspection;
  const { stdout, colours } = context;
  const { directory, baseOffset } = placeOf(path);
  const content = Buffer.alloc(bytes);
  const read = await inspection.file.read(content, 0);
  const data = new DataView(content.buffer, content.byteOffset, read);
  if (!inspection.json) stdout.line(`${colours.bold(path)}  ${kind.name}, ${formatBytes(bytes)}`);

  const entries = kind.entries(data, baseOffset ?? 0);
  if (kind === OFFSET_INDEX && baseOffset !== undefined) await compareWithLog(entries, directory, baseOffset);
  const damages = await show(inspection, kind, entries);
  if (read % kind.entryBytes !== 0) {
    const position = read - (read % kind.entryBytes);
    damages.push({
      position,
      reason: `an entry is cut off after ${read - position} of ${kind.entryBytes} bytes`,
    });
  }
  const stored =
    baseOffset === undefined ? undefined : await storedCrc(inspection, kind, baseOffset, entries.length);
  const computed = crcOf(inspection, content.subarray(0, read));
  if (stored !== undefined && stored !== computed) {
    damages.push({
      position: 0,
      reason: `the checksum in the recovery-point is ${formatChecksum(stored)}, and that of the bytes is ${formatChecksum(computed)}`,
    });
  }
  summarise(inspection, entries.length, damages, stored, computed);
  return damages.length > 0 ? 1 : 0;
}

interface IndexDamage {
  position: number;
  reason: string;
}

async function show(
  inspection: Inspection,
  kind: IndexKind,
  entries: readonly Entry[],
): Promise<IndexDamage[]> {
  const { stdout, colours, signal } = inspection.context;
  const table = new TableWriter([...kind.columns, { title: '' }], colours.dim);
  const damages: IndexDamage[] = [];
  for (let start = 0; start < entries.length; start += ROWS_A_BLOCK) {
    signal.throwIfAborted();
    const lines: string[][] = [];
    for (const [i, { fields, cells, objection }] of entries.slice(start, start + ROWS_A_BLOCK).entries()) {
      const entry = start + i;
      const position = entry * kind.entryBytes;
      if (objection !== undefined) damages.push({ position, reason: objection });
      if (entry >= inspection.limit) continue;
      if (inspection.json)
        stdout.json({ kind: 'entry', entry, ...fields, ...(objection && { damage: objection }) });
      else lines.push([String(entry), ...cells, objection === undefined ? '' : colours.red(objection)]);
    }
    if (lines.length > 0) stdout.write(table.block(lines));
    if (stdout.full) await stdout.flush();
  }
  return damages;
}

function summarise(
  inspection: Inspection,
  count: number,
  damages: readonly IndexDamage[],
  stored: number | undefined,
  computed: number,
): void {
  const { stdout, colours } = inspection.context;
  if (inspection.json) {
    for (const damage of damages) stdout.json({ kind: 'damage', ...damage });
    stdout.json({
      kind: 'summary',
      file: inspection.path,
      bytes: inspection.bytes,
      entries: count,
      crcStored: stored === undefined ? null : formatChecksum(stored),
      crcComputed: formatChecksum(computed),
      damages: damages.length,
    });
    return;
  }
  if (count > inspection.limit)
    stdout.line(colours.dim(`… and ${plural(count - inspection.limit, 'more entry', 'more entries')}`));
  for (const { position, reason } of damages)
    stdout.line(colours.red(`damaged at position ${position}: ${reason}`));
  const known =
    stored === undefined
      ? 'the recovery-point has none to compare with'
      : stored === computed
        ? 'the same as in the recovery-point'
        : 'another than in the recovery-point';
  const verdict =
    damages.length === 0 ? colours.green('in order') : colours.red(plural(damages.length, 'damaged part'));
  stdout.line(
    `${plural(count, 'entry', 'entries')}, ${verdict}; checksum ${formatChecksum(computed)}, ${known}`,
  );
}

/** Where a file lies, and the base offset that its name says. */
function placeOf(path: string): { directory: string; baseOffset: number | undefined } {
  const parts = path.split(/[/\\]/);
  const baseOffset = parseSegmentFileName(parts.at(-1) ?? '')?.baseOffset;
  const directory = parts.slice(0, -1).join('/');
  return { directory: directory === '' && parts.length === 1 ? '.' : directory || '/', baseOffset };
}

/** An entry must name a batch that begins at its position and ends with its offset. */
async function compareWithLog(
  entries: readonly Entry[],
  directory: string,
  baseOffset: number,
): Promise<void> {
  const path = joinPath(directory, segmentFileName(baseOffset, 'log'));
  if ((await nodeVfs.stat(path))?.kind !== 'file') return;
  const log = await nodeVfs.open(path, 'read');
  try {
    for (const entry of entries) entry.objection ??= objectionOf(log, entry);
  } finally {
    await log.close();
  }
}

const HEADER: Buffer = Buffer.alloc(BATCH_HEADER_BYTES);

function objectionOf(log: VfsFile, { fields }: Entry): string | undefined {
  const position = Number(fields['position']);
  const bytes = position < 0 ? 0 : log.readSync(HEADER, position);
  if (bytes < BATCH_HEADER_BYTES || HEADER.readInt8(MAGIC_POSITION) !== 2)
    return 'the log has no batch there';
  const lastOffset = Number(HEADER.readBigInt64BE(0)) + HEADER.readInt32BE(LAST_DELTA_POSITION);
  return lastOffset === fields['offset'] ? undefined : `the batch there ends with offset ${lastOffset}`;
}

/** The checksum that the recovery-point has of this index as it is now, or undefined. */
async function storedCrc(
  inspection: Inspection,
  kind: IndexKind,
  baseOffset: number,
  count: number,
): Promise<number | undefined> {
  const checkpoint = await readCheckpoint(inspection.memory, nodeVfs, placeOf(inspection.path).directory);
  const segments = checkpoint?.segments ?? [];
  const segment = segments.find((candidate) => candidate.baseOffset === baseOffset);
  if (segment === undefined) return undefined;
  const [entries, crc] =
    kind === OFFSET_INDEX
      ? [segment.offsetEntries, segment.offsetCrc]
      : [segment.timeEntries, segment.timeCrc];
  // The last segment has grown since, unless its log was closed.
  const isOutdated = entries !== count && segment === segments.at(-1) && checkpoint?.isClean !== true;
  return isOutdated ? undefined : crc;
}

function crcOf({ memory }: Inspection, bytes: Buffer): number {
  const slab = memory.slabs.allocate(bytes.length + SLACK_BYTES, 'index');
  try {
    memory.u8.set(bytes, slab.address);
    return memory.kernels.crc32c(slab.address, bytes.length, 0) >>> 0;
  } finally {
    slab.release();
  }
}
