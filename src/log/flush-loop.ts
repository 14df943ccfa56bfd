/**
 * Runs one flush after the other, as long as there is something to flush: the clock of group commit. While
 * one is in flight, others gather; when it ends, the callers that it woke can join the next, which then
 * starts without a timer. Only `adaptive` logs wait, where that was measured to pay.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import type { Group } from './group.ts';

/** Turns of the microtask queue in which callers that were just woken can join the next flush. */
const JOIN_TURNS = 4;

export interface FlushLoopParts {
  clock: Clock;
  /** The next group, if there is one. */
  take: () => Group | undefined;
  /** How long to wait before taking one. */
  delayMs: () => number;
  /** Whether the buffer is full, so that nobody can join the next group. */
  isFull: () => boolean;
  /** A full buffer was taken: there is room. */
  onRoom: () => void;
  /** Flushes a group; it must not reject. */
  flush: (group: Group) => Promise<void>;
}

export class FlushLoop {
  /** What is being flushed. */
  inFlight: Group | undefined;
  readonly #parts: FlushLoopParts;
  #isRunning = false;
  #isArmed = false;
  #idleWaiters: (() => void)[] = [];

  constructor(parts: FlushLoopParts) {
    this.#parts = parts;
  }

  /** Whether a flush is in flight, or about to be. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Whether it will start in this turn of the microtask queue. */
  get isArmed(): boolean {
    return this.#isArmed;
  }

  /** Starts it at the end of this turn of the microtask queue. */
  arm(): void {
    if (this.#isRunning || this.#isArmed) return;
    this.#isArmed = true;
    queueMicrotask(() => {
      if (this.#isArmed) this.start();
    });
  }

  /** Starts it now, unless it runs. */
  start(): void {
    this.#isArmed = false;
    if (!this.#isRunning) void this.#run();
  }

  /** Resolves when it comes to rest, or `wakeIdle` is called; at once where it is at rest. */
  async idle(): Promise<void> {
    if (!this.#isRunning && !this.#isArmed) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  async #run(): Promise<void> {
    const { take, delayMs, isFull, onRoom, flush } = this.#parts;
    this.#isRunning = true;
    for (;;) {
      const waitMs = delayMs();
      if (waitMs > 0 && !isFull()) await this.#pause(waitMs);
      const group = take();
      if (group === undefined) break;
      this.inFlight = group;
      if (isFull()) onRoom();
      await flush(group);
      this.inFlight = undefined;
      // Nobody can join a full buffer: the next turn makes room, and wakes who waits for it.
      for (let i = 0; i < JOIN_TURNS && !isFull(); i++) {
        // oxlint-disable-next-line typescript/await-thenable -- a turn of the microtask queue is all that is wanted
        await undefined;
      }
    }
    this.#isRunning = false;
    if (isFull()) onRoom();
    if (this.#isRunning || this.#isArmed) return;
    for (const wake of this.#idleWaiters.splice(0)) wake();
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => this.#parts.clock.after(waitMs, resolve, true));
  }
}
