/**
 * A `gaps` file: the losses that a repair has noted.
 *
 * @module
 */

import { decodeGaps } from '../../log/gaps.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes, plural } from '../format.ts';
import { renderTable } from '../table.ts';
import type { Inspection } from './inspection.ts';

const COLUMNS = [
  { title: 'segment', align: 'right' },
  { title: 'from position', align: 'right' },
  { title: 'to position', align: 'right' },
  { title: 'first lost', align: 'right' },
  { title: 'last lost', align: 'right' },
] as const;

/** @returns 1 where it is damaged: it has one checksum, so there is no part of it that could be trusted */
export async function inspectGaps(inspection: Inspection): Promise<ExitCode> {
  const { context, path, bytes, json, limit } = inspection;
  const { stdout, colours } = context;
  const content = Buffer.alloc(bytes);
  const read = await inspection.file.read(content, 0);
  const gaps = decodeGaps(inspection.memory, content.subarray(0, read));
  if (!json) stdout.line(`${colours.bold(path)}  gaps, ${formatBytes(bytes)}`);
  if (gaps === undefined) {
    const reason = 'its checksum, its magic number or its length is not that of a gaps file';
    if (json) stdout.json({ kind: 'damage', position: 0, reason });
    else stdout.line(colours.red(`damaged at position 0: ${reason}; it notes nothing`));
    return 1;
  }
  const shown = gaps.slice(0, limit);
  const lost = gaps.reduce((sum, { firstOffset, lastOffset }) => sum + lastOffset - firstOffset + 1, 0);
  if (json) {
    for (const gap of shown) stdout.json({ kind: 'gap', ...gap });
    stdout.json({ kind: 'summary', file: path, gaps: gaps.length, lost, damages: 0 });
    return 0;
  }
  const rows = shown.map((gap) =>
    [gap.baseOffset, gap.start, gap.end, gap.firstOffset, gap.lastOffset].map(String),
  );
  stdout.write(renderTable(COLUMNS, rows, colours.dim));
  stdout.line(
    `${plural(gaps.length, 'gap')}, ${plural(lost, 'offset')} lost; ${colours.green('the checksum is right')}`,
  );
  return 0;
}
