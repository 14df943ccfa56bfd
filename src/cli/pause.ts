/**
 * Waiting, for commands that look again and again.
 *
 * @module
 */

import type { Clock } from '../clock.ts';

/**
 * Waits, or stops waiting at once when the signal says so.
 *
 * @throws the signal's reason
 */
export function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    const cancel = clock.after(delayMs, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}
