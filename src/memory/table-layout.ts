/**
 * The structures of tables and of merging that kernels and TypeScript share in memory. As in `layout.ts`, there
 * is nothing here but untyped integer constants; all fields are little-endian, and an address is an i32. What
 * lies on disk is drawn here too: a block is worked on as it was stored.
 *
 * @module
 */

/** A key has from 1 to so many bytes. */
export const KEY_BYTES_MAX = 65535;

/**
 * A block: entries in order, each with its key cut short by what it shares with the one before; where every so
 * many entries a key is whole (a restart); and a tail. (LevelDB's block, with a tail of its own.)
 *
 *     +---------+---------+- - - -+-------------------+--------+---------+---------+
 *     | entry 0 | entry 1 |       | n restarts        |  base  | entries | restarts|
 *     |         |         |       | u32 each          |sequence|   u32   |  n u32  |
 *     |         |         |       |                   |  u64   |         |         |
 *     +---------+---------+- - - -+-------------------+--------+---------+---------+
 *
 *     entry:  shared varint | rest length varint | value length varint | meta varint | rest of the key | value
 *
 * A restart is the position of an entry in the block. The meta number is the sequence number, minus the base,
 * times 4, plus the kind. Varints have seven bits a byte, low bits first, and are not signed.
 */
export const BLOCK_TAIL_BYTES = 16;
export const BLOCK_TAIL_BASE = 0;
export const BLOCK_TAIL_ENTRIES = 8;
export const BLOCK_TAIL_RESTARTS = 12;
export const RESTART_BYTES = 4;

/** A block has at most so many entries, so that what it takes when it is decoded is bounded. */
export const BLOCK_ENTRIES_MAX = 1024;
/** A block ends when its keys, not cut short, have so many bytes together. */
export const BLOCK_KEY_BYTES = 16384;
/** The greatest number of bytes that one entry's numbers take: three varints of 32 bits, one of 64. */
export const ENTRY_HEADER_BYTES_MAX = 25;

/** An entry whose key and value have more bytes than this together is alone in its block. */
export const LARGE_ENTRY_BYTES = 262144;

/**
 * A row: one entry of a decoded block.
 *
 *     0        8        16       20      22     23      24       28       32
 *     +--------+--------+--------+-------+------+-------+--------+--------+
 *     | prefix |sequence|  key   |  key  | kind | unused| value  | value  |
 *     |  u64   |  f64   |address | length|  u8  |       |address | length |
 *     |        |        |        |  u16  |      |       |        |  i32   |
 *     +--------+--------+--------+-------+------+-------+--------+--------+
 *
 * The prefix is the first eight bytes of the key as a big-endian number, with zeros behind a shorter key.
 */
export const ROW_ENTRY_BYTES = 32;
export const ROW_PREFIX = 0;
export const ROW_SEQUENCE = 8;
export const ROW_KEY = 16;
export const ROW_KEY_LENGTH = 20;
export const ROW_KIND = 22;
export const ROW_VALUE = 24;
export const ROW_VALUE_LENGTH = 28;

/** Behind a stored block: how it is compressed (u8), and the CRC-32C (u32) of all that was stored before. */
export const BLOCK_TRAILER_BYTES = 5;
export const BLOCK_TRAILER_CHECKSUM = 1;

/** Besides a kind, what a search in a block can say: the key goes on in the next block, in older versions. */
export const FOUND_MORE = 4;

/** What a search in an index finds: up to six numbers, f64 each, and how many there are, i32. */
export const INDEX_FIELDS_MAX = 6;
export const INDEX_FIELDS_BYTES = 56;
export const INDEX_FIELDS_COUNT = 48;

/**
 * A builder: a block that is being built, and what is counted of its table.
 *
 *     0        4        8        12       16       20       24       28       32       36       40
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     | start  |   at   | target | entries|restarts|restarts|interval|  key   |last key|last key|
 *     |address |address | bytes  |        |address | count  |        | bytes  |address | length |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     | hashes | hashes |  base sequence  |  all entries    | tombstones      | raw key bytes   |
 *     |address | count  |      f64        |      f64        |    f64          |     f64         |
 *     +--------+--------+-----------------+-----------------+-----------------+-----------------+
 *     40       44       48                56                64                72               80
 *     | raw value bytes | least sequence  |greatest sequence|longest | most   | longest| counts |
 *     |      f64        |      f64        |      f64        |  key   |decoded | entry  |address |
 *     +-----------------+-----------------+-----------------+--------+--------+--------+--------+
 *     80                88                96                104      108      112      116      120
 *     |  how   | unused | tags of the     | bytes of each of 8 levels, f64 each |
 *     | tagged |        | block u64       |                                     |
 *     +--------+--------+-----------------+-------------------------------------+
 *     120      124      128               136                                   200
 *
 * Counts are `FILTER_COUNTS` numbers, f64 each; they are used where a merge has a filter. The last key lies in
 * `KEY_ROOM_BYTES` of its own. Its length is -1 before the first entry of a block. There is
 * a hash, u32, for each key of a part of the table, for its filter; with an address of 0 none is noted. Tags are
 * noted unless that is `TAGS_NONE`.
 */
