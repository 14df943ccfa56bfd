import { expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { Latencies } from '../../src/lab/latencies.ts';
import { type LoadOptions, runLoad } from '../../src/lab/loads.ts';
import { seededRandom } from '../../src/random.ts';

/** Time that passes by 0.1 ms whenever the event loop turns: everything happens in order, and nobody waits. */
function turningClock(): Clock {
  let nowMs = 0;
  const timers: { dueMs: number; callback: () => void }[] = [];
  let isTurning = false;
  const turn = (): void => {
    nowMs += 0.1;
    for (const timer of timers.filter(({ dueMs }) => dueMs <= nowMs)) {
      timers.splice(timers.indexOf(timer), 1);
      timer.callback();
    }
    isTurning = timers.length > 0;
    if (isTurning) setImmediate(turn);
  };
  const after: Clock['after'] = (delayMs, callback) => {
    timers.push({ dueMs: nowMs + delayMs, callback });
    if (!isTurning) setImmediate(turn);
    isTurning = true;
    return () => undefined;
  };
  return {
    now: () => nowMs,
    monotonic: () => nowMs,
    after,
    nextTurn: (callback) => void after(0.05, callback),
  };
}

function optionsFor(clock: Clock, send: () => Promise<unknown>): LoadOptions {
  const signal = new AbortController().signal;
  return { clock, durationMs: 1000, random: seededRandom(1), send, latencies: new Latencies(), signal };
}

/** Answers at once, but for one stretch of time in which nothing is answered. */
function stalling(clock: Clock, fromMs: number, toMs: number): () => Promise<void> {
  return async () => {
    const nowMs = clock.monotonic();
    const waitMs = nowMs >= fromMs && nowMs < toMs ? toMs - nowMs : 0.1;
    await new Promise<void>((resolve) => void clock.after(waitMs, resolve));
  };
}

test('records arrive at their rate, whatever the answers do', async () => {
  const clock = turningClock();
  const options = optionsFor(clock, stalling(clock, 200, 700));
  const result = await runLoad({ kind: 'open', ratePerSecond: 500 }, options);
  expect(result.isSaturated).toBe(false);
  expect(result.records).toBeGreaterThan(420);
  expect(result.records).toBeLessThan(580);
  expect(options.latencies.count).toBe(result.records);
});

test('few arrivals, or none, fill the time all the same', async () => {
  const clock = turningClock();
  for (const ratePerSecond of [0.001, 3]) {
    const startMs = clock.monotonic();
    const options = optionsFor(clock, stalling(clock, 0, 0));
    const result = await runLoad({ kind: 'open', ratePerSecond }, options);
    expect(result.elapsedMs).toBeGreaterThanOrEqual(1000);
    expect(clock.monotonic() - startMs).toBeLessThan(1010);
    expect(result.records).toBeLessThan(12);
  }
});

test('a stall is seen by every record that was due in it, not by one', async () => {
  const clock = turningClock();
  const open = optionsFor(clock, stalling(clock, 200, 700));
  await runLoad({ kind: 'open', ratePerSecond: 500 }, open);
  // Half of the time is a stall of 500 ms: a quarter of all records wait for more than half of it.
  expect(open.latencies.percentile(80)).toBeGreaterThan(250);

  const other = turningClock();
  const closed = optionsFor(other, stalling(other, 200, 700));
  await runLoad({ kind: 'closed', clients: 1 }, closed);
  expect(closed.latencies.maxMs).toBeGreaterThan(450);
  expect(closed.latencies.percentile(80)).toBeLessThan(1);
});

test('what can never be answered in time is given up, and said', async () => {
  const clock = turningClock();
  const options = optionsFor(clock, stalling(clock, 0, 900));
  const result = await runLoad({ kind: 'open', ratePerSecond: 1_000_000 }, options);
  expect(result.isSaturated).toBe(true);
  expect(result.records).toBe(20_000);
});

test('a failure ends the load and is told', async () => {
  const clock = turningClock();
  const options = optionsFor(clock, () => Promise.reject(new Error('no disk')));
  await expect(runLoad({ kind: 'open', ratePerSecond: 500 }, options)).rejects.toThrow('no disk');
  await expect(runLoad({ kind: 'closed', clients: 3 }, options)).rejects.toThrow('no disk');
});
