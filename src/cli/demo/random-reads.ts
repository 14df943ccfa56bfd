/**
 * Reads single records at random offsets, one after the other.
 *
 * @module
 */

import type { Clock } from '../../clock.ts';
import { Latencies } from '../../lab/latencies.ts';
import type { Log } from '../../log/log.ts';
import { seededRandom } from '../../random.ts';
import type { LogRecord } from '../../record/record.ts';

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
  const next = seededRandom(seed);
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
