/**
 * What a table consists of, besides its blocks of entries:
 *
 *     +------+------+- -+--------+-------+------+- -+--------+-------+--------+-------+------------+--------+
 *     | data | data |   | filter | index | data |   | filter | index | ranges | parts | properties | footer |
 *     +------+------+- -+--------+-------+------+- -+--------+-------+--------+-------+------------+--------+
 *     |<------------- a part ----------->|<-------- a part --------->|
 *
 * There is nothing between them. All but the footer are blocks with a trailer. A part's index names its data
 * blocks, the block of the parts names the parts; both by the last key, or a shorter one before the next.
 *
 *     footer   0        8       12        16        24        32       36       40       48       52       56       64
 *              +--------+--------+---------+---------+---------+--------+--------+--------+--------+--------+--------+
 *              |  properties     |  parts  |  parts  | ranges  | ranges |  zero  | length | version| CRC-32C| magic  |
 *              |position| bytes  |  bytes  | position| position| bytes  |        | of the |        |        |        |
 *              |  u64   |  u32   |   u32   |   u64   |   u64   |  u32   |  u32   |  file  |  u32   |  u32   | 8 bytes|
 *              +--------+--------+---------+---------+---------+--------+--------+--------+--------+--------+--------+
 *
 * All little-endian. The checksum covers the footer but itself. Bytes are those of a block with its trailer; 0
 * means that there is no such block.
 *
 * @module
 */

import { VarveError } from '../../errors.ts';
import { KIND_PUT } from '../../memory/lsm-layout.ts';
import type { MemoryView } from '../../memory/memory.ts';
import { DROP_KINDS, type DropCounts } from '../compaction/drop-rule.ts';
import { decodeEntries, decodeNumbers, EntriesBuilder } from './entries.ts';
import type { TableProperties } from './table-file.ts';

export const FOOTER_BYTES = 64;
/** The format of tables, and that of those whose indexes have tags. */
const TABLE_VERSION = 1;
const TAGGED_VERSION = 2;
const MAGIC = 'varvetbl';
const VERSION_AT = 48;
const CHECKSUM_AT = 52;
const MAGIC_AT = 56;
const TWO_32 = 2 ** 32;

/** Where a block is in its file, with its trailer. */
export interface Handle {
  position: number;
  bytes: number;
}

export interface Footer {
  properties: Handle;
  parts: Handle;
  ranges: Handle;
  /** Length of the file. */
  fileBytes: number;
  /** Whether indexes have tags. */
  isTagged: boolean;
}

/** A part of a table: so many data blocks from one on, their index and their filter. */
export interface Part {
  /** No key of the part is greater; no key of the next one is less or equal. */
  lastKey: Uint8Array;
  index: Handle;
  filter: Handle;
  firstBlock: number;
  blocks: number;
}

/** The checksum of a footer, over memory that the kernels see. */
function footerChecksum(memory: MemoryView, address: number): number {
  const head = memory.kernels.crc32c(address, CHECKSUM_AT, 0);
  return memory.kernels.crc32c(address + MAGIC_AT, FOOTER_BYTES - MAGIC_AT, head) >>> 0;
}

/** Writes a footer to an address. */
export function writeFooter(memory: MemoryView, address: number, footer: Footer): void {
  const { data, u8 } = memory;
  u8.fill(0, address, address + FOOTER_BYTES);
  const setU64 = (at: number, value: number): void => {
    data.setUint32(address + at, value % TWO_32, true);
    data.setUint32(address + at + 4, Math.floor(value / TWO_32), true);
  };
  setU64(0, footer.properties.position);
  data.setUint32(address + 8, footer.properties.bytes, true);
  data.setUint32(address + 12, footer.parts.bytes, true);
  setU64(16, footer.parts.position);
  setU64(24, footer.ranges.position);
  data.setUint32(address + 32, footer.ranges.bytes, true);
  setU64(40, footer.fileBytes);
  data.setUint32(address + VERSION_AT, footer.isTagged ? TAGGED_VERSION : TABLE_VERSION, true);
  u8.set(Buffer.from(MAGIC, 'latin1'), address + MAGIC_AT);
  data.setUint32(address + CHECKSUM_AT, footerChecksum(memory, address), true);
}

