/**
 * What a power cut would take at each moment of a measurement: records that were acknowledged and are not
 * yet durable. Looked at about once a millisecond; the age that is told errs on the side of the older.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';

export interface Risk {
  /** Payload of acknowledged records that were not durable, at the worst moment and on average. */
  readonly bytesMax: number;
  readonly bytesMean: number;
  /** How long the oldest of them had been acknowledged. */
  readonly msMax: number;
  readonly msMean: number;
}

export const NO_RISK: Risk = { bytesMax: 0, bytesMean: 0, msMax: 0, msMean: 0 };

const LOOK_MS = 1;

/** Up to which offset a log was acknowledged at some moment. */
interface Mark {
  readonly offset: number;
  readonly ms: number;
}

export class RiskMeter {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #recordBytes: number;
  readonly #startMs: number;
  #cancel: Cancel | undefined;
  /** Looks at which more was acknowledged than is durable by now, the oldest first. */
  readonly #marks: Mark[] = [];
  #lastMs: number;
  #last = { bytes: 0, ms: 0 };
  #bytesMax = 0;
  #msMax = 0;
  /** Bytes and milliseconds at risk, times the milliseconds for which they were. */
  #bytesTime = 0;
  #msTime = 0;

  /** @param recordBytes of each record of the log */
  constructor(log: Log, clock: Clock, recordBytes: number) {
    this.#log = log;
    this.#clock = clock;
    this.#recordBytes = recordBytes;
    this.#startMs = clock.monotonic();
    this.#lastMs = this.#startMs;
    this.#wait();
  }

  /** Looks for the last time. */
  stop(): Risk {
    this.#cancel?.();
    this.#look();
    const elapsedMs = this.#lastMs - this.#startMs;
    return {
      bytesMax: this.#bytesMax,
      bytesMean: elapsedMs > 0 ? this.#bytesTime / elapsedMs : 0,
      msMax: this.#msMax,
      msMean: elapsedMs > 0 ? this.#msTime / elapsedMs : 0,
    };
  }

  #wait(): void {
    this.#cancel = this.#clock.after(LOOK_MS, () => {
      this.#look();
      this.#wait();
    });
  }

  #look(): void {
    const nowMs = this.#clock.monotonic();
    const { written, synced } = this.#log.durable;
    const marks = this.#marks;
    while (marks[0] !== undefined && marks[0].offset <= synced) marks.shift();
    const newest = marks.at(-1)?.offset ?? synced;
    // What is new since the last look may have been acknowledged right after it.
    if (written > newest) marks.push({ offset: written, ms: this.#lastMs });
    const ageMs = marks[0] === undefined ? 0 : nowMs - marks[0].ms;
    const bytes = Math.max(0, written - synced) * this.#recordBytes;

    const passedMs = nowMs - this.#lastMs;
    this.#bytesTime += ((bytes + this.#last.bytes) / 2) * passedMs;
    this.#msTime += ((ageMs + this.#last.ms) / 2) * passedMs;
    this.#bytesMax = Math.max(this.#bytesMax, bytes);
    this.#msMax = Math.max(this.#msMax, ageMs);
    this.#last = { bytes, ms: ageMs };
    this.#lastMs = nowMs;
  }
}
