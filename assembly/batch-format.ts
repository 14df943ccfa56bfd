/**
 * Where the fields of a record batch's header are. All are big-endian; the checksum covers everything
 * from the attributes on (Kafka's DefaultRecordBatch, magic 2).
 *
 *     0        8        12       16  17     21    23       27       35       43       51    53       57       61
 *     +--------+--------+--------+---+------+-----+--------+--------+--------+--------+-----+--------+--------+---
 *     |  base  | batch  | leader |mag| crc  |attri|  last  |  base  |  max   |producer|prod.|  base  | record | records
 *     | offset | length | epoch  |ic | 32c  |butes| delta  |timestmp|timestmp|   id   |epoch|sequence| count  |  ...
 *     |  i64   |  i32   |  i32   |i8 | u32  | i16 |  i32   |  i64   |  i64   |  i64   | i16 |  i32   |  i32   |
 *     +--------+--------+--------+---+------+-----+--------+--------+--------+--------+-----+--------+--------+---
 */

import { BATCH_BYTES_MAX, BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES } from '../src/memory/layout';

export const BATCH_BASE_OFFSET = 0;
export const BATCH_LENGTH = 8;
export const BATCH_LEADER_EPOCH = 12;
export const BATCH_MAGIC = 16;
export const BATCH_CRC = 17;
export const BATCH_ATTRIBUTES = 21;
export const BATCH_LAST_DELTA = 23;
export const BATCH_BASE_TIMESTAMP = 27;
export const BATCH_MAX_TIMESTAMP = 35;
export const BATCH_PRODUCER_ID = 43;
export const BATCH_PRODUCER_EPOCH = 51;
export const BATCH_BASE_SEQUENCE = 53;
export const BATCH_RECORD_COUNT = 57;

export const MAGIC = 2;

/** The compression type, in the attributes' lowest bits. */
export const ATTRIBUTE_COMPRESSION = 7;
/** All records have the time at which the log took them, which is the batch's greatest timestamp. */
export const ATTRIBUTE_LOG_APPEND_TIME = 8;

/** The least and the greatest sane batch length. */
export const LENGTH_MIN = BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES;
export const LENGTH_MAX = BATCH_BYTES_MAX - BATCH_PREFIX_BYTES;

/** No record is shorter: length, attributes, two deltas, two lengths, the number of headers. */
export const RECORD_BYTES_MIN = 7;
export const RECORD_BODY_MIN: u32 = 6;
/** No header is shorter: two lengths. */
export const HEADER_BYTES_MIN = 2;
