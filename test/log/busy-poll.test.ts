/** `busyPollMs`: the event loop is kept awake while an fdatasync is under way, and only as long as that is asked for. */

import { describe, expect, test } from 'vitest';
import { busyPoll } from '../../src/log/busy-poll.ts';
import { resolveSyncPolicy, type SyncPolicy } from '../../src/log/sync-policy.ts';
import { createGate, settle, VirtualClock } from '../kit/clock.ts';
import { failureCode, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();

/** Counts how often something wants the next turn of the event loop. */
class CountingClock extends VirtualClock {
  turns = 0;

  override nextTurn(callback: () => void): void {
    this.turns++;
    super.nextTurn(callback);
  }
}

/** How many turns are asked for while one fdatasync of a log is held up. */
async function turnsDuringSync(sync: SyncPolicy, lastSyncMs = 0): Promise<number> {
  const clock = new CountingClock();
  const disk = await kit.disk();
  const log = await kit.open(disk, { sync }, { clock });
  // The first one takes as long as it is told to.
  const first = createGate();
  disk.rules.push({ operation: 'datasync', path: /log$/, times: 1, delay: () => first.opened });
  const warmUp = log.append({ value: 'warm up' });
  await settle();
  await clock.advance(lastSyncMs);
  first.open();
  await warmUp;
  await settle();

  const gate = createGate();
  disk.rules.splice(0, 1, { operation: 'datasync', path: /log$/, delay: () => gate.opened });
  const before = clock.turns;
  const append = log.append({ value: 'x' });
  await settle(50);
  const during = clock.turns - before;
  gate.open();
  await append;
  await settle();
  const after = clock.turns;
  await settle(50);
  expect(clock.turns, 'it ends with the sync').toBe(after);
  return during;
}

describe('polling while an fdatasync is under way', () => {
  test('keeps the event loop turning, where that is asked for', async () => {
    expect(await turnsDuringSync({ mode: 'always', busyPollMs: 1 })).toBeGreaterThan(40);
    expect(await turnsDuringSync({ mode: 'adaptive', busyPollMs: 1 })).toBeGreaterThan(40);
    // One turn is asked for by every small write, for its own reasons.
    expect(await turnsDuringSync({ mode: 'always' })).toBeLessThan(5);
  });

  test('is not done where the last one took longer than that', async () => {
    expect(await turnsDuringSync({ mode: 'always', busyPollMs: 5 }, 5)).toBeGreaterThan(40);
    expect(await turnsDuringSync({ mode: 'always', busyPollMs: 5 }, 6)).toBeLessThan(5);
  });

  test('ends with its time, however long the sync takes', async () => {
    const clock = new CountingClock();
    busyPoll(clock, 3);
    await settle(50);
    expect(clock.turns).toBeGreaterThan(40);
    await clock.advance(3);
    const { turns } = clock;
    await settle(50);
    expect(clock.turns).toBe(turns);
  });

  test('ends with a sync that fails, and the log is poisoned as ever', async () => {
    const clock = new CountingClock();
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'always', busyPollMs: 1 } }, { clock });
    disk.rules.push({ operation: 'datasync', path: /log$/, error: 'EIO' });
    expect(await failureCode(log.append({ value: 'x' }))).toBe('POISONED');
    await settle();
    const { turns } = clock;
    await settle(50);
    expect(clock.turns).toBe(turns);
  });

  test('is an option of policies that sync each write, in whole milliseconds', () => {
    expect(resolveSyncPolicy({ mode: 'always' })).toEqual({ mode: 'always', busyPollMs: 0 });
    for (const busyPollMs of [-1, 0.5, 101, Number.NaN])
      expect(() => resolveSyncPolicy({ mode: 'always', busyPollMs })).toThrow(RangeError);
    const other = { mode: 'interval', busyPollMs: 1 } as unknown as SyncPolicy;
    expect(() => resolveSyncPolicy(other)).toThrow(TypeError);
  });
});
