/**
 * Looks at everything in a log's directory, and changes nothing: its files, what the recovery point and the
 * known losses say, and every byte of its segments. It needs no handle and no lock, so it can be made of a
 * log that cannot be opened, and beside the process that writes to it.
 *
 * @module
 */

import { isVarveError, VarveError } from '../errors.ts';
import { joinPath, type Vfs } from '../vfs/vfs.ts';
import { type Checkpoint, decodeCheckpoint } from './checkpoint.ts';
import { decodeGaps, type Gap } from './gaps.ts';
import { IndexCheck, type IndexProblem } from './index-check.ts';
import { type Judgement, judge, type Known } from './judge.ts';
import {
  CHECKPOINT_FILE,
  CHECKPOINT_TEMPORARY_FILE,
  CLEANER_FILE,
  CLEANER_TEMPORARY_FILE,
  DIGEST_TEMPORARY_FILE,
  GAPS_FILE,
  GAPS_TEMPORARY_FILE,
  isRewriteLeftover,
  parseSegmentFileName,
  parseSuffixedName,
  QUARANTINE_DIRECTORY,
  SPARE_FILE,
  SWAP_SUFFIX,
  segmentFileName,
} from './names.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { isZero } from './segment-scan.ts';
import { type SegmentSurvey, surveySegment } from './segment-survey.ts';
import { settleSwaps } from './swap.ts';
import { readWhole } from './whole-file.ts';

const TEMPORARY_FILES = [
  CHECKPOINT_TEMPORARY_FILE,
  GAPS_TEMPORARY_FILE,
  CLEANER_TEMPORARY_FILE,
  DIGEST_TEMPORARY_FILE,
  SPARE_FILE,
];
const OWN_FILES = [CHECKPOINT_FILE, GAPS_FILE, CLEANER_FILE];
/** How often a log is looked at that changes meanwhile. A look ends early where a segment has been removed. */
const LOOKS_MAX = 20;

/** A file and its length. */
export interface SizedFile {
  file: string;
  bytes: number;
}

/** What is in a log's directory beside its segments. */
export interface LogFiles {
  /** What is written before it is renamed, left behind. */
  temporaries: SizedFile[];
  /** Indexes and digests of segments that are not there. */
  orphans: SizedFile[];
  /** What no version of varve has put there. */
  strangers: string[];
  /** What recovery and repairs have taken out of the log. */
  quarantine: SizedFile[];
}

export interface LogSurvey {
  directory: string;
  files: LogFiles;
  /** Undefined where there is none, or a damaged one. */
  checkpoint: Checkpoint | undefined;
  isCheckpointDamaged: boolean;
  /** What is noted of known losses, true or not. */
  notedGaps: Gap[];
  areGapsDamaged: boolean;
  /** Why the recovery point or the known losses could not be read, where the disk would not. */
  unreadable: VarveError | undefined;
  /** Base offsets of segments that retention had removed but for their files. */
  expired: number[];
  /** What is wrong with index files, by base offset. */
  indexProblems: Map<number, IndexProblem[]>;
  /** Base offsets of sealed segments that the recovery point should name, and does not. */
  unnamed: number[];
  judgement: Judgement;
}

export interface SurveyOptions {
  /** What an open handle knows of the segments. */
  known?: ReadonlyMap<number, Known>;
  /** Called before each segment; what it throws ends the survey. */
  check?: () => void;
}

class Survey {
  readonly #context: SegmentContext;
  readonly #options: SurveyOptions;
  readonly #files: LogFiles = { temporaries: [], orphans: [], strangers: [], quarantine: [] };
  readonly #indexProblems = new Map<number, IndexProblem[]>();
  #checkpoint: Checkpoint | undefined;
  #gaps: Gap[] | undefined;
  #unreadable: VarveError | undefined;
  /** Paths of segments that have not got their own names. */
  #paths: ReadonlyMap<number, string> = new Map();
  /** Where it may be that nothing is said of segments. */
  #ranges: readonly { from: number; to: number }[] = [];

  constructor(context: SegmentContext, options: SurveyOptions) {
    this.#context = context;
    this.#options = options;
  }

