/**
 * What the kernels of compaction share with TypeScript in memory. The kernels import this file too, so it holds
 * nothing but untyped integer constants. All fields are little-endian, addresses and counts are i32.
 *
 * A key map: the keys of records and the number of the last record that had each, by open addressing with linear
 * probing. The keys themselves are in it, so that two are never taken for one.
 *
 *     0        4        8       12       16       20       24       28       32       36       48
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     | slots  | count  |  used  | limit  |  next  |  end   |  bits  |  bit   | within |  zero  |
 *     |address |of slots| slots  | of used|free cel| of it  |address | count  | so many|        |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     next, end: of the arena
 *     bits: one for each record number, set where another has its key and is not further away than `within`
 *
 *     slot:  tag u32 | cell address i32 (0: empty) | record number u32
 *     tag:   24 bits of the hash | length of the key, 255 where it is longer than 254
 *     cell:  the key; before it, where it is longer than 254, its length u32
 */

export const KEY_MAP_BYTES = 48;
export const KEY_MAP_SLOTS = 0;
export const KEY_MAP_SLOT_COUNT = 4;
export const KEY_MAP_USED = 8;
export const KEY_MAP_LIMIT = 12;
export const KEY_MAP_NEXT = 16;
export const KEY_MAP_END = 20;
export const KEY_MAP_BITS = 24;
export const KEY_MAP_BIT_COUNT = 28;
export const KEY_MAP_WITHIN = 32;

export const KEY_SLOT_BYTES = 12;
export const KEY_SLOT_TAG = 0;
export const KEY_SLOT_CELL = 4;
export const KEY_SLOT_NUMBER = 8;
/** What a tag says of the length of keys that are not shorter. */
export const KEY_SLOT_LONG = 255;

/** `mapKeys`: which of two records with the same key is marked. */
export const KEEP_LAST = 0;
/** Of whole records: the last where they have a key, so that the newest record of each key stays; else the first. */
export const KEEP_RECORDS = 1;

/** `wholeRecords`: what stands in front of a record; where the length of its key is, negative where it has none. */
export const WHOLE_RECORD_BYTES = 12;
export const WHOLE_RECORD_KEY_LENGTH = 8;

/**
 * A batch that records are gathered in.
 *
 *     0        4        8       12       16       20       24        32        40      48
 *     +--------+--------+--------+--------+--------+--------+---------+---------+--------+
 *     |  next  |  end   |  full  | count  | count  |  last  |  base   |  base   |  max   |
 *     |address |of room | address|        |  max   | delta  | offset  |timestamp|timestmp|
 *     |  i32   |  i32   |  i32   |  i32   |  i32   |  i32   |   f64   |   f64   |  f64   |
 *     +--------+--------+--------+--------+--------+--------+---------+---------+--------+
 *
 * A batch that has records takes no other behind `full`, or beyond `count max`.
 */
export const GATHERED_BYTES = 48;
export const GATHERED_NEXT = 0;
export const GATHERED_END = 4;
export const GATHERED_FULL = 8;
export const GATHERED_COUNT = 12;
export const GATHERED_COUNT_MAX = 16;
export const GATHERED_LAST_DELTA = 20;
export const GATHERED_BASE_OFFSET = 24;
export const GATHERED_BASE_TIMESTAMP = 32;
export const GATHERED_MAX_TIMESTAMP = 40;
