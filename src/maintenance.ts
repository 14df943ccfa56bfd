/**
 * What a database does by itself, from time to time: retention, and compaction of its logs. One timer, one task at a
 * time, logs in turn; a task that has used up its time goes on with the next log at the next round. A round is also
 * made by hand, with `run`.
 *
 * What cannot wait for a round is not here: `fdatasync` by interval belongs to what was written, and is timed by it
 * (syncer.ts).
 *
 * @module
 */

import type { Cancel, Clock } from './clock.ts';
import { VarveError } from './errors.ts';
import type { CompactionReport } from './log/compaction/report.ts';
import type { Log } from './log/log.ts';
import type { ResolvedLogOptions } from './log/options.ts';
import { checkOneOf, checkOptions, integerOption } from './options.ts';

export type MaintenanceTask = 'retention' | 'compaction';

export interface MaintenanceOptions {
  /** How long to wait after a round; 60 s unless given. */
  intervalMs?: number;
  /** How long a task may begin with another log in one round; 30 s unless given. One log is finished always. */
  budgetMs?: number;
}

export interface MaintenanceRunOptions {
  /** Only this log, as `name-partition`; all that are open unless given. */
  log?: string;
  /** Compact whether it is time or not. */
  force?: boolean;
}

/** What a task has done, by log. */
export interface MaintenanceReport {
  task: MaintenanceTask;
  /** Segments that retention removed. */
  removedSegments: Record<string, number>;
  compactions: Record<string, CompactionReport>;
  /** What failed, by log; the others were looked after all the same. */
  failures: Record<string, unknown>;
}

/** Counters of a task. */
export interface MaintenanceTaskMetrics {
  /** Logs that it was run on. */
  runs: number;
  /** Those on which it did something. */
  changes: number;
  failures: number;
  busyMs: number;
  lastError: unknown;
}

export interface MaintenanceMetrics {
  rounds: number;
  isRunning: boolean;
  retention: MaintenanceTaskMetrics;
  compaction: MaintenanceTaskMetrics;
}

/** A log that is open, and what it was opened with. */
export interface MaintainedLog {
  key: string;
  log: Log;
  options: ResolvedLogOptions;
}

export interface MaintenanceParts {
  clock: Clock;
  /** The logs that are open now. */
  logs: () => MaintainedLog[];
}

const TASKS: readonly MaintenanceTask[] = ['retention', 'compaction'];
const INTERVAL_MS = 60_000;
const BUDGET_MS = 30_000;

/**
 * @returns what is to be done, or undefined where nothing is but by hand
 * @throws TypeError, RangeError with the name of the option that is wrong
 */
export function resolveMaintenanceOptions(
  options: MaintenanceOptions | false = {},
): Required<MaintenanceOptions> | undefined {
  if (options === false) return undefined;
  checkOptions('maintenance', options, ['intervalMs', 'budgetMs']);
  return {
    intervalMs: integerOption('maintenance.intervalMs', options.intervalMs, INTERVAL_MS, 1, 2 ** 31 - 1),
    budgetMs: integerOption('maintenance.budgetMs', options.budgetMs, BUDGET_MS, 1),
  };
}

/** Whether there is ever something to do for a log. */
function needs(task: MaintenanceTask, { log, options }: MaintainedLog): boolean {
  if (log.isClosed) return false;
  if (task === 'compaction') return options.cleanup !== 'delete';
  // By size, segments are removed when another one is sealed.
  return options.retention.ageMs !== Number.MAX_SAFE_INTEGER;
}

function noMetrics(): MaintenanceTaskMetrics {
  return { runs: 0, changes: 0, failures: 0, busyMs: 0, lastError: undefined };
}

