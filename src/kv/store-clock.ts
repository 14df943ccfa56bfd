/**
 * The time by which the keys of a store expire. It never goes back: not while the store is open, whatever becomes
 * of the machine's clock, and not across a restart, since the time by which a key was found to have expired is
 * written down before anybody is told.
 *
 *     now = the greater of the wall clock and (where it stood at the beginning + what has passed since)
 *
 * So a clock that is set back leaves this one running ahead of it, and one that is set forward takes it along.
 *
 * @module
 */

import type { Clock } from '../clock.ts';

export class StoreClock {
  readonly #clock: Clock;
  readonly #write: (markMs: number) => Promise<unknown>;
  /** What it stood at when it was last put right by the wall clock, and the monotonic time of that. */
  #baseMs: number;
  #baseMonotonicMs: number;
  #persistedMs: number;
  #persisting: Promise<void> | undefined;

  /**
   * @param markMs what was written down last
   * @param write writes such a mark; resolves when it is durable
   */
  constructor(clock: Clock, markMs: number, write: (markMs: number) => Promise<unknown>) {
    this.#clock = clock;
    this.#write = write;
    this.#persistedMs = markMs;
    this.#baseMs = Math.max(markMs, clock.now());
    this.#baseMonotonicMs = clock.monotonic();
  }

  /** Milliseconds since the epoch, whole ones. */
  now(): number {
    const wallMs = this.#clock.now();
    const monotonicMs = this.#clock.monotonic();
    const ownMs = this.#baseMs + Math.floor(monotonicMs - this.#baseMonotonicMs);
    if (wallMs <= ownMs) return ownMs;
    this.#baseMs = wallMs;
    this.#baseMonotonicMs = monotonicMs;
    return wallMs;
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
      await this.#write(markMs);
      this.persisted(markMs);
    } finally {
      this.#persisting = undefined;
    }
  }
}
