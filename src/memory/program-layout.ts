/**
 * Programs: what a pattern of lines is compiled to, and what the kernel `parsePattern` carries out for each
 * line. The kernels import this file too, so it holds nothing but untyped integer constants.
 *
 *     0       4       8           16                               64
 *     +-------+-------+-----------+---------------------------------+-------------- - -
 *     |extras | year  |   from    |             unused              | instructions
 *     |  i32  |  i32  |    f64    |                                 |
 *     +-------+-------+-----------+---------------------------------+-------------- - -
 *
 * `extras` is how many spans a line has beyond its row. A time without a year gets the one, from `year` on,
 * that puts it at or after `from` (milliseconds, as its clock shows them), and within a year of it.
 *
 * Instructions are i32 words: a code, then what it needs. They stand at a place in the line, and move it on.
 * A literal is a series of `TEXT` and `BLANKS` that ends with `MATCHED`. Offsets count words from the
 * instruction's own code.
 *
 * @module
 */

export const PROGRAM_EXTRAS = 0;
export const PROGRAM_YEAR = 4;
export const PROGRAM_FROM = 8;
export const PROGRAM_CODE = 64;

/** The line is of the format if nothing but white space is left of it. */
export const OP_END = 1;
/** `length, bytes…` (four to a word): this text. */
export const OP_TEXT = 2;
/** White space, at least one byte. */
export const OP_BLANKS = 3;
/** The end of a literal. */
export const OP_MATCHED = 4;
/** `slot, kind, next, literal…`: a field up to the first place where the literal is, and the literal. */
export const OP_FIELD = 5;
/** `slot, kind`: all that is left, without white space at its end. */
export const OP_REST = 6;
/** `next, instructions for a time…` */
export const OP_TIME = 7;
/** Makes a timestamp of what the instructions for times found. */
export const OP_TIMESTAMP = 8;
/** `other, first…`: what follows, or, where the line is not like that, what is at the offset. */
export const OP_TRY = 9;
/**
 * `slot, kind, other, first…`: a field up to the first place where one of two ways on begins, each with a
 * literal: that which follows, if it can be gone to its end, or that at the offset.
 */
export const OP_SPLIT = 10;
/** `slot`: structured data of RFC 5424, or `-` for none. */
export const OP_STRUCTURED = 11;
/** `slot`: takes back a field that another way may have put there; with `SLOT_NONE` its level. */
export const OP_CLEAR = 12;
/** White space before the last field: none is needed at the end of the line. */
export const OP_LAST_BLANKS = 13;
/** The end of the line, but for white space; a part of the last literal. */
export const OP_LINE_END = 14;

/** What a field may be. Any text. */
export const KIND_ANY = 0;
/** Digits, at most 20. */
export const KIND_INTEGER = 1;
/** At least one byte, and no white space. */
export const KIND_WORD = 2;
/** The same, and `-` for none. */
export const KIND_DASH = 3;
/** The number before a message of syslog: eight times the facility and the severity, which is the level. */
export const KIND_PRIORITY = 4;
/** The status of an answer of HTTP, or `-`; the level is an error from 500 on, and a warning from 400 on. */
export const KIND_STATUS = 5;
/** Text in which a backslash makes the byte behind it a part of the text; `-` for none. */
export const KIND_QUOTED = 6;

/** Where a field goes: nowhere (but for a level that its kind has), into the row, or, from `SLOT_EXTRAS` on, into the extras. */
export const SLOT_NONE = 0;
export const SLOT_LEVEL = 1;
export const SLOT_PID = 2;
export const SLOT_COMPONENT = 3;
export const SLOT_CONTENT = 4;
export const SLOT_EXTRAS = 5;

/** Longer ones are no level, pid or component: together they have at most `FIELDS_TEXT_BYTES_MAX`. */
export const LEVEL_TEXT_BYTES_MAX = 25;
export const PID_TEXT_BYTES_MAX = 40;
export const COMPONENT_TEXT_BYTES_MAX = 255;

/** Instructions for times. `byte`: this byte. */
export const TIME_BYTE = 1;
/** White space, at least one byte. */
export const TIME_BLANKS = 2;
/** Four digits; two, of which 70 and more are of the 20th century. */
export const TIME_YEAR = 3;
export const TIME_SHORT_YEAR = 4;
/** `least`: digits, at least so many (1 or 2), and at most two. */
export const TIME_MONTH = 5;
export const TIME_DAY = 6;
export const TIME_HOUR = 7;
export const TIME_HALF_DAY_HOUR = 8;
export const TIME_MINUTE = 9;
export const TIME_SECOND = 10;
/** Three letters of an English month, of an English day of the week. */
export const TIME_MONTH_NAME = 11;
export const TIME_WEEKDAY = 12;
/** AM or PM. */
export const TIME_HALF_DAY = 13;
/** `least, most`: digits of a fraction of a second; what is beyond nanoseconds is dropped. */
export const TIME_FRACTION = 14;
/** Milliseconds, as a number of one to three digits. */
export const TIME_MILLISECONDS = 15;
/** `Z`, `UTC`, `GMT`, or hours and minutes ahead of UTC as `+02:00`, `+0200` or `+02`. */
export const TIME_ZONE = 16;
/** A time since 1970: seconds with an optional fraction; milliseconds. */
export const TIME_EPOCH_SECONDS = 17;
export const TIME_EPOCH_MILLISECONDS = 18;
/** ISO 8601, as RFC 3339 has it, and with less: see `parseIso` in assembly/times.ts. */
export const TIME_ISO = 19;
/** `next, …`: what follows, where its first instruction, a byte, is there. */
export const TIME_OPTIONAL = 20;
/** `separator`: `yyyy-MM-dd`, `yy-MM-dd`, and `HH:mm:ss` in one step. */
export const TIME_LONG_DATE = 21;
export const TIME_SHORT_DATE = 22;
export const TIME_OF_DAY = 23;
/** A time since 1970 in seconds, milliseconds, microseconds or nanoseconds, which its size tells. */
export const TIME_EPOCH = 24;

/**
 * The table of keys that lines of keys and values have, in the place of instructions: 64 buckets, each the
 * offset of an entry, from the program's address on, or 0; then the entries. The bucket of a key is seven times
 * its length, and its first byte, and five times its last.
 *
 *     0       4       8       12      16
 *     +-------+-------+-------+-------+----------- - -
 *     | next  | slot  | rank  |length | text
 *     |  i32  |  i32  |  i32  |  i32  |
 *     +-------+-------+-------+-------+----------- - -
 *
 * Of several keys with the same slot in a line that with the least rank counts.
 */
export const KEYS_BUCKETS_MASK = 63;
export const KEY_NEXT = 0;
export const KEY_SLOT = 4;
export const KEY_RANK = 8;
export const KEY_LENGTH = 12;
export const KEY_TEXT = 16;
/** The slot of a time. */
export const SLOT_TIME = -1;
/** A number with fewer digits is no time: it is a duration, or a time of day. */
export const EPOCH_DIGITS_MIN = 9;
