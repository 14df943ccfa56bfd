/**
 * Every structure that kernels and TypeScript share in memory, declared once. The kernels import this
 * file too, so it holds nothing but untyped integer constants. All fields are little-endian; an address
 * is a byte in the shared memory, as an i32.
 *
 * @module
 */

/**
 * Bytes below this address belong to nobody, so that address 0 is never valid. (Debug builds of the kernels keep
 * the names of their source files there, for what they say when an assumption does not hold.)
 */
export const RESERVED_BYTES = 2048;

/** What a kernel instance is given by `init`: tables that all threads share, and scratch of its own. */
export const TABLES_BYTES = 16384;
export const SCRATCH_BYTES = 32768;

/** Kernels may read and write this many bytes past the end of what they were given. */
export const SLACK_BYTES = 16;

/**
 * An entry: one record that waits to be encoded.
 *
 *     0        8       12       16       20       24       28       32       36      40
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     |timestmp|  key   |  key   | value  | value  |headers |headers |headers | unused |
 *     |  f64   |address | length |address | length |address | length | count  |        |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *
 * A length of -1 is null. Headers are already in wire form, without their count.
 */
export const ENTRY_BYTES = 40;
export const ENTRY_TIMESTAMP = 0;
export const ENTRY_KEY = 8;
export const ENTRY_KEY_LENGTH = 12;
export const ENTRY_VALUE = 16;
export const ENTRY_VALUE_LENGTH = 20;
export const ENTRY_HEADERS = 24;
export const ENTRY_HEADERS_LENGTH = 28;
export const ENTRY_HEADERS_COUNT = 32;

/**
 * What a record can need beyond its key, value and headers: six varints of 32 bits, one of 64 and the
 * attributes make 36 bytes. It is stated as the size of an entry, so that one number bounds both.
 */
export const RECORD_OVERHEAD_MAX = 40;

/**
 * A row: one valid batch, found by `scanBatches`.
 *
 *     0        8        16       24       28       32       36       40       44      48
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     |  base  |  base  |  max   |address | bytes  | record |  last  | attri- | leader |
 *     | offset |timestmp|timestmp|        |        | count  | delta  | butes  | epoch  |
 *     |  f64   |  f64   |  f64   |  i32   |  i32   |  i32   |  i32   |  i32   |  i32   |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 */
export const ROW_BYTES = 48;
export const ROW_BASE_OFFSET = 0;
export const ROW_BASE_TIMESTAMP = 8;
export const ROW_MAX_TIMESTAMP = 16;
export const ROW_ADDRESS = 24;
export const ROW_SIZE = 28;
export const ROW_RECORD_COUNT = 32;
export const ROW_LAST_DELTA = 36;
export const ROW_ATTRIBUTES = 40;
export const ROW_LEADER_EPOCH = 44;

/**
 * Where and why `scanBatches` stopped: stop i32, address i32, need i32 (the size of the batch that was
 * cut off, as its header says; 0 where not even the header's length field is there).
 */
export const SCAN_STATUS_BYTES = 12;
export const SCAN_STATUS_STOP = 0;
export const SCAN_STATUS_ADDRESS = 4;
export const SCAN_STATUS_NEED = 8;

/** All bytes were read, or all rows were used. */
export const SCAN_STOP_END = 0;
/** The bytes end inside a batch. */
export const SCAN_STOP_INCOMPLETE = 1;
/** The bytes at the address are not a batch. */
export const SCAN_STOP_INVALID = 2;

/**
 * A column entry: one record of a decoded batch.
 *
 *     0        8       12       16       20       24       28       32       36      40
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *     |timestmp| offset |  key   |  key   | value  | value  |headers |headers | record |
 *     |  f64   | delta  |address | length |address | length |address | count  |  end   |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+
 *
 * The headers' address is that of the first header, behind their count; the record ends before `end`.
 */
export const COLUMN_BYTES = 40;
export const COLUMN_TIMESTAMP = 0;
export const COLUMN_OFFSET_DELTA = 8;
export const COLUMN_KEY = 12;
export const COLUMN_KEY_LENGTH = 16;
export const COLUMN_VALUE = 20;
export const COLUMN_VALUE_LENGTH = 24;
export const COLUMN_HEADERS = 28;
export const COLUMN_HEADERS_COUNT = 32;
export const COLUMN_END = 36;

/** A mark: where a record begins, as a position in its batch, i32; there is one for every so many records. */
export const MARK_BYTES = 4;
export const MARK_RECORDS = 8;

/** Bytes of a record batch before its records (Kafka's DefaultRecordBatch, magic 2). */
export const BATCH_HEADER_BYTES = 61;
/** Bytes that `batchLength` does not count: the base offset and itself. */
export const BATCH_PREFIX_BYTES = 12;
/** No batch is larger; a header that says so is damaged. */
export const BATCH_BYTES_MAX = 134217728;

/** One entry of an offset index (relativeOffset i32, position i32) and a time index, both big-endian. */
export const OFFSET_ENTRY_BYTES = 8;
export const TIME_ENTRY_BYTES = 12;

