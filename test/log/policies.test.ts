/** The decisions that are pure: when to sync, how long to wait, what to remove. */

import { describe, expect, test } from 'vitest';
import { type AdaptiveDelay, createAdaptiveDelay, observeFlush } from '../../src/log/adaptive-delay.ts';
import { type LogOptions, resolveLogOptions } from '../../src/log/options.ts';
import { chooseExpired, type RetentionSegment } from '../../src/log/retention.ts';
import {
  ownLevel,
  resolveSyncPolicy,
  type SyncPolicy,
  syncDelayMs,
  syncsEachWrite,
} from '../../src/log/sync-policy.ts';
import { range } from '../kit/log-kit.ts';

describe('when to sync', () => {
  const nothing = { records: 0, bytes: 0, sinceMs: 0, isDemanded: false };
  const some = { records: 10, bytes: 1000, sinceMs: 500, isDemanded: false };

  test.each<[SyncPolicy, number, number]>([
    [{ mode: 'always' }, 500, 0],
    [{ mode: 'adaptive' }, 500, 0],
    [{ mode: 'never' }, 1e9, Infinity],
    [{ mode: 'interval' }, 500, 200],
    [{ mode: 'interval', intervalMs: 50 }, 540, 10],
    [{ mode: 'interval', intervalMs: 50 }, 9000, 0],
    [{ mode: 'batch' }, 500, 10],
    [{ mode: 'batch', maxDelayMs: 100 }, 550, 50],
    [{ mode: 'batch', maxDelayMs: 100 }, 700, 0],
    [{ mode: 'batch', maxRecords: 10 }, 500, 0],
    [{ mode: 'batch', maxRecords: 11 }, 500, 10],
    [{ mode: 'batch', maxBytes: 1000 }, 500, 0],
    [{ mode: 'batch', maxBytes: 1001 }, 500, 10],
  ])('%o at %i ms waits %d ms', (policy, nowMs, delayMs) => {
    expect(syncDelayMs(resolveSyncPolicy(policy), some, nowMs)).toBe(delayMs);
    expect(syncDelayMs(resolveSyncPolicy(policy), nothing, nowMs)).toBe(Infinity);
    expect(syncDelayMs(resolveSyncPolicy(policy), { ...nothing, isDemanded: true }, nowMs)).toBe(0);
  });

  test('follows from the policy, and so does what an append waits for', () => {
    const modes = ['always', 'batch', 'interval', 'adaptive', 'never'] as const;
    const policies = modes.map((mode) => resolveSyncPolicy({ mode }));
    expect(policies.map(ownLevel)).toEqual(['synced', 'synced', 'written', 'synced', 'written']);
    expect(policies.map(syncsEachWrite)).toEqual([true, false, false, true, false]);
  });
});

describe('the adaptive delay', () => {
  /** Flushes of so many records each so many milliseconds, for some epochs. */
  function run(
    state: AdaptiveDelay,
    epochs: number,
    records: number,
    everyMs: number,
    syncMs: number,
    from = 0,
  ): number {
    let nowMs = from;
    for (const _ of range(0, epochs * 33)) {
      nowMs += everyMs;
      observeFlush(state, records, syncMs, nowMs);
    }
    return nowMs;
  }

  test('starts with none, and tries half a sync after some epochs', () => {
    const state = createAdaptiveDelay(5);
    const now = run(state, 7, 10, 2, 2);
    expect(state.delayMs).toBe(0);
    run(state, 1, 10, 2, 2, now);
    expect(state).toMatchObject({ delayMs: 1, isTrial: true });
  });

  test('never tries more than the most that was allowed', () => {
    const state = createAdaptiveDelay(5);
    run(state, 8, 10, 100, 80);
    expect(state.delayMs).toBe(5);
  });

  test('never tries where a sync takes no time', () => {
    const state = createAdaptiveDelay(5);
    run(state, 100, 10, 1, 0.2);
    expect(state).toMatchObject({ delayMs: 0, isTrial: false });
  });

  test('is kept while it pays, and measured again after a while', () => {
    const state = createAdaptiveDelay(5);
    let now = run(state, 8, 10, 2, 2);
    now = run(state, 1, 30, 3, 2, now);
    expect(state).toMatchObject({ delayMs: 1, isTrial: false });
    now = run(state, 7, 30, 3, 2, now);
    expect(state.delayMs).toBe(1);
    run(state, 1, 30, 3, 2, now);
    expect(state.delayMs).toBe(0);
  });

  test('is given up where it does not pay, and tried less and less often', () => {
    const state = createAdaptiveDelay(5);
    let now = 0;
    const rests: number[] = [];
    for (const _ of range(0, 4)) {
      let rest = 0;
      while (!state.isTrial) {
        now = run(state, 1, 10, 2, 2, now);
        rest++;
      }
      rests.push(rest);
      now = run(state, 1, 10, 3, 2, now);
      expect(state.delayMs).toBe(0);
    }
    expect(rests).toEqual([8, 16, 32, 64]);
  });
});

