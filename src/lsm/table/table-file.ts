/**
 * What is known of a table besides its bytes: its number, which is its name, and its properties, which the
 * manifest repeats, so that a table need not be opened to be chosen or passed over.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import type { DropCounts } from '../compaction/drop-rule.ts';
import type { TableTags } from './tags.ts';

/** What a table says of itself besides what is in it. */
export interface TableOrigin {
  /** The number of its tree. */
  tree: number;
  /** When it was written, and when the first and the last flush was made that its entries come from. */
  createdMs: number;
  firstMs: number;
  lastMs: number;
}

/** What a table counts of itself. */
export interface TableProperties extends TableOrigin {
  /** Puts and deletions of single keys. */
  entries: number;
  /** Deletions of single keys. */
  tombstones: number;
  rangeTombstones: number;
  /** Length of the file. */
  bytes: number;
  /** Data blocks. */
  blocks: number;
  /** Keys and values as they were written, without compression of any kind. */
  rawKeyBytes: number;
  rawValueBytes: number;
  /** No key, and no beginning of a deleted range, is less. */
  smallestKey: Uint8Array;
  /** No key, and no end of a deleted range, is greater. */
  largestKey: Uint8Array;
  /** Whether the largest key is the end of a deleted range, and so does not belong to it. */
  largestExclusive: boolean;
  /** Sequence numbers, the greatest inclusive. */
  smallestSequence: number;
  largestSequence: number;
  /** The longest key, in bytes. */
  longestKeyBytes: number;
  /** The greatest key and value together. */
  largestEntryBytes: number;
  /** What the largest block has uncompressed, and what its rows and keys take when it is decoded. */
  largestBlockBytes: number;
  decodedBlockBytes: number;
  /** The number of what its blocks of data are compressed with, where they are; tables of earlier builds do not say. */
  codec?: number;
  /** What its tree may drop of it by time. */
  drop?: DropCounts;
  /** Of a tree whose entries are tagged. */
  tags?: TableTags;
}

/** A table of a tree. */
export interface TableFile {
  /** Its number, which no other table of the tree has had before. */
  number: number;
  properties: TableProperties;
}

const DIGITS = 10;
const NAME = /^(\d{10,16})\.table$/;

/** The name of a table's file: `0000000042.table`. */
export function tableFileName(number: number): string {
  return `${String(number).padStart(DIGITS, '0')}.table`;
}

/** The number in the name of a table's file; undefined where it is none. */
export function parseTableFileName(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const number = Number(digits);
  return Number.isSafeInteger(number) && tableFileName(number) === name ? number : undefined;
}

/** A stretch of keys, its last one included unless it says otherwise. */
export type KeyRange = Pick<TableProperties, 'smallestKey' | 'largestKey' | 'largestExclusive'>;

/** Whether a range ends before a key. */
export function endsBefore(range: KeyRange, key: Uint8Array): boolean {
  const order = Buffer.compare(range.largestKey, key);
  return order < 0 || (order === 0 && range.largestExclusive);
}

/** Whether two ranges have a key in common. */
export function overlaps(a: KeyRange, b: KeyRange): boolean {
  return !endsBefore(a, b.smallestKey) && !endsBefore(b, a.smallestKey);
}

/** Orders ranges by where they end. */
export function compareEnds(a: KeyRange, b: KeyRange): number {
  return (
    Buffer.compare(a.largestKey, b.largestKey) || Number(b.largestExclusive) - Number(a.largestExclusive)
  );
}

/** The least range that holds all of some, of which there is at least one. */
export function unionOf(ranges: readonly KeyRange[]): KeyRange {
  const first = ranges[0] as KeyRange;
  return ranges.reduce((union, range) => {
    const isSmaller = Buffer.compare(range.smallestKey, union.smallestKey) < 0;
    const { largestKey, largestExclusive } = compareEnds(range, union) > 0 ? range : union;
    return { smallestKey: isSmaller ? range.smallestKey : union.smallestKey, largestKey, largestExclusive };
  }, first);
}

/**
 * Compares what a file says of itself with what the manifest says of the table that it should be.
 *
 * @returns the error where it is another table: one that was restored under a wrong name, for example
 */
export function otherTable(
  path: string,
  known: TableProperties,
  found: TableProperties,
): VarveError | undefined {
  const name = differenceOf(known, found);
  if (name === undefined) return undefined;
  const message = `${path} is not the table that the manifest has: they differ in ${name}`;
  return new VarveError('CORRUPT', message, { file: path, position: 0 });
}

/** The name of a property in which two tables differ; undefined where they do not. */
function differenceOf(a: TableProperties, b: TableProperties): string | undefined {
  for (const name of Object.keys(b) as (keyof TableProperties)[]) {
    const [one, other] = [a[name], b[name]];
    const isSame =
      one instanceof Uint8Array && other instanceof Uint8Array
        ? Buffer.compare(one, other) === 0
        : JSON.stringify(one) === JSON.stringify(other);
    if (!isSame) return name;
  }
  return undefined;
}
