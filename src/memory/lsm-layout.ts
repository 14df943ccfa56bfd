/**
 * The structures of the tree that kernels and TypeScript share in memory: cells, memtables, runs. As in
 * `layout.ts`, which holds the others, there is nothing here but untyped integer constants; all fields are
 * little-endian.
 *
 * @module
 */

/** What an operation does; 0 is none. A cell has one of these kinds too, or 0 where it counts no more. */
export const KIND_NONE = 0;
export const KIND_PUT = 1;
export const KIND_DELETE = 2;
export const KIND_DELETE_RANGE = 3;

/**
 * A cell: one entry of a memtable, aligned to 8 bytes. A deletion of a range has the key where the range
 * begins, and the key where it ends, which does not belong to it, as the value.
 *
 *     0        8       12       14     15      16       20       24
 *     +--------+--------+--------+------+-------+--------+--------+---------+-----------+
 *     |sequence| value  |  key   | kind | unused| older  | unused |   key   |   value   |
 *     |  f64   | length | length |  u8  |       |  cell  |        |         |           |
 *     |        |  i32   |  u16   |      |       |  i32   |        |         |           |
 *     +--------+--------+--------+------+-------+--------+--------+---------+-----------+
 *
 * The older cell is the next older one of the same key in the same memtable; it is the memtable's own affair.
 */
export const CELL_SEQUENCE = 0;
export const CELL_VALUE_LENGTH = 8;
export const CELL_KEY_LENGTH = 12;
export const CELL_KIND = 14;
export const CELL_OLDER = 16;
export const CELL_KEY = 24;
export const CELL_ALIGN = 8;

/** A run is a sorted sequence of cells: their addresses, u32 each. By key; of the same key the newer first. */
export const RUN_ENTRY_BYTES = 4;

/**
 * A memtable: where its index is, where its next cell goes, and what it counts. Cells lie in chunks, one
 * behind the other, in the order in which they came.
 *
 *     0        4        8        12       16       20       24       28       32
 *     +--------+--------+--------+--------+--------+--------+--------+--------+
 *     | slots  |  slot  |  keys  | cells  | arena  | ranges | ranges |  dead  |
 *     |address |  mask  |        |        |  next  |address | count  | cells  |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+
 *     | tombst.| unused |  first sequence |  last sequence  |   key bytes     |  value bytes
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------
 *     32       36       40                48                56                64       72
 *
 * All are i32 but the last four, which are f64. The sequences are those of all cells; both are -1 where
 * there is none.
 */
export const MEMTABLE_BYTES = 72;
export const MEMTABLE_SLOTS = 0;
export const MEMTABLE_SLOT_MASK = 4;
export const MEMTABLE_KEYS = 8;
export const MEMTABLE_CELLS = 12;
export const MEMTABLE_ARENA_NEXT = 16;
export const MEMTABLE_RANGES = 20;
export const MEMTABLE_RANGE_COUNT = 24;
export const MEMTABLE_DEAD = 28;
export const MEMTABLE_TOMBSTONES = 32;
export const MEMTABLE_FIRST_SEQUENCE = 40;
export const MEMTABLE_LAST_SEQUENCE = 48;
export const MEMTABLE_KEY_BYTES = 56;
export const MEMTABLE_VALUE_BYTES = 64;

/** A slot of the index: the hash of a key, u32, and the newest cell of it, u32, or 0 where the slot is empty. */
export const SLOT_BYTES = 8;
export const SLOT_HASH = 0;
export const SLOT_CELL = 4;

/**
 * A target: one tree that operations may be about: its number i32, its memtable i32, the sequence number f64
 * below which it has everything in tables already; and what operations need in the memtable, as
 * `measureOperations` counts it: bytes i32, cells i32, ranges i32.
 */
export const TARGET_BYTES = 32;
export const TARGET_TREE = 0;
export const TARGET_MEMTABLE = 4;
export const TARGET_FROM_SEQUENCE = 8;
export const TARGET_NEED_BYTES = 16;
export const TARGET_NEED_CELLS = 20;
export const TARGET_NEED_RANGES = 24;

/** What is found for a key: its value's address i32 and length i32, and the sequence number f64. */
export const FOUND_BYTES = 16;
export const FOUND_VALUE = 0;
export const FOUND_VALUE_LENGTH = 4;
export const FOUND_SEQUENCE = 8;

/** What sorting needs besides the run: a histogram, and two rows of prefix u64, cell u32, unused u32 a cell. */
export const SORT_SCRATCH_BYTES = 8192;
export const SORT_ROW_BYTES = 16;

/** The first byte of encoded operations: the number of their format. */
export const OPERATIONS_FORMAT = 1;
