/**
 * A table of a tree: its parts, what it says of itself, and whether all of it is as it was written.
 *
 * @module
 */

import { isVarveError } from '../../errors.ts';
import type { Part } from '../../lsm/table/format.ts';
import { OPEN_BYTES, readEnd, readParts } from '../../lsm/table/open-table.ts';
import type { TableProperties } from '../../lsm/table/table-file.ts';
import { type TableDamage, verifyTable } from '../../lsm/table/verify.ts';
import { nodeVfs } from '../../vfs/node.ts';
import type { ExitCode } from '../context.ts';
import { formatBytes, formatCount, formatTime, plural, printable } from '../format.ts';
import { renderFacts, renderTable } from '../table.ts';
import type { Inspection } from './inspection.ts';

const KEY_CHARACTERS_MAX = 40;

/** @returns 1 where it is damaged */
export async function inspectTable(inspection: Inspection): Promise<ExitCode> {
  const { context, path, bytes, json, memory } = inspection;
  const { stdout, colours } = context;
  if (!json) stdout.line(`${colours.bold(path)}  table, ${formatBytes(bytes)}`);
  const parts = readPartsOf(inspection);
  const report = await verifyTable(nodeVfs, path, memory);
  for (const [i, part] of parts.slice(0, inspection.limit).entries())
    if (json) stdout.json(partJson(part, i));
  if (!json && parts.length > 0) stdout.write(renderTable(COLUMNS, partRows(inspection, parts), colours.dim));
  if (!json && report.properties !== undefined) {
    stdout.write(renderFacts(factsOf(report.properties), colours.dim));
  }
  for (const damage of report.damage) {
    if (json) stdout.json({ kind: 'damage', ...damageJson(damage) });
    else stdout.line(colours.red(`damaged: ${damage.reason}${lostText(damage)}`));
  }
  const { blocks, entries, damage } = report;
  if (json) {
    stdout.json({ kind: 'summary', file: path, bytes, blocks, entries, damages: damage.length });
  } else {
    const verdict =
      damage.length === 0
        ? colours.green('every byte is as it was written')
        : colours.red(plural(damage.length, 'damage'));
    stdout.line(`${plural(blocks, 'block')}, ${plural(entries, 'entry', 'entries')}; ${verdict}`);
  }
  return damage.length === 0 ? 0 : 1;
}

/** The parts, as far as they can be read; what is wrong with them is for the verification to tell. */
function readPartsOf({ memory, file, bytes }: Inspection): readonly Part[] {
  const slab = memory.slabs.allocate(OPEN_BYTES, 'inspect');
  try {
    const { footer } = readEnd(memory, file, bytes, slab.address);
    return footer.parts.bytes === 0 ? [] : readParts(memory, file, footer, slab.address);
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return [];
    throw error;
  } finally {
    slab.release();
  }
}

const COLUMNS = [
  { title: 'part', align: 'right' },
  { title: 'first block', align: 'right' },
  { title: 'blocks', align: 'right' },
  { title: 'filter at', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'index at', align: 'right' },
  { title: 'bytes', align: 'right' },
  { title: 'up to key' },
] as const;

function partRows({ limit }: Inspection, parts: readonly Part[]): string[][] {
  return parts
    .slice(0, limit)
    .map(({ firstBlock, blocks, filter, index, lastKey }, i) => [
      ...[i, firstBlock, blocks, filter.position, filter.bytes, index.position, index.bytes].map(String),
      keyText(lastKey),
    ]);
}

function factsOf(properties: TableProperties): [string, string][] {
  return [
    ['entries', formatCount(properties.entries)],
    ['of these deletions', formatCount(properties.tombstones)],
    ['deleted ranges', formatCount(properties.rangeTombstones)],
    ['keys, values', `${formatBytes(properties.rawKeyBytes)}, ${formatBytes(properties.rawValueBytes)}`],
    ['smallest key', keyText(properties.smallestKey)],
    [
      'largest key',
      `${keyText(properties.largestKey)}${properties.largestExclusive ? ', not included' : ''}`,
    ],
    ['sequence numbers', `${properties.smallestSequence} to ${properties.largestSequence}`],
    ['written', formatTime(properties.createdMs)],
  ];
}

/** A key as text, or in hexadecimal where it is none. */
function keyText(key: Uint8Array): string {
  const bytes = Buffer.from(key);
  const text = bytes.toString('utf8');
  const isText = !text.includes('\ufffd') && !/\p{Cc}/u.test(text);
  const shown = isText ? printable(text) : `0x${bytes.toString('hex')}`;
  return shown.length > KEY_CHARACTERS_MAX ? `${shown.slice(0, KEY_CHARACTERS_MAX)}…` : shown;
}

function hexOf(key: Uint8Array | undefined): string | null {
  return key === undefined ? null : Buffer.from(key).toString('hex');
}

function partJson({ lastKey, ...part }: Part, number: number): unknown {
  return { kind: 'part', part: number, ...part, lastKey: hexOf(lastKey) };
}

function damageJson({ after, upTo, ...damage }: TableDamage): object {
  return { ...damage, after: hexOf(after), upTo: hexOf(upTo) };
}

function lostText({ after, upTo }: TableDamage): string {
  if (upTo === undefined) return '';
  return `; keys behind ${after === undefined ? 'the beginning' : keyText(after)}, up to ${keyText(upTo)}`;
}