/** A span: one line of text as `indexLines` found it, without its line end: address i32, length i32. */
export const SPAN_BYTES = 8;
export const SPAN_ADDRESS = 0;
export const SPAN_LENGTH = 4;

/**
 * Fields: one line of a log file, taken apart by the kernel of its format. One row is one cache line.
 *
 *     0        8       12       16       20       24      32       40       48       56      60      64
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+-------+-------+
 *     |timestmp|  line  |  line  | status | level  | level  |  pid   |componnt|content | nano- | flags |
 *     |  f64   |address | length |        |  code  |  span  |  span  |  span  |  span  |seconds|       |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+--------+-------+-------+
 *
 * A span is an address and a length; a length of 0 means that the line does not have the field. The
 * timestamp, a whole number of milliseconds since the epoch, is NaN where the line has no time; what its
 * time says beyond milliseconds is in the nanoseconds, from 0 to 999,999. The level, pid and component of
 * one line have at most `FIELDS_TEXT_BYTES_MAX` bytes together: a kernel does not parse lines with longer ones.
 */
export const FIELDS_BYTES = 64;
export const FIELDS_TIMESTAMP = 0;
export const FIELDS_LINE = 8;
export const FIELDS_LINE_LENGTH = 12;
export const FIELDS_STATUS = 16;
export const FIELDS_LEVEL_CODE = 20;
export const FIELDS_LEVEL = 24;
export const FIELDS_LEVEL_LENGTH = 28;
export const FIELDS_PID = 32;
export const FIELDS_PID_LENGTH = 36;
export const FIELDS_COMPONENT = 40;
export const FIELDS_COMPONENT_LENGTH = 44;
export const FIELDS_CONTENT = 48;
export const FIELDS_CONTENT_LENGTH = 52;
export const FIELDS_NANOSECONDS = 56;
export const FIELDS_FLAGS = 60;
export const FIELDS_TEXT_BYTES_MAX = 320;

/** The line is not of the format: it is kept as it is, and counted. */
export const FIELDS_FAILED = 0;
/** The line was taken apart. */
export const FIELDS_PARSED = 1;
/** The format takes nothing apart. */
export const FIELDS_PLAIN = 2;
/** The line is not of the format, and looks like a part of the entry before it: a line of a stack trace. */
export const FIELDS_CONTINUATION = 3;

/** A flag: the line does not say in which zone its time is, and the timestamp is what it would be in UTC. */
export const FIELDS_LOCAL = 1;

/** The one scale that the levels of all formats are mapped to; 0 is a level that is not on it. */
export const LEVEL_OTHER = 0;
export const LEVEL_TRACE = 1;
export const LEVEL_DEBUG = 2;
export const LEVEL_INFO = 3;
export const LEVEL_NOTICE = 4;
export const LEVEL_WARN = 5;
export const LEVEL_ERROR = 6;
export const LEVEL_FATAL = 7;
export const LEVEL_COUNT = 8;

/** What the headers of one line (level, pid, component) take in wire form, at most. */
export const FIELDS_HEADERS_BYTES_MAX = 352;

/**
 * What `makeEntries` adds to: carried f64 (the time for lines that have none: that of the last line
 * before that had one), earliest f64 and latest f64 of all entries, four counts i32, one i32 a level.
 */
export const SUMMARY_BYTES = 72;
export const SUMMARY_CARRIED = 0;
export const SUMMARY_EARLIEST = 8;
export const SUMMARY_LATEST = 16;
export const SUMMARY_FAILED = 24;
export const SUMMARY_EMPTY = 28;
export const SUMMARY_CUT = 32;
export const SUMMARY_JOINED = 36;
export const SUMMARY_LEVELS = 40;

/** What `encodeBatches` leaves: bytes i32 and batches i32 it wrote, bytes i32 of the records of the next batch. */
export const ENCODED_BYTES = 12;
export const ENCODED_SIZE = 0;
export const ENCODED_BATCHES = 4;
export const ENCODED_LEFT = 8;

/**
 * A table: keys that are counted, by open addressing with linear probing. The kernels find and add; who owns it
 * makes room when it is full (table.ts). A key is looked for from the slot on that its low 32 bits say.
 *
 *     0        4        8       12       16       20      24
 *     +--------+--------+--------+--------+--------+--------+     slots: key u64 (0: empty), count i32, number i32
 *     | slots  |  mask  |  used  | limit  | texts  | stride |     texts: one of `stride` bytes for each number
 *     +--------+--------+--------+--------+--------+--------+
 *
 * Slots are a power of two, `mask` is one less, and `limit` is how many may be in use. The text of a key is
 * its length i32 and its first bytes, or for a page of seconds the count of each of them, i32.
 */
