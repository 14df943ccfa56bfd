/**
 * Decides what a repair does to a log: a pure function of what the survey found and the mode. `repair.ts`
 * carries it out, or, in a dry run, nobody does: the report is the same.
 *
 * - `pointInTime`: the log ends before the first damage; what lies behind goes to quarantine.
 * - `skipAnyCorrupted`: all that is whole stays where it is. What is lost is noted in the `gaps` file, and
 *   no offset is given out again. Only a tail that holds nothing whole goes to quarantine.
 *
 * What is lost before the first segment moves the beginning of the log in both modes.
 *
 * @module
 */

import { joinPath } from '../vfs/vfs.ts';
import type { Gap } from './gaps.ts';
import type { Leftover, Link, Loss } from './judge.ts';
import { CHECKPOINT_FILE, GAPS_FILE, segmentFileName } from './names.ts';
import { type PlannedSegment, planSegment } from './planned-segment.ts';
import { Quarantine } from './quarantine-names.ts';
import { countRanges, type OffsetRange, subtractRanges } from './ranges.ts';
import type { RepairAction, RepairMode } from './repair-report.ts';
import type { Contents } from './segment-survey.ts';
import type { LogSurvey } from './survey.ts';
import { checkpointProblems, derivedProblems, mendedGaps } from './verify.ts';

/** Bytes that leave a segment. */
export interface Cut {
  file: string;
  position: number;
  end: number;
  /** Where they are kept; undefined where they are zeros. */
  to: string | undefined;
}

export interface RepairPlan {
  actions: RepairAction[];
  /** Offsets that cannot be read any more once it is done. */
  lost: OffsetRange[];
  lostRecords: number;
  firstOffset: number;
  nextOffset: number;
  cuts: Cut[];
  moves: { from: string; to: string }[];
  removals: string[];
  /** What the `gaps` file is to hold, if it is to be written. */
  gaps: Gap[] | undefined;
  /** Base offset of an empty segment that is to be made. */
  create: number | undefined;
  /** What the recovery point is to say, if it is to be written. */
  segments: PlannedSegment[] | undefined;
}

class Planner {
  readonly #survey: LogSurvey;
  readonly #mode: RepairMode;
  readonly #quarantine: Quarantine;
  readonly #plan: RepairPlan;
  readonly #added: Gap[] = [];
  /** The links that stay, with what stays of each. */
  #kept: { link: Link; contents: Contents }[];
  #hasChanged = false;

