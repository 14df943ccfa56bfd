/**
 * The callers of a measurement: clients that wait for their answer, and records that arrive whether those
 * before are acknowledged or not.
 *
 * With the second, a latency counts from the moment at which the record was due, not from the moment at
 * which it was sent: a sender that is held up would otherwise leave out the very waits that matter
 * ("coordinated omission", Gil Tene).
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Latencies } from './latencies.ts';
import type { Load } from './matrix.ts';

export interface LoadOptions {
  readonly clock: Clock;
  readonly durationMs: number;
  /** Numbers from 0 to below 1: draw the moments of arrival. */
  readonly random: () => number;
  /** Sends the next record; resolves when it is acknowledged. */
  readonly send: () => Promise<unknown>;
  readonly latencies: Latencies;
  readonly signal: AbortSignal;
}

export interface LoadResult {
  /** Records acknowledged, and how long that took: the time that was asked for, and the last answers after it. */
  readonly records: number;
  readonly elapsedMs: number;
  /** Records arrived faster than they were acknowledged, until too many waited. */
  readonly isSaturated: boolean;
}

/** As many records may wait in an open load before it is given up. */
const OUTSTANDING_MAX = 20_000;
/** Timers fire about once a millisecond: what is due sooner is waited for turn by turn. */
const TIMER_MS = 2;

/** Runs a load for its time and waits for the last answers. */
export function runLoad(load: Load, options: LoadOptions): Promise<LoadResult> {
  return load.kind === 'closed'
    ? runClosed(load.clients, options)
    : new Arrivals(load.ratePerSecond, options).run();
}

async function runClosed(clients: number, options: LoadOptions): Promise<LoadResult> {
  const { clock, latencies, send, signal } = options;
  const startMs = clock.monotonic();
  const endMs = startMs + options.durationMs;
  let records = 0;
  const client = async (): Promise<void> => {
    for (let sentMs = clock.monotonic(); sentMs < endMs && !signal.aborted; ) {
      await send();
      const nowMs = clock.monotonic();
      latencies.record(nowMs - sentMs);
      records++;
      sentMs = nowMs;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return { records, elapsedMs: clock.monotonic() - startMs, isSaturated: false };
}

/** Records that arrive at random: the time between two is distributed exponentially. */
class Arrivals {
  readonly #options: LoadOptions;
  readonly #meanMs: number;
  readonly #startMs: number;
  readonly #endMs: number;
  #dueMs: number;
  #outstanding = 0;
  #records = 0;
  #isSaturated = false;
  #isOver = false;
  #failure: unknown;
  #finish: () => void = () => undefined;

  constructor(ratePerSecond: number, options: LoadOptions) {
    this.#options = options;
    this.#meanMs = 1000 / ratePerSecond;
    this.#startMs = options.clock.monotonic();
    this.#endMs = this.#startMs + options.durationMs;
    this.#dueMs = this.#startMs + this.#gapMs();
  }

  async run(): Promise<LoadResult> {
    await new Promise<void>((resolve) => {
      this.#finish = resolve;
      this.#arrive();
    });
    if (this.#failure !== undefined) throw this.#failure;
    const elapsedMs = this.#options.clock.monotonic() - this.#startMs;
    return { records: this.#records, elapsedMs, isSaturated: this.#isSaturated };
  }

  #gapMs(): number {
    return -Math.log(1 - this.#options.random()) * this.#meanMs;
  }

  /** Sends all that is due, and comes back for the next. */
  #arrive(): void {
    const { clock, signal } = this.#options;
    const nowMs = clock.monotonic();
    while (this.#dueMs <= nowMs && this.#dueMs < this.#endMs) {
      if (this.#outstanding >= OUTSTANDING_MAX) this.#isSaturated = true;
      if (this.#isSaturated || signal.aborted || this.#failure !== undefined) break;
      void this.#send(this.#dueMs);
      this.#dueMs += this.#gapMs();
    }
    const isBroken = this.#isSaturated || signal.aborted || this.#failure !== undefined;
    // To end with the last arrival, and not with the time, would make few arrivals look like a higher rate.
    if (isBroken || nowMs >= this.#endMs) {
      this.#isOver = true;
      this.#leave();
      return;
    }
    const waitMs = Math.min(this.#dueMs, this.#endMs) - nowMs;
    if (waitMs > TIMER_MS) clock.after(waitMs - 1, () => this.#arrive(), true);
    else clock.nextTurn(() => this.#arrive());
  }

  async #send(dueMs: number): Promise<void> {
    const { clock, latencies, send } = this.#options;
    this.#outstanding++;
    try {
      await send();
      latencies.record(clock.monotonic() - dueMs);
      this.#records++;
    } catch (error) {
      this.#failure ??= error;
    }
    this.#outstanding--;
    this.#leave();
  }

  #leave(): void {
    if (this.#isOver && this.#outstanding === 0) this.#finish();
  }
}
