import { describe, expect, test } from 'vitest';
import { isVarveError } from '../../src/errors.ts';
import { SLAB_BYTES_MAX, SLAB_BYTES_MIN } from '../../src/limits.ts';
import { type Slab, SlabAllocator } from '../../src/memory/slabs.ts';
import { createRandom } from '../kit/random.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const BASE = 64 * KIB;

/** The most that can be had in slabs of the smallest size. */
function countUnits(slabs: SlabAllocator): number {
  const taken: Slab[] = [];
  for (;;) {
    const slab = slabs.tryAllocate(1, 'count');
    if (slab === undefined) break;
    taken.push(slab);
  }
  for (const slab of taken) slab.release();
  return taken.length;
}

describe('the slab allocator', () => {
  test.each([1, 2, 3])('never hands out memory twice and puts all of it together again (seed %i)', (seed) => {
    const random = createRandom(seed);
    // Not a power of two, so that the last slabs have no neighbour.
    const budgetBytes = 5 * MIB + 3 * SLAB_BYTES_MIN;
    const slabs = new SlabAllocator(BASE, budgetBytes + 100);
    expect(slabs.budgetBytes).toBe(budgetBytes);
    const live: Slab[] = [];
    const owner = new Int32Array(budgetBytes / SLAB_BYTES_MIN);
    for (let step = 0; step < 6000; step++) {
      if (live.length > 0 && random.chance(step % 1000 < 500 ? 0.35 : 0.6)) {
        const [slab] = live.splice(random.int(0, live.length - 1), 1) as [Slab];
        const from = (slab.address - BASE) / SLAB_BYTES_MIN;
        owner.fill(0, from, from + slab.bytes / SLAB_BYTES_MIN);
        slab.release();
        continue;
      }
      const bytes = random.pick([1, 100, 16 * KIB, 16 * KIB + 1, 40 * KIB, 256 * KIB, 300 * KIB, 2 * MIB]);
      const slab = slabs.tryAllocate(bytes, `step ${step}`);
      if (slab === undefined) continue;
      expect(slab.bytes).toBeGreaterThanOrEqual(bytes);
      expect(slab.bytes).toBeLessThan(Math.max(2 * bytes, SLAB_BYTES_MIN + 1));
      expect(Number.isInteger(Math.log2(slab.bytes))).toBe(true);
      expect((slab.address - BASE) % slab.bytes).toBe(0);
      const from = (slab.address - BASE) / SLAB_BYTES_MIN;
      const to = from + slab.bytes / SLAB_BYTES_MIN;
      expect(from >= 0 && to <= owner.length).toBe(true);
      expect(owner.subarray(from, to).every((mark) => mark === 0)).toBe(true);
      owner.fill(1, from, to);
      live.push(slab);
      expect(slabs.inUseBytes).toBe(live.reduce((sum, one) => sum + one.bytes, 0));
    }
    expect(slabs.inUse()).toHaveLength(live.length);
    for (const slab of live) slab.release();
    expect(slabs.inUse()).toEqual([]);
    expect(slabs.inUseBytes).toBe(0);
    // Everything has joined: the largest that the range can hold can be had, and then all the rest.
    const largest = slabs.allocate(4 * MIB, 'largest');
    expect(slabs.allocate(MIB, 'next').bytes).toBe(MIB);
    expect(countUnits(slabs)).toBe(3);
    largest.release();
    expect(countUnits(slabs)).toBe(3 + (4 * MIB) / SLAB_BYTES_MIN);
  });

  test('hands out memory that was used before memory that was never touched', () => {
    const slabs = new SlabAllocator(BASE, 8 * MIB);
    const first = slabs.allocate(16 * KIB, 'first');
    const { address } = first;
    first.release();
    for (let i = 0; i < 100; i++) {
      const slab = slabs.allocate(16 * KIB, 'again');
      expect(slab.address).toBe(address);
      slab.release();
    }
  });

  test('says who has how much, and what is left, when there is no more', () => {
    const slabs = new SlabAllocator(BASE, 64 * KIB);
    const slab = slabs.allocate(20 * KIB, 'a reader');
    expect(slabs.inUse()).toEqual([{ owner: 'a reader', bytes: 32 * KIB }]);
    expect(slabs.tryAllocate(64 * KIB, 'a writer')).toBeUndefined();
    expect(() => slabs.allocate(64 * KIB, 'a writer')).toThrow(/65536 bytes .* a writer: 32768 of 65536/);
    try {
      slabs.allocate(64 * KIB, 'a writer');
    } catch (error) {
      expect(isVarveError(error, 'NO_MEMORY')).toBe(true);
    }
    slab.release();
    slabs.allocate(64 * KIB, 'a writer').release();
  });

  test('refuses more than the largest slab', () => {
    const slabs = new SlabAllocator(BASE, 2 * SLAB_BYTES_MAX);
    expect(slabs.tryAllocate(SLAB_BYTES_MAX + 1, 'too large')).toBeUndefined();
    const one = slabs.allocate(SLAB_BYTES_MAX, 'one');
    const two = slabs.allocate(SLAB_BYTES_MAX, 'two');
    expect(Math.abs(one.address - two.address)).toBe(SLAB_BYTES_MAX);
    one.release();
    two.release();
  });

  test('a slab is released once', () => {
    const slabs = new SlabAllocator(BASE, 64 * KIB);
    const slab = slabs.allocate(1, 'twice');
    slab.release();
    expect(() => slab.release()).toThrow(/the slab of twice is released once/);
    expect(slabs.inUseBytes).toBe(0);
  });
});

