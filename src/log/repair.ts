/**
 * Repairs a log: surveys it, plans, and carries the plan out. Afterwards it opens in the default mode, and
 * every record that is left can be read.
 *
 * Nothing that was written is thrown away: what leaves the log is durable in `quarantine/` before it leaves.
 * The steps are in such an order that a repair that was cut short, at any of them, can be begun anew: what
 * says that something is wrong goes last.
 *
 * 1. Copy the tails that are to be cut off.
 * 2. Remove what holds nothing; cut; move away what is to be moved.
 * 3. Write the known losses, then make the empty segment that they are in front of.
 * 4. Make indexes again, sync every segment, and write the recovery point of a log that was closed.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { isVarveError, VarveError } from '../errors.ts';
import { joinPath } from '../vfs/vfs.ts';
import { readCheckpoint, type SegmentState, writeCheckpoint } from './checkpoint.ts';
import { writeGaps } from './gaps.ts';
import { QUARANTINE_DIRECTORY } from './names.ts';
import type { PlannedSegment } from './planned-segment.ts';
import { copyAside } from './quarantine.ts';
import { planRepair, type RepairPlan } from './repair-plan.ts';
import { problemsOf } from './repair-problems.ts';
import type { LogRepairReport, RepairMode } from './repair-report.ts';
import { Segment, type SegmentContext } from './segment.ts';
import { type LogSurvey, surveyLog } from './survey.ts';
import { settleSwaps } from './swap.ts';

export interface LogRepairOptions {
  mode: RepairMode;
  /** Find out what would be done, and do nothing. */
  dryRun: boolean;
  clock: Clock;
}

class Repair {
  readonly #context: SegmentContext;
  readonly #clock: Clock;
  readonly #plan: RepairPlan;

  constructor(context: SegmentContext, clock: Clock, plan: RepairPlan) {
    this.#context = context;
    this.#clock = clock;
    this.#plan = plan;
  }

  async run(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    const { gaps, create } = this.#plan;
    await this.#copyTails();
    await this.#clear();
    if (gaps !== undefined) await writeGaps(memory, vfs, directory, gaps);
    if (create !== undefined) await this.#create(create);
    await this.#writeDerived();
  }

  async #copyTails(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    const { cuts, moves } = this.#plan;
    const kept = cuts.filter(({ to }) => to !== undefined);
    if (kept.length + moves.length === 0) return;
    const folder = joinPath(directory, QUARANTINE_DIRECTORY);
    await vfs.mkdir(folder);
    await vfs.syncDir(directory);
    for (const { file: path, position, end, to } of kept) {
      const file = await vfs.open(path, 'read');
      try {
        await copyAside(memory, vfs, file, position, end, to as string);
      } finally {
        await file.close();
      }
    }
    await vfs.syncDir(folder);
  }

  async #clear(): Promise<void> {
    const { vfs, directory } = this.#context;
    const { removals, cuts, moves } = this.#plan;
    for (const path of removals) await vfs.remove(path);
    for (const { file: path, position } of cuts) {
      const file = await vfs.open(path, 'write');
      try {
        await file.truncate(position);
        await file.datasync();
      } finally {
        await file.close();
      }
    }
    for (const { from, to } of moves) await vfs.rename(from, to);
    if (moves.length > 0) await vfs.syncDir(joinPath(directory, QUARANTINE_DIRECTORY));
    if (removals.length + moves.length > 0) await vfs.syncDir(directory);
  }

  async #create(baseOffset: number): Promise<void> {
    const { vfs, directory } = this.#context;
    const { path } = new Segment(this.#context, baseOffset, 0);
    const file = await vfs.open(path, (await vfs.stat(path)) === undefined ? 'create' : 'write');
    await file.close();
    await vfs.syncDir(directory);
  }

  async #writeDerived(): Promise<void> {
    const { memory, vfs, directory } = this.#context;
    const { segments, create, firstOffset } = this.#plan;
    if (segments === undefined) return;
    const states: SegmentState[] = [];
    for (const planned of segments) states.push(planned.state ?? (await this.#makeIndex(planned)));
    if (create !== undefined) states.push(await this.#makeIndex(emptySegment(create)));
    await writeCheckpoint(memory, vfs, directory, { firstOffset, isClean: true, segments: states });
  }

  /** Makes the indexes of a segment again, and everything about it durable. */
  async #makeIndex(planned: PlannedSegment): Promise<SegmentState> {
    const { baseOffset, contents, isSealed, gaps } = planned;
    const segment = new Segment(this.#context, baseOffset, planned.createdAtMs ?? this.#clock.now());
    segment.bytes = contents.bytes;
    segment.nextOffset = contents.nextOffset;
    segment.maxTimestamp = contents.maxTimestamp;
    segment.maxTimestampOffset = contents.maxTimestampOffset;
    segment.isSealed = isSealed;
    segment.damaged = [...gaps];
    const lost = gaps.reduce(
      (sum, gap) => sum + (gap.end > gap.start ? gap.lastOffset + 1 - gap.firstOffset : 0),
      0,
    );
    segment.absentOffsets = Math.max(0, contents.nextOffset - baseOffset - contents.records - lost);
    try {
      await segment.loadIndex();
      await segment.writeIndex();
      for (const kind of ['log', 'index', 'timeindex'] as const) await this.#sync(segment.pathOf(kind));
      return segment.snapshot();
    } finally {
      await segment.release();
    }
  }

  async #sync(path: string): Promise<void> {
    const file = await this.#context.vfs.open(path, 'write');
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

function emptySegment(baseOffset: number): PlannedSegment {
  const nothing = { bytes: 0, batches: 0, records: 0, maxTimestamp: -Infinity, maxTimestampOffset: 0 };
  return {
    baseOffset,
    contents: { ...nothing, nextOffset: baseOffset },
    isSealed: false,
    gaps: [],
    createdAtMs: undefined,
    state: undefined,
  };
}

/** @throws VarveError where the disk cannot read a file: what it does not give cannot be judged or set aside */
function checkReadable({ judgement, unreadable: metadata }: LogSurvey): void {
  if (metadata !== undefined) throw metadata;
  const broken = judgement.links.find(({ survey }) => survey.unreadable !== undefined);
  if (broken === undefined) return;
  const { path, bytes, unreadable } = broken.survey;
  throw new VarveError(
    'IO',
    `${path} cannot be read at position ${bytes}: copy what can be read to a sound disk, and repair it there`,
    { file: path, position: bytes, cause: unreadable },
  );
}

/** Carries on with segments that were taking the place of others, as opening the log would. */
async function settle(context: SegmentContext): Promise<void> {
  const { memory, vfs, directory } = context;
  try {
    await settleSwaps(context, false, await readCheckpoint(memory, vfs, directory));
  } catch (error) {
    // What cannot be read is told by the survey.
    if (!isVarveError(error, 'IO')) throw error;
  }
}

/**
 * Repairs the log in a directory, which nobody may have open.
 *
 * @throws VarveError `VERSION` where a newer build has written there; `IO`, `NO_SPACE`, `READ_ONLY`, `NO_MEMORY`
 */
export async function repairLog(
  context: SegmentContext,
  options: LogRepairOptions,
): Promise<LogRepairReport> {
  if (!options.dryRun) await settle(context);
  const survey = await surveyLog(context);
  checkReadable(survey);
  const plan = planRepair(survey, options.mode);
  if (!options.dryRun) await new Repair(context, options.clock, plan).run();
  const { actions, lost, lostRecords, firstOffset, nextOffset } = plan;
  return { problems: problemsOf(survey), actions, lost, lostRecords, firstOffset, nextOffset };
}
