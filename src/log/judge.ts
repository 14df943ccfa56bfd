/**
 * Says what the surveys of a log's segments mean: which segments follow one another, what is lost, what was
 * never finished, and what merely lies about. It is the same question that recovery answers when a log is
 * opened, asked of everything at once; it is pure.
 *
 * @module
 */

import { joinPath } from '../vfs/vfs.ts';
import type { Checkpoint, SegmentState } from './checkpoint.ts';
import { findGapBehind, type Gap } from './gaps.ts';
import { segmentFileName } from './names.ts';
import type { Contents, SegmentSurvey } from './segment-survey.ts';

/** How far something else knows a segment to reach. */
export interface Known {
  bytes: number;
  nextOffset: number;
}

export interface Evidence {
  directory: string;
  checkpoint: Checkpoint | undefined;
  gaps: readonly Gap[];
  /** By base offset. */
  surveys: readonly SegmentSurvey[];
  /** What an open handle knows of segments, by base offset. */
  known: ReadonlyMap<number, Known>;
}

/** A segment that belongs to the log, and what of it does. */
export interface Link {
  survey: SegmentSurvey;
  contents: Contents;
}

export interface Loss {
  /** `hole`: whole batches follow in the same file; `end`: none do; `front`: before the first segment. */
  kind: 'hole' | 'end' | 'front';
  /** Index of the link that it lies in, or behind. */
  at: number;
  /** The file that is damaged, or missing. */
  file: string;
  position: number;
  /** The byte behind what is damaged. */
  end: number;
  firstOffset: number;
  /** Below `firstOffset` where nothing is known to be lost. */
  lastOffset: number;
  /** It was never synced: a write that was not finished. */
  isTorn: boolean;
  message: string;
}

/** Bytes that are no part of the log, and no loss. */
export interface Leftover {
  /**
   * - `zeros`: space made ahead of its use
   * - `write`: what a failed write left behind a segment that is complete
   * - `double`: batches behind the offset that the next segment begins with
   * - `blank`: a segment that nothing was written to, within another one
   * - `overlap`: a segment that begins within another one
   */
  kind: 'zeros' | 'write' | 'double' | 'blank' | 'overlap';
  baseOffset: number;
  file: string;
  position: number;
  bytes: number;
}

export interface Judgement {
  links: Link[];
  /** In the order of their offsets; known ones are not among them. */
  losses: Loss[];
  leftovers: Leftover[];
  /** The known losses that are there. */
  gaps: Gap[];
  /** The first offset that can be read. */
  firstOffset: number;
  /** The offset behind the last that is there or known to be lost. */
  endOffset: number;
}

/** Offsets in words. */
export function offsetsText(first: number, last: number): string {
  return last < first ? 'no offset' : `offsets ${first} to ${last}`;
}

class Judge {
  readonly #evidence: Evidence;
  readonly #links: Link[] = [];
  readonly #losses: Loss[] = [];
  readonly #leftovers: Leftover[] = [];
  readonly #gaps: Gap[] = [];
  readonly #states: Map<number, SegmentState>;
  /** Base offset of the last segment that the checkpoint names: all before it had been synced. */
  readonly #lastNamed: number;

  constructor(evidence: Evidence) {
    this.#evidence = evidence;
    const states = evidence.checkpoint?.segments ?? [];
    this.#states = new Map(states.map((state) => [state.baseOffset, state]));
    this.#lastNamed = states.at(-1)?.baseOffset ?? -1;
  }

  run(): Judgement {
    for (const survey of this.#evidence.surveys) this.#link(survey);
    const first = this.#links[0]?.survey.baseOffset;
    const asked = this.#evidence.checkpoint?.firstOffset ?? first ?? 0;
    this.#judgeFront(asked, first);
    for (const [i, link] of this.#links.entries()) {
      this.#judgeHoles(i, link);
      this.#judgeEnd(i, link);
    }
    const end = this.#links.at(-1)?.contents.nextOffset ?? asked;
    return {
      links: this.#links,
      losses: this.#losses,
      leftovers: this.#leftovers,
      gaps: this.#gaps,
      firstOffset: Math.max(first ?? 0, Math.min(asked, end)),
      endOffset: this.#losses.reduce((most, { lastOffset }) => Math.max(most, lastOffset + 1), end),
    };
  }

  /** Takes a segment into the chain, if it belongs there. */
  #link(survey: SegmentSurvey): void {
    const { baseOffset, path: file, fileBytes } = survey;
    const last = this.#links.at(-1);
    if (last !== undefined && baseOffset < last.contents.nextOffset) {
      const isBlank = survey.batches === 0 && (fileBytes === 0 || survey.hasZeroTail);
      // The writer went on there because what is behind in this one was not to be.
      const before = survey.batches === 0 ? undefined : last.survey.atBase.get(baseOffset);
      if (before === undefined) {
        const kind = isBlank ? 'blank' : 'overlap';
        this.#leftovers.push({ kind, baseOffset, file, position: 0, bytes: fileBytes });
        return;
      }
      last.contents = before;
    }
    this.#links.push({ survey, contents: survey });
  }