describe('memory pressure', () => {
  test('asks one cache after the other, and only as many as it takes', () => {
    const slabs = new SlabAllocator(BASE, 64 * KIB);
    const asked: string[] = [];
    const caches = ['a', 'b', 'c', 'd'].map((name) => ({ name, slab: slabs.allocate(1, name) }));
    for (const cache of caches.slice(1)) {
      slabs.onPressure((bytes) => {
        asked.push(`${cache.name} ${bytes}`);
        if (cache.name !== 'b') cache.slab.release();
      });
    }
    slabs.allocate(10, 'needy').release();
    expect(asked).toEqual(['b 16384', 'c 16384']);
    expect(slabs.inUse().map(({ owner }) => owner)).toEqual(['a', 'b', 'd']);
  });

  test('asks a cache again while it gives something back and that is not enough', () => {
    const slabs = new SlabAllocator(BASE, 256 * KIB);
    const pages = Array.from({ length: 16 }, () => slabs.allocate(16 * KIB, 'cache'));
    // The order in which they go leaves holes for long.
    const order = [0, 5, 10, 15, 2, 7, 8, 13, 1, 3, 4, 6, 9, 11, 12, 14].map((i) => pages[i] as Slab);
    slabs.onPressure((bytes) => {
      for (let freed = 0; freed < bytes && order.length > 0; freed += 16 * KIB) {
        (order.shift() as Slab).release();
      }
    });
    expect(slabs.tryAllocate(64 * KIB, 'needy')?.bytes).toBe(64 * KIB);
  });

  test('a cache that is gone is not asked', () => {
    const slabs = new SlabAllocator(BASE, 16 * KIB);
    let asked = 0;
    const stop = slabs.onPressure(() => {
      asked++;
    });
    slabs.allocate(1, 'all');
    expect(slabs.tryAllocate(1, 'more')).toBeUndefined();
    stop();
    expect(slabs.tryAllocate(1, 'more')).toBeUndefined();
    expect(asked).toBe(1);
  });

  test('who waits for a release is woken by the next one, once', async () => {
    const slabs = new SlabAllocator(BASE, 64 * KIB);
    const [one, two] = [slabs.allocate(1, 'one'), slabs.allocate(1, 'two')];
    let woken = 0;
    const waits = [slabs.released(), slabs.released()].map((wait) => wait.then(() => woken++));
    await Promise.resolve();
    expect(woken).toBe(0);
    one.release();
    await Promise.all(waits);
    expect(woken).toBe(2);
    two.release();
    await Promise.resolve();
    expect(woken).toBe(2);
  });
});
