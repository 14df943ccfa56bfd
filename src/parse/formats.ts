/**
 * The formats of log files: a closed list. A format is a kernel that takes lines apart into fields
 * (`FIELDS_*` in memory/layout.ts); everything before and behind it is the same for all.
 *
 * @module
 */

import type { ParseKernels } from '../memory/parse-kernels.ts';

/**
 * - `hdfs`: the log of the Hadoop file system, `yyMMdd HHmmss <pid> <level> <component>: <content>`.
 *   Times are UTC; level, pid and component become headers.
 * - `lines`: any text. Each line is a record, with the time at which it was read.
 */
export type LineFormat = 'hdfs' | 'lines';

/** How the lines of one format are taken apart; see `ParseKernels.parseHdfs`. */
export type ParseFields = (kernels: ParseKernels, spans: number, count: number, fields: number) => number;

/** All formats and their kernels. */
export const FORMATS: Readonly<Record<LineFormat, ParseFields>> = {
  hdfs: (kernels, spans, count, fields) => kernels.parseHdfs(spans, count, fields),
  lines: (kernels, spans, count, fields) => kernels.plainFields(spans, count, fields),
};

/** The names of all formats. */
export const LINE_FORMATS: readonly LineFormat[] = ['hdfs', 'lines'];

/** The formats that can be told from others by trying them. */
export const TELLING_FORMATS: readonly LineFormat[] = ['hdfs'];
