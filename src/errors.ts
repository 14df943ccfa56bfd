/**
 * Three kinds of failure, three forms:
 *
 * - a caller's mistake is a `TypeError` (wrong type) or `RangeError` (wrong value), thrown before
 *   anything happens;
 * - a failing world is a {@link VarveError} with a `code`;
 * - a bug in varve is an `AssertionError` (see assert.ts).
 *
 * @module
 */

import { constants } from 'node:os';

/**
 * What went wrong, as documented API: a code is never renamed, and new ones are only added.
 *
 * - `LOCKED`: another handle, here or in another process, has the directory (`pid` says which).
 * - `CORRUPT`: bytes on disk are not what was written (`file`, `position`, `offsets`).
 * - `NO_SPACE`: the disk, the quota or the file-size limit is exhausted.
 * - `READ_ONLY`: the file system or the handle does not take writes.
 * - `IO`: any other failure of the operating system; the `cause` has its code.
 * - `POISONED`: an earlier `fdatasync` failed; nothing more is accepted until the log is reopened.
 * - `CLOSED`: the handle was closed.
 * - `BACKPRESSURE`: the memory for writes is full; await `ready()` and try again.
 * - `NO_MEMORY`: the memory budget cannot hold what was asked for.
 * - `OUT_OF_RANGE`: the offset is below the first or above the last record.
 * - `NOT_FOUND`: there is no such database or log.
 * - `EXISTS`: there is something already, which would be overwritten.
 * - `VERSION`: the directory was written by a newer format.
 * - `UNSUPPORTED`: valid, but not something this build can read or take.
 */
export type ErrorCode =
  | 'LOCKED'
  | 'CORRUPT'
  | 'NO_SPACE'
  | 'READ_ONLY'
  | 'IO'
  | 'POISONED'
  | 'CLOSED'
  | 'BACKPRESSURE'
  | 'NO_MEMORY'
  | 'OUT_OF_RANGE'
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'VERSION'
  | 'UNSUPPORTED';

/** Where a failure happened; every field is optional. */
export interface ErrorDetails {
  /** The file or directory concerned. */
  file?: string;
  /** A byte position in `file`. */
  position?: number;
  /** The first and the last offset concerned, both inclusive. */
  offsets?: { first: number; last: number };
  /** The process that holds a lock. */
  pid?: number;
  /** The error underneath. */
  cause?: unknown;
}

/** A failure of the world around varve; see {@link ErrorCode}. */
export class VarveError extends Error {
  override readonly name = 'VarveError';
  readonly code: ErrorCode;
  readonly file: string | undefined;
  readonly position: number | undefined;
  readonly offsets: { first: number; last: number } | undefined;
  readonly pid: number | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.file = details.file;
    this.position = details.position;
    this.offsets = details.offsets;
    this.pid = details.pid;
  }
}

/**
 * Tells whether `error` is a {@link VarveError}, of one code if one is given.
 *
 * @param error anything that was caught
 * @param code the code to look for
 */
export function isVarveError(error: unknown, code?: ErrorCode): error is VarveError {
  return error instanceof VarveError && (code === undefined || error.code === code);
}

const NO_SPACE_CODES = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
const READ_ONLY_CODES = new Set(['EROFS', 'EACCES', 'EPERM']);

/** The codes that Node has no name for: it says `UNKNOWN` and -122, for one, where a quota is used up. */
function nameOf(errno: number): string | undefined {
  return Object.entries(constants.errno).find(([, number]) => number === -errno)?.[0];
}

/** The operating system's own code of an error (`ENOSPC`, ...), or undefined. */
export function systemCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  if (typeof error.code !== 'string') return undefined;
  const isUnknown = error.code === 'UNKNOWN' || error.code.startsWith('Unknown system error');
  if (!isUnknown || !('errno' in error) || typeof error.errno !== 'number') return error.code;
  return nameOf(error.errno) ?? error.code;
}

/**
 * Turns what a system call threw into a {@link VarveError}; one that is one already is returned as it is.
 *
 * @param error what was caught
 * @param action what was being done, in the infinitive: `write`, `sync the directory`
 * @param file the file it was done to
 */
export function fromSystem(error: unknown, action: string, file: string): VarveError {
  if (error instanceof VarveError) return error;
  const code = systemCode(error);
  const reason = code ?? (error instanceof Error ? error.message : String(error));
  const details = { file, cause: error };
  const message = `cannot ${action} ${file}: ${reason}`;
  if (code !== undefined && NO_SPACE_CODES.has(code)) return new VarveError('NO_SPACE', message, details);
  if (code !== undefined && READ_ONLY_CODES.has(code)) return new VarveError('READ_ONLY', message, details);
  if (code === 'ENOENT') return new VarveError('NOT_FOUND', message, details);
  return new VarveError('IO', message, details);
}
