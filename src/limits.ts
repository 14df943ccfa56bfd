/** Every maximum, minimum and default of the engine; their relations are asserted when it loads. */

import { assert } from './assert.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const DAY_MS = 86_400_000;

/** The shared memory, which is the memory budget. */
export const MEMORY_BYTES_DEFAULT: number = 256 * MIB;
export const MEMORY_BYTES_MIN: number = 8 * MIB;
export const MEMORY_BYTES_MAX: number = 2 * GIB - 64 * KIB;

/** The smallest slab; larger ones are powers of two of it. */
export const SLAB_BYTES_MIN: number = 16 * KIB;
export const SLAB_BYTES_MAX: number = 256 * MIB;

/** A batch is closed when its records reach this many bytes: what one `get` reads and checks. */
export const BATCH_BYTES_DEFAULT: number = 16 * KIB;
/** The same where batches are compressed: a codec finds more to share in more. */
export const BATCH_BYTES_COMPRESSED_DEFAULT: number = 128 * KIB;
export const BATCH_RECORDS_MAX = 1024;

/** What a log gathers while a flush is in flight, before `enqueue` answers `BACKPRESSURE`. */
export const BUFFER_BYTES_DEFAULT: number = MIB;
/** The same where batches are compressed: the last of a buffer is rarely full, and so fewer are not. */
export const BUFFER_BYTES_COMPRESSED_DEFAULT: number = 4 * MIB;

/** One record: key, value and headers together. */
export const RECORD_BYTES_DEFAULT: number = MIB;
export const RECORD_BYTES_MAX: number = 64 * MIB;

export const SEGMENT_BYTES_DEFAULT: number = 128 * MIB;
export const SEGMENT_BYTES_MIN: number = 4 * KIB;
/** Of the write-ahead log of trees. */
export const WAL_SEGMENT_BYTES_DEFAULT: number = 32 * MIB;
/** Positions are 32-bit integers in the index, as Kafka has them. */
export const SEGMENT_BYTES_MAX: number = 2 * GIB - 1;
export const ROLL_MS_DEFAULT: number = 7 * DAY_MS;

/** Bytes of log between two index entries. */
export const INDEX_INTERVAL_BYTES_DEFAULT: number = 4 * KIB;

export const SYNC_INTERVAL_MS_DEFAULT = 200;
export const SYNC_BATCH_RECORDS_DEFAULT = 1000;
export const SYNC_BATCH_BYTES_DEFAULT: number = MIB;
export const SYNC_BATCH_DELAY_MS_DEFAULT = 10;
export const SYNC_ADAPTIVE_DELAY_MS_DEFAULT = 5;

/** How long deletions are kept in a compacted log, after they were first rewritten. */
export const DELETE_RETENTION_MS_DEFAULT: number = DAY_MS;
/** The share of a log that is not compacted, from which on it is. */
export const CLEANABLE_RATIO_DEFAULT = 0.5;
/** Memory for the keys of a log that is being compacted. */
export const KEY_MAP_BYTES_DEFAULT: number = 64 * MIB;
export const KEY_MAP_BYTES_MIN: number = 64 * KIB;

/** What a reader asks the disk for at once. */
export const READ_WINDOW_BYTES: number = MIB;

/** The format of a database directory; one that is newer is refused. */
export const FORMAT_VERSION = 1;

assert(SLAB_BYTES_MAX <= MEMORY_BYTES_DEFAULT, 'the default memory holds the largest slab');
assert(BATCH_BYTES_COMPRESSED_DEFAULT < BUFFER_BYTES_DEFAULT, 'a buffer holds many of those, too');
assert(BATCH_BYTES_DEFAULT < BUFFER_BYTES_DEFAULT, 'a buffer holds many batches');
assert(RECORD_BYTES_MAX * 2 <= SLAB_BYTES_MAX, 'a slab holds the largest record, framed');
