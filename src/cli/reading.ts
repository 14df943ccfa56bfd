/**
 * What the options mean that say how lines are taken apart: which format they are of, and what it leaves open.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import type { LineFormat } from '../parse/formats.ts';
import { checkParser, type FormatSpec, type PatternFormat } from '../parse/parser.ts';
import { nodeVfs } from '../vfs/node.ts';
import { UsageError } from './failure.ts';
import type { ReadingOptions } from './reading-options.ts';

/** What they mean. */
export interface Reading {
  /** Found out from the lines where it is missing. */
  format?: FormatSpec;
  zone?: string;
  assumeYear?: number;
}

const FORMAT_FILE_BYTES_MAX = 65_536;

/**
 * Finds out what the options mean.
 *
 * @throws UsageError, RangeError, TypeError where they make no sense
 * @throws VarveError where the file with the format cannot be read
 */
export async function readingOf(options: ReadingOptions): Promise<Reading> {
  const { pattern, timePattern, formatFile, zone, assumeYear } = options;
  const given = [options.format, pattern, formatFile].filter((option) => option !== undefined);
  if (given.length > 1)
    throw new UsageError('of --format, --pattern and --format-file only one can be given');
  if (timePattern !== undefined && pattern === undefined) {
    throw new UsageError('--time-pattern says how the times of a --pattern are written, and there is none');
  }
  let format: FormatSpec | undefined = options.format as LineFormat | undefined;
  if (pattern !== undefined) format = { pattern, ...(timePattern !== undefined && { time: timePattern }) };
  if (formatFile !== undefined) format = await readFormat(formatFile);
  checkParser(format ?? 'plain', zone === undefined ? {} : { zone });
  return {
    ...(format !== undefined && { format }),
    ...(zone !== undefined && { zone }),
    ...(assumeYear !== undefined && { assumeYear }),
  };
}

async function readFormat(path: string): Promise<PatternFormat> {
  const file = await nodeVfs.open(path, 'read');
  let text: string;
  try {
    const bytes = Buffer.alloc(Math.min(await file.size(), FORMAT_FILE_BYTES_MAX));
    await file.read(bytes, 0);
    text = bytes.toString();
  } finally {
    await file.close();
  }
  try {
    return JSON.parse(text) as PatternFormat;
  } catch (cause) {
    throw new VarveError('UNSUPPORTED', `${path} is no JSON file with a format`, { file: path, cause });
  }
}