/**
 * Reads a footer.
 *
 * @param fileBytes the length of the file that it ends
 * @throws VarveError `CORRUPT`, or `VERSION` where it is whole and of a newer format
 */
export function readFooter(memory: MemoryView, address: number, file: string, fileBytes: number): Footer {
  const { data, u8 } = memory;
  const position = fileBytes - FOOTER_BYTES;
  const corrupt = (reason: string): VarveError =>
    new VarveError('CORRUPT', `${file} is no whole table: ${reason}`, { file, position });
  const magic = Buffer.from(u8.slice(address + MAGIC_AT, address + FOOTER_BYTES)).toString('latin1');
  if (magic !== MAGIC) throw corrupt('it does not end with the mark of a table');
  if (data.getUint32(address + CHECKSUM_AT, true) !== footerChecksum(memory, address)) {
    throw corrupt('the checksum of its footer is wrong');
  }
  const version = data.getUint32(address + VERSION_AT, true);
  if (version !== TABLE_VERSION && version !== TAGGED_VERSION) {
    const message = `${file} is a table of format ${version}; this build knows ${TABLE_VERSION} and ${TAGGED_VERSION}`;
    throw new VarveError('VERSION', message, { file });
  }
  const u64 = (at: number): number =>
    data.getUint32(address + at, true) + data.getUint32(address + at + 4, true) * TWO_32;
  const footer: Footer = {
    properties: { position: u64(0), bytes: data.getUint32(address + 8, true) },
    parts: { position: u64(16), bytes: data.getUint32(address + 12, true) },
    ranges: { position: u64(24), bytes: data.getUint32(address + 32, true) },
    fileBytes: u64(40),
    isTagged: version === TAGGED_VERSION,
  };
  if (footer.fileBytes !== fileBytes)
    throw corrupt(`it should have ${footer.fileBytes} bytes, and has ${fileBytes}`);
  // They lie end to end, the footer behind them: so one of them is where it should be if all are.
  let end = position;
  for (const { position: start, bytes } of [footer.properties, footer.parts, footer.ranges]) {
    if (start + bytes !== end) throw corrupt('its footer contradicts itself');
    end = start;
  }
  return footer;
}

const NUMBERS = [
  'blocks',
  'bytes',
  'createdMs',
  'decodedBlockBytes',
  'entries',
  'firstMs',
  'largestBlockBytes',
  'largestEntryBytes',
  'largestSequence',
  'lastMs',
  'longestKeyBytes',
  'rangeTombstones',
  'rawKeyBytes',
  'rawValueBytes',
  'smallestSequence',
  'tombstones',
  'tree',
] as const satisfies readonly (keyof TableProperties)[];

/** Encodes properties as a block: an entry for each, with its name as the key. `bytes` is left to the footer. */
export function encodeProperties(properties: TableProperties): Uint8Array {
  const builder = new EntriesBuilder();
  const add = new Map<string, () => void>();
  for (const name of NUMBERS) {
    if (name !== 'bytes') {
      add.set(name, () => builder.addNumbers(Buffer.from(name), [properties[name]], KIND_PUT));
    }
  }
  const { smallestKey, largestKey, largestExclusive, codec, drop } = properties;
  if (codec !== undefined)
    add.set('codec', () => builder.addNumbers(Buffer.from('codec'), [codec], KIND_PUT));
  if (drop !== undefined) {
    const numbers = [1 + DROP_KINDS.indexOf(drop.kind), drop.baseMs, ...drop.counts];
    add.set('drop', () => builder.addNumbers(Buffer.from('drop'), numbers, KIND_PUT));
  }
  add.set('smallestKey', () => builder.add(Buffer.from('smallestKey'), smallestKey, 0, KIND_PUT));
  add.set('largestKey', () => builder.add(Buffer.from('largestKey'), largestKey, 0, KIND_PUT));
  const exclusive = Number(largestExclusive);
  add.set('largestExclusive', () =>
    builder.addNumbers(Buffer.from('largestExclusive'), [exclusive], KIND_PUT),
  );
  const { tags } = properties;
  if (tags !== undefined) {
    const numbers = [tags.low, tags.high, ...tags.levelBytes];
    add.set('tags', () => builder.addNumbers(Buffer.from('tags'), numbers, KIND_PUT));
  }
  for (const name of [...add.keys()].sort()) add.get(name)?.();
  return builder.finish();
}

