/**
 * Lives a workload of trees and stores again and again, and each time another one of its calls to the disk fails.
 * Whatever fails, what was promised is kept, callers are told the right thing, nothing leaks, and on a disk that
 * works again everything goes on.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import { CrashVfs, createFaultVfs, type FaultRule } from '../../src/testing/testing.ts';
import { WallClock } from '../kit/clock.ts';
import { FAULT_KINDS, type FaultKind } from './fault-sweep.ts';
import { abandonMemory, checkMemory, createStage } from './laboratory.ts';
import { reasonOf } from './rounds.ts';
import { StoreExaminer } from './store-examine.ts';
import { type Level, StoreModel } from './store-model.ts';
import { StoreSession } from './store-session.ts';
import type { StoreWorkload } from './store-steps.ts';

export interface StoreFaultOptions {
  seed: number;
  /** Of so many operations, one fails; each unless told. */
  every?: number;
  /** Every operation in every way, or each in another one. */
  isComplete: boolean;
  untilMs?: number | undefined;
}

export interface StoreFaultResult {
  faults: number;
  failures: string[];
}

const FAILURES_MAX = 5;
const EVERYTHING = { seed: 1, keep: 1, sectorBytes: 512 };
const CHANGING = ['write', 'truncate', 'mkdir', 'rename', 'datasync', 'syncDir'] as const;

/** Fails operation 0, 1, 2 ... until the workload meets no fault any more. */
export async function storeFaultSweep(
  workload: StoreWorkload,
  { seed, every = 1, isComplete, untilMs = Infinity }: StoreFaultOptions,
): Promise<StoreFaultResult> {
  const result: StoreFaultResult = { faults: 0, failures: [] };
  for (let at = seed % every, met = true; met && performance.now() < untilMs; at += every) {
    met = false;
    const drawn = FAULT_KINDS[(Math.floor(at / every) + seed) % FAULT_KINDS.length] as FaultKind;
    for (const kind of isComplete ? FAULT_KINDS : [drawn]) {
      const { isMet, failure } = await run(workload, kind, at, seed);
      met ||= isMet;
      if (isMet) result.faults++;
      if (failure !== undefined) result.failures.push(failure);
      if (result.failures.length >= FAILURES_MAX) return result;
    }
  }
  return result;
}

async function run(
  { options, steps }: StoreWorkload,
  { name, rule, code, stays }: FaultKind,
  at: number,
  seed: number,
): Promise<{ isMet: boolean; failure: string | undefined }> {
  const stage = createStage(new WallClock());
  const disk = new CrashVfs();
  const rules: FaultRule[] = [];
  const vfs = createFaultVfs(disk, rules);
  rules.push(
    stays === true ? { ...rule, operation: CHANGING, path: () => vfs.operations > at } : { ...rule, at },
  );
  const model = new StoreModel();
  const copies: number[] = [];
  const onCheckpoint = (from: number): number => copies.push(from);
  const session = new StoreSession({ stage, vfs, model, options, seed, onCheckpoint });
  try {
    try {
      await session.open();
      await session.take(steps);
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
    rules.length = 0;
    await session.close();
    for (const { step, error } of session.failures)
      if (![code, 'POISONED', 'CLOSED'].includes(error.code))
        throw new Error(`${step}: told ${error.code}`, { cause: error });
    const open = vfs.openFiles + disk.openFiles;
    if (open > 0) throw new Error(`${open} files are still open`);
    checkMemory(stage);
    const examiner = new StoreExaminer({ stage, model, options });
    const looks: [Parameters<typeof disk.preview>[0], Level][] = [
      [EVERYTHING, 'written'],
      [{ choices: [] }, 'synced'],
      [{ seed: at }, 'synced'],
    ];
    const [plan, level] = looks[(at + seed) % looks.length] as (typeof looks)[number];
    const owed = { tick: model.tick, level, isPrefix: false };
    await examiner.examine(disk.preview(plan), owed, copies);
  } catch (error) {
    abandonMemory();
    const { op, path } = vfs.trace[at] ?? { op: 'none', path: '' };
    return {
      isMet: vfs.injected > 0,
      failure: `${name} at operation ${at} (${op} ${path}): ${reasonOf(error)}`,
    };
  }
  return { isMet: vfs.injected > 0, failure: undefined };
}
