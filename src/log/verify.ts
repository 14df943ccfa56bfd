/**
 * What is wrong with a log, in words: every batch, every record, every entry of an index. Changes nothing,
 * and refuses nothing: what is found is the answer.
 *
 * @module
 */

import { joinPath } from '../vfs/vfs.ts';
import type { SegmentState } from './checkpoint.ts';
import { digestProblems } from './digest-check.ts';
import type { Gap } from './gaps.ts';
import { type Judgement, type Leftover, type Link, type Loss, offsetsText } from './judge.ts';
import { CHECKPOINT_FILE, GAPS_FILE, segmentFileName } from './names.ts';
import type { SegmentContext } from './segment.ts';
import type { Contents } from './segment-survey.ts';
import { type LogFiles, type LogSurvey, type SurveyOptions, surveyLog } from './survey.ts';

/** One thing that is wrong. */
export interface Problem {
  file: string;
  position: number;
  /** The offsets that cannot be read; none where only derived data is wrong. */
  offsets: { first: number; last: number } | undefined;
  message: string;
}

export interface LogVerifyReport {
  segments: number;
  batches: number;
  records: number;
  bytes: number;
  problems: Problem[];
  /** Records that the problems cost. */
  lostRecords: number;
  /** Losses that a repair has noted; reads step over them. */
  knownLosses: Problem[];
  /** What was being written when the writer stopped, or is being written now: opening will cut it off. */
  unfinished: Problem[];
  /** What else lies there; only where it was asked for. */
  files: LogFiles | undefined;
}

export interface VerifyOptions {
  /** Also compare digests, and the recovery point with the log, and list what else lies in the directory. */
  deep?: boolean;
}

/**
 * The problem of a loss, as far as it costs records that had not been removed.
 *
 * @param from the first offset of the log
 */
export function problemOf(loss: Loss, from: number): Problem {
  const { kind, file, position, firstOffset, lastOffset, message } = loss;
  const first = kind === 'front' ? firstOffset : Math.max(firstOffset, from);
  const offsets = lastOffset < first ? undefined : { first, last: lastOffset };
  return { file, position, offsets, message };
}

/** The problem of bytes that are no part of the log; undefined where they do not matter. */
export function problemOfLeftover({ kind, file, position, baseOffset }: Leftover): Problem | undefined {
  if (kind === 'double') {
    const message = `${file} goes on at position ${position}, where the next segment begins`;
    return { file, position, offsets: undefined, message };
  }
  if (kind !== 'overlap') return undefined;
  const message = `${file} begins at offset ${baseOffset}, which is in the segment before`;
  return { file, position, offsets: undefined, message };
}

/** The known losses that are none: their bytes are whole. */
export function mendedGaps({ notedGaps, judgement }: LogSurvey): Gap[] {
  return notedGaps.filter((gap) => {
    const link = judgement.links.find(({ survey }) => survey.baseOffset === gap.baseOffset);
    if (link === undefined || gap.end === gap.start || judgement.gaps.includes(gap)) return false;
    const isInside = gap.end <= link.contents.bytes;
    return isInside && !link.survey.holes.some(({ start, end }) => start < gap.end && end > gap.start);
  });
}

/** What is wrong with files that only save work, or say what is known. */
export function derivedProblems(survey: LogSurvey): Problem[] {
  const { directory, indexProblems } = survey;
  const problems: Problem[] = [];
  const add = (name: string, what: string): void => {
    const file = joinPath(directory, name);
    problems.push({ file, position: 0, offsets: undefined, message: `${file} ${what}` });
  };
  for (const found of indexProblems.values()) {
    for (const problem of found) problems.push({ ...problem, offsets: undefined });
  }
  if (survey.isCheckpointDamaged) add(CHECKPOINT_FILE, 'is damaged; it will be made again');
  if (survey.areGapsDamaged) add(GAPS_FILE, 'is damaged: what had been noted as lost is not known any more');
  for (const { firstOffset, lastOffset } of mendedGaps(survey)) {
    add(GAPS_FILE, `says that ${offsetsText(firstOffset, lastOffset)} are lost, which are there`);
  }
  return problems;
}