  /** What is missing before the first segment. */
  #judgeFront(asked: number, first: number | undefined): void {
    const missing = this.#missing(-1, first ?? Infinity);
    const lastOffset = (first ?? missing.at(-1)?.nextOffset ?? asked) - 1;
    if (lastOffset < asked) return;
    this.#losses.push({
      ...this.#missingFile(missing[0]?.baseOffset ?? asked, asked, lastOffset),
      kind: 'front',
      at: -1,
      isTorn: false,
    });
  }

  #judgeHoles(at: number, { survey, contents }: Link): void {
    const known = this.#knownOf(survey.baseOffset);
    for (const gap of survey.gaps) if (gap.end <= contents.bytes) this.#gaps.push(gap);
    for (const { start, end, firstOffset, lastOffset, syncedBehind } of survey.holes) {
      if (start >= contents.bytes) break;
      const isTorn = start >= known.bytes && syncedBehind <= start && !this.#wasSynced(at);
      this.#losses.push({
        ...damage(survey.path, start, firstOffset, lastOffset),
        kind: 'hole',
        at,
        end,
        isTorn,
      });
    }
  }

  #judgeEnd(at: number, link: Link): void {
    const { survey, contents } = link;
    const { baseOffset, fileBytes, hasZeroTail, unreadable, path } = survey;
    const { bytes, nextOffset } = contents;
    const next = this.#links[at + 1]?.survey.baseOffset;
    const gap =
      next === undefined ? undefined : findGapBehind(this.#evidence.gaps, baseOffset, nextOffset, next);
    const isKnown = gap?.start === bytes;
    if (isKnown) this.#gaps.push(gap);
    const known = this.#knownOf(baseOffset);
    const isShort = bytes < known.bytes;
    const missing = this.#missing(nextOffset, next ?? Infinity);
    const least = Math.max(missing.at(-1)?.nextOffset ?? 0, isShort ? known.nextOffset : 0, nextOffset);
    const end = isKnown ? nextOffset : (next ?? least);
    const isSealed = this.#isSealed(baseOffset);
    const isDamage =
      isShort || unreadable !== undefined || missing.length > 0 || isSealed || this.#wasSynced(at);
    // Whether the file has all that it ever had; then what lies behind is no part of it.
    const isWhole = next === nextOffset || isKnown || (isSealed && !isShort && unreadable === undefined);
    const hasTail = fileBytes > bytes && !isWhole && !(hasZeroTail && !isDamage);
    if (!hasTail) this.#leave(link);
    if (!hasTail && end === nextOffset) return;
    const loss = { kind: 'end', at, isTorn: !isDamage } as const;
    const lost = `${offsetsText(nextOffset, end - 1)} cannot be read`;
    if (hasTail) {
      const found = damage(path, bytes, nextOffset, end - 1);
      const message =
        unreadable === undefined ? found.message : `${unreadable.message}, at position ${bytes}; ${lost}`;
      this.#losses.push({ ...loss, ...found, end: fileBytes, message });
    } else if (isShort) {
      const message = `${path} ends at position ${bytes} and not at ${known.bytes}; ${lost}`;
      this.#losses.push({ ...loss, ...damage(path, bytes, nextOffset, end - 1), end: bytes, message });
    } else {
      const file = this.#missingFile(missing[0]?.baseOffset ?? nextOffset, nextOffset, end - 1);
      this.#losses.push({ ...loss, ...file });
    }
  }

  /** Notes what lies behind a segment that is complete. */
  #leave({ survey, contents }: Link): void {
    const { baseOffset, path: file, fileBytes, hasZeroTail } = survey;
    if (fileBytes === contents.bytes) return;
    const kind = contents.bytes < survey.bytes ? 'double' : hasZeroTail ? 'zeros' : 'write';
    const bytes = fileBytes - contents.bytes;
    this.#leftovers.push({ kind, baseOffset, file, position: contents.bytes, bytes });
  }

  #knownOf(baseOffset: number): Known {
    const state = this.#states.get(baseOffset);
    const known = this.#evidence.known.get(baseOffset);
    return {
      bytes: Math.max(state?.bytes ?? 0, known?.bytes ?? 0),
      nextOffset: Math.max(state?.nextOffset ?? 0, known?.nextOffset ?? 0),
    };
  }

  /** Whether something behind a segment says that it had been synced to its end. */
  #wasSynced(at: number): boolean {
    const link = this.#links[at] as Link;
    if (link.survey.baseOffset < this.#lastNamed) return true;
    return this.#links.slice(at + 1).some(({ survey }) => survey.syncedPosition > 0);
  }

  /** Whether the checkpoint says that a segment was sealed; not so of the one that was active at a clean close. */
  #isSealed(baseOffset: number): boolean {
    const { segments = [], isClean = false } = this.#evidence.checkpoint ?? {};
    return (isClean ? segments.slice(0, -1) : segments).some((state) => state.baseOffset === baseOffset);
  }

  /** The segments with records that the checkpoint names, from an offset on, and that are not there. */
  #missing(from: number, to: number): SegmentState[] {
    const { surveys, checkpoint } = this.#evidence;
    const there = new Set(surveys.map(({ baseOffset }) => baseOffset));
    return (checkpoint?.segments ?? []).filter(
      ({ baseOffset, nextOffset }) =>
        baseOffset >= from &&
        baseOffset < to &&
        nextOffset > Math.max(baseOffset, checkpoint?.firstOffset ?? 0) &&
        !there.has(baseOffset),
    );
  }

  #missingFile(
    baseOffset: number,
    firstOffset: number,
    lastOffset: number,
  ): Omit<Loss, 'kind' | 'at' | 'isTorn'> {
    const file = joinPath(this.#evidence.directory, segmentFileName(baseOffset, 'log'));
    const message = `${file} is missing; ${offsetsText(firstOffset, lastOffset)} cannot be read`;
    return { file, position: 0, end: 0, firstOffset, lastOffset, message };
  }
}

function damage(
  file: string,
  position: number,
  firstOffset: number,
  lastOffset: number,
): Pick<Loss, 'file' | 'position' | 'firstOffset' | 'lastOffset' | 'message'> {
  const message = `${file} is damaged at position ${position}; ${offsetsText(firstOffset, lastOffset)} cannot be read`;
  return { file, position, firstOffset, lastOffset, message };
}

/** Judges what was found of a log. */
export function judge(evidence: Evidence): Judgement {
  return new Judge(evidence).run();
}
