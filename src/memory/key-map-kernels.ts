/**
 * The kernels of compaction: which records have a key that a later one has too, and batches made of those that
 * stay. What is said in `kernels.ts` about implementations, addresses and numbers holds here too; the structures
 * are drawn in `key-map-layout.ts`. Columns are what `decodeBatch` leaves.
 *
 * @module
 */

export interface KeyMapKernels {
  /**
   * Takes the keys of records into a map; where one is there already, one of the two records is marked, unless they are
   * further apart than the map says. Records without key are passed over.
   *
   * @param from index of the first record that counts
   * @param number of the record with index 0; less than `2^31 - count`
   * @param keep which stays: `KEEP_LAST`, or `KEEP_RECORDS` of what `wholeRecords` has made
   * @returns the index of the first record for which there was no room, or `count`
   */
  mapKeys(map: number, columns: number, count: number, from: number, number: number, keep: number): number;

  /**
   * Says of each record whether its key is in a map.
   *
   * @param found a byte for each: 1 if it is, 0 if not, or where there is no key
   * @returns how many are
   */
  findKeys(map: number, columns: number, count: number, found: number): number;

  /**
   * Makes of whole records what the other kernels take for keys: time, key, value and headers of each are put one
   * behind the other, and its column then says that this is its key. Records are the same where their bytes are.
   *
   * @param out room for the bytes of the batch, and 16 for each record
   * @returns the address behind what was written
   */
  wholeRecords(columns: number, count: number, out: number): number;

  /**
   * Adds records to a batch that is being gathered, with the offsets and times that they had.
   *
   * @param from index of the first record
   * @param kept a byte for each record: 0 where it is left out
   * @param baseOffset of the batch that they are from; not below that of the batch they go to
   * @returns the index of the first record that was not looked at: `count`, or that of one for which there is no room
   */
  gatherRecords(
    gathered: number,
    columns: number,
    count: number,
    from: number,
    kept: number,
    baseOffset: number,
  ): number;
}
