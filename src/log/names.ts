/** File names in a log's directory: as Kafka has them, the base offset in twenty digits. */

export type SegmentFileKind = 'log' | 'index' | 'timeindex' | 'digest';

/** Bounds the scan after a crash; see checkpoint.ts. */
export const CHECKPOINT_FILE = 'recovery-point';
/** Where a checkpoint is written before it is renamed. */
export const CHECKPOINT_TEMPORARY_FILE = 'recovery-point.tmp';
/** The next segment's file, filled with zeros ahead of its use. */
export const SPARE_FILE = 'spare.tmp';
/** Where a digest is written before it is renamed. */
export const DIGEST_TEMPORARY_FILE = 'digest.tmp';
/** Losses that a repair has noted; see gaps.ts. */
export const GAPS_FILE = 'gaps';
/** Where they are written before the file is renamed. */
export const GAPS_TEMPORARY_FILE = 'gaps.tmp';
/** Where compaction got to; see cleaner-point.ts. */
export const CLEANER_FILE = 'cleaner-point';
/** Where that is written before it is renamed. */
export const CLEANER_TEMPORARY_FILE = 'cleaner-point.tmp';
/** A segment that is being rewritten has this behind its name. */
export const CLEANED_SUFFIX = '.cleaned';
/** One that was rewritten, and takes the place of others from now on; see swap.ts. */
export const SWAP_SUFFIX = '.swap';
/** The old one, which is about to be removed. */
export const DELETED_SUFFIX = '.deleted';
/** Bytes that recovery took out of a log. */
export const QUARANTINE_DIRECTORY = 'quarantine';

const SEGMENT_FILE = /^(\d{20})\.(log|index|timeindex|digest)$/;
const LOG_NAME = /^[A-Za-z0-9._-]{1,200}$/;
const LOG_DIRECTORY = /^(.+)-(\d+)$/;

/** The name of a segment's file. */
export function segmentFileName(baseOffset: number, kind: SegmentFileKind): string {
  return `${String(baseOffset).padStart(20, '0')}.${kind}`;
}

/** What a file name in a log's directory stands for, or undefined where it is none of a segment's. */
export function parseSegmentFileName(
  name: string,
): { baseOffset: number; kind: SegmentFileKind } | undefined {
  const match = SEGMENT_FILE.exec(name);
  if (match === null) return undefined;
  const baseOffset = Number(match[1]);
  if (!Number.isSafeInteger(baseOffset)) return undefined;
  return { baseOffset, kind: match[2] as SegmentFileKind };
}

/**
 * Checks the name of a log.
 *
 * @throws TypeError where it is no string
 * @throws RangeError where it cannot be a directory's name on every system
 */
export function checkLogName(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError(`the name of a log must be a string, not ${typeof name}`);
  if (!LOG_NAME.test(name) || name === '.' || name === '..') {
    throw new RangeError(
      `the name of a log has 1 to 200 letters, digits, dots, dashes or underscores: ${name}`,
    );
  }
  return name;
}

/** The directory of a log's partition, below `logs/`. */
export function logDirectoryName(name: string, partition: number): string {
  return `${name}-${partition}`;
}

/** The log that a directory below `logs/` holds, or undefined where it holds none. */
export function parseLogDirectoryName(directory: string): { name: string; partition: number } | undefined {
  const match = LOG_DIRECTORY.exec(directory);
  if (match === null) return undefined;
  const name = match[1] as string;
  const partition = Number(match[2]);
  // Another spelling of a partition would be another directory.
  if (!LOG_NAME.test(name) || logDirectoryName(name, partition) !== directory) return undefined;
  return { name, partition };
}

/** The base offset of the segment whose file has this name and suffix behind it, or undefined where it is none. */
export function parseSuffixedName(
  name: string,
  suffix: string,
): { baseOffset: number; kind: SegmentFileKind } | undefined {
  return name.endsWith(suffix) ? parseSegmentFileName(name.slice(0, -suffix.length)) : undefined;
}

/** Whether a file of a segment's was left behind by a rewrite that is over, one way or the other. */
export function isRewriteLeftover(name: string): boolean {
  return (
    parseSuffixedName(name, CLEANED_SUFFIX) !== undefined ||
    parseSuffixedName(name, DELETED_SUFFIX) !== undefined
  );
}