/** What the recovery point says that is not as the log has it. */
export function checkpointProblems(survey: LogSurvey): Problem[] {
  const { directory, checkpoint, unnamed, judgement } = survey;
  const file = joinPath(directory, CHECKPOINT_FILE);
  const wrong: string[] = [];
  for (const state of checkpoint?.segments ?? []) {
    const link = judgement.links.find((one) => one.survey.baseOffset === state.baseOffset);
    if (link !== undefined && isComparable(judgement, link, state))
      wrong.push(...compare(state, link.contents));
  }
  if (unnamed.length > 0 && !survey.isCheckpointDamaged) {
    const names = unnamed.map((base) => segmentFileName(base, 'log')).join(', ');
    wrong.push(checkpoint === undefined ? `is missing` : `does not name ${names}`);
  }
  return wrong.map((what) => ({ file, position: 0, offsets: undefined, message: `${file} ${what}` }));
}

/** Of a segment with damage nothing can be said, nor of one that has grown since. */
function isComparable({ losses, links }: Judgement, link: Link, state: SegmentState): boolean {
  const at = links.indexOf(link);
  if (losses.some((loss) => loss.at === at) || link.survey.unreadable !== undefined) return false;
  return link.contents.bytes <= state.bytes || link.survey.limit === state.bytes;
}

function compare(state: SegmentState, contents: Contents): string[] {
  const name = segmentFileName(state.baseOffset, 'log');
  return (['bytes', 'nextOffset', 'maxTimestamp', 'maxTimestampOffset'] as const)
    .filter((field) => state[field] !== contents[field])
    .map((field) => `says of ${name} that its ${field} is ${state[field]}; it is ${contents[field]}`);
}

/** The records that problems cost; where several name the same, they count once. */
export function countLost(problems: readonly Problem[]): number {
  let count = 0;
  let from = 0;
  const ranges = problems.flatMap(({ offsets }) => (offsets === undefined ? [] : [offsets]));
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    count += Math.max(0, last + 1 - Math.max(first, from));
    from = Math.max(from, last + 1);
  }
  return count;
}

/** Reports on a log as far as opening it would keep it. */
export function reportOn(survey: LogSurvey, { deep = false }: VerifyOptions): LogVerifyReport {
  const { judgement, files } = survey;
  const { links, losses, leftovers, gaps, firstOffset } = judgement;
  const damage = losses.filter(({ isTorn }) => !isTorn).map((loss) => problemOf(loss, firstOffset));
  const misplaced = leftovers.flatMap((leftover) => problemOfLeftover(leftover) ?? []);
  const problems = [...damage, ...misplaced, ...derivedProblems(survey)];
  if (deep) problems.push(...checkpointProblems(survey));
  const torn = losses.find(({ isTorn }) => isTorn);
  const report: LogVerifyReport = {
    segments: 0,
    batches: 0,
    records: 0,
    bytes: 0,
    problems,
    lostRecords: countLost(problems),
    knownLosses: gaps
      .filter(({ lastOffset }) => lastOffset >= firstOffset)
      .map((gap) => knownLoss(survey, gap)),
    unfinished: torn === undefined ? [] : [unfinished(torn)],
    files: deep ? files : undefined,
  };
  for (const [i, { survey: segment, contents }] of links.entries()) {
    if (torn !== undefined && i > torn.at) break;
    const hole = i === torn?.at ? segment.holes.find(({ start }) => start === torn.position) : undefined;
    const kept = hole?.before ?? contents;
    report.segments++;
    report.batches += kept.batches;
    report.records += kept.records;
    report.bytes += kept.bytes;
  }
  return report;
}

function knownLoss(survey: LogSurvey, { baseOffset, start, firstOffset, lastOffset }: Gap): Problem {
  const file = joinPath(survey.directory, segmentFileName(baseOffset, 'log'));
  const lost = offsetsText(firstOffset, lastOffset);
  const message = `${file}: ${lost} at position ${start} are known to be lost`;
  return { file, position: start, offsets: { first: firstOffset, last: lastOffset }, message };
}

/** What is said of a write that was not finished. */
export function unfinished({ file, position, end }: Loss): Problem {
  const what = end > position ? `${end - position} bytes at position ${position}` : 'what comes next';
  const message = `${file}: ${what} are not a finished write; opening will cut them off`;
  return { file, position, offsets: undefined, message };
}

/**
 * Verifies a log.
 *
 * @throws VarveError `VERSION` where a newer build has written there; `IO`, `NO_MEMORY`
 */
export async function verifyLog(
  context: SegmentContext,
  options: VerifyOptions & SurveyOptions,
): Promise<LogVerifyReport> {
  const survey = await surveyLog(context, options);
  const report = reportOn(survey, options);
  const found = options.deep === true ? await digestProblems(context, survey) : [];
  for (const problem of found) report.problems.push({ ...problem, position: 0, offsets: undefined });
  return report;
}
