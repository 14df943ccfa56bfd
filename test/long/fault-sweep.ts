/**
 * Runs a workload again and again, and each time another one of its calls to the disk fails, until none is
 * left. Whatever fails: what was promised is kept, callers are told the right thing, nothing leaks, and on a
 * disk that works again everything goes on.
 *
 * @module
 */

import { type ErrorCode, isVarveError } from '../../src/errors.ts';
import { CrashVfs, createFaultVfs, type FaultRule, type Operation } from '../../src/testing/testing.ts';
import { Contents } from './contents.ts';
import { Examiner } from './examine.ts';
import { abandonMemory, checkMemory, createStage, type Stage } from './laboratory.ts';
import { type Bounds, Oracle } from './oracle.ts';
import { type Failure, loosened, Session } from './session.ts';
import type { Workload } from './workloads.ts';

/** A way to fail, and what callers are told of it. */
export interface FaultKind {
  name: string;
  rule: FaultRule;
  code: ErrorCode;
  /** It goes on failing until the disk is mended. */
  stays?: boolean;
}

export const FAULT_KINDS: readonly FaultKind[] = [
  { name: 'EIO', rule: { error: 'EIO' }, code: 'IO' },
  { name: 'ENOSPC', rule: { error: 'ENOSPC' }, code: 'NO_SPACE' },
  { name: 'EMFILE', rule: { error: 'EMFILE' }, code: 'IO' },
  { name: 'EIO after a part', rule: { error: 'EIO', afterBytes: 100 }, code: 'IO' },
  { name: 'ENOSPC after most', rule: { error: 'ENOSPC', afterBytes: 1000 }, code: 'NO_SPACE' },
  { name: 'EIO after all', rule: { error: 'EIO', late: true }, code: 'IO' },
  { name: 'ENOSPC for good', rule: { error: 'ENOSPC' }, code: 'NO_SPACE', stays: true },
  { name: 'EROFS for good', rule: { error: 'EROFS' }, code: 'READ_ONLY', stays: true },
];

export interface FaultSweepOptions {
  seed: number;
  kinds: readonly FaultKind[];
  /** Every operation with every kind, or each with another one. */
  isComplete: boolean;
  /** Of so many operations, one fails; each unless told. */
  every?: number;
  /** Stops there, as `performance.now()` has it. */
  untilMs?: number;
}

export interface FaultSweepResult {
  /** Faults that were met. */
  faults: number;
  /** What callers were told, and how often. */
  told: Map<ErrorCode, number>;
  failures: string[];
}

const FAILURES_MAX = 10;
const EVERYTHING = { seed: 1, keep: 1, sectorBytes: 512 };
/** Operations that fail when a disk is full, or may not be written. */
const CHANGING = ['write', 'truncate', 'mkdir', 'rename', 'datasync', 'syncDir'] as const;

/** Fails operation 0, 1, 2 … until the workload meets no fault any more. */
export async function faultSweep(workload: Workload, options: FaultSweepOptions): Promise<FaultSweepResult> {
  const { seed, kinds, isComplete, every = 1, untilMs = Infinity } = options;
  const contents = new Contents(seed, (_, bytes) => bytes);
  const result: FaultSweepResult = { faults: 0, told: new Map(), failures: [] };
  for (let at = seed % every, met = true; met && performance.now() < untilMs; at += every) {
    met = false;
    const chosen = isComplete ? kinds : [kinds[(Math.floor(at / every) + seed) % kinds.length] as FaultKind];
    for (const kind of chosen) {
      const run = new FaultRun(workload, kind, at, contents, isComplete);
      try {
        await run.run();
      } catch (error) {
        abandonMemory();
        const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
        result.failures.push(`${kind.name} at ${run.where}: ${reason}`);
      }
      if (run.isMet) result.faults++;
      met ||= run.isMet;
      for (const { error } of run.told) result.told.set(error.code, (result.told.get(error.code) ?? 0) + 1);
      if (result.failures.length >= FAILURES_MAX) return result;
    }
  }
  return result;
}