  async run(point: Small): Promise<LogSurvey> {
    const { memory, vfs, directory } = this.#context;
    this.#checkpoint = point.bytes === undefined ? undefined : decodeCheckpoint(memory, point.bytes);
    const gaps = await readSmall(vfs, joinPath(directory, GAPS_FILE));
    this.#gaps = gaps.bytes === undefined ? [] : decodeGaps(memory, gaps.bytes);
    this.#unreadable = point.unreadable ?? gaps.unreadable;
    await this.#list();
    const settled = await settleSwaps(this.#context, true, this.#checkpoint);
    const { bases } = settled;
    this.#checkpoint = settled.checkpoint;
    this.#paths = settled.paths;
    this.#ranges = settled.ranges;
    const expired = await this.#expired(bases);
    const surveys = await this.#surveySegments(bases.slice(expired.length));
    const judgement = judge({
      directory,
      checkpoint: this.#checkpoint,
      gaps: this.#gaps ?? [],
      surveys,
      known: this.#options.known ?? new Map(),
    });
    return {
      directory,
      files: this.#files,
      checkpoint: this.#checkpoint,
      isCheckpointDamaged: point.bytes !== undefined && this.#checkpoint === undefined,
      notedGaps: this.#gaps ?? [],
      areGapsDamaged: this.#gaps === undefined,
      unreadable: this.#unreadable,
      expired,
      indexProblems: this.#indexProblems,
      unnamed: this.#unnamed(judgement),
      judgement,
    };
  }

  /**
   * Its indexes are removed with a segment: what is missing then is no problem.
   *
   * @throws VarveError `NOT_FOUND` where a segment is not there any more
   */
  async #checkThere(base: number): Promise<void> {
    const { vfs, directory } = this.#context;
    const file = this.#paths.get(base) ?? joinPath(directory, segmentFileName(base, 'log'));
    if ((await vfs.stat(file)) !== undefined) return;
    throw new VarveError('NOT_FOUND', `${file} has been removed`, { file });
  }

