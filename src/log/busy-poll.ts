/**
 * Keeps the event loop turning while an answer of the disk is awaited, so that the thread does not go to
 * sleep: to wake it takes about as long as a third of an fdatasync on a quick disk. The kernel does the same
 * for sockets (`SO_BUSY_POLL`). It costs a processor for as long as it lasts, so it is only done where asked for.
 *
 * @module
 */

import type { Cancel, Clock } from '../clock.ts';

/**
 * Turns the event loop until it is told to stop, or the time is over. Everything else in it goes on.
 *
 * @param maxMs for how long, at most
 */
export function busyPoll(clock: Clock, maxMs: number): Cancel {
  const endMs = clock.monotonic() + maxMs;
  let isOver = false;
  const turn = (): void => {
    if (!isOver && clock.monotonic() < endMs) clock.nextTurn(turn);
  };
  clock.nextTurn(turn);
  return () => {
    isOver = true;
  };
}
