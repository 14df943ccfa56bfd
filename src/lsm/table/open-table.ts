/**
 * Opening a table: what its end says. It takes one read, or two where it has long keys.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import { KIND_DELETE_RANGE } from '../../memory/lsm-layout.ts';
import type { MemoryView } from '../../memory/memory.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import type { RangeTombstone } from '../range-tombstones.ts';
import { damagedBlock, readPrivate } from './blocks.ts';
import { decodeEntries } from './entries.ts';
import { decodeParts, decodeProperties, FOOTER_BYTES, type Footer, type Part, readFooter } from './format.ts';
import type { TableProperties } from './table-file.ts';

/** What opening needs of working memory, at least. */
export const OPEN_BYTES = 16_384;

/** The end of a table. */
export interface TableEnd {
  footer: Footer;
  properties: TableProperties;
  rangeTombstones: RangeTombstone[];
}

/**
 * Reads what a table says of itself, and its deletions of ranges.
 *
 * @param fileBytes the length of the file
 * @param scratch room for `OPEN_BYTES`
 * @throws VarveError `CORRUPT`, `VERSION`, `IO`
 */
export function readEnd(memory: MemoryView, file: VfsFile, fileBytes: number, scratch: number): TableEnd {
  const { path } = file;
  if (fileBytes < FOOTER_BYTES) {
    throw new VarveError('CORRUPT', `${path} is no whole table: it has ${fileBytes} bytes`, { file: path });
  }
  const read = file.readSync(memory.buffer(scratch, FOOTER_BYTES), fileBytes - FOOTER_BYTES);
  if (read < FOOTER_BYTES) throw damagedBlock(path, fileBytes - FOOTER_BYTES, 'the file ends inside');
  const footer = readFooter(memory, scratch, path, fileBytes);
  const block = readPrivate(memory, file, footer.properties, scratch, OPEN_BYTES);
  const properties = decodeProperties(block, fileBytes);
  if (properties === undefined) throw damagedBlock(path, footer.properties.position, 'it has no properties');
  const rangeTombstones = footer.ranges.bytes === 0 ? [] : readRanges(memory, file, footer, scratch);
  return { footer, properties, rangeTombstones };
}

function readRanges(
  memory: MemoryView,
  file: VfsFile,
  { ranges }: Footer,
  scratch: number,
): RangeTombstone[] {
  const entries = decodeEntries(readPrivate(memory, file, ranges, scratch, OPEN_BYTES));
  const isWhole = entries?.every(({ kind, value }) => kind === KIND_DELETE_RANGE && value.length > 0);
  if (entries === undefined || isWhole !== true) {
    throw damagedBlock(file.path, ranges.position, 'its deleted ranges do not fit together');
  }
  return entries.map(({ key, value, sequence }) => ({ start: key, end: value, sequence }));
}

/**
 * Reads the names of a table's parts.
 *
 * @param footer of a table with entries
 */
export function readParts(memory: MemoryView, file: VfsFile, { parts }: Footer, scratch: number): Part[] {
  const decoded = decodeParts(readPrivate(memory, file, parts, scratch, OPEN_BYTES));
  if (decoded === undefined) throw damagedBlock(file.path, parts.position, 'its parts do not fit together');
  return decoded;
}