/** One run, in which one operation fails. */
class FaultRun {
  readonly #workload: Workload;
  readonly #kind: FaultKind;
  readonly #at: number;
  readonly #isComplete: boolean;
  readonly #contents: Contents;
  readonly #disk = new CrashVfs();
  readonly #rules: FaultRule[];
  readonly #vfs: ReturnType<typeof createFaultVfs>;
  told: readonly Failure[] = [];

  constructor(workload: Workload, kind: FaultKind, at: number, contents: Contents, isComplete: boolean) {
    this.#isComplete = isComplete;
    this.#workload = workload;
    this.#kind = kind;
    this.#at = at;
    this.#contents = contents;
    const { rule, stays } = kind;
    const later = (): boolean => this.#vfs.operations > at;
    this.#rules = [stays === true ? { ...rule, operation: CHANGING, path: later } : { ...rule, at }];
    this.#vfs = createFaultVfs(this.#disk, this.#rules);
  }

  get isMet(): boolean {
    return this.#vfs.injected > 0;
  }

  /** The operation that failed. */
  get where(): string {
    const { op, path } = this.#operation ?? { op: 'none', path: '' };
    return `operation ${this.#at} (${op} ${path})`;
  }

  get #operation(): Operation | undefined {
    return this.#vfs.trace[this.#at];
  }

  async run(): Promise<void> {
    const stage = createStage();
    const oracle = new Oracle();
    const { options: log, steps } = this.#workload;
    const session = new Session({ stage, vfs: this.#vfs, oracle, contents: this.#contents, log });
    this.told = session.failures;
    try {
      await session.open();
      await session.take(steps);
    } catch (error) {
      if (!isVarveError(error)) throw error;
    }
    this.#rules.length = 0;
    await session.close();
    this.#checkTold(session.failures);
    this.#checkTrace();
    const open = this.#vfs.openFiles + this.#disk.openFiles;
    if (open > 0) throw new Error(`${open} files are still open`);
    checkMemory(stage);
    await this.#examine(stage, oracle);
  }

  /** On a disk that works again, with and without a power cut on the way there. */
  async #examine(stage: Stage, oracle: Oracle): Promise<void> {
    const examiner = new Examiner(
      { stage, contents: this.#contents, oracle, log: this.#workload.options, hasOwnIndexes: true },
      this.#at,
    );
    // Retention that failed half way may have moved the beginning on the disk, and not in the log.
    const bounds = (level: 'written' | 'synced'): Bounds =>
      loosened(oracle.bounds(level), this.#workload.options);
    const looks = [
      () => examiner.examine(this.#disk.preview(EVERYTHING), bounds('written')),
      () => examiner.examine(this.#disk.preview({ choices: [] }), bounds('synced')),
      () => examiner.examine(this.#disk.preview({ seed: this.#at }), bounds('synced')),
    ];
    const chosen = this.#isComplete ? looks : looks.filter((_, i) => i === Math.floor(this.#at / 2) % 3);
    for (const look of chosen) await look();
  }

  /** Callers are told what happened, or that the log is poisoned, and nothing else. */
  #checkTold(failures: readonly Failure[]): void {
    const { code } = this.#kind;
    for (const { step, error } of failures) {
      if (error.code !== code && error.code !== 'POISONED') {
        throw new Error(`${step}: told ${error.code}, and not ${code}: ${error.message}`, { cause: error });
      }
    }
    const operation = this.#operation;
    const isPoisoned = failures.some(({ error }) => error.code === 'POISONED');
    if (operation?.op === 'write' && isPoisoned && this.#kind.stays !== true) {
      throw new Error('a write has failed, and the log is poisoned');
    }
  }

  /** A failed fdatasync is never tried again before the log is opened anew. */
  #checkTrace(): void {
    // What comes when the log is closed does not fail any more.
    const failed = this.isMet ? this.#operation : undefined;
    if (failed?.op !== 'datasync' || !failed.path.endsWith('.log')) return;
    for (const { op, path } of this.#vfs.trace.slice(this.#at + 1)) {
      if (op === 'lock') return;
      if (op === 'datasync' && path === failed.path) throw new Error('a failed fdatasync was tried again');
    }
  }
}
