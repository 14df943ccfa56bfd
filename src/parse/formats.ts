/**
 * The formats that are built in, by name.
 *
 * @module
 */

/**
 * - `hdfs`: the log of the Hadoop file system, `yyMMdd HHmmss <pid> <level> <component>: <content>`.
 * - `plain`: any text. Nothing is looked for in a line.
 */
export type LineFormat = 'hdfs' | 'plain';

/** The names of all formats. */
export const LINE_FORMATS: readonly LineFormat[] = ['hdfs', 'plain'];

/** The formats that can be told from others by trying them. */
export const TELLING_FORMATS: readonly LineFormat[] = ['hdfs'];
