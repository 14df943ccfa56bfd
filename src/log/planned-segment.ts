/** A segment of a log as a repair is going to leave it. */

import type { SegmentState } from './checkpoint.ts';
import type { Gap } from './gaps.ts';
import type { Contents } from './segment-survey.ts';
import type { LogSurvey } from './survey.ts';
import { mendedGaps } from './verify.ts';

export interface PlannedSegment {
  baseOffset: number;
  contents: Contents;
  isSealed: boolean;
  /** Known losses in it, or behind it. */
  gaps: Gap[];
  /** When it was begun, where that is known. */
  createdAtMs: number | undefined;
  /** What the recovery point says of it, where that is to stay; else its indexes are made again. */
  state: SegmentState | undefined;
}

const FIELDS = ['bytes', 'nextOffset', 'maxTimestamp', 'maxTimestampOffset'] as const;

/**
 * Plans a segment.
 *
 * @param contents what stays of it
 * @param added the losses that are noted now
 */
export function planSegment(
  survey: LogSurvey,
  baseOffset: number,
  contents: Contents,
  isSealed: boolean,
  added: readonly Gap[],
): PlannedSegment {
  const { checkpoint, indexProblems, judgement } = survey;
  const state = checkpoint?.segments.find((one) => one.baseOffset === baseOffset);
  const wasActive = checkpoint?.isClean === true && state === checkpoint.segments.at(-1);
  const changedGaps = [...added.filter(({ start, end }) => end > start), ...mendedGaps(survey)];
  const isSame =
    state !== undefined &&
    wasActive !== isSealed &&
    !indexProblems.has(baseOffset) &&
    FIELDS.every((field) => state[field] === contents[field]) &&
    !changedGaps.some((gap) => gap.baseOffset === baseOffset);
  return {
    baseOffset,
    contents,
    isSealed,
    gaps: [...judgement.gaps, ...added].filter(
      (gap) => gap.baseOffset === baseOffset && gap.end <= contents.bytes,
    ),
    createdAtMs: state?.createdAtMs,
    state: isSame ? state : undefined,
  };
}
