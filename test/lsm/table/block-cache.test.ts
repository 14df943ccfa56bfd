import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { BlockCache, type Places } from '../../../src/lsm/table/block-cache.ts';
import { PLACE_ALIGN, PLACE_BYTES, WEIGHT_DATA, WEIGHT_INDEX } from '../../../src/memory/lookup-layout.ts';
import { Memory } from '../../../src/memory/memory.ts';
import type { Slab } from '../../../src/memory/slabs.ts';
import { createRandom } from '../../kit/random.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const PAGE = 256 * KIB;
const BLOCK = 4 * KIB;

let memory: Memory;
let cache: BlockCache;
const slabs: Slab[] = [];

function begin(budgetBytes: number, memoryBytes = 16 * MIB): void {
  memory = Memory.create(memoryBytes);
  cache = new BlockCache(memory, budgetBytes);
}

function places(count: number): Places {
  const slab = memory.slabs.allocate(count * PLACE_BYTES, 'test');
  slabs.push(slab);
  memory.u8.fill(0, slab.address, slab.address + count * PLACE_BYTES);
  return { address: slab.address, numbers: new Int32Array(count) };
}

/** Puts a block in whose bytes tell which it is; false where the cache does not take it. */
function put(owner: Places, slot: number, bytes = BLOCK, weight: number = WEIGHT_DATA): boolean {
  const address = cache.reserve(bytes);
  if (address === 0) return false;
  expect(address % PLACE_ALIGN).toBe(0);
  memory.u8.fill(slot & 255, address, address + bytes);
  cache.commit(owner, slot, bytes, weight);
  return true;
}

/** Whether a block is there; if it is, its bytes are its own. */
function has(owner: Places, slot: number, weight: number = WEIGHT_DATA): boolean {
  const block = cache.find(owner, slot, weight);
  if (block === undefined) return false;
  const { address, bytes } = block;
  return Buffer.alloc(bytes, slot & 255).equals(memory.buffer(address, bytes));
}

/** Slots whose blocks are there, without using them. */
function present(owner: Places): number[] {
  return [...owner.numbers.keys()].filter(
    (slot) => memory.i32[(owner.address + slot * PLACE_BYTES) >> 2] !== 0,
  );
}

describe('the block cache', () => {
  beforeEach(() => begin(2 * PAGE));

  afterEach(() => {
    cache.release();
    for (const slab of slabs.splice(0)) slab.release();
    expect(memory.slabs.inUse()).toEqual([]);
  });

  it('finds what was put in, and nothing else', () => {
    const [a, b] = [places(10), places(10)];
    put(a, 3);
    put(b, 4, 100);
    expect(has(a, 3)).toBe(true);
    expect(has(b, 4)).toBe(true);
    expect(has(a, 4)).toBe(false);
    expect(cache.find(b, 4, WEIGHT_DATA)?.bytes).toBe(100);
    expect(cache.metrics()).toMatchObject({ blocks: 2, evicted: 0 });
  });

  it('holds no more than its budget, whatever comes', () => {
    const owner = places(1000);
    const random = createRandom(1);
    for (let slot = 0; slot < 1000; slot++) {
      expect(put(owner, slot, random.int(1, 16) * KIB, random.pick([WEIGHT_DATA, WEIGHT_INDEX]))).toBe(true);
      expect(has(owner, slot)).toBe(true);
      has(owner, random.int(0, slot));
    }
    const { bytes, blocks, evicted } = cache.metrics();
    expect(bytes).toBeLessThanOrEqual(2 * PAGE + 16 * KIB);
    expect(blocks + evicted).toBe(1000);
    expect(present(owner)).toHaveLength(blocks);
    for (const slot of present(owner)) expect(has(owner, slot)).toBe(true);
  });

  it('keeps what is used, and drops what is not', () => {
    const owner = places(2000);
    const used = [5, 17, 40];
    for (let slot = 0; slot < 800; slot++) {
      put(owner, slot);
      if (slot > 40) for (const each of used) expect(has(owner, each)).toBe(true);
    }
    expect(present(owner).slice(0, 3)).toEqual(used);
  });

  it('keeps indexes longer than blocks that are as old', () => {
    const owner = places(2000);
    for (let slot = 0; slot < 8; slot++) put(owner, slot, BLOCK, slot % 2 === 0 ? WEIGHT_INDEX : WEIGHT_DATA);
    let slot = 8;
    while (present(owner).includes(1)) put(owner, slot++);
    // One more sweep of the first page.
    for (let i = 0; i < 100; i++) put(owner, slot++);
    expect(present(owner).filter((each) => each < 8)).toEqual([0, 2, 4, 6]);
    for (let i = 0; i < 800; i++) put(owner, slot++);
    expect(present(owner).filter((each) => each < 8)).toEqual([]);
  });

  it('forgets the blocks of an owner, and those of nobody else', () => {
    const [a, b] = [places(100), places(100)];
    for (let slot = 0; slot < 50; slot++) {
      put(a, slot);
      put(b, slot);
    }
    cache.forget(a);
    expect(present(a)).toEqual([]);
    expect(present(b)).toHaveLength(50);
    expect(cache.metrics().blocks).toBe(50);
    // Their room is used again, and so are their numbers.
    const c = places(100);
    for (let slot = 0; slot < 100; slot++) put(c, slot);
    for (const slot of present(b)) expect(has(b, slot)).toBe(true);
    for (const slot of present(c)) expect(has(c, slot)).toBe(true);
    expect(present(a)).toEqual([]);
  });

  it('does not keep what would take much of a page', () => {
    const owner = places(2);
    expect(cache.reserve(PAGE / 4 + 1)).toBe(0);
    const address = cache.passing(PAGE);
    expect(cache.passing(10)).toBe(address);
    put(owner, 0);
    expect(has(owner, 0)).toBe(true);
  });

  it('keeps nothing where it may take no memory', () => {
    cache.release();
    begin(0);
    expect(cache.reserve(100)).toBe(0);
    expect(cache.passing(100)).toBeGreaterThan(0);
  });

  it('gives its memory back when somebody needs it', () => {
    cache.release();
    begin(16 * MIB, 8 * MIB);
    const owner = places(4000);
    for (let slot = 0; slot < 4000; slot++) put(owner, slot, BLOCK);
    const before = cache.metrics();
    const needed = memory.slabs.allocate(MIB, 'test');
    const after = cache.metrics();
    expect(after.bytes).toBeLessThan(before.bytes);
    expect(present(owner)).toHaveLength(after.blocks);
    for (const slot of present(owner)) expect(has(owner, slot)).toBe(true);
    needed.release();
  });
});