  /** Sorts the files of the directory that are no segments. */
  async #list(): Promise<void> {
    const { vfs, directory } = this.#context;
    const names = await vfs.readdir(directory);
    for (const name of names) {
      const parsed = parseSegmentFileName(name);
      const path = joinPath(directory, name);
      if (parsed?.kind === 'log' || parseSuffixedName(name, SWAP_SUFFIX)?.kind === 'log') continue;
      if (TEMPORARY_FILES.includes(name) || isRewriteLeftover(name))
        this.#files.temporaries.push(await this.#sized(path));
      else if (name === QUARANTINE_DIRECTORY) await this.#listQuarantine(path);
      else if (parsed !== undefined) {
        const isOrphan = !names.includes(segmentFileName(parsed.baseOffset, 'log'));
        if (isOrphan) this.#files.orphans.push(await this.#sized(path));
      } else if (!OWN_FILES.includes(name)) this.#files.strangers.push(path);
    }
  }

  async #listQuarantine(directory: string): Promise<void> {
    for (const name of await this.#context.vfs.readdir(directory)) {
      this.#files.quarantine.push(await this.#sized(joinPath(directory, name)));
    }
  }

  async #sized(file: string): Promise<SizedFile> {
    return { file, bytes: (await this.#context.vfs.stat(file))?.bytes ?? 0 };
  }

  /** The segments that recovery removes: retention had said durably that they are gone. */
  async #expired(bases: readonly number[]): Promise<number[]> {
    const firstOffset = this.#checkpoint?.firstOffset ?? 0;
    let begin = bases.findLastIndex((base) => base <= firstOffset);
    // A segment that was written to says where the one before it ends; one that a failed roll left does not.
    while (begin > 0 && (await this.#isBlank(bases[begin] as number))) begin--;
    return bases.slice(0, Math.max(begin, 0));
  }

  /** Whether nothing was ever written to a segment's file. */
  async #isBlank(base: number): Promise<boolean> {
    const segment = new Segment(this.#context, base, 0);
    segment.swapPath = this.#paths.get(base);
    try {
      const file = await segment.open();
      return await isZero(this.#context.memory, file, 0, await file.size());
    } catch (error) {
      // Where that cannot be told, nothing is to be removed on its word.
      if (isVarveError(error, 'IO')) return true;
      throw error;
    } finally {
      await segment.release();
    }
  }

  /** The last of the sealed segments may be on its way into the recovery point. */
  #unnamed({ links }: Judgement): number[] {
    const named = new Set(this.#checkpoint?.segments.map(({ baseOffset }) => baseOffset));
    const settled = links.slice(0, -2).map(({ survey }) => survey.baseOffset);
    const isForgotten = (base: number): boolean =>
      this.#ranges.some(({ from, to }) => base >= from && base < to);
    return settled.filter((base) => !named.has(base) && !isForgotten(base));
  }

  async #surveySegments(bases: readonly number[]): Promise<SegmentSurvey[]> {
    const surveys: SegmentSurvey[] = [];
    for (const [i, base] of bases.entries()) {
      this.#options.check?.();
      surveys.push(await this.#surveySegment(base, bases.slice(i + 1)));
    }
    return surveys;
  }

  async #surveySegment(base: number, later: readonly number[]): Promise<SegmentSurvey> {
    const { segments = [], isClean = false } = this.#checkpoint ?? {};
    const state = segments.find(({ baseOffset }) => baseOffset === base);
    const isActive = isClean && state !== undefined && state === segments.at(-1);
    const segment =
      state === undefined
        ? new Segment(this.#context, base, 0)
        : Segment.fromState(this.#context, state, !isActive);
    segment.swapPath = this.#paths.get(base);
    try {
      const fileBytes = await (await segment.open()).size();
      // A sealed segment has the length that it was sealed with. The active one may have grown since.
      const limit = state === undefined || isActive ? fileBytes : Math.min(fileBytes, state.bytes);
      const isStale = isActive && (fileBytes !== state.bytes || later.length > 0);
      const index = state === undefined || isStale ? undefined : await IndexCheck.open(segment);
      const survey = await surveySegment({
        segment,
        fileBytes,
        limit,
        gaps: this.#gaps ?? [],
        later: new Set(later),
        index,
      });
      const isBroken = survey.holes.length > 0 || survey.bytes < limit || survey.bytes !== state?.bytes;
      const problems = index?.problems(isBroken) ?? [];
      if (problems.length > 0) {
        await this.#checkThere(base);
        this.#indexProblems.set(base, problems);
      }
      return survey;
    } finally {
      await segment.release();
    }
  }
}

/**
 * Surveys a log. Where something seems to be wrong and the recovery point or the files have changed meanwhile,
 * it looks again: somebody is writing, rolling, removing or rewriting. What is found twice is true.
 *
 * @throws VarveError `VERSION` where a newer build has written there; `NOT_FOUND`, `IO`, `NO_MEMORY`
 */
export async function surveyLog(context: SegmentContext, options: SurveyOptions = {}): Promise<LogSurvey> {
  const { vfs, directory } = context;
  const read = (): Promise<Small> => readSmall(vfs, joinPath(directory, CHECKPOINT_FILE));
  const list = async (): Promise<string> => (await vfs.readdir(directory)).sort().join('/');
  let found = '';
  for (let look = 1; ; look++) {
    const before = await read();
    const names = await list();
    try {
      const survey = await new Survey(context, options).run(before);
      if (look === LOOKS_MAX || !seemsWrong(survey)) return survey;
      if (isSame(before.bytes, (await read()).bytes) && names === (await list())) return survey;
      const foundBefore = found;
      found = wrongPlaces(survey);
      if (found === foundBefore) return survey;
    } catch (error) {
      // A file that was listed and is not there any more has been removed just now.
      if (look === LOOKS_MAX || !isVarveError(error, 'NOT_FOUND')) throw error;
    }
  }
}

/** A small file as a whole. */
interface Small {
  bytes: Uint8Array | undefined;
  unreadable: VarveError | undefined;
}

/** Reads a small file; what the disk cannot read is as good as damaged for one who only looks. */
async function readSmall(vfs: Vfs, path: string): Promise<Small> {
  try {
    return { bytes: await readWhole(vfs, path), unreadable: undefined };
  } catch (error) {
    if (isVarveError(error, 'IO')) return { bytes: new Uint8Array(0), unreadable: error };
    throw error;
  }
}

function seemsWrong(survey: LogSurvey): boolean {
  const { judgement, indexProblems, unnamed, isCheckpointDamaged, areGapsDamaged } = survey;
  const { losses, leftovers } = judgement;
  const isAnyWrong =
    losses.length > 0 || leftovers.length > 0 || indexProblems.size > 0 || unnamed.length > 0;
  return isAnyWrong || isCheckpointDamaged || areGapsDamaged;
}

/** Where something seems to be wrong: the same text for the same places. */
function wrongPlaces({ judgement, indexProblems, unnamed, ...survey }: LogSurvey): string {
  const { losses, leftovers } = judgement;
  const problems = [...losses, ...leftovers, ...[...indexProblems.values()].flat()];
  const places = problems.map(({ file, position }) => [file, position]);
  return JSON.stringify([places, unnamed, survey.isCheckpointDamaged, survey.areGapsDamaged]);
}

function isSame(before: Uint8Array | undefined, after: Uint8Array | undefined): boolean {
  return (
    before === after || (before !== undefined && after !== undefined && Buffer.compare(before, after) === 0)
  );
}
