import { systemClock } from '../clock.ts';

/**
 * Waits a few milliseconds with the event loop turning. A timer of the clock would not do: it never keeps
 * the process alive, and a program that has nothing else to wait for would end in the middle of `open`.
 */
export async function pause(delayMs: number): Promise<void> {
  const end = systemClock.monotonic() + delayMs;
  while (systemClock.monotonic() < end) await new Promise<void>((resolve) => systemClock.nextTurn(resolve));
}
