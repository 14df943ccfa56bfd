/**
 * The kernels that turn text into records: lines are found, taken apart into fields, made into entries
 * and encoded as record batches, each step for hundreds of lines a call. A new format is a new kernel
 * that fills the same fields; all others stay as they are.
 *
 *     text --indexLines--> spans --parseHdfs, plainFields--> fields --makeEntries--> entries --encodeBatches--> batches
 *
 * What is said in `kernels.ts` about implementations, addresses and numbers holds here too.
 *
 * @module
 */

import type { Kernels } from './kernels.ts';
import type { KeyMapKernels } from './key-map-kernels.ts';
import type { LookupKernels } from './lookup-kernels.ts';
import type { MemtableKernels } from './memtable-kernels.ts';
import type { SearchKernels } from './search-kernels.ts';
import type { TableKernels } from './table-kernels.ts';

export interface ParseKernels {
  /**
   * Finds the lines of a text. A line ends with a line feed, or with a carriage return and a line feed;
   * neither belongs to it.
   *
   * @param spans room for `maxLines` + 1 spans. Behind those of the lines goes one more, with the address
   *   of the first byte that no line has taken
   * @param last 1 where nothing follows the text: what is behind its last line end is a line then, if it
   *   is not empty. A carriage return at its end belongs to it
   * @returns how many lines were found
   */
  indexLines(address: number, length: number, spans: number, maxLines: number, last: number): number;

  /**
   * Takes lines of the Hadoop file system's log apart:
   *
   *     yyMMdd HHmmss <pid> <level> <component>: <content>
   *
   * with one space between the parts. The time is of no known zone, and a year from 70 on is one of the
   * 20th century. A leap second, the 60th after minute 59, is taken for the second after it, as POSIX counts.
   * A date or time of day that does not exist, a pid that is no number (of at most 20 digits), a level
   * that is no word (of at most 16 letters) or a component with a space, or of more than 255 bytes, is a
   * failure. The content may be empty; white space at its end is no part of it.
   *
   * @param spans `count` lines
   * @param fields room for `count` rows
   * @returns how many lines were taken apart
   */
  parseHdfs(spans: number, count: number, fields: number): number;

  /**
   * Fills the fields of lines in which nothing is looked for: no time, no level.
   *
   * @returns `count`
   */
  plainFields(spans: number, count: number, fields: number): number;

  /**
   * Takes lines apart as a program says; see program-layout.ts.
   *
   * @param fields room for `count` rows
   * @param extras room for as many spans a line as the program has extras
   * @param program its address
   * @returns how many lines were taken apart
   */
  parsePattern(spans: number, count: number, fields: number, extras: number, program: number): number;

  /**
   * Takes lines apart that are each a JSON object. Its own keys are looked up in a table; see
   * program-layout.ts. Values are spans of the text as it is written, strings without their quotes and with
   * their escapes; null is as if the key were not there. What is nested in values, and the digits of numbers,
   * are not examined. A time is a string of ISO 8601 or a number since 1970; a line is not of the format where
   * it has keys for a time, and none of them has one.
   *
   * @param table its address
   */
  parseJson(spans: number, count: number, fields: number, extras: number, table: number): number;

  /**
   * The same for lines of logfmt: keys, most of them with `=` and a value, which is quoted where it has white
   * space in it. The first key has a value, and one of the keys is for a time, a level or a message.
   */
  parseLogfmt(spans: number, count: number, fields: number, extras: number, table: number): number;

  /**
   * Tells, of the lines that failed, those that look like a part of the entry before them: their status
   * becomes `FIELDS_CONTINUATION`. These are lines that
   *
   * - begin with a space or a tab;
   * - begin with `at `, `Caused by:`, `Suppressed:`, `... `, `Traceback (`, `Exception in ` or `}`;
   * - begin with a word of at most 255 letters, digits, `_`, `$` and `.` which ends with `Exception`,
   *   `Error` or `Throwable`, with a colon or nothing behind it.
   *
   * It depends on nothing but the line.
   *
   * @returns how many there are
   */
  markContinuations(fields: number, count: number): number;

  /**
   * Makes an entry of each row of fields, and of the continuations behind it: no key, the lines as the value,
   * in place, with the line ends between them; level, pid and component as the headers of these names, as far
   * as the line has them. Where the level is a number, or only in the code, the header is the name of the code.
   * A continuation that is the first row is an entry of its own, and counts as one that failed.
   *
   * A record has at most `recordBytesMax` bytes in its value and headers: a longer line is cut off there
   * and counted. Where not even the headers fit, they are left out.
   *
   * @param entries room for `count` entries
   * @param headers room for `count` times `FIELDS_HEADERS_BYTES_MAX`; it must stay as it is until the
   *   entries are encoded
   * @param recordBytesMax at least 0
   * @param summary what is counted, and the time for lines that have none
   * @returns how many entries there are
   */
  makeEntries(
    fields: number,
    count: number,
    entries: number,
    headers: number,
    recordBytesMax: number,
    summary: number,
  ): number;

  /**
   * Encodes entries as record batches that lie end to end. A batch is closed before its keys, values and
   * headers would have more than `batchBytes` together, or with `maxRecords` records; one larger record
   * has a batch for itself. The leader epoch is 0.
   *
   * @param outBytes how much room there is at `out`, `SLACK_BYTES` included
   * @param baseOffset offset of the first record
   * @param last 0 where more entries will follow these: a batch that is not full is left for then
   * @param encoded what was written, and the bytes of the next batch where one is left (`ENCODED_BYTES`)
   * @returns how many entries were encoded: fewer than `count` where there is no room for a batch, or
   *   where `last` is 0
   */
  encodeBatches(
    entries: number,
    count: number,
    out: number,
    outBytes: number,
    batchBytes: number,
    maxRecords: number,
    baseOffset: number,
    last: number,
    encoded: number,
  ): number;

  /**
   * Moves the entries from number `done` on to the front, and their headers, which must lie one behind the
   * other, to `headers`.
   *
   * @param headers address at or before that of their headers
   * @returns the address behind the headers that are kept
   */
  keepEntries(entries: number, done: number, count: number, headers: number): number;

  /**
   * Counts rows of fields: what `TALLY_*` and `TABLE_*` in layout.ts say. A row is counted whole or not at
   * all. Templates of messages are those of `maskMessage` in template.ts; a line in which nothing is looked
   * for is a message. Tables hold keys that are hashes: what hashes alike is counted as one.
   *
   * Up to 64 bytes behind a message are read, and ignored.
   *
   * @param chosen address of `count` numbers of rows, i32; 0 where all rows count
   * @param tally what is added to
   * @returns how many rows were counted: fewer than `count` where a table has no room for another key
   */
  tallyRows(rows: number, count: number, chosen: number, tally: number): number;
}

/** Everything that one instance of the kernels can do. */
export type AllKernels = Kernels &
  ParseKernels &
  MemtableKernels &
  SearchKernels &
  TableKernels &
  LookupKernels &
  KeyMapKernels;
