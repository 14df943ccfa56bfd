/**
 * The kernels of tables: blocks are built, searched and taken apart, filters asked, and sources merged into
 * blocks or into pages.
 *
 *     runs of cells ----+
 *                       +--merge--> blocks of a table (mergeBlock), or a page for an iterator (mergePage)
 *     blocks --rows-----+
 *
 * What is said in `kernels.ts` about implementations, addresses and numbers holds here too. The structures are
 * drawn in `table-layout.ts`. A key has 1 to `KEY_BYTES_MAX` bytes; entries are in order by key, those of one
 * key with the newest first. A snapshot is a sequence number: what is older, and not what is as old, is seen.
 * Bytes of a block may be anything: what does not fit together is answered with -1, and nothing outside of the
 * block and what a kernel is told to fill is touched, but for `SLACK_BYTES`.
 *
 * @module
 */

export interface TableKernels {
  /**
   * Finds the newest version of a key that a snapshot sees in a block.
   *
   * @param bytes of the block, without its trailer
   * @param found what is found (`FOUND_BYTES`), its value in place
   * @returns its kind; `KIND_NONE` where the block has none; `FOUND_MORE` where it ends with versions of the
   *   key that are too new, so that an older one may follow in the next block; -1
   */
  findInBlock(
    block: number,
    bytes: number,
    key: number,
    keyLength: number,
    snapshot: number,
    found: number,
  ): number;

  /**
   * Takes a block apart. Values, and keys where they are whole, are left where they are.
   *
   * @param out room for the rows and the keys that have to be put together
   * @param outBytes how much, without `SLACK_BYTES`; `ROW_ENTRY_BYTES` and the key for each entry are enough
   * @returns how many rows there are, or -1: also where entries are out of order, or there is no room
   */
  decodeBlock(block: number, bytes: number, out: number, outBytes: number): number;

  /**
   * Binary search over rows.
   *
   * @param after 0 for the first row that is not less than the key, 1 for the first that is greater
   * @returns a number from 0 to `count`
   */
  seekRows(rows: number, count: number, key: number, keyLength: number, after: number): number;

  /** The same over a run of cells: the first that is not less than the key. */
  seekRun(run: number, count: number, key: number, keyLength: number): number;

  /**
   * Finds the first entry of an index block that is not less than a key.
   *
   * @param fields where its numbers go (`INDEX_FIELDS_BYTES`), if there is such an entry; 0 for nowhere
   * @returns its number; how many there are, where all are less; -1
   */
  seekIndex(block: number, bytes: number, key: number, keyLength: number, fields: number): number;

  /** Reads the numbers of an entry of an index block; returns how many they are, or -1. */
  readIndex(block: number, bytes: number, index: number, fields: number): number;

  /**
   * Appends an entry to the block of a builder, which must have room for it, in order.
   *
   * @param sequence not less than the builder's base
   */
  addEntry(
    builder: number,
    key: number,
    keyLength: number,
    value: number,
    valueLength: number,
    sequence: number,
    kind: number,
  ): void;

  /**
   * Ends the block of a builder, which has an entry, and clears the builder for the next one. Where that goes
   * is for the caller to set.
   *
   * @returns how many bytes it has
   */
  finishBlock(builder: number): number;

  /** Puts a trailer behind the stored bytes of a block. */
  sealBlock(address: number, bytes: number, compression: number): void;

  /** Checks a stored block, trailer included. @returns how it is compressed, or -1 where the checksum is wrong */
  openBlock(address: number, storedBytes: number): number;

  /**
   * Makes a short key that separates two: not less than `a`, less than `b`.
   *
   * @param a less than `b`
   * @param out room for the length of `a`
   * @returns its length
   */
  separate(a: number, aLength: number, b: number, bLength: number, out: number): number;

  /** The hash of a key that filters are made of; signed. It is part of the format. */
  filterHash(key: number, keyLength: number): number;

  /**
   * Makes a filter.
   *
   * @param hashes `count` of them, u32 each
   * @param filter room for `lines` times `FILTER_LINE_BYTES`
   */
  buildFilter(hashes: number, count: number, filter: number, lines: number): void;

  /** @returns 1 where a filter may have a key with this hash, 0 where it does not */
  filterHas(filter: number, lines: number, hash: number): number;

  /** Copies bytes; the two places may overlap. */
  moveBytes(to: number, from: number, bytes: number): void;

  /** Begins a merge: its sources are `STATE_FRESH` or `STATE_ENDED`. */
  mergeStart(merge: number): void;

  /**
   * Merges into the block of a builder until that is full, or something has to be done about a source. Left
   * out is what neither the newest state nor a snapshot sees: versions that a newer one or a deleted range
   * hides, and, where nothing lies below, deletions that hide nothing. What the filter drops becomes a deletion
   * where something may lie below; what a snapshot sees, it does not drop, nor large entries.
   *
   * After `MERGED_EMPTY` the source that `MERGE_EMPTY` names must be given more or be ended. After
   * `MERGED_FULL` and `MERGED_LARGE`, `MERGE_SAME` says whether the next entry has the key of the one before.
   *
   * @returns one of `MERGED_*`
   */
  mergeBlock(merge: number, builder: number): number;

  /** Counts the entry at the top, which the caller has written by itself and noted the hash of, and moves on. */
  mergeTake(merge: number, builder: number): void;

  /** @returns 1 where the filter drops the entry at the top, of whose value at least the beginning is there */
  mergeIsDue(merge: number): number;

  /** Drops the entry at the top after `MERGED_LARGE`: a deletion takes its place, unless nothing lies below. */
  mergeDrop(merge: number, builder: number): void;

  /** @returns the source that has the next entry, 0 at the end, 1 where one has to be given more first */
  mergeTop(merge: number): number;

  /**
   * Merges into a page: of each key the newest version that the one snapshot sees, unless it is deleted.
   *
   * `MERGED_FULL`: the page has to be emptied (`PAGE_AT`, `PAGE_ENTRIES`, `PAGE_WAITING`). `MERGED_LARGE`: it is
   * empty and too small for the next entry, which needs `PAGE_NEEDED` bytes.
   *
   * @returns one of `MERGED_*`
   */
  mergePage(merge: number, page: number): number;
}
