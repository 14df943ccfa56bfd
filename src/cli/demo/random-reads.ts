/**
 * Reads single records at random offsets, one after the other.
 *
 * @module
 */

import type { Clock } from '../../clock.ts';
import type { Log } from '../../log/log.ts';
import type { LogRecord } from '../../record/record.ts';
import { Latencies } from './latencies.ts';

export interface RandomReads {
  latencies: Latencies;
  elapsedMs: number;
  /** The last record that was read. */
  last: LogRecord;
}

/**
 * @param count how many, at least 1
 * @param seed chooses the offsets
 */
export async function readAtRandom(
  log: Log,
  count: number,
  seed: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<RandomReads> {
  const latencies = new Latencies();
  const next = createRandom(seed);
  const records = log.nextOffset - log.firstOffset;
  const startMs = clock.monotonic();
  let last: LogRecord | undefined;
  for (let beforeMs = startMs, i = 0; i < count; i++) {
    signal.throwIfAborted();
    last = await log.get(log.firstOffset + Math.floor(next() * records));
    const nowMs = clock.monotonic();
    latencies.record(nowMs - beforeMs);
    beforeMs = nowMs;
  }
  return { latencies, elapsedMs: clock.monotonic() - startMs, last: last as LogRecord };
}

/** Mulberry32: numbers from 0 to 1 that a seed replays; good enough to choose records by. */
function createRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
