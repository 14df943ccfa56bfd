/**
 * The power fails at operations of a short life of a store, and the machine wakes up in some of the states that its
 * disk can be in, with its clock set back. What was acknowledged is there, a write is there as a whole or not at all, and
 * what was told to have expired stays away. Disks fail, too, and what was refused is not there.
 */

import { describe, expect, test } from 'vitest';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createFaultVfs, type FaultRule } from '../../src/testing/fault.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import { useKvKit } from '../kit/kv-kit.ts';

const kit = useKvKit();

const STEPS = 8;
const OPTIONS = { expiry: 'eager', sweepIntervalMs: 100_000, tree: { memtableBytes: 64 * 1024 } } as const;

interface Known {
  /** How many steps were acknowledged, and begun. */
  acknowledged: number;
  attempted: number;
  /** Keys that were told to have expired. */
  told: Set<string>;
}

/** Each step counts, sets two keys together, one of which expires with the next step, and looks at the one before. */
async function live(vfs: Vfs, known: Known): Promise<void> {
  const db = await kit.open(vfs);
  const store = await db.kv('s', { ...OPTIONS, values: 'utf8' });
  for (let step = 0; step < STEPS; step++) {
    known.attempted = step + 1;
    const counted = store.increment('n');
    const pair = store.setMany(
      [`a${step}`, `b${step}`].map((key) => [key, `${step}`]),
      { ttlMs: 10 },
    );
    const kept = store.set('last', `${step}`, { keepTtl: true });
    const [sum] = await Promise.all([counted, pair, kept]);
    expect(sum).toBe(step + 1);
    known.acknowledged = step + 1;
    await kit.clock.advance(10);
    if (step % 2 === 0) {
      for (const key of [`a${step}`, `b${step}`]) {
        expect(await store.get(key)).toBeUndefined();
        known.told.add(key);
      }
    }
    if (step === 3) await (await db.tree('kv.s')).flush();
    if (step === 5) await store.sweep();
  }
  await db.close();
}

async function expectKept(vfs: Vfs, known: Known): Promise<void> {
  const db = await kit.open(vfs);
  const store = await db.kv('s', { ...OPTIONS, values: 'utf8' });
  const count = Number((await store.get('n')) ?? 0);
  expect(count).toBeGreaterThanOrEqual(known.acknowledged);
  expect(count).toBeLessThanOrEqual(known.attempted);
  const last = Number((await store.get('last')) ?? -1);
  expect(last).toBeGreaterThanOrEqual(known.acknowledged - 1);
  for (const key of known.told) expect([key, await store.get(key)]).toEqual([key, undefined]);
  for (let step = 0; step < known.attempted; step++) {
    const pair = await store.getMany([`a${step}`, `b${step}`]);
    expect(pair[0]).toBe(pair[1]);
  }
  // It lives on, and what is due goes from both trees.
  await kit.clock.advance(1000);
  await store.sweep();
  expect([...store.keys()]).toEqual(count === 0 ? [] : last < 0 ? ['n'] : ['last', 'n']);
  expect([...(await db.tree('kv.s')).keys()]).toHaveLength(await store.count());
  expect([...(await db.tree('kvtime.s')).keys({ gte: Uint8Array.of(1) })]).toEqual([]);
  expect(await store.increment('n')).toBe(count + 1);
  await db.close();
}

async function tried(vfs: Vfs): Promise<Known> {
  const known: Known = { acknowledged: 0, attempted: 0, told: new Set() };
  await live(vfs, known).catch(() => undefined);
  return known;
}

describe('a store', () => {
  test('keeps its word when the power fails, and the clock is set back', { timeout: 60_000 }, async () => {
    let crashes = 0;
    for (let at = 20; ; at += 9) {
      const machine = new CrashVfs({
        onOperation: (index) => {
          if (index >= at) throw new Error('power');
        },
      });
      const known = await tried(machine);
      if (!machine.stopped) break;
      await settle(3);
      kit.clock.shift(-500);
      for (const plan of machine.enumerateCrashes(2)) {
        await expectKept(machine.crash(plan), known).catch((cause: unknown) => {
          throw new Error(`power cut at operation ${at}, ${JSON.stringify(plan)}`, { cause });
        });
        crashes++;
      }
      await kit.end();
    }
    expect(crashes).toBeGreaterThan(15);
  });

  test('has nothing of what was refused because the disk failed', { timeout: 60_000 }, async () => {
    let failures = 0;
    for (let at = 10; ; at += 11) {
      const inner = createMemoryVfs();
      let count = 0;
      const rules: FaultRule[] = [{ path: () => ++count === at, error: 'ENOSPC' }];
      const known = await tried(createFaultVfs(inner, rules));
      await kit.end();
      if (count < at) break;
      failures++;
      await expectKept(inner, known).catch((cause: unknown) => {
        throw new Error(`operation ${at} fails`, { cause });
      });
    }
    expect(failures).toBeGreaterThan(5);
  });
});