export const BUILDER_BYTES = 200;
export const BUILDER_START = 0;
export const BUILDER_AT = 4;
export const BUILDER_TARGET = 8;
export const BUILDER_ENTRIES = 12;
export const BUILDER_RESTARTS = 16;
export const BUILDER_RESTART_COUNT = 20;
export const BUILDER_INTERVAL = 24;
export const BUILDER_KEY_BYTES = 28;
export const BUILDER_LAST_KEY = 32;
export const BUILDER_LAST_KEY_LENGTH = 36;
export const BUILDER_HASHES = 40;
export const BUILDER_HASH_COUNT = 44;
export const BUILDER_BASE = 48;
export const BUILDER_ALL_ENTRIES = 56;
export const BUILDER_TOMBSTONES = 64;
export const BUILDER_RAW_KEY_BYTES = 72;
export const BUILDER_RAW_VALUE_BYTES = 80;
export const BUILDER_LEAST_SEQUENCE = 88;
export const BUILDER_GREATEST_SEQUENCE = 96;
export const BUILDER_LONGEST_KEY = 104;
export const BUILDER_MOST_DECODED = 108;
export const BUILDER_LARGEST_ENTRY = 112;
export const BUILDER_COUNTS = 116;
export const BUILDER_TAGGING = 120;
export const BUILDER_TAGS = 128;
export const BUILDER_LEVEL_BYTES = 136;

/** Entries are not tagged, */
export const TAGS_NONE = 0;
/**
 * or they are log entries: the first byte of a value is a level, which has its bit in the lowest eight, and the second
 * the hash of a component, which has its bit in the others. What is no such value has all bits.
 */
export const TAGS_EVENTS = 1;
export const TAG_LEVELS = 8;
export const TAG_HASHES = 56;

/** What the longest key takes, and what copies may touch behind it. */
export const KEY_ROOM_BYTES = 65600;

/** A filter: lines of 64 bytes, a key's bits all in one of them. */
export const FILTER_LINE_BYTES = 64;
export const FILTER_PROBES = 6;

/**
 * A source: what a merge takes entries from, a run of cells or the rows of a decoded block, and the entry that
 * it is at.
 *
 *     0        8        16       20       24       28       32       36       40       44       48       52      64
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+-------+
 *     | prefix |sequence|  key   |  key   | value  | value  |  kind  |  form  |  next  |  stop  | state  | unused|
 *     |  u64   |  f64   |address | length |address | length |        |        |address |address |        |       |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+-------+
 *
 * Next is the address of the next row, or of the next slot of a run; stop is where there are no more. Backward,
 * both are less than the first by the size of one.
 */
export const SOURCE_BYTES = 64;
export const SOURCE_PREFIX = 0;
export const SOURCE_SEQUENCE = 8;
export const SOURCE_KEY = 16;
export const SOURCE_KEY_LENGTH = 20;
export const SOURCE_VALUE = 24;
export const SOURCE_VALUE_LENGTH = 28;
export const SOURCE_KIND = 32;
export const SOURCE_FORM = 36;
export const SOURCE_NEXT = 40;
export const SOURCE_STOP = 44;
export const SOURCE_STATE = 48;

export const FORM_RUN = 0;
export const FORM_ROWS = 1;

/** It is at an entry. */
export const STATE_AT_ENTRY = 0;
/** Next and stop were set, to at least one entry, and none of them was looked at. */
export const STATE_FRESH = 1;
/** There are no more entries here: whoever owns the source has to set next and stop anew, or to end it. */
export const STATE_EMPTY = 2;
export const STATE_ENDED = 3;

/** A merge has at most so many sources. */
export const SOURCES_MAX = 4096;

/**
 * A fragment: a stretch of keys, from the first on and before the end, and the sequence numbers, f64 each and
 * the greatest first, at which it was deleted. Fragments are in order and do not overlap.
 *
 *     0        4        8        12       16       20      24
 *     +--------+--------+--------+--------+--------+--------+
 *     | first  | first  |  end   |  end   |sequence|sequence|
 *     |address | length |address | length |address | count  |
 *     +--------+--------+--------+--------+--------+--------+
 */
export const FRAGMENT_BYTES = 24;
export const FRAGMENT_FIRST = 0;
export const FRAGMENT_FIRST_LENGTH = 4;
export const FRAGMENT_END = 8;
export const FRAGMENT_END_LENGTH = 12;
export const FRAGMENT_SEQUENCES = 16;
export const FRAGMENT_SEQUENCE_COUNT = 20;

