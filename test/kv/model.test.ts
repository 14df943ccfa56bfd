/**
 * Whatever is done to a store, in whatever order and with time passing as it likes, it holds what a `Map` with times
 * would: with every way of removing what has expired, through flushes, merges, restarts, and clocks that are set
 * back or forward.
 */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { coreOf, type KvStore } from '../../src/kv/store.ts';
import type { Database } from '../../src/open.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { useKvKit } from '../kit/kv-kit.ts';

const kit = useKvKit();
type Store = KvStore<string, string, string>;
type Expiry = 'lazy' | 'eager' | 'hybrid';

interface Known {
  value: string;
  expiresAt: number;
}

interface Real {
  vfs: Vfs;
  db: Database;
  store: Store;
  expiry: Expiry;
}

/** What should be there, and what time it is for it. */
class Model {
  readonly known: Map<string, Known> = new Map();
  #highMs = 0;

  /** The time by which keys expire is the latest that was ever seen. */
  now(): number {
    this.#highMs = Math.max(this.#highMs, kit.clock.now());
    return this.#highMs;
  }

  reset(ms: number): void {
    this.#highMs = ms;
  }

  get(key: string): Known | undefined {
    const known = this.known.get(key);
    if (known === undefined || (known.expiresAt !== 0 && known.expiresAt <= this.now())) return undefined;
    return known;
  }

  entries(): [string, string, number | undefined][] {
    return [...this.known.keys()].sort().flatMap((key): [string, string, number | undefined][] => {
      const known = this.get(key);
      return known === undefined ? [] : [[key, known.value, known.expiresAt || undefined]];
    });
  }
}

type Command = fc.AsyncCommand<Model, Real>;

const someKey = fc.constantFrom('', 'a', 'b', 'ba', 'c', '\0', 'd');
const someTtl = fc.constantFrom(1, 50, 1000, 70_000, undefined, undefined);

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

const open = async (vfs: Vfs, expiry: Expiry): Promise<Omit<Real, 'vfs' | 'expiry'>> => {
  const db = await kit.open(vfs);
  const tree = { memtableBytes: 64 * 1024, tableBytes: 16 * 1024 };
  const store = await db.kv('s', { values: 'utf8', expiry, longTtlMs: 900, sweepIntervalMs: 500, tree });
  return { db, store };
};

const set = fc
  .record({
    key: someKey,
    value: fc.constantFrom('1', '22', 'x'.repeat(300)),
    ttlMs: someTtl,
    condition: fc.constantFrom(undefined, undefined, 'ifAbsent' as const, 'ifPresent' as const),
    keepTtl: fc.boolean(),
  })
  .map(({ key, value, ttlMs, condition, keepTtl }) =>
    command(`set(${key}, ${value.length}, ${ttlMs}, ${condition}, ${keepTtl})`, async (model, { store }) => {
      const before = model.get(key);
      const kept = keepTtl && ttlMs === undefined;
      const holds =
        condition === undefined || (condition === 'ifAbsent' ? before === undefined : before !== undefined);
      const written = await store.set(key, value, {
        ttlMs,
        keepTtl: kept,
        ...(condition !== undefined && { [condition]: true }),
      });
      expect(written !== undefined).toBe(holds);
      if (!holds) return;
      const fresh = ttlMs === undefined ? 0 : model.now() + ttlMs;
      model.known.set(key, { value, expiresAt: kept ? (before?.expiresAt ?? 0) : fresh });
    }),
  );

const change = fc
  .tuple(fc.constantFrom('delete', 'persist', 'touch', 'clear', 'many'), someKey, someTtl)
  .map(([kind, key, ttlMs = 60]) =>
    command(`${kind}(${key}, ${ttlMs})`, async (model, { store }) => {
      const before = model.get(key);
      if (kind === 'clear') {
        await store.clear({ prefix: key });
        for (const known of [...model.known.keys()]) if (known.startsWith(key)) model.known.delete(known);
      } else if (kind === 'many') {
        await store.setMany([[key, 'm'] as const, ['z', 'm'] as const], { ttlMs });
        for (const one of [key, 'z']) model.known.set(one, { value: 'm', expiresAt: model.now() + ttlMs });
      } else if (kind === 'delete') {
        expect(await store.delete(key)).toBe(before !== undefined);
        model.known.delete(key);
      } else {
        const done = kind === 'persist' ? store.persist(key) : store.touch(key, { ttlMs });
        expect(await done).toBe(before !== undefined);
        if (before !== undefined) before.expiresAt = kind === 'persist' ? 0 : model.now() + ttlMs;
      }
    }),
  );