describe('what retention removes', () => {
  const limits = { bytes: Number.MAX_SAFE_INTEGER, ageMs: Number.MAX_SAFE_INTEGER, firstOffset: 0 };
  const segments: RetentionSegment[] = range(1, 6).map((i) => ({
    nextOffset: i * 10,
    bytes: 100,
    maxTimestamp: i * 1000,
    isSealed: i < 5,
  }));

  test('is nothing unless asked', () => {
    expect(chooseExpired(segments, limits, 1e12)).toBe(0);
    expect(chooseExpired([], { ...limits, bytes: 0, ageMs: 0 }, 1e12)).toBe(0);
  });

  test.each([
    [0, 4],
    [1, 4],
    [100, 4],
    [101, 3],
    [399, 1],
    [400, 1],
    [401, 0],
  ])('with %i bytes is as much as leaves no less: %i segments', (bytes, count) => {
    expect(chooseExpired(segments, { ...limits, bytes }, 0)).toBe(count);
  });

  test.each([
    [1000, 0],
    [1500, 0],
    [2001, 1],
    [3001, 2],
    [9000, 4],
  ])('at %i ms is what has no record of the last second: %i segments', (now, count) => {
    expect(chooseExpired(segments, { ...limits, ageMs: 1000 }, now)).toBe(count);
  });

  test.each([
    [9, 0],
    [10, 1],
    [39, 3],
    [99, 4],
  ])('below the first offset %i is %i segments', (firstOffset, count) => {
    expect(chooseExpired(segments, { ...limits, firstOffset }, 0)).toBe(count);
  });

  test('stops at the first segment that stays', () => {
    const young = segments.map((one, i) => (i === 1 ? { ...one, maxTimestamp: 1e9 } : one));
    expect(chooseExpired(young, { ...limits, ageMs: 1 }, 1e8)).toBe(1);
  });
});

describe('the options of a log', () => {
  test.each<[object, RegExp]>([
    [{ partitions: 1 }, /options has no option partitions; it has partition, sync/],
    [{ partition: -1 }, /partition must be a whole number from 0 to/],
    [{ partition: '0' }, /partition must be a number, not "0"/],
    [{ segmentBytes: 4095 }, /segmentBytes must be a whole number from 4096 to 2147483647, not 4095/],
    [{ segmentBytes: 2 ** 31 }, /segmentBytes/],
    [{ rollMs: 0 }, /rollMs/],
    [{ rollMs: Number.NaN }, /rollMs/],
    [{ indexIntervalBytes: 0 }, /indexIntervalBytes/],
    [{ batchBytes: 10 }, /batchBytes/],
    [{ bufferBytes: 1 }, /bufferBytes/],
    [{ maxRecordBytes: 0 }, /maxRecordBytes/],
    [{ maxRecordBytes: 65 * 1024 * 1024 }, /maxRecordBytes/],
    [{ retention: 7 }, /retention must be an object, not 7/],
    [{ retention: { days: 7 } }, /retention has no option days; it has bytes, ageMs/],
    [{ retention: { bytes: -1 } }, /retention.bytes/],
    [{ retention: { ageMs: 0.5 } }, /retention.ageMs/],
    [{ preallocate: 'yes' }, /preallocate must be true or false, not "yes"/],
    [{ recovery: 'ignore' }, /recovery must be one of tolerateCorruptedTail, .*, not "ignore"/],
    [{ sync: 'always' }, /sync must be an object, not "always"/],
    [{ sync: { mode: 'sometimes' } }, /sync.mode must be one of always, batch, interval, adaptive, never/],
    [{ sync: { mode: 'always', maxDelayMs: 5 } }, /sync \(always\) has no option maxDelayMs/],
    [{ sync: { mode: 'batch', intervalMs: 5 } }, /sync \(batch\) has no option intervalMs/],
    [{ sync: { mode: 'batch', maxRecords: 0 } }, /sync.maxRecords/],
    [{ sync: { mode: 'batch', maxDelayMs: 60_001 } }, /sync.maxDelayMs/],
    [{ sync: { mode: 'interval', intervalMs: 0 } }, /sync.intervalMs/],
    [{ sync: { mode: 'adaptive', maxDelayMs: 0 } }, /sync.maxDelayMs/],
    [[], /options must be an object/],
  ])('%o is refused, and the message says why', (options, message) => {
    expect(() => resolveLogOptions(options as LogOptions)).toThrow(message);
  });

  test('that are left out or undefined have their defaults', () => {
    const defaults = resolveLogOptions();
    expect(
      resolveLogOptions({ sync: undefined, segmentBytes: undefined, retention: {}, recovery: undefined }),
    ).toEqual(defaults);
    expect(defaults).toMatchObject({
      partition: 0,
      sync: { mode: 'always' },
      recovery: 'tolerateCorruptedTail',
    });
  });
});
