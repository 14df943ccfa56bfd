/**
 * Time, as the engine sees it. It is injected everywhere, so that a test can drive it and a seed can
 * replay a run; this file is the only one that asks the operating system.
 *
 * @module
 */

/** Cancels a timer; calling it twice, or after the timer ran, does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Wall-clock time in milliseconds since the epoch: for timestamps. */
  now(): number;
  /** Monotonic time in milliseconds, with fractions: for durations. */
  monotonic(): number;
  /**
   * Runs `callback` once after `delayMs`.
   *
   * @param keepsAlive whether the process must not end before; it may unless told otherwise
   */
  after(delayMs: number, callback: () => void, keepsAlive?: boolean): Cancel;
  /** Runs `callback` in the next turn of the event loop, after pending I/O was looked at. */
  nextTurn(callback: () => void): void;
}

/** Long enough for a timer that is only there to keep the process alive. */
export const SELDOM_MS: number = 2 ** 30;

/** The real time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, callback, keepsAlive = false) {
    const timer = setTimeout(callback, delayMs);
    if (!keepsAlive) timer.unref();
    return () => clearTimeout(timer);
  },
  nextTurn(callback) {
    setImmediate(callback);
  },
};

/**
 * Waits, or stops waiting at once when the signal says so.
 *
 * @param keepsAlive whether the process must not end before; it may unless told otherwise
 * @throws the signal's reason
 */
export function pause(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal,
  keepsAlive: boolean = false,
): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stop = (): void => {
      cancel();
      reject(signal.reason as Error);
    };
    const cancel = clock.after(
      delayMs,
      () => {
        signal.removeEventListener('abort', stop);
        resolve();
      },
      keepsAlive,
    );
    signal.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Waits until it is woken, some time has passed, or the signal says so; it never rejects. Meanwhile the process stays
 * alive, as it does for a read of a socket.
 *
 * @param register is given what wakes it
 */
export function untilWoken(
  clock: Clock,
  delayMs: number,
  signal: AbortSignal | undefined,
  register: (wake: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      signal?.removeEventListener('abort', wake);
      cancel();
      resolve();
    };
    const cancel = clock.after(delayMs, wake, true);
    signal?.addEventListener('abort', wake, { once: true });
    register(wake);
  });
}
