/**
 * Carries out the sync policy: decides when fdatasync runs, runs one at a time, and wakes who waited.
 * Segments are synced in their order, so that what is synced is always a prefix of the log.
 *
 * A failed fdatasync is final. The kernel may have thrown the pages away and marked them clean, so that
 * a second call would succeed over lost data: nothing is retried, and the log is poisoned.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { Cancel, Clock } from '../clock.ts';
import { busyPoll } from './busy-poll.ts';
import { createShared, type Shared, type WaiterList } from './group.ts';
import type { LogMetrics } from './metrics.ts';
import type { Segment } from './segment.ts';
import { type ResolvedSyncPolicy, syncDelayMs, type UnsyncedState } from './sync-policy.ts';

/** The end of what has reached a level. */
export interface End {
  /** The offset behind the last record. */
  offset: number;
  /** Bytes of log from the opening on. */
  bytes: number;
}

export interface SyncerOptions {
  policy: ResolvedSyncPolicy;
  clock: Clock;
  metrics: LogMetrics;
  /** An fdatasync is about to end; what is not synced now was at risk all along. */
  onSyncing: () => void;
  /** More is synced. */
  onSynced: () => void;
  /** Takes a failed fdatasync, and returns what those who waited for it are told. */
  onFailed: (error: unknown) => unknown;
}

export class Syncer {
  /** What is synced. */
  readonly synced: End;
  readonly #options: SyncerOptions;
  readonly #written: End;
  readonly #unsynced: UnsyncedState = { records: 0, bytes: 0, sinceMs: 0, isDemanded: false };
  #dirty: Set<Segment> = new Set();
  #waiters: WaiterList[] = [];
  #next: Shared | undefined;
  /** What the fdatasync in flight covers. */
  #running: { end: End; shared: Shared } | undefined;
  #failure: { error: unknown } | undefined;
  #timer: Cancel | undefined;
  #lastSyncMs = 0;

  constructor(options: SyncerOptions, start: End) {
    this.#options = options;
    this.synced = { ...start };
    this.#written = { ...start };
  }

  /** How long the last fdatasync took. */
  get lastSyncMs(): number {
    return this.#lastSyncMs;
  }

  /** Whether every byte that was written to a segment is synced. */
  isClean(segment: Segment): boolean {
    return segment.syncedPosition >= segment.bytes;
  }

  /** Notes a write. Whoever waits in `waiters` is woken by the next fdatasync. */
  wrote(segment: Segment, records: number, end: End, waiters: WaiterList | undefined): void {
    const { clock } = this.#options;
    if (this.#unsynced.records === 0) this.#unsynced.sinceMs = clock.monotonic();
    this.#unsynced.records += records;
    this.#unsynced.bytes += end.bytes - this.#written.bytes;
    this.#written.offset = end.offset;
    this.#written.bytes = end.bytes;
    this.#dirty.add(segment);
    if (waiters !== undefined && !waiters.isEmpty) this.#waiters.push(waiters);
  }

  /** Does what the policy asks for now: syncs, or sets the timer for it. */
  schedule(): void {
    if (this.#running !== undefined || this.#failure !== undefined) return;
    const { policy, clock } = this.#options;
    const delayMs = syncDelayMs(policy, this.#unsynced, clock.monotonic());
    if (delayMs === 0) {
      this.#run();
    } else if (delayMs !== Infinity) {
      // Whoever awaits an append of a `batch` log has nothing else that keeps the process alive.
      const keepsAlive = policy.mode === 'batch';
      this.#timer ??= clock.after(
        delayMs,
        () => {
          this.#timer = undefined;
          this.schedule();
        },
        keepsAlive,
      );
    }
  }

  /** Syncs everything written so far; all who ask before it starts share one fdatasync. */
  sync(): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    this.#next ??= createShared();
    const { promise } = this.#next;
    this.#unsynced.isDemanded = true;
    this.schedule();
    return promise;
  }

  /**
   * Resolves when a written offset is synced.
   *
   * @param isDemand whether to sync at once, and not when the policy says
   */
  reach(offset: number, isDemand: boolean): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    if (this.#running !== undefined && offset < this.#running.end.offset) return this.#running.shared.promise;
    if (isDemand) return this.sync();
    this.#next ??= createShared();
    return this.#next.promise;
  }

  /** Stops for good: whoever waits is told, and no timer is left. */
  stop(error: unknown): void {
    this.#failure ??= { error };
    this.#timer?.();
    this.#timer = undefined;
    const waiters = this.#waiters;
    const next = this.#next;
    this.#waiters = [];
    this.#next = undefined;
    for (const list of waiters) list.reject(error);
    next?.reject(error);
  }

  #run(): void {
    assert(this.#running === undefined, 'one fdatasync at a time');
    this.#timer?.();
    this.#timer = undefined;
    const { clock, metrics, onFailed } = this.#options;
    const end: End = { ...this.#written };
    const segments = [...this.#dirty].map((segment) => ({ segment, bytes: segment.bytes }));
    const waiters = this.#waiters;
    const shared = this.#next ?? createShared();
    this.#running = { end, shared };
    this.#dirty = new Set();
    this.#waiters = [];
    this.#next = undefined;
    this.#unsynced.records = 0;
    this.#unsynced.bytes = 0;
    this.#unsynced.isDemanded = false;
    const startMs = clock.monotonic();
    const rest = this.#stayAwake();
    this.#syncAll(segments.map(({ segment }) => segment)).then(
      () => {
        rest?.();
        this.#running = undefined;
        this.#options.onSyncing();
        this.#lastSyncMs = clock.monotonic() - startMs;
        if (segments.length > 0) metrics.synced(this.#lastSyncMs, segments.length);
        for (const { segment, bytes } of segments)
          segment.syncedPosition = Math.max(segment.syncedPosition, bytes);
        if (end.offset > this.synced.offset) {
          this.synced.offset = end.offset;
          this.synced.bytes = end.bytes;
        }
        this.#options.onSynced();
        for (const list of waiters) list.resolve();
        shared.resolve();
        this.schedule();
      },
      (cause: unknown) => {
        rest?.();
        this.#running = undefined;
        const error = onFailed(cause);
        this.stop(error);
        for (const list of waiters) list.reject(error);
        shared.reject(error);
      },
    );
  }

  /** Polls for the end of an fdatasync, where that is asked for and it will not take long. */
  #stayAwake(): Cancel | undefined {
    const { policy, clock } = this.#options;
    if (policy.mode !== 'always' && policy.mode !== 'adaptive') return undefined;
    if (policy.busyPollMs === 0 || this.#lastSyncMs > policy.busyPollMs) return undefined;
    return busyPoll(clock, policy.busyPollMs);
  }

  async #syncAll(segments: Segment[]): Promise<void> {
    segments.sort((a, b) => a.baseOffset - b.baseOffset);
    for (const { file } of segments) {
      assert(file !== undefined, 'a segment that was written to is open');
      await file.datasync();
    }
  }
}
