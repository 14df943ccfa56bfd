/**
 * What a database does by itself, from time to time: retention, compaction, compression of what is sealed, and the
 * scrubbing of its logs. One timer, one task at a time, logs in turn; a task that has used up its time goes on with the
 * next log when it is its turn again. A round is also made by hand, with `run`.
 *
 * What cannot wait for a turn is not here: `fdatasync` by interval belongs to what was written, and is timed by it
 * (syncer.ts).
 *
 * @module
 */

import type { Cancel, Clock } from './clock.ts';
import { VarveError } from './errors.ts';
import {
  createMaintenanceReport,
  type MaintainedLog,
  type MaintenanceReport,
  type MaintenanceTask,
  scrubShare,
  TASK_NAMES,
  TASKS,
  type TaskRequest,
} from './maintenance-tasks.ts';
import { booleanOption, checkOneOf, checkOptions, integerOption } from './options.ts';

export interface MaintenanceOptions {
  /** How long to wait after a round; 60 s unless given. The scrubber has a turn each second. */
  intervalMs?: number;
  /** How long a task may begin with another log in one round; 30 s unless given. One log is finished always. */
  budgetMs?: number;
}

export interface MaintenanceRunOptions {
  /** Only the log of this name, or one of its partitions as `name-partition`; all that are open unless given. */
  log?: string;
  /** Compact whether it is time or not; compress what could not be read the last time. */
  force?: boolean;
  /** How many bytes of a log the scrubber reads; 64 MiB unless given. */
  maxBytes?: number;
}

/** Counters of a task. */
export interface MaintenanceTaskMetrics {
  /** Logs that it was run on. */
  runs: number;
  /** Those on which it did something, or found damage. */
  changes: number;
  failures: number;
  busyMs: number;
  lastError: unknown;
}

export interface MaintenanceMetrics extends Record<MaintenanceTask, MaintenanceTaskMetrics> {
  /** How often the timer has come. */
  rounds: number;
  /** Whether something is being done. */
  isRunning: boolean;
}

export interface MaintenanceParts {
  clock: Clock;
  /** The logs that are open now. */
  logs: () => MaintainedLog[];
}

