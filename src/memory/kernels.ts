/**
 * The hot paths, as pure functions over the shared memory. There are three implementations: the plain
 * JavaScript one in `reference.ts`, which is the specification, and two WebAssembly builds (with and
 * without SIMD) of `assembly/`. One conformance suite runs on all of them.
 *
 * All parameters are addresses and lengths in bytes of the shared memory unless said otherwise; nothing
 * is a BigInt. Offsets and timestamps (milliseconds since the epoch) are integers in a double.
 * Structures are drawn in `layout.ts`, formats in docs/FORMAT.md.
 *
 * @module
 */

export interface Kernels {
  /**
   * Gives this instance (one a thread) its working memory. To be called before anything else.
   *
   * @param tables `TABLES_BYTES`, shared by all threads
   * @param scratch `SCRATCH_BYTES`, this thread's own
   * @param build 1 to fill the tables, 0 where another thread has
   */
  init(tables: number, scratch: number, build: number): void;

  /**
   * CRC-32C (Castagnoli, RFC 3720 appendix B.4), continued from `crc`.
   *
   * @param crc 0, or what the call for the bytes before returned
   * @returns the checksum as a signed 32-bit integer
   */
  crc32c(address: number, length: number, crc: number): number;

  /**
   * Encodes entries as one record batch (magic 2, no compression, create time, no producer).
   * The caller guarantees room: the header, all keys, values and headers, `RECORD_OVERHEAD_MAX` a record
   * and `SLACK_BYTES`.
   *
   * @param entries `count` entries
   * @param count how many, at least 1
   * @param out where the batch goes
   * @param baseOffset offset of the first record
   * @param leaderEpoch what goes into `partitionLeaderEpoch`, an i32
   * @returns the size of the batch in bytes
   */
  encodeBatch(entries: number, count: number, out: number, baseOffset: number, leaderEpoch: number): number;

  /**
   * Walks the batches that lie end to end from `address`, checks each (length, magic, checksum, a
   * non-negative offset below 2^53, a last offset delta and a record count that fit together and that
   * the batch has room for) and writes a row for it. Stops before the first that is cut off or invalid.
   *
   * @param length how many bytes there are; none beyond is read
   * @param rows room for `maxRows` rows
   * @param status where and why it stopped (`SCAN_STATUS_BYTES`)
   * @returns how many rows were written
   */
  scanBatches(address: number, length: number, rows: number, maxRows: number, status: number): number;

  /**
   * Finds the next batch that is whole and valid, byte by byte, after damage.
   *
   * @param minOffset the least base offset that counts
   * @param maxOffset the greatest base offset that counts
   * @returns its address, or -1
   */
  findBatch(address: number, length: number, minOffset: number, maxOffset: number): number;

  /**
   * Decodes the records of a batch whose header and checksum `scanBatches` accepted. It trusts nothing
   * inside: every length is checked against the batch, whatever the bytes.
   *
   * @param address of the batch's header
   * @param size of the batch, header included
   * @param columns room for as many column entries as the header counts records
   * @returns how many records, or -1 where the structure is broken
   */
  decodeBatch(address: number, size: number, columns: number): number;

  /**
   * Decodes one record of a batch.
   *
   * @param offsetDelta of the record that is looked for
   * @param columns room for one column entry
   * @returns 1 if found, 0 if the batch has no such record, -1 where the structure is broken
   */
  findRecord(address: number, size: number, offsetDelta: number, columns: number): number;

  /**
   * Notes where every `MARK_RECORDS`-th record of a batch begins, from the first on, so that `findMarked`
   * need not walk from record to record through memory that is no longer in any cache.
   *
   * @param marks room for as many marks as the header's record count needs
   * @returns how many marks there are: 0 where offsets are missing, so that records cannot be counted off;
   * -1 where the structure is broken
   */
  markRecords(address: number, size: number, marks: number): number;

  /**
   * `findRecord`, from the nearest mark on.
   *
   * @param marks what `markRecords` made of the same bytes, at least one
   */
  findMarked(address: number, size: number, offsetDelta: number, marks: number, columns: number): number;

  /**
   * Binary search over an offset index: the first entry whose relative offset is `>= key` (lower) or
   * `> key` (upper).
   *
   * @returns a number from 0 to `count`
   */
  offsetLowerBound(address: number, count: number, key: number): number;
  offsetUpperBound(address: number, count: number, key: number): number;

  /** The same over the timestamps of a time index. */
  timeLowerBound(address: number, count: number, timestamp: number): number;
  timeUpperBound(address: number, count: number, timestamp: number): number;
}
