import type { Log } from '../../src/index.ts';
import { perSecond, recordAt } from '../workload.ts';

/**
 * Enqueues records of 100 bytes until the log has no room, waits until it has, and ends when the last one
 * is written.
 *
 * @returns records a second
 */
export async function enqueueAll(log: Log, count: number): Promise<number> {
  const began = performance.now();
  let last = 0;
  for (let i = 0; i < count; i++) {
    for (;;) {
      try {
        last = log.enqueue({ value: recordAt(i) });
        break;
      } catch (error) {
        if ((error as { code?: unknown }).code !== 'BACKPRESSURE') throw error;
        await log.ready();
      }
    }
  }
  await log.reached(last, 'written');
  return perSecond(count, began);
}
