/**
 * A recovery-point: what it says of each segment.
 *
 * @module
 */

import { type Checkpoint, decodeCheckpoint } from '../../log/checkpoint.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes, formatChecksum, formatTime, isoTime, plural } from '../format.ts';
import { renderTable } from '../table.ts';
import type { Inspection } from './inspection.ts';

/** @returns 1 where it is damaged: it has one checksum, so there is no part of it that could be trusted */
export async function inspectCheckpoint(inspection: Inspection): Promise<ExitCode> {
  const { context, path, bytes, json } = inspection;
  const { stdout, colours } = context;
  const content = Buffer.alloc(bytes);
  const read = await inspection.file.read(content, 0);
  const checkpoint = decodeCheckpoint(inspection.memory, content.subarray(0, read));
  if (!json) stdout.line(`${colours.bold(path)}  recovery-point, ${formatBytes(bytes)}`);
  if (checkpoint === undefined) {
    const reason = 'its checksum, its magic number or its length is not that of a recovery-point';
    if (json) stdout.json({ kind: 'damage', position: 0, reason });
    else stdout.line(colours.red(`damaged at position 0: ${reason}; it is made anew when the log is opened`));
    return 1;
  }
  if (json) showJson(inspection, checkpoint);
  else showTable(inspection, checkpoint);
  return 0;
}

function showJson(inspection: Inspection, { firstOffset, isClean, segments }: Checkpoint): void {
  const { stdout } = inspection.context;
  for (const segment of segments.slice(0, inspection.limit)) {
    stdout.json({
      kind: 'segment',
      ...segment,
      maxTimestamp: Number.isFinite(segment.maxTimestamp) ? segment.maxTimestamp : null,
      createdAt: isoTime(segment.createdAtMs) ?? null,
      offsetCrc: formatChecksum(segment.offsetCrc),
      timeCrc: formatChecksum(segment.timeCrc),
    });
  }
  stdout.json({
    kind: 'summary',
    file: inspection.path,
    firstOffset,
    isClean,
    segments: segments.length,
    damages: 0,
  });
}

function showTable(inspection: Inspection, { firstOffset, isClean, segments }: Checkpoint): void {
  const { stdout, colours } = inspection.context;
  const rows = segments
    .slice(0, inspection.limit)
    .map((segment) => [
      String(segment.baseOffset),
      String(segment.nextOffset),
      String(segment.bytes),
      formatTime(segment.maxTimestamp),
      formatTime(segment.createdAtMs),
      String(segment.offsetEntries),
      formatChecksum(segment.offsetCrc),
      String(segment.timeEntries),
      formatChecksum(segment.timeCrc),
    ]);
  const columns = [
    { title: 'first offset', align: 'right' },
    { title: 'next offset', align: 'right' },
    { title: 'bytes', align: 'right' },
    { title: 'newest time' },
    { title: 'begun' },
    { title: 'offset entries', align: 'right' },
    { title: 'crc' },
    { title: 'time entries', align: 'right' },
    { title: 'crc' },
  ] as const;
  stdout.write(renderTable(columns, rows, colours.dim));
  const state = isClean
    ? 'the log was closed, and the last segment is the active one'
    : 'the log was not closed; its active segment is not listed';
  stdout.line(
    `${plural(segments.length, 'segment')}, first offset ${firstOffset}; ${state}; ${colours.green('the checksum is right')}`,
  );
}
