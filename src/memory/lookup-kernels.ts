/**
 * The kernels of lookups: from the memtables of a tree down to its last level in one call. What is said in
 * `kernels.ts` about implementations, addresses and numbers holds here too. The structures are drawn in
 * `lookup-layout.ts`.
 *
 * @module
 */

export interface LookupKernels {
  /**
   * Looks up the newest version of a key that a snapshot sees, in what of a tree is in memory.
   *
   * @param view what there is of the tree
   * @param snapshot a sequence number: what is older is seen
   * @param found what is found (`FOUND_BYTES`); of a deletion only its sequence number
   * @returns its kind; `KIND_NONE`; `LOOKUP_ASK` where it takes something that is not in memory, is broken, or is
   *   no simple case, so that the readers of the tables have to be asked
   */
  lookup(view: number, key: number, keyLength: number, snapshot: number, found: number): number;

  /** @returns the first part of a table that may have a key that is not less; how many there are, where none has */
  seekPart(table: number, key: number, keyLength: number): number;

  /**
   * Takes apart what of a table lies around a key, from a restart of a block to the next, as the rows of a source:
   * the first is not less than the key.
   *
   * @param cursor says where rows, the bytes of the entries and their keys go; where they are is noted there
   * @returns 0; `LOOKUP_ASK` where it takes something that is not in memory, or is no simple case
   */
  seekTable(table: number, key: number, keyLength: number, cursor: number, source: number): number;
}