const INTERVAL_MS = 60_000;
const BUDGET_MS = 30_000;
/** A timer may come a little early. */
const EARLY_MS = 1;

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
    recompression: noMetrics(),
    scrubbing: noMetrics(),
  };
  readonly #abort: AbortController = new AbortController();
  /** Which log each task looks after next. */
  readonly #next: Map<MaintenanceTask, string> = new Map();
  /** When it is the turn of the tasks of an interval. */
  readonly #dueMs: Map<number, number> = new Map();
  /** Logs with a segment that was sealed, and is waiting for its turn. */
  readonly #sealed: Set<string> = new Set();
  #rounds = 0;
  #timer: { cancel: Cancel; dueMs: number } | undefined;
  #round: Promise<void> | undefined;
  #isBusy = false;
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
    checkOneOf('task', task, TASK_NAMES);
    checkOptions('options', options, ['log', 'force', 'maxBytes']);
    const { log: key } = options;
    const force = booleanOption('force', options.force, false);
    const maxBytes =
      options.maxBytes === undefined ? undefined : integerOption('maxBytes', options.maxBytes, 1, 1);
    if (this.#readOnly) throw new VarveError('READ_ONLY', 'the database is open for reading only');
    const report = createMaintenanceReport(task);
    await this.#inTurn(async () => {
      const logs = this.#logs();
      const isAsked = (one: MaintainedLog): boolean => one.key === key || one.log.name === key;
      const chosen = key === undefined ? logs : logs.filter(isAsked);
      if (key !== undefined && chosen.length === 0) throw new RangeError(`no log ${key} is open`);
      for (const one of chosen.filter((each) => TASKS[task].isPossible(each))) {
        await this.#do(task, one, { force, maxBytes }, report);
      }
    });
    return report;
  }

  /** Does nothing by itself until `resume` was called as often; resolves when what is under way is over. */
  async pause(): Promise<void> {
    this.#pauses++;
    this.#stopTimer();
    this.#dueMs.clear();
    await this.#last;
    await this.#round;
  }

  /** Makes rounds again. */
  resume(): void {
    if (this.#pauses > 0) this.#pauses--;
    this.schedule();
  }

  /** Sets the timer, if there is anything to do for a log that is open. */
  schedule(): void {
    const options = this.#options;
    if (options === undefined || !this.#isAwake || this.#round !== undefined) return;
    const { clock } = this.#parts;
    const now = clock.monotonic();
    const logs = this.#logs();
    let dueMs = Infinity;
    for (const { intervalMs = options.intervalMs, isRegular } of Object.values(TASKS)) {
      if (!logs.some(isRegular)) continue;
      const due = this.#dueMs.get(intervalMs) ?? now + intervalMs;
      this.#dueMs.set(intervalMs, due);
      dueMs = Math.min(dueMs, due);
    }
    if (dueMs === Infinity || (this.#timer !== undefined && this.#timer.dueMs <= dueMs)) return;
    this.#stopTimer();
    const cancel = clock.after(Math.max(EARLY_MS, dueMs - now), () => this.#onTimer(options));
    this.#timer = { cancel, dueMs };
  }

  /** A segment of a log was sealed: where those are compressed, that is done next. */
  sealed(key: string): void {
    const options = this.#options;
    if (options === undefined || !this.#isAwake || this.#sealed.has(key)) return;
    const { budgetMs } = options;
    const find = (): MaintainedLog | undefined => this.#logs().find((one) => one.key === key);
    const found = find();
    if (found === undefined || !TASKS.recompression.isRegular(found)) return;
    this.#sealed.add(key);
    this.#inTurn(async () => {
      this.#sealed.delete(key);
      const one = find();
      // What is not done now is done in the next round.
      if (one === undefined || this.#pauses > 0) return;
      await this.#do('recompression', one, { budgetMs }, createMaintenanceReport('recompression'));
    }).catch(() => undefined);
  }

  /** Counters, at this moment. */
  metrics(): MaintenanceMetrics {
    const { retention, compaction, recompression, scrubbing } = this.#metrics;
    return {
      rounds: this.#rounds,
      isRunning: this.#isBusy,
      retention: { ...retention },
      compaction: { ...compaction },
      recompression: { ...recompression },
      scrubbing: { ...scrubbing },
    };
  }

  /** Stops for good: what is under way ends at its next step. */
  async close(): Promise<void> {
    this.#stopTimer();
    this.#abort.abort(new VarveError('CLOSED', 'the database is closed'));
    await this.#last;
  }

  get #isAwake(): boolean {
    return !this.#readOnly && this.#pauses === 0 && !this.#abort.signal.aborted;
  }

  #logs(): MaintainedLog[] {
    return this.#parts.logs().filter(({ log }) => !log.isClosed);
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #onTimer({ intervalMs, budgetMs }: Required<MaintenanceOptions>): void {
    this.#timer = undefined;
    const now = this.#parts.clock.monotonic();
    const due = [...this.#dueMs].filter(([, dueMs]) => dueMs <= now + EARLY_MS).map(([interval]) => interval);
    const tasks = TASK_NAMES.filter((task) => due.includes(TASKS[task].intervalMs ?? intervalMs));
    this.#round = this.#inTurn(() => this.#makeRound(tasks, budgetMs))
      // What fails is counted where it fails; the turn itself fails only when the database is closed.
      .catch(() => undefined)
      .finally(() => {
        for (const interval of due) this.#dueMs.delete(interval);
        this.#round = undefined;
        this.schedule();
      });
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(async () => {
      this.#abort.signal.throwIfAborted();
      this.#isBusy = true;
      try {
        return await action();
      } finally {
        this.#isBusy = false;
      }
    });
    this.#last = turn.catch(() => undefined);
    return await turn;
  }

  async #makeRound(tasks: readonly MaintenanceTask[], budgetMs: number): Promise<void> {
    this.#rounds++;
    const { clock } = this.#parts;
    for (const task of tasks) {
      const report = createMaintenanceReport(task);
      const endMs = clock.monotonic() + budgetMs;
      for (const one of this.#inOrder(task)) {
        if (this.#abort.signal.aborted) return;
        this.#next.set(task, one.key);
        if (clock.monotonic() >= endMs) break;
        const maxBytes = task === 'scrubbing' ? scrubShare(one) : undefined;
        await this.#do(task, one, { maxBytes, budgetMs }, report);
        this.#next.delete(task);
      }
    }
  }

  /** The logs that need a task, beginning with the one that had to wait. */
  #inOrder(task: MaintenanceTask): MaintainedLog[] {
    const logs = this.#logs().filter((one) => TASKS[task].isRegular(one));
    const first = Math.max(
      0,
      logs.findIndex(({ key }) => key === this.#next.get(task)),
    );
    return [...logs.slice(first), ...logs.slice(0, first)];
  }

  async #do(
    task: MaintenanceTask,
    one: MaintainedLog,
    request: Partial<TaskRequest>,
    report: MaintenanceReport,
  ): Promise<void> {
    const { clock } = this.#parts;
    const { signal } = this.#abort;
    const metrics = this.#metrics[task];
    const startMs = clock.monotonic();
    metrics.runs++;
    try {
      const { force = false, maxBytes, budgetMs } = request;
      const hasChanged = await TASKS[task].run(one, { force, maxBytes, budgetMs, signal }, report);
      if (hasChanged) metrics.changes++;
    } catch (error) {
      signal.throwIfAborted();
      report.failures[one.key] = error;
      metrics.failures++;
      metrics.lastError = error;
    } finally {
      metrics.busyMs += clock.monotonic() - startMs;
    }
  }
}