  constructor(survey: LogSurvey, mode: RepairMode) {
    const { judgement, files, directory } = survey;
    this.#survey = survey;
    this.#mode = mode;
    this.#quarantine = new Quarantine(directory, files.quarantine);
    this.#kept = judgement.links.map((link) => ({ link, contents: link.contents }));
    this.#plan = {
      actions: [],
      lost: [],
      lostRecords: 0,
      firstOffset: judgement.firstOffset,
      nextOffset: judgement.links.at(-1)?.contents.nextOffset ?? judgement.firstOffset,
      cuts: [],
      moves: [],
      removals: [],
      gaps: undefined,
      create: undefined,
      segments: undefined,
    };
  }

  run(): RepairPlan {
    const { judgement } = this.#survey;
    const end =
      this.#mode === 'pointInTime' ? judgement.losses.find((loss) => this.#endsLog(loss)) : undefined;
    for (const loss of judgement.losses) {
      if (loss === end) break;
      this.#keepAround(loss);
    }
    if (end !== undefined) this.#endBefore(end);
    for (const leftover of judgement.leftovers) this.#clear(leftover);
    this.#clearFiles();
    this.#planGaps();
    this.#planCheckpoint();
    this.#countLost(end);
    return this.#plan;
  }

  /** Whether nothing behind a loss can stay. What had been removed before costs nothing. */
  #endsLog({ kind, firstOffset, lastOffset }: Loss): boolean {
    const costsNothing = lastOffset >= firstOffset && lastOffset < this.#survey.judgement.firstOffset;
    return kind !== 'front' && !costsNothing;
  }

  /** Takes out what is damaged, and notes what is lost by it, so that the rest can stay. */
  #keepAround(loss: Loss): void {
    const { at, kind, position, end, firstOffset, lastOffset } = loss;
    const isLast = at === this.#kept.length - 1;
    this.#hasChanged = true;
    if (kind === 'front') {
      if (isLast && this.#mode === 'skipAnyCorrupted') this.#create(lastOffset + 1);
      return;
    }
    const { survey, contents } = (this.#kept[at] as { link: Link; contents: Contents }).link;
    const { baseOffset } = survey;
    if (kind === 'hole') {
      this.#note({ baseOffset, start: position, end, firstOffset, lastOffset });
      return;
    }
    if (end > position) this.#cut(survey.path, position, end, survey.hasZeroTail);
    if (lastOffset < firstOffset) return;
    this.#note({ baseOffset, start: contents.bytes, end: contents.bytes, firstOffset, lastOffset });
    if (isLast) this.#create(lastOffset + 1);
  }

  /** Makes an empty segment, so that no offset is given out twice. */
  #create(baseOffset: number): void {
    const file = joinPath(this.#survey.directory, segmentFileName(baseOffset, 'log'));
    this.#plan.create = baseOffset;
    this.#plan.nextOffset = baseOffset;
    if (this.#kept.length === 0) this.#plan.firstOffset = baseOffset;
    this.#act({ kind: 'created', file });
  }

  #note(gap: Gap): void {
    const { baseOffset, start, end, firstOffset, lastOffset } = gap;
    const file = joinPath(this.#survey.directory, segmentFileName(baseOffset, 'log'));
    this.#added.push(gap);
    const offsets = { first: firstOffset, last: lastOffset };
    this.#act({ kind: 'noted', file, position: start, bytes: end - start, offsets });
  }

  /** Ends the log before a loss: all that lies behind is taken out. */
  #endBefore(loss: Loss): void {
    const { at, kind, position } = loss;
    const { link } = this.#kept[at] as { link: Link };
    const { survey } = link;
    const hole = kind === 'hole' ? survey.holes.find(({ start }) => start === position) : undefined;
    const contents = hole?.before ?? link.contents;
    const isBlank = contents.bytes === survey.bytes && survey.hasZeroTail;
    if (survey.fileBytes > contents.bytes) this.#cut(survey.path, contents.bytes, survey.fileBytes, isBlank);
    for (const { link: behind } of this.#kept.slice(at + 1)) {
      this.#takeOut(behind.survey.baseOffset, behind.survey.fileBytes);
    }
    this.#kept = [...this.#kept.slice(0, at), { link, contents }];
    this.#plan.nextOffset = contents.nextOffset;
    this.#plan.firstOffset = Math.min(this.#plan.firstOffset, contents.nextOffset);
    this.#hasChanged = true;
  }

  #cut(file: string, position: number, end: number, isZero: boolean): void {
    const to = isZero ? undefined : this.#quarantine.nameFor(file, position);
    this.#plan.cuts.push({ file, position, end, to });
    this.#act({ kind: 'cutOff', file, position, bytes: end - position, to });
    this.#hasChanged = true;
  }

  /** Takes a whole segment out. */
  #takeOut(baseOffset: number, bytes: number): void {
    const { directory } = this.#survey;
    const file = joinPath(directory, segmentFileName(baseOffset, 'log'));
    for (const kind of ['index', 'timeindex', 'digest'] as const) {
      this.#plan.removals.push(joinPath(directory, segmentFileName(baseOffset, kind)));
    }
    if (bytes === 0) this.#remove(file, 0);
    else this.#setAside(file, bytes, 0);
    this.#hasChanged = true;
  }

  /** @param position the part of the name in quarantine that says where it was */
  #setAside(file: string, bytes?: number, position?: number): void {
    const to = this.#quarantine.nameFor(file, position);
    this.#plan.moves.push({ from: file, to });
    this.#act({ kind: 'setAside', file, bytes, to });
  }

  #remove(file: string, bytes: number): void {
    this.#plan.removals.push(file);
    this.#act({ kind: 'removed', file, bytes });
  }

  #clear({ kind, baseOffset, file, position, bytes }: Leftover): void {
    if (kind === 'zeros') return;
    if (kind === 'blank' || kind === 'overlap') {
      this.#takeOut(baseOffset, bytes);
      return;
    }
    const isKept = this.#kept.some(({ link }) => link.survey.baseOffset === baseOffset);
    const isCut = this.#plan.cuts.some((cut) => cut.file === file);
    if (isKept && !isCut) this.#cut(file, position, position + bytes, false);
  }

  /** What lies about: temporary files, indexes of no segment, segments that retention had removed. */
  #clearFiles(): void {
    const { files, expired, directory, isCheckpointDamaged, areGapsDamaged } = this.#survey;
    for (const { file, bytes } of files.temporaries) this.#remove(file, bytes);
    for (const { file, bytes } of files.orphans) {
      if (bytes > 0) this.#setAside(file, bytes);
      else this.#remove(file, 0);
    }
    for (const base of expired) {
      for (const kind of ['index', 'timeindex', 'digest', 'log'] as const) {
        this.#plan.removals.push(joinPath(directory, segmentFileName(base, kind)));
      }
      this.#act({ kind: 'removed', file: joinPath(directory, segmentFileName(base, 'log')) });
    }
    // They are no more than marks in the sand, but who wants to know what happened may want to see them.
    if (isCheckpointDamaged) this.#setAside(joinPath(directory, CHECKPOINT_FILE));
    if (areGapsDamaged) this.#setAside(joinPath(directory, GAPS_FILE));
  }

  #planGaps(): void {
    const { notedGaps, judgement, directory } = this.#survey;
    const gaps = [...judgement.gaps.filter((gap) => this.#isKept(gap)), ...this.#added];
    const hasStale =
      mendedGaps(this.#survey).length > 0 || (this.#hasChanged && gaps.length < notedGaps.length);
    if (this.#added.length === 0 && !hasStale) return;
    gaps.sort((a, b) => a.firstOffset - b.firstOffset);
    this.#plan.gaps = gaps;
    this.#act({ kind: 'rebuilt', file: joinPath(directory, GAPS_FILE) });
  }

  #isKept({ baseOffset, end, firstOffset }: Gap): boolean {
    const kept = this.#kept.find(({ link }) => link.survey.baseOffset === baseOffset);
    return kept !== undefined && end <= kept.contents.bytes && firstOffset < this.#plan.nextOffset;
  }

  #planCheckpoint(): void {
    const { directory, judgement } = this.#survey;
    const isWrong = derivedProblems(this.#survey).length + checkpointProblems(this.#survey).length > 0;
    if (!this.#hasChanged && !isWrong) return;
    const last = this.#plan.create === undefined ? this.#kept.length - 1 : this.#kept.length;
    const segments = this.#kept.map(({ link, contents }, i) =>
      planSegment(this.#survey, link.survey.baseOffset, contents, i < last, this.#added),
    );
    for (const { baseOffset, state } of segments) {
      if (state !== undefined) continue;
      // It is of bytes that are no more, or is in doubt: another one is made when the log is open.
      this.#plan.removals.push(joinPath(directory, segmentFileName(baseOffset, 'digest')));
      this.#act({ kind: 'rebuilt', file: joinPath(directory, segmentFileName(baseOffset, 'index')) });
      this.#act({ kind: 'rebuilt', file: joinPath(directory, segmentFileName(baseOffset, 'timeindex')) });
    }
    for (const { kind, file, position, bytes } of judgement.leftovers) {
      const isThere = this.#kept.some(({ link }) => link.survey.path === file);
      const isCut = this.#plan.cuts.some((cut) => cut.file === file);
      if (kind === 'zeros' && isThere && !isCut) this.#cut(file, position, position + bytes, true);
    }
    this.#plan.segments = segments;
    this.#act({ kind: 'rebuilt', file: joinPath(directory, CHECKPOINT_FILE) });
  }

  #countLost(end: Loss | undefined): void {
    const { judgement } = this.#survey;
    const lost = judgement.losses
      .filter((loss) => end === undefined || loss.firstOffset < end.firstOffset)
      .map(({ firstOffset, lastOffset }) => ({ first: firstOffset, last: lastOffset }));
    if (end !== undefined) lost.push({ first: end.firstOffset, last: judgement.endOffset - 1 });
    const gone = [
      { first: 0, last: judgement.firstOffset - 1 },
      ...judgement.gaps.map(({ firstOffset, lastOffset }) => ({ first: firstOffset, last: lastOffset })),
    ];
    // A loss before the first segment is one, although the log begins behind it now.
    const front = judgement.losses.filter(({ kind }) => kind === 'front');
    this.#plan.lost = subtractRanges(lost, front.length > 0 ? gone.slice(1) : gone);
    this.#plan.lostRecords = countRanges(this.#plan.lost);
  }

  #act(action: Partial<RepairAction> & Pick<RepairAction, 'kind' | 'file'>): void {
    this.#plan.actions.push({
      position: undefined,
      bytes: undefined,
      to: undefined,
      offsets: undefined,
      ...action,
    });
  }
}

/** Plans the repair of a log. Where nothing is wrong, there is nothing to do. */
export function planRepair(survey: LogSurvey, mode: RepairMode): RepairPlan {
  return new Planner(survey, mode).run();
}
