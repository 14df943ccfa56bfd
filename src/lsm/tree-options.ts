/** The options of a tree: what they are, their defaults, and that they make sense. */

import { booleanOption, checkOneOf, checkOptions, integerOption } from '../options.ts';
import { type CompactionStrategy, resolveStrategy, type StoredStrategy } from './compaction/strategy.ts';
import { type DropExpired, resolveDrop, type StoredDrop } from './drop-options.ts';
import { COMPRESSIONS, type Compression, compressionHere } from './table/codecs.ts';
import { BLOCK_BYTES_MAX, BLOCK_BYTES_MIN } from './table/output-bytes.ts';
import { TAGGINGS, type Tagging } from './table/tags.ts';
import { DEFAULT_WRITE_OPTIONS, type WriteOptions } from './table/writer.ts';

export interface TreeOptions {
  /** A memtable is written to a table when it has so many bytes; 16 MiB, or less where the memory is small. */
  memtableBytes?: number;
  /** What a table has at most, in bytes; 32 MiB unless given. */
  tableBytes?: number;
  /** What a block of a table has at most before it is compressed, unless one entry has more; 4 KiB unless given. */
  blockBytes?: number;
  /**
   * How blocks are compressed; `none` unless given. `lz4` needs the package lz4-napi; `zstd` Node.js 22.15 or later,
   * or the package @cloudpss/zstd.
   */
  compression?: Compression;
  /** Whether tables have Bloom filters, which tell for most keys that they do not have them; true unless given. */
  filter?: boolean;
  /**
   * How tables are merged: `leveled` (unless given) takes the least space and is read fastest, `tiered` writes
   * least, `timeWindow` keeps what was written together and drops what is older than `maxAgeMs`.
   */
  strategy?: CompactionStrategy;
  /**
   * Which values go by themselves when their time has come; false for none, which is so unless given. Until they
   * are gone, they are read. A snapshot keeps what was not due when it was taken.
   */
  dropExpired?: DropExpired | false;
  /**
   * What blocks of tables are marked with, so that readers pass over those that have nothing for them: `events` for
   * a store of log entries. No key of such a tree may be written twice. `none` unless given.
   */
  tags?: Tagging;
}

/** What the manifest keeps of a tree's options, so that it can be flushed before anybody asks for it. */
export interface StoredTreeOptions {
  memtableBytes: number;
  tableBytes: number;
  blockBytes: number;
  compression: Compression;
  filter: boolean;
  strategy: StoredStrategy;
  tags?: Tagging;
  drop?: StoredDrop;
}

/** How tables of a tree are written. */
export function writeOptionsOf({ blockBytes, compression, filter, tags }: StoredTreeOptions): WriteOptions {
  const bitsPerKey = filter ? DEFAULT_WRITE_OPTIONS.bitsPerKey : 0;
  return { blockBytes, compression: compressionHere(compression), bitsPerKey, tags: tags ?? 'none' };
}

const KIB = 1024;
const MIB = 1024 * KIB;
const MEMTABLE_BYTES_DEFAULT = 16 * MIB;
const MEMTABLE_BYTES_MIN = 64 * KIB;
/** A memtable and what sorts it must fit into the memory several times. */
const MEMTABLE_SHARE = 1 / 16;
const MEMTABLE_SHARE_MAX = 1 / 8;
const TABLE_BYTES_DEFAULT = 32 * MIB;
const TABLE_BYTES_MIN = 16 * KIB;
const TABLE_BYTES_MAX = 1024 * MIB;
const OPTION_NAMES = [
  'memtableBytes',
  'tableBytes',
  'blockBytes',
  'compression',
  'filter',
  'strategy',
  'tags',
  'dropExpired',
];

/**
 * Checks options and fills in the defaults.
 *
 * @param budgetBytes of the memory
 * @param stored what the tree had before
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveTreeOptions(
  options: TreeOptions,
  budgetBytes: number,
  stored?: StoredTreeOptions,
): StoredTreeOptions {
  checkOptions('options', options, OPTION_NAMES);
  const share = Math.floor(budgetBytes * MEMTABLE_SHARE);
  const memtableBytes = Math.max(MEMTABLE_BYTES_MIN, Math.min(MEMTABLE_BYTES_DEFAULT, share));
  const memtableMost = Math.max(MEMTABLE_BYTES_MIN, Math.floor(budgetBytes * MEMTABLE_SHARE_MAX));
  const { compression = stored?.compression ?? DEFAULT_WRITE_OPTIONS.compression } = options;
  const { tags = stored?.tags ?? 'none' } = options;
  const tableBytes = integerOption(
    'tableBytes',
    options.tableBytes,
    stored?.tableBytes ?? TABLE_BYTES_DEFAULT,
    TABLE_BYTES_MIN,
    TABLE_BYTES_MAX,
  );
  const drop = resolveDrop(options.dropExpired, stored?.drop);
  return {
    ...(drop === undefined ? {} : { drop }),
    memtableBytes: integerOption(
      'memtableBytes',
      options.memtableBytes,
      // It may have been made where there was more memory.
      Math.min(stored?.memtableBytes ?? memtableBytes, memtableMost),
      MEMTABLE_BYTES_MIN,
      memtableMost,
    ),
    tableBytes,
    blockBytes: integerOption(
      'blockBytes',
      options.blockBytes,
      stored?.blockBytes ?? DEFAULT_WRITE_OPTIONS.blockBytes,
      BLOCK_BYTES_MIN,
      BLOCK_BYTES_MAX,
    ),
    compression: checkOneOf('compression', compression, COMPRESSIONS),
    filter: booleanOption('filter', options.filter, stored?.filter ?? true),
    strategy: resolveStrategy(options.strategy, tableBytes, stored?.strategy),
    ...(tags === 'none' ? {} : { tags: checkOneOf('tags', tags, TAGGINGS) }),
  };
}