const time = fc
  .tuple(fc.constantFrom(1, 49, 300, 999, 61_000), fc.constantFrom(0, 0, 0, -5_000_000, 200))
  .map(([ms, shiftMs]) =>
    command(`time(${ms}, ${shiftMs})`, async (model, { store }) => {
      const beforeMs = model.now();
      // The store looks too, so that both have seen what time it was.
      store.ttlSync('a');
      await store.set('probe', '', { ttlMs: 1 });
      await store.delete('probe');
      kit.clock.shift(shiftMs);
      await kit.clock.advance(ms);
      model.reset(beforeMs + ms);
    }),
  );

const look = fc.tuple(someKey, fc.boolean()).map(([key, reverse]) =>
  command(`look(${key})`, async (model, { store }) => {
    const known = model.get(key);
    expect(await store.get(key)).toBe(known?.value);
    expect(store.hasSync(key)).toBe(known !== undefined);
    const ttl =
      known === undefined ? undefined : known.expiresAt === 0 ? Infinity : known.expiresAt - model.now();
    expect(store.ttlSync(key)).toBe(ttl);
    const entries = model.entries();
    const listed = [...store.entriesWithExpiry()];
    expect(listed.map(([one, value]) => [one, value])).toEqual(entries.map(([one, value]) => [one, value]));
    // When a key expires is told by the clock of the machine, of which that of the store is ahead where it was set back.
    const aheadMs = model.now() - kit.clock.now();
    for (const [i, [, , expiresAt]] of entries.entries()) {
      const toldMs = listed[i]?.[2];
      if (expiresAt === undefined || aheadMs < 1000) expect(toldMs).toBe(expiresAt);
      else expect(Math.abs((toldMs ?? 0) - (expiresAt - aheadMs))).toBeLessThan(1000);
    }
    expect([...store.scan(key, { reverse })].map(([one]) => one)).toEqual(
      (reverse ? entries.toReversed() : entries).map(([one]) => one).filter((one) => one.startsWith(key)),
    );
    const { keys, keysWithTtl } = await store.stats();
    expect({ keys, keysWithTtl }).toEqual({
      keys: entries.length,
      keysWithTtl: entries.filter(([, , at]) => at !== undefined).length,
    });
  }),
);

const maintain = fc.constantFrom('flush', 'compact', 'sweep').map((kind) =>
  command(kind, async (_, { db, store }) => {
    const tree = await db.tree('kv.s');
    if (kind === 'sweep') await store.sweep();
    else await tree[kind]();
  }),
);

const reopen = fc.constantFrom<Expiry>('lazy', 'eager', 'hybrid').map((expiry) =>
  command(`reopen(${expiry})`, async (model, real) => {
    const all = [...model.known.keys()];
    // Whoever was told of a key that it has expired is never told otherwise.
    const told = await real.store.getMany(all);
    all.forEach((key, i) => expect(told[i]).toBe(model.get(key)?.value));
    for (const key of all) if (model.get(key) === undefined) model.known.delete(key);
    await real.db.close();
    real.expiry = expiry;
    Object.assign(real, await open(real.vfs, expiry));
    // What nobody was told of has no reason to be written down: the clock may stand where the machine's does. What it is
    // ahead of that is known to a second.
    const nowMs = coreOf(real.store).clock.now();
    expect(nowMs).toBeLessThan(model.now() + 1000);
    expect(nowMs).toBeGreaterThanOrEqual(kit.clock.now());
    model.reset(nowMs);
    expect([...real.store.keys()]).toEqual(model.entries().map(([key]) => key));
  }),
);

test('stores hold what maps with times would', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Expiry>('lazy', 'eager', 'hybrid'),
      fc.commands([set, set, change, time, look, look, maintain, reopen], { maxCommands: 30, size: '+1' }),
      async (expiry, calls) => {
        const vfs = createMemoryVfs();
        const real: Real = { vfs, expiry, ...(await open(vfs, expiry)) };
        try {
          await fc.asyncModelRun(() => ({ model: new Model(), real }), calls);
        } finally {
          await kit.end();
        }
      },
    ),
    { numRuns: 40, seed: 20_261_122, endOnFailure: true },
  );
});