/**
 * A merge: its sources in order (a binary heap of their addresses), and the rules for what it leaves out.
 *
 *     0        4        8        12       16       20       24       28       32       36       40
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     |sources |sources |  heap  | in the |backward| source |snapshot|snapshot|fragment|fragment|
 *     |address | count  |address |  heap  | 0 or 1 | empty  |address | count  |address | count  |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     |fragment| bottom | limit  | limit  |visited |visited |visited | is the |visited sequence |
 *     |  next  | 0 or 1 |address | length |address | length | buffer |  same  |      f64        |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+-----------------+
 *     | filter | unused |     dropped     |
 *     |address |        |       f64       |
 *     +--------+--------+-----------------+
 *     80       84       88                96
 *
 * Snapshots are sequence numbers, f64 each, the least first: exclusive ends. An address of 0 is no limit; the
 * limit does not belong to what is merged, backward it does. The visited buffer has `KEY_ROOM_BYTES`. Dropped is
 * how many entries the filter has taken out; an address of 0 is no filter.
 */
export const MERGE_BYTES = 96;
export const MERGE_SOURCES = 0;
export const MERGE_SOURCE_COUNT = 4;
export const MERGE_HEAP = 8;
export const MERGE_HEAP_COUNT = 12;
export const MERGE_BACKWARD = 16;
export const MERGE_EMPTY = 20;
export const MERGE_SNAPSHOTS = 24;
export const MERGE_SNAPSHOT_COUNT = 28;
export const MERGE_FRAGMENTS = 32;
export const MERGE_FRAGMENT_COUNT = 36;
export const MERGE_FRAGMENT_NEXT = 40;
export const MERGE_BOTTOM = 44;
export const MERGE_LIMIT = 48;
export const MERGE_LIMIT_LENGTH = 52;
export const MERGE_VISITED = 56;
export const MERGE_VISITED_LENGTH = 60;
export const MERGE_VISITED_BUFFER = 64;
export const MERGE_SAME = 68;
export const MERGE_VISITED_SEQUENCE = 72;
export const MERGE_FILTER = 80;
export const MERGE_DROPPED = 88;

/**
 * A filter: which values a merge into blocks drops, though nothing newer hides them.
 *
 *              0        4        8                16                                        80
 *              +--------+--------+----------------+----------------------------------------+
 *   expiry     |   1    | unused |   base f64     |  due f64 | unused                      |
 *   retention  |   2    | unused | least cut u64  |  8 cutoffs, u64 each                   |
 *              +--------+--------+----------------+----------------------------------------+
 *
 * Expiry: a value begins with an f64, the time at which it is due, 0 for never; it is dropped when that is not
 * after `due`. Of what stays, times are counted by how far behind the base they lie: count 0 has those that are
 * not behind it, count n those from 2^(n-1) on and before 2^n, the last all others.
 *
 * Retention: a key begins with a u64, its time, the high byte first (a shorter key has zeros behind it); a value's
 * first byte is its class. It is dropped when its time is before the cutoff of the class, or before the least of
 * them, whatever its class. What stays is counted by class.
 */
export const FILTER_BYTES = 80;
export const FILTER_KIND = 0;
export const FILTER_BASE = 8;
export const FILTER_LEAST = 8;
export const FILTER_DUE = 16;
export const FILTER_CUTOFFS = 16;
export const FILTER_EXPIRY = 1;
export const FILTER_RETENTION = 2;
export const FILTER_CLASSES = 8;
export const FILTER_COUNTS = 48;
export const FILTER_TIME_BYTES = 8;

/** Why a merge stopped: all sources are at their end, */
export const MERGED_END = 0;
/** one has no more entries here (`MERGE_EMPTY` says which), */
export const MERGED_EMPTY = 1;
/** what is being filled is full, */
export const MERGED_FULL = 2;
/** the limit was reached, */
export const MERGED_LIMIT = 3;
/** or the next entry is larger than fits. */
export const MERGED_LARGE = 4;

/**
 * A page: entries for an iterator, one behind the other, each aligned to 8 bytes.
 *
 *     page    0        4        8        12       16       20       24       28      32
 *             +--------+--------+--------+--------+--------+--------+--------+--------+
 *             |   at   |  end   | entries| most   | with   |waiting | needed | unused |
 *             |address |address |        | entries| values | bytes  | bytes  |        |
 *             +--------+--------+--------+--------+--------+--------+--------+--------+
 *
 *     entry   key length u32 | value length u32 | key | value
 *
 * Without values, lengths of values are kept and their bytes left out. What waits lies at `at`: backward, an
 * entry counts only when the next key is seen. What an entry needs is set where it is larger than the page.
 */
export const PAGE_HEADER_BYTES = 32;
export const PAGE_AT = 0;
export const PAGE_END = 4;
export const PAGE_ENTRIES = 8;
export const PAGE_ENTRIES_MOST = 12;
export const PAGE_WITH_VALUES = 16;
export const PAGE_WAITING = 20;
export const PAGE_NEEDED = 24;
export const PAGE_ENTRY_HEADER_BYTES = 8;