/**
 * Decodes properties; names that are not known are passed over.
 *
 * @returns undefined where one is missing or is no number
 */
export function decodeProperties(block: Uint8Array, fileBytes: number): TableProperties | undefined {
  const entries = decodeEntries(block);
  if (entries === undefined) return undefined;
  const values = new Map(entries.map(({ key, value }) => [Buffer.from(key).toString('latin1'), value]));
  const numberOf = (name: string): number | undefined => {
    const value = values.get(name);
    const numbers = value === undefined ? undefined : decodeNumbers(value);
    return numbers?.length === 1 ? numbers[0] : undefined;
  };
  const numbers = NUMBERS.map((name) => [name, name === 'bytes' ? fileBytes : numberOf(name)] as const);
  if (numbers.some(([, number]) => number === undefined)) return undefined;
  const [smallestKey, largestKey] = [values.get('smallestKey'), values.get('largestKey')];
  const exclusive = numberOf('largestExclusive');
  if (smallestKey === undefined || largestKey === undefined || exclusive === undefined) return undefined;
  const codec = numberOf('codec');
  const drop = decodeDrop(values.get('drop'));
  return {
    ...(Object.fromEntries(numbers) as Record<(typeof NUMBERS)[number], number>),
    ...(codec === undefined ? {} : { codec }),
    ...(drop === undefined ? {} : { drop }),
    smallestKey: Uint8Array.from(smallestKey),
    largestKey: Uint8Array.from(largestKey),
    largestExclusive: exclusive !== 0,
    ...tagsIn(values.get('tags')),
  };
}

function decodeDrop(value: Uint8Array | undefined): DropCounts | undefined {
  const [number = 0, baseMs, ...counts] = (value && decodeNumbers(value)) ?? [];
  const kind = DROP_KINDS[number - 1];
  return kind === undefined || baseMs === undefined ? undefined : { kind, baseMs, counts };
}

/** What the properties say of tags. */
function tagsIn(value: Uint8Array | undefined): Pick<TableProperties, 'tags'> {
  if (value === undefined) return {};
  const [low = 0, high = 0, ...levelBytes] = decodeNumbers(value) ?? [];
  return { tags: { low, high, levelBytes } };
}

/** The numbers that stand for a part in the block of the parts. */
export function partNumbers({ index, filter, firstBlock, blocks }: Part): number[] {
  return [index.position, index.bytes, filter.position, filter.bytes, firstBlock, blocks];
}

/** Decodes the block of the parts; undefined where it is broken. */
export function decodeParts(block: Uint8Array): Part[] | undefined {
  const parts: Part[] = [];
  for (const { key, value } of decodeEntries(block) ?? []) {
    const numbers = decodeNumbers(value);
    if (numbers?.length !== 6) return undefined;
    const [position, bytes, filterPosition, filterBytes, firstBlock, blocks] = numbers as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const filter = { position: filterPosition, bytes: filterBytes };
    parts.push({ lastKey: key, index: { position, bytes }, filter, firstBlock, blocks });
  }
  return parts.length === 0 ? undefined : parts;
}
