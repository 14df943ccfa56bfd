/**
 * The time by which the keys of a store expire. It never goes back: not while the store is open, whatever becomes
 * of the machine's clock, and not across a restart, since the time by which a key was found to have expired is
 * written down (the mark) before anybody is told.
 *
 *     now = the greater of the wall clock and (where it stood at the beginning + what has passed since)
 *
 * So a clock that is set back leaves this one running ahead of it, and one that is set forward takes it along. How far
 * ahead it is, is written down too (the anchor: what both clocks said at one moment), so that time goes on while nobody
 * has the store open. A time that a caller names is one of the wall clock; it is moved by as much, and moved
 * back when it is told: what is to expire in an hour has an hour, however wrong the machine's clock has been once.
 *
 * @module
 */

import type { Clock } from '../clock.ts';

/** What both clocks said at one moment. */
export interface ClockAnchor {
  readonly storeMs: number;
  readonly wallMs: number;
}

/** What was written down before. */
export interface KeptClock {
  /** The latest time by which anything has expired. */
  readonly markMs: number;
  readonly anchor: ClockAnchor | undefined;
}

/** How a clock writes down what it says. */
export interface ClockWriter {
  /** Resolves when the mark is durable. */
  mark(markMs: number): Promise<unknown>;
  /** Need not be durable: a clock without its anchor stands still while nobody has the store open. */
  anchor(anchor: ClockAnchor): Promise<unknown>;
}

/** A time that has passed, and that is not 0. */
const LONG_AGO_MS = 1;
/** What is less is the trembling of clocks that are put right a little at a time: nothing is moved for it. */
const STEP_MS = 1000;
/**
 * What at most passes at once while nobody has the store open, as long as this clock is ahead: whether time has
 * passed, or a clock without a battery was put right, cannot be told then, and keys had better live longer.
 */
const PASSED_MS_MAX = 7 * 24 * 3600 * 1000;

export class StoreClock {
  readonly #clock: Clock;
  readonly #writer: ClockWriter;
  /** What it stood at when it was last put right by the wall clock, and the monotonic time of that. */
  #baseMs: number;
  #baseMonotonicMs: number;
  #persistedMs: number;
  #persisting: Promise<void> | undefined;
  /** How far ahead it was taken to be: moved by steps only, so that a time is told as it was named. */
  #aheadMs = 0;
  #anchoring: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock, { markMs, anchor }: KeptClock, writer: ClockWriter) {
    this.#clock = clock;
    this.#writer = writer;
    this.#persistedMs = markMs;
    const wallMs = clock.now();
    this.#baseMs = Math.max(markMs, wallMs);
    this.#baseMonotonicMs = clock.monotonic();
    // Where the wall clock has come to where this one was, it is right again, or has been put right.
    if (anchor !== undefined && wallMs < anchor.storeMs) {
      const passedMs = Math.min(PASSED_MS_MAX, Math.max(0, wallMs - anchor.wallMs));
      this.#baseMs = Math.max(this.#baseMs, anchor.storeMs + passedMs);
      if (this.#baseMs - wallMs === anchor.storeMs - anchor.wallMs) this.#aheadMs = this.#baseMs - wallMs;
    }
    this.now();
  }

  /** Milliseconds since the epoch, whole ones. */
  now(): number {
    const wallMs = this.#clock.now();
    const monotonicMs = this.#clock.monotonic();
    const ownMs = this.#baseMs + Math.floor(monotonicMs - this.#baseMonotonicMs);
    if (wallMs <= ownMs) {
      if (Math.abs(ownMs - wallMs - this.#aheadMs) >= STEP_MS) this.#step(ownMs, wallMs);
      return ownMs;
    }
    this.#aheadMs = 0;
    this.#baseMs = wallMs;
    this.#baseMonotonicMs = monotonicMs;
    return wallMs;
  }

  /** How far it is ahead of the wall clock, in milliseconds; 0 where that is less than a second. */
  get aheadMs(): number {
    this.now();
    return this.#aheadMs;
  }

  /** When a key is to expire, as a caller has named it, by this clock; never 0, which is never. */
  named(expiresAt: number): number {
    return Math.max(LONG_AGO_MS, Math.min(Number.MAX_SAFE_INTEGER, expiresAt + this.aheadMs));
  }

  /** When a key expires, as a caller is told it: by the wall clock as it is now; undefined for 0, which is never. */
  told(expiryMs: number): number | undefined {
    return expiryMs === 0 ? undefined : expiryMs - this.#aheadMs;
  }

  /** Waits until it is written down how far it is ahead, or cannot be. */
  async anchored(): Promise<void> {
    await this.#anchoring;
  }

  /** Whether it may be told already that something has expired that was due then. */
  covers(expiryMs: number): boolean {
    return expiryMs <= this.#persistedMs;
  }

  /** Takes note of a mark that is durable. */
  persisted(markMs: number): void {
    if (markMs > this.#persistedMs) this.#persistedMs = markMs;
  }

  /**
   * Writes down what time it is, unless what was due then is covered; calls at the same time share a write.
   *
   * @throws VarveError as `Tree.put`
   */
  async cover(expiryMs: number): Promise<void> {
    while (!this.covers(expiryMs)) {
      this.#persisting ??= this.#persist();
      await this.#persisting;
    }
  }

  async #persist(): Promise<void> {
    try {
      const markMs = this.now();
      await this.#writer.mark(markMs);
      this.persisted(markMs);
    } finally {
      this.#persisting = undefined;
    }
  }

  /** The clocks have come apart, or together, other than by time. */
  #step(storeMs: number, wallMs: number): void {
    const aheadMs = storeMs - wallMs;
    this.#aheadMs = aheadMs < STEP_MS ? 0 : aheadMs;
    // Not in the middle of what is being written.
    this.#anchoring = this.#anchoring
      .then(() => this.#writer.anchor({ storeMs, wallMs }))
      // Who writes next is told of what is wrong with the log.
      .catch(() => undefined);
  }
}