export class Maintenance {
  readonly #parts: MaintenanceParts;
  readonly #options: Required<MaintenanceOptions> | undefined;
  readonly #readOnly: boolean;
  readonly #metrics: Record<MaintenanceTask, MaintenanceTaskMetrics> = {
    retention: noMetrics(),
    compaction: noMetrics(),
  };
  readonly #abort: AbortController = new AbortController();
  /** Which log each task looks after next. */
  readonly #next: Map<MaintenanceTask, string> = new Map();
  #rounds = 0;
  #timer: Cancel | undefined;
  #round: Promise<void> | undefined;
  /** The last thing that is being done, or waits for its turn. */
  #last: Promise<unknown> = Promise.resolve();
  #pauses = 0;

  /** @param options none where nothing is to be done but by hand */
  constructor(parts: MaintenanceParts, options: Required<MaintenanceOptions> | undefined, readOnly: boolean) {
    this.#parts = parts;
    this.#options = options;
    this.#readOnly = readOnly;
  }

  /**
   * Does a task now, for all logs that are open or one of them; waits for what is being done.
   *
   * @returns what was done; a log that fails keeps no other from its turn
   * @throws TypeError, RangeError where an argument is wrong; VarveError `CLOSED`, `READ_ONLY`
   */
  async run(task: MaintenanceTask, options: MaintenanceRunOptions = {}): Promise<MaintenanceReport> {
    checkOneOf('task', task, TASKS);
    checkOptions('options', options, ['log', 'force']);
    if (this.#readOnly) throw new VarveError('READ_ONLY', 'the database is open for reading only');
    const { log: key, force = false } = options;
    const report: MaintenanceReport = { task, removedSegments: {}, compactions: {}, failures: {} };
    await this.#inTurn(async () => {
      const logs = this.#parts.logs();
      const chosen = key === undefined ? logs : logs.filter((one) => one.key === key);
      if (key !== undefined && chosen.length === 0) throw new RangeError(`no log ${key} is open`);
      for (const one of chosen) {
        const isAsked = task === 'retention' || needs(task, one);
        if (isAsked) await this.#do(task, one, force, report);
      }
    });
    return report;
  }

  /** Makes no rounds until `resume` was called as often; resolves when the one under way is over. */
  async pause(): Promise<void> {
    this.#pauses++;
    this.#timer?.();
    this.#timer = undefined;
    await this.#round;
  }

  /** Makes rounds again. */
  resume(): void {
    if (this.#pauses > 0) this.#pauses--;
    this.schedule();
  }

  /** Sets the timer, if there is anything to do for a log that is open. */
  schedule(): void {
    const isIdle = this.#timer === undefined && this.#round === undefined && this.#pauses === 0;
    if (!isIdle || this.#readOnly || this.#options === undefined || this.#abort.signal.aborted) return;
    if (!this.#parts.logs().some((one) => TASKS.some((task) => needs(task, one)))) return;
    this.#timer = this.#parts.clock.after(this.#options.intervalMs, () => {
      this.#timer = undefined;
      this.#round = this.#inTurn(() => this.#makeRound())
        // What fails is counted where it fails; the turn itself fails only when the database is closed.
        .catch(() => undefined)
        .finally(() => {
          this.#round = undefined;
          this.schedule();
        });
    });
  }

  /** Counters, at this moment. */
  metrics(): MaintenanceMetrics {
    const { retention, compaction } = this.#metrics;
    const isRunning = this.#round !== undefined;
    return { rounds: this.#rounds, isRunning, retention: { ...retention }, compaction: { ...compaction } };
  }

  /** Stops for good: what is under way ends at its next step. */
  async close(): Promise<void> {
    this.#timer?.();
    this.#timer = undefined;
    this.#abort.abort(new VarveError('CLOSED', 'the database is closed'));
    await this.#last;
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      this.#abort.signal.throwIfAborted();
      return action();
    });
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #makeRound(): Promise<void> {
    this.#rounds++;
    const { clock } = this.#parts;
    const report: MaintenanceReport = {
      task: 'retention',
      removedSegments: {},
      compactions: {},
      failures: {},
    };
    for (const task of TASKS) {
      const endMs = clock.monotonic() + (this.#options?.budgetMs ?? 0);
      for (const one of this.#inOrder(task)) {
        if (this.#abort.signal.aborted) return;
        this.#next.set(task, one.key);
        if (clock.monotonic() >= endMs) break;
        await this.#do(task, one, false, report);
        this.#next.delete(task);
      }
    }
  }

  /** The logs that need a task, beginning with the one that had to wait. */
  #inOrder(task: MaintenanceTask): MaintainedLog[] {
    const logs = this.#parts.logs().filter((one) => needs(task, one));
    const first = Math.max(
      0,
      logs.findIndex(({ key }) => key === this.#next.get(task)),
    );
    return [...logs.slice(first), ...logs.slice(0, first)];
  }

  async #do(
    task: MaintenanceTask,
    one: MaintainedLog,
    force: boolean,
    report: MaintenanceReport,
  ): Promise<void> {
    const { clock } = this.#parts;
    const metrics = this.#metrics[task];
    const startMs = clock.monotonic();
    metrics.runs++;
    try {
      if (task === 'retention') {
        const removed = await one.log.retain();
        report.removedSegments[one.key] = removed;
        if (removed > 0) metrics.changes++;
      } else {
        const compaction = await one.log.compact({ force, signal: this.#abort.signal });
        report.compactions[one.key] = compaction;
        if (compaction.writtenSegments > 0) metrics.changes++;
      }
    } catch (error) {
      this.#abort.signal.throwIfAborted();
      report.failures[one.key] = error;
      metrics.failures++;
      metrics.lastError = error;
    } finally {
      metrics.busyMs += clock.monotonic() - startMs;
    }
  }
}
