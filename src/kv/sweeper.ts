/**
 * Removes keys that have expired, in the background: it goes through the index by time up to now, in slices of a few
 * milliseconds, and pauses between them so that it takes no more than its share of the time. What it removes is
 * removed for good at once: a key that was set again meanwhile, or has been given more time, is left alone.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';
import type { KvCore } from './core.ts';
import { DUE_END, dueKey, readDueKey } from './layout.ts';

/** What one slice looks at, at most, and for how long. */
const SLICE_KEYS = 512;
const SLICE_MS = 4;
/** Timers that are set further ahead than this look again. */
const DELAY_MS_MAX = 3_600_000;
const NO_KEY = new Uint8Array();

export class Sweeper {
  readonly #core: KvCore;
  readonly #clock: Clock;
  /** No key is to be looked at before. */
  #earliestMs = Infinity;
  /** What was to be looked at before this time was; so nobody has to go through what was deleted there. */
  #startMs = 0;
  #timer: { cancel: Cancel; dueMs: number } | undefined;
  #sweeping: Promise<void> | undefined;
  #isClosed = false;
  /** Why the last sweep has ended before its end; undefined where it has not. */
  failure: unknown;

  constructor(core: KvCore, clock: Clock) {
    this.#core = core;
    this.#clock = clock;
    core.onDue = (whenMs) => this.#note(whenMs);
    this.#look();
    this.#schedule();
  }

  /** Removes all that is due now. */
  async sweep(): Promise<void> {
    this.#sweeping ??= this.#run();
    await this.#sweeping;
    if (this.failure !== undefined) throw this.failure;
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #note(whenMs: number): void {
    if (whenMs < this.#startMs) this.#startMs = whenMs;
    if (whenMs >= this.#earliestMs) return;
    this.#earliestMs = whenMs;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isClosed || this.#sweeping !== undefined || this.#earliestMs === Infinity) return;
    const waitMs = Math.max(
      this.#core.options.sweepIntervalMs,
      Math.min(DELAY_MS_MAX, this.#earliestMs - this.#core.clock.now()),
    );
    const dueMs = this.#clock.monotonic() + waitMs;
    if (this.#timer !== undefined && this.#timer.dueMs <= dueMs) return;
    this.#timer?.cancel();
    const cancel = this.#clock.after(waitMs, () => {
      this.#timer = undefined;
      this.#sweeping ??= this.#run();
    });
    this.#timer = { cancel, dueMs };
  }

  /** It never rejects. */
  async #run(): Promise<void> {
    try {
      this.failure = undefined;
      await this.#slices();
    } catch (error) {
      this.failure = error;
    }
    this.#sweeping = undefined;
    if (!this.#isClosed && !this.#core.data.isClosed) this.#schedule();
  }

  async #slices(): Promise<void> {
    const core = this.#core;
    let pauseMs = 0;
    while (!this.#isClosed) {
      if (pauseMs > 0) await new Promise<void>((resolve) => this.#clock.after(pauseMs, resolve));
      if (this.#isClosed) return;
      if (core.data.hasLine) await core.data.lineEmptied();
      const beganMs = this.#clock.monotonic();
      const slice = new Slice(core, this.#clock, this.#startMs);
      const written = core.write(true, undefined, () => slice.take());
      const tookMs = this.#clock.monotonic() - beganMs;
      // Before anything is waited for: what comes later may be due earlier.
      const before = this.#startMs;
      this.#startMs = slice.endMs;
      try {
        if ((await written) !== undefined) core.clock.persisted(slice.nowMs);
      } catch (error) {
        this.#startMs = Math.min(before, this.#startMs);
        throw error;
      }
      if (slice.isLast) {
        this.#look();
        return;
      }
      pauseMs = Math.max(1, tookMs * (1 / core.options.sweepShare - 1));
    }
  }

  /** Finds out when there is something to do. */
  #look(): void {
    this.#earliestMs = Infinity;
    for (const whenMs of this.#core.time.iterate(
      { gte: dueKey(this.#startMs, NO_KEY), lt: DUE_END, limit: 1 },
      false,
      (due) => readDueKey(due).whenMs,
      this.#core.time.latest,
    ))
      this.#earliestMs = whenMs;
  }
}

/** What is done without a pause. */
class Slice {
  isLast = false;
  readonly nowMs: number;
  /** Up to when everything was looked at. */
  endMs: number;
  readonly #core: KvCore;
  readonly #clock: Clock;

  /** @param startMs nothing is to be looked at before */
  constructor(core: KvCore, clock: Clock, startMs: number) {
    this.#core = core;
    this.#clock = clock;
    this.endMs = startMs;
    this.nowMs = core.clock.now();
  }

  /** Adds what is to be removed; false where that is nothing. */
  take(): boolean {
    const core = this.#core;
    const untilMs = this.#clock.monotonic() + SLICE_MS;
    let looked = 0;
    const dues = core.time.iterate(
      { gte: dueKey(this.endMs, NO_KEY), lt: dueKey(this.nowMs + 1, NO_KEY), limit: SLICE_KEYS },
      false,
      (due) => due,
      // What was accepted is looked at, too: nobody comes back for it.
      core.time.latest,
    );
    for (const due of dues) {
      looked++;
      this.#remove(due);
      if (this.#clock.monotonic() > untilMs) {
        dues.close();
        break;
      }
    }
    this.isLast = looked < SLICE_KEYS && this.#clock.monotonic() <= untilMs;
    if (looked === 0) return false;
    core.putMark(this.nowMs);
    return true;
  }

  #remove(due: Buffer): void {
    const core = this.#core;
    const { key, whenMs } = readDueKey(due);
    this.endMs = whenMs;
    // What is there now, and not what was to be looked at, says whether it has expired.
    if (!core.find(key, core.data.latest) && core.hiddenMs !== 0) {
      core.delete(key);
      core.counts.expired++;
    }
    core.deleteDue(due);
  }
}
