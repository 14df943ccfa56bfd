/**
 * A clock that a test drives: time stands still until `advance`, and timers run in their order.
 *
 * @module
 */

import type { Cancel, Clock } from '../../src/clock.ts';

interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Resolves when everything that can happen without time passing has happened, as far as turns of the event loop go. */
export async function settle(turns = 20): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

export class VirtualClock implements Clock {
  #monotonicMs = 0;
  #startMs: number;
  #timers: Timer[] = [];

  /** @param startMs wall-clock time at the beginning */
  constructor(startMs = 1_700_000_000_000) {
    this.#startMs = startMs;
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#timers.length;
  }

  now(): number {
    return this.#startMs + Math.floor(this.#monotonicMs);
  }

  monotonic(): number {
    return this.#monotonicMs;
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer: Timer = { dueMs: this.#monotonicMs + delayMs, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  nextTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Lets time pass; what each timer sets off is over before the next one runs. */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms;
    for (;;) {
      await settle();
      const next = this.#timers.reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.dueMs < first.dueMs ? timer : first),
        undefined,
      );
      if (next === undefined || next.dueMs > endMs) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#monotonicMs = Math.max(this.#monotonicMs, next.dueMs);
      next.callback();
    }
    this.#monotonicMs = endMs;
    await settle();
  }
}

/** A clock whose wall can be set, as the administrator of a machine does it. */
export class WallClock extends VirtualClock {
  #shiftMs = 0;

  override now(): number {
    return super.now() + this.#shiftMs;
  }

  /** Sets the wall clock forward, or back. */
  shift(ms: number): void {
    this.#shiftMs += ms;
  }
}

/** Something that a test holds up until it opens the gate. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

export function createGate(): Gate {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
