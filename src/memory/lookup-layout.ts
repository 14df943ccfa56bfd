/**
 * What one lookup in a tree goes through, as kernels and TypeScript share it in memory. As in `layout.ts`, there
 * is nothing here but untyped integer constants; all fields are i32.
 *
 *     view -> memtables, the newest first
 *          -> tables of level 0, the newest first
 *          -> levels -> tables by their keys -> parts -> places of a filter, an index, and blocks
 *
 * @module
 */

/** A block lies at a multiple of this in the cache, so that the low bits of its address are free. */
export const PLACE_ALIGN = 64;

/**
 * A place: where a block of a table is in the cache, and how long it is. Both are 0 where it is not there. The low
 * six bits of the address are for the cache: how many sweeps it stays; whoever uses a block sets them.
 */
export const PLACE_BYTES = 8;
export const PLACE_ADDRESS = 0;
export const PLACE_LENGTH = 4;

/** How long something stays in the cache without being used, in sweeps. */
export const WEIGHT_DATA = 1;
export const WEIGHT_INDEX = 4;

/** A view: what there is of a tree at one moment. Memtables and tables are lists of their addresses. */
export const VIEW_BYTES = 32;
export const VIEW_MEMTABLES = 0;
export const VIEW_MEMTABLE_COUNT = 4;
export const VIEW_NEWEST = 8;
export const VIEW_NEWEST_COUNT = 12;
export const VIEW_LEVELS = 16;
export const VIEW_LEVEL_COUNT = 20;
export const VIEW_COUNTERS = 24;

/** A level: its tables, which do not overlap, by their keys. */
export const LEVEL_BYTES = 8;
export const LEVEL_TABLES = 0;
export const LEVEL_TABLE_COUNT = 4;

/**
 * A table: its key range (the largest key does not belong to it where it is exclusive), and its parts, once they
 * are known; until then, and where it has deletions of ranges, whoever looks something up has to ask its reader.
 */
export const LOOKUP_TABLE_BYTES = 40;
export const LOOKUP_TABLE_SMALLEST = 0;
export const LOOKUP_TABLE_SMALLEST_LENGTH = 4;
export const LOOKUP_TABLE_LARGEST = 8;
export const LOOKUP_TABLE_LARGEST_LENGTH = 12;
export const LOOKUP_TABLE_EXCLUSIVE = 16;
export const LOOKUP_TABLE_READY = 20;
export const LOOKUP_TABLE_PARTS = 24;
export const LOOKUP_TABLE_PART_COUNT = 28;

/** A part: the key that none of its keys is greater than, and addresses of places; a filter's is 0 without one. */
export const LOOKUP_PART_BYTES = 32;
export const LOOKUP_PART_LAST = 0;
export const LOOKUP_PART_LAST_LENGTH = 4;
export const LOOKUP_PART_BLOCKS = 8;
export const LOOKUP_PART_BLOCK_COUNT = 12;
export const LOOKUP_PART_FILTER = 16;
export const LOOKUP_PART_INDEX = 20;

/** What lookups count, f64 each: blocks that were in the cache, questions to filters, and those that they spared. */
export const COUNTERS_BYTES = 24;
export const COUNTER_HITS = 0;
export const COUNTER_QUESTIONS = 8;
export const COUNTER_SPARED = 16;

/** What a lookup returns where something is not in memory, or not as it should be: the readers are to be asked. */
export const LOOKUP_ASK = -1;

/**
 * A cursor: where in a table a seek has come to. The caller says where rows may go, and how much room there is;
 * the seek says in which part and block it is, and at which position in the block goes on what it has not taken
 * apart: 0 where it is the whole rest.
 */
export const CURSOR_BYTES = 32;
export const CURSOR_ROWS = 0;
export const CURSOR_ROOM = 4;
export const CURSOR_PART = 8;
export const CURSOR_ENTRY = 12;
export const CURSOR_REST = 16;

/** A seek takes at most so many rows. */
export const CURSOR_ROWS_MAX = 64;
