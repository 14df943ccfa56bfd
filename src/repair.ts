/**
 * Repairs a database: its format number, and every log in it, so that `open` in the default mode works.
 *
 * @module
 */

import {
  LOGS_DIRECTORY,
  type LogPlace,
  listLogs,
  VERSION_FILE,
  VERSION_TEMPORARY_FILE,
  writeVersion,
} from './directory.ts';
import { VarveError } from './errors.ts';
import { INDEX_INTERVAL_BYTES_DEFAULT } from './limits.ts';
import { repairLog } from './log/repair.ts';
import {
  type LogRepairReport,
  REPAIR_MODES,
  type RepairAction,
  type RepairMode,
} from './log/repair-report.ts';
import type { Problem } from './log/verify.ts';
import { repairTrees } from './lsm/repair.ts';
import type { TreesRepairReport } from './lsm/repair-report.ts';
import { booleanOption, checkInteger, checkOneOf, checkOptions } from './options.ts';
import { type Runtime, sharedRuntime } from './runtime.ts';
import { versionProblem } from './verify.ts';
import { nodeVfs } from './vfs/node.ts';
import { joinPath, type Vfs } from './vfs/vfs.ts';

export interface RepairOptions {
  /** The name of one log; all are repaired unless given. */
  log?: string;
  /** One partition of that log; all of them unless given. */
  partition?: number;
  /** What becomes of what lies behind damage; `pointInTime` unless given. */
  mode?: RepairMode;
  /** Say what would be done, and change nothing. */
  dryRun?: boolean;
  /** Memory and clock; those that the process shares unless given. */
  runtime?: Runtime;
  /** The disk; the real one unless given. */
  vfs?: Vfs;
}

/** What a repair found and did. A dry run gives the same report as the repair that follows it. */
export interface RepairReport {
  /** Nothing was wrong, and so nothing was changed. */
  isClean: boolean;
  /** What was wrong with the database itself, and what was done about it. */
  problems: Problem[];
  actions: RepairAction[];
  /** Records of all logs that cannot be read any more. */
  lostRecords: number;
  logs: Record<string, LogRepairReport>;
  /** What was wrong with trees, and done about it; undefined where there are none, or a log was named. */
  trees: TreesRepairReport | undefined;
}

interface Resolved {
  mode: RepairMode;
  dryRun: boolean;
  runtime: Runtime;
  vfs: Vfs;
  isAsked: (place: LogPlace) => boolean;
  isNamed: boolean;
}

function resolve(options: RepairOptions): Resolved {
  checkOptions('options', options, ['log', 'partition', 'mode', 'dryRun', 'runtime', 'vfs']);
  const { log, partition } = options;
  if (log !== undefined && typeof log !== 'string') throw new TypeError('log must be the name of a log');
  if (partition !== undefined) {
    checkInteger('partition', partition, 0, Number.MAX_SAFE_INTEGER);
    if (log === undefined) throw new TypeError('partition is one of a log: say which');
  }
  return {
    mode: checkOneOf('mode', options.mode ?? 'pointInTime', REPAIR_MODES),
    dryRun: booleanOption('dryRun', options.dryRun, false),
    runtime: options.runtime ?? sharedRuntime(),
    vfs: options.vfs ?? nodeVfs,
    isNamed: log !== undefined,
    isAsked: (place) =>
      (log === undefined || place.name === log) && (partition === undefined || place.partition === partition),
  };
}

/**
 * Repairs the logs and the trees of a database. It takes the lock, unless it is a dry run, which is not to be made beside a
 * process that writes: what that is writing just then would look unfinished.
 *
 * @param directory of the database
 * @throws TypeError, RangeError where an argument is wrong
 * @throws VarveError `LOCKED` where somebody has it open, `NOT_FOUND` where it is no database or has no such
 * log, `VERSION` where a newer build wrote it, `NO_SPACE`, `READ_ONLY`, `IO`, `NO_MEMORY`. A repair that was
 * cut short can be begun anew.
 */
export async function repair(directory: string, options: RepairOptions = {}): Promise<RepairReport> {
  if (typeof directory !== 'string' || directory === '') throw new TypeError('directory must be a path');
  const resolved = resolve(options);
  // Whatever is wrong here is told before anything is made, the lock's directory included.
  await versionProblem(resolved.vfs, directory);
  if (resolved.dryRun) return await repairAll(directory, resolved);
  const lock = await resolved.vfs.lock(directory);
  try {
    return await repairAll(directory, resolved);
  } finally {
    await lock.release();
  }
}

async function repairAll(directory: string, resolved: Resolved): Promise<RepairReport> {
  const { vfs, runtime, mode, dryRun, isAsked, isNamed } = resolved;
  const { memory, clock } = runtime;
  const places = (await listLogs(vfs, directory)).filter(isAsked);
  if (places.length === 0 && isNamed) {
    throw new VarveError('NOT_FOUND', `there is no such log in ${directory}`, { file: directory });
  }
  const report: RepairReport = {
    isClean: true,
    problems: [],
    actions: [],
    lostRecords: 0,
    logs: {},
    trees: undefined,
  };
  await repairVersion(vfs, directory, dryRun, report);
  for (const place of places) {
    const context = {
      memory,
      vfs,
      directory: place.directory,
      indexIntervalBytes: INDEX_INTERVAL_BYTES_DEFAULT,
    };
    const repaired = await repairLog(context, { mode, dryRun, clock });
    report.logs[place.key] = repaired;
    report.lostRecords += repaired.lostRecords;
    if (repaired.actions.length > 0) report.isClean = false;
  }
  if (!isNamed) {
    report.trees = await repairTrees({ directory, memory, vfs, clock, mode, dryRun });
    if ((report.trees?.actions.length ?? 0) > 0) report.isClean = false;
  }
  if (report.actions.length > 0) report.isClean = false;
  return report;
}

/** Logs are there, so that it can only be the format that this build knows: others say so themselves. */
async function repairVersion(
  vfs: Vfs,
  directory: string,
  dryRun: boolean,
  report: RepairReport,
): Promise<void> {
  const problem = await versionProblem(vfs, directory);
  const nothing = { position: undefined, bytes: undefined, to: undefined, offsets: undefined };
  const temporary = joinPath(directory, VERSION_TEMPORARY_FILE);
  if ((await vfs.stat(temporary)) !== undefined) {
    const message = `${temporary} was left behind`;
    report.problems.push({ file: temporary, position: 0, offsets: undefined, message });
    report.actions.push({ kind: 'removed', file: temporary, ...nothing });
    if (!dryRun) {
      await vfs.remove(temporary);
      await vfs.syncDir(directory);
    }
  }
  if (problem === undefined) return;
  report.problems.push(problem);
  report.actions.push({ kind: 'rebuilt', file: joinPath(directory, VERSION_FILE), ...nothing });
  if (dryRun) return;
  await vfs.mkdir(joinPath(directory, LOGS_DIRECTORY));
  await writeVersion(vfs, directory);
}
