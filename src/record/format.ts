/**
 * The header of a record batch, exactly as Kafka's magic 2 lays it out. All integers are big-endian.
 *
 *     0        8       12       16    17       21    23       27       35       43
 *     +--------+--------+--------+-----+--------+-----+--------+--------+--------+-
 *     |  base  | batch  | leader |magic|  CRC-  |attri|  last  |  base  |  max   |
 *     | offset | length | epoch  |  2  |  32C   |butes| delta  |timestmp|timestmp|
 *     |  i64   |  i32   |  i32   | i8  |  u32   | i16 |  i32   |  i64   |  i64   |
 *     +--------+--------+--------+-----+--------+-----+--------+--------+--------+-
 *             43       51    53       57       61
 *            -+--------+-----+--------+--------+------------
 *             |producer|produ| base   | record | records ...
 *             |   id   |epoch|sequence| count  |
 *             |  i64   | i16 |  i32   |  i32   |
 *            -+--------+-----+--------+--------+------------
 *
 * `batch length` counts from the leader epoch on. The checksum covers everything behind itself, so the
 * base offset and the leader epoch can be set when the batch is appended, without touching the rest.
 *
 * varve puts its *synced position* into the leader epoch: every byte of the segment below it had been
 * synced when this batch was written. Recovery uses it to tell a write that was torn by a crash from
 * damage to something that had been durable (docs/FORMAT.md). Other readers may ignore it.
 *
 * @module
 */

export const BASE_OFFSET_POSITION = 0;
export const BATCH_LENGTH_POSITION = 8;
export const LEADER_EPOCH_POSITION = 12;
export const MAGIC_POSITION = 16;
export const CRC_POSITION = 17;
export const ATTRIBUTES_POSITION = 21;
export const LAST_DELTA_POSITION = 23;
export const BASE_TIMESTAMP_POSITION = 27;
export const MAX_TIMESTAMP_POSITION = 35;
export const PRODUCER_ID_POSITION = 43;
export const PRODUCER_EPOCH_POSITION = 51;
export const BASE_SEQUENCE_POSITION = 53;
export const RECORD_COUNT_POSITION = 57;

const MAGIC = 2;

/** Attributes: how the records are compressed (0: not at all). */
export const COMPRESSION_MASK = 7;
/** Attributes: the timestamps are those of the append, and all equal the maximum. */
export const LOG_APPEND_TIME_BIT = 8;
/**
 * Attributes: the base timestamp is the time at which deletions in the batch may be forgotten, which compaction has
 * set when it first met them (Kafka's delete horizon). Times of records are counted from it as from any other.
 */
export const DELETE_HORIZON_BIT = 64;
/** Attributes: the batch holds markers of a transaction, not data. */
export const CONTROL_BIT = 32;

/** Names of the compression types, by number. */
export const COMPRESSION_NAMES: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

const TWO_TO_32 = 4_294_967_296;

/** Writes a safe integer as a big-endian i64. */
export function writeInt64(data: DataView, address: number, value: number): void {
  data.setInt32(address, Math.floor(value / TWO_TO_32));
  data.setUint32(address + 4, value >>> 0);
}

/** Reads a big-endian i64; exact up to 2^53. */
export function readInt64(data: DataView, address: number): number {
  return data.getInt32(address) * TWO_TO_32 + data.getUint32(address + 4);
}

/** What the header of a batch says, besides what all batches of ours say. */
export interface BatchHeader {
  baseOffset: number;
  /** Of the whole batch, in bytes. */
  size: number;
  count: number;
  baseTimestamp: number;
  maxTimestamp: number;
}

/** Writes the header of a batch that is not compressed and has no producer; its checksum is left at 0. */
export function writeBatchHeader(data: DataView, at: number, header: BatchHeader): void {
  const { baseOffset, size, count, baseTimestamp, maxTimestamp } = header;
  writeInt64(data, at + BASE_OFFSET_POSITION, baseOffset);
  data.setInt32(at + BATCH_LENGTH_POSITION, size - LEADER_EPOCH_POSITION);
  data.setInt32(at + LEADER_EPOCH_POSITION, 0);
  data.setInt8(at + MAGIC_POSITION, MAGIC);
  data.setInt32(at + CRC_POSITION, 0);
  data.setInt16(at + ATTRIBUTES_POSITION, 0);
  data.setInt32(at + LAST_DELTA_POSITION, count - 1);
  writeInt64(data, at + BASE_TIMESTAMP_POSITION, baseTimestamp);
  writeInt64(data, at + MAX_TIMESTAMP_POSITION, maxTimestamp);
  writeInt64(data, at + PRODUCER_ID_POSITION, -1);
  data.setInt16(at + PRODUCER_EPOCH_POSITION, -1);
  data.setInt32(at + BASE_SEQUENCE_POSITION, -1);
  data.setInt32(at + RECORD_COUNT_POSITION, count);
}

/** Sets the fields of a batch that its checksum does not cover. */
export function patchBatch(data: DataView, address: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(data, address + BASE_OFFSET_POSITION, baseOffset);
  data.setInt32(address + LEADER_EPOCH_POSITION, leaderEpoch);
}
