/**
 * Compares sealed segments with their digests, for a deep verification.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { joinPath } from '../vfs/vfs.ts';
import { DIGEST_WORK_BYTES, digestFile } from './digest.ts';
import { readDigest } from './digests.ts';
import { segmentFileName } from './names.ts';
import type { SegmentContext } from './segment.ts';
import type { LogSurvey } from './survey.ts';

/** A file that is not what it should be. */
export interface DigestProblem {
  file: string;
  message: string;
}

/**
 * What digests say is wrong.
 *
 * @param survey of the same log
 */
export async function digestProblems(context: SegmentContext, survey: LogSurvey): Promise<DigestProblem[]> {
  const { segments = [], isClean = false } = survey.checkpoint ?? {};
  const problems: DigestProblem[] = [];
  // The digest of what is active was left behind by a crash: it goes when the log is opened.
  const sealed = isClean ? segments.slice(0, -1) : segments;
  for (const { baseOffset, bytes } of sealed) {
    const what = await problemOf(context, baseOffset, bytes);
    if (what === undefined) continue;
    const file = joinPath(context.directory, segmentFileName(baseOffset, what.kind));
    problems.push({ file, message: `${file} ${what.message}` });
  }
  return problems;
}

async function problemOf(
  context: SegmentContext,
  baseOffset: number,
  bytes: number,
): Promise<{ kind: 'log' | 'digest'; message: string } | undefined> {
  const { memory, vfs, directory } = context;
  const noted = await readDigest(context, baseOffset);
  if (noted === undefined) return undefined;
  if (noted === 'damaged') return { kind: 'digest', message: 'is damaged; it will be made again' };
  if (noted.bytes !== bytes) {
    return { kind: 'digest', message: `is of ${noted.bytes} bytes, not of ${bytes}; it will be made again` };
  }
  const slab = memory.slabs.allocate(DIGEST_WORK_BYTES, 'digest');
  try {
    const path = joinPath(directory, segmentFileName(baseOffset, 'log'));
    const { algorithm } = noted;
    const found = await digestFile({ memory, work: slab.address, vfs }, { path, bytes, algorithm });
    if (found !== undefined && Buffer.compare(found, noted.digest) === 0) return undefined;
    return { kind: 'log', message: `is not what it was when it was sealed (${algorithm})` };
  } catch (error) {
    // What is missing or cannot be read is told by who looks at the segment itself.
    if (isVarveError(error, 'NOT_FOUND') || isVarveError(error, 'IO')) return undefined;
    throw error;
  } finally {
    slab.release();
  }
}