export const TABLE_BYTES = 24;
export const TABLE_SLOTS = 0;
export const TABLE_MASK = 4;
export const TABLE_USED = 8;
export const TABLE_LIMIT = 12;
export const TABLE_TEXTS = 16;
export const TABLE_STRIDE = 20;
export const SLOT_BYTES = 16;
export const SLOT_KEY = 0;
export const SLOT_COUNT = 8;
export const SLOT_NUMBER = 12;

/** Seconds that are counted together in one text of a table; a power of two. */
export const PAGE_SECONDS = 64;
export const PAGE_SHIFT = 6;
export const PAGE_BYTES = 256;
/** Added to the number of a page to make its key: no time has a key of 0, or a negative one. */
export const PAGE_KEY_BIAS = 1099511627776;

/**
 * What `tallyRows` adds to: earliest f64 and latest f64 of all times, rows by status, entries by level code,
 * all i32, and the addresses of three tables and of a memo of shapes (0 for what is not wanted).
 *
 *     0        8       16       48       80       84       88       92      96
 *     +--------+--------+--------+--------+--------+--------+--------+--------+
 *     |earliest| latest | status | levels |compon- |template| pages  |  memo  |
 *     |  f64   |  f64   | 8 x i32| 8 x i32|  ents  |        |        |        |
 *     +--------+--------+--------+--------+--------+--------+--------+--------+
 */
export const TALLY_BYTES = 96;
export const TALLY_EARLIEST = 0;
export const TALLY_LATEST = 8;
export const TALLY_STATUSES = 16;
export const TALLY_STATUS_COUNT = 8;
export const TALLY_LEVELS = 48;
export const TALLY_COMPONENTS = 80;
export const TALLY_TEMPLATES = 84;
export const TALLY_PAGES = 88;
export const TALLY_MEMO = 92;

/**
 * A memo of the shapes of messages (a message with each row of digits made one zero): which slot of the table of
 * templates is theirs. It is good as long as the table gives none of its slots to others.
 *
 *     0        4        8   64                   2112      2880      3392
 *     +--------+--------+---+--------------------+---------+---------+-----------------------+
 *     |resting |        |   |      shuffles      |  kept   | hashes  |        entries        |
 *     |        |        |   | 256 of 8 bytes     | 2 x 384 | 64 x u64|     1,024 of 16       |
 *     +--------+--------+---+--------------------+---------+---------+-----------------------+
 *
 * `resting` says of how many times 64 rows the shapes are not looked at, because hardly one was known. A shuffle
 * has the places of the bits that are set in a byte, one a byte. An entry: hash u64 of a shape, 0 where there is
 * none, and address i32 of the slot.
 */
export const MEMO_RESTING = 0;
export const MEMO_SHUFFLES = 64;
export const MEMO_KEPT = 2112;
export const MEMO_KEPT_BYTES = 384;
export const MEMO_HASHES = 2880;
export const MEMO_ENTRIES = 3392;
export const MEMO_ENTRY_BYTES = 16;
export const MEMO_ENTRY_COUNT = 1024;
export const MEMO_SLOT = 8;
export const MEMO_BYTES = 19776;
export const MEMO_ROWS = 64;
/** Longer messages are not looked up. */
export const SHAPE_BYTES_MAX = 256;

/** Of a longer message only so much is looked at for its template. */
export const TEMPLATE_BYTES_MAX = 500;
/** A longer token is a variable. */
export const TEMPLATE_TOKEN_BYTES_MAX = 63;

/**
 * A finder: literals that are searched for all at once. One literal is found by two of its bytes; several by
 * up to three bytes in a row of each, their fingerprint, which tables look up by half bytes (Teddy, as in
 * Hyperscan): a bit of a table's entry says that a literal of this bucket may have such a half byte there.
 *
 *     0        4        8       12       16                 32      128
 *     +--------+--------+--------+--------+--------+--------+-------+------------------+
 *     | count  | first  | second |  fin-  |     unused      |  low, |     literals     |
 *     |        | of two | of two | gerprt |                 | high  |  count times 16  |
 *     +--------+--------+--------+--------+--------+--------+-------+------------------+
 *
 * A literal: address i32 of its bytes, length i32, address i32 of as many masks, and i32 where its fingerprint
 * begins. A byte of the text is compared after its mask was added to it (by OR): 0x20 makes letters lower
 * case. Behind bytes and masks eight more can be read. Literal number i is in bucket i modulo 8.
 */
export const FINDER_COUNT = 0;
export const FINDER_FIRST = 4;
export const FINDER_SECOND = 8;
export const FINDER_FINGERPRINT = 12;
export const FINDER_TABLES = 32;
export const FINDER_LITERALS = 128;
export const FINDER_BUCKETS = 8;
export const FINDER_LITERALS_MAX = 64;
export const LITERAL_BYTES = 16;
export const LITERAL_ADDRESS = 0;
export const LITERAL_LENGTH = 4;
export const LITERAL_MASKS = 8;
export const LITERAL_FINGERPRINT = 12;

/** What `examineText` may answer, added up: there is a byte that is no ASCII, a carriage return. */
export const TEXT_NOT_ASCII = 1;
export const TEXT_HAS_RETURN = 2;
