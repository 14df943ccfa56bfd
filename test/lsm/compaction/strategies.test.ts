/**
 * The strategies, on tables that are maps: whatever is chosen, readers must find what was written last, levels must
 * stay in order, it must come to an end, and there must be no more to read and no more space taken than is said.
 */

import { describe, expect, test } from 'vitest';
import { BOTTOM, type Choice, LEVELS_MAX } from '../../../src/lsm/compaction/choice.ts';
import {
  backlogOf,
  type CompactionStrategy,
  choose,
  resolveStrategy,
  type StoredStrategy,
} from '../../../src/lsm/compaction/strategy.ts';
import type { TableFile } from '../../../src/lsm/table/table-file.ts';
import { settle } from '../../kit/clock.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import { useTreeKit } from '../../kit/tree-kit.ts';

const kit = useTreeKit();
const ENTRY_BYTES = 100;
const TABLE_ENTRIES = 16;
const NOW = 1_700_000_000_000;

/** What a table has: by key, the sequence number, which is negative for a deletion. */
type Entries = Map<number, number>;

interface Step {
  written: number;
  rewritten: number;
}

/** A tree whose tables are maps. */
class ModelTree {
  levels: TableFile[][] = Array.from({ length: LEVELS_MAX }, () => []);
  readonly model: Map<number, number> = new Map();
  readonly strategy: StoredStrategy;
  readonly bytes: Step = { written: 0, rewritten: 0 };
  moves = 0;
  drops = 0;
  nowMs: number = NOW;
  readonly #entries: Map<TableFile, Entries> = new Map();
  #sequence = 1;
  #number = 1;

  constructor(strategy: CompactionStrategy) {
    this.strategy = resolveStrategy(strategy, TABLE_ENTRIES * ENTRY_BYTES);
  }

  get runs(): number {
    return (this.levels[0]?.length ?? 0) + this.levels.slice(1).filter((level) => level.length > 0).length;
  }

  get total(): number {
    return this.levels.flat().reduce((sum, { properties }) => sum + properties.bytes, 0);
  }

  flush(keys: readonly number[], isDeletion: (key: number) => boolean = () => false): void {
    const entries: Entries = new Map();
    for (const key of keys) {
      const sequence = this.#sequence++;
      const isDeleted = isDeletion(key);
      entries.set(key, isDeleted ? -sequence : sequence);
      if (isDeleted) this.model.delete(key);
      else this.model.set(key, sequence);
    }
    const table = this.#table(entries, this.nowMs, this.nowMs);
    this.bytes.written += table.properties.bytes;
    this.levels[0]?.unshift(table);
  }

  #table(entries: Entries, firstMs: number, lastMs: number): TableFile {
    const keys = [...entries.keys()].sort((a, b) => a - b);
    const sequences = [...entries.values()].map(Math.abs);
    const keyOf = (key: number): Buffer => Buffer.from(String(key).padStart(6, '0'));
    const properties = {
      bytes: entries.size * ENTRY_BYTES,
      entries: entries.size,
      tombstones: [...entries.values()].filter((sequence) => sequence < 0).length,
      rangeTombstones: 0,
      smallestKey: keyOf(keys[0] as number),
      largestKey: keyOf(keys.at(-1) as number),
      largestExclusive: false,
      smallestSequence: Math.min(...sequences),
      largestSequence: Math.max(...sequences),
      firstMs,
      lastMs,
    } as unknown as TableFile['properties'];
    const table = { number: this.#number++, properties };
    this.#entries.set(table, entries);
    return table;
  }

  /** Does what is chosen until nothing is; fails where that does not end. */
  settle(snapshots: readonly number[] = []): void {
    for (let steps = 0; ; steps++) {
      expect(steps, 'it comes to an end').toBeLessThan(50);
      const choice = choose(this.levels, this.strategy, this.nowMs, snapshots);
      if (choice === undefined) return;
      this.#carryOut(choice);
      this.#check();
    }
  }

  #carryOut({ kind, inputs, outputLevel, isBottom }: Choice): void {
    const all = inputs.flatMap(({ level, tables }) => {
      for (const table of tables) expect(this.levels[level], 'it is there').toContain(table);
      return tables;
    });
    expect(all.length).toBeGreaterThan(0);
    expect(new Set(all).size, 'no table is in it twice').toBe(all.length);
    this.levels = this.levels.map((level) => level.filter((table) => !all.includes(table)));
    if (kind === 'drop') this.#forget(all);
    const made =
      kind === 'move' ? [...all] : kind === 'drop' ? [] : this.#merge(inputs, outputLevel, isBottom);
    if (kind === 'move') this.moves++;
    if (kind === 'drop') this.drops++;
    const level = this.levels[outputLevel] as TableFile[];
    level.push(...made);
    level.sort((a, b) =>
      outputLevel === 0
        ? b.properties.largestSequence - a.properties.largestSequence
        : Buffer.compare(a.properties.smallestKey, b.properties.smallestKey),
    );
  }

  /** What tables had that went is gone: nothing older may take its place, so that it may be forgotten. */
  #forget(tables: readonly TableFile[]): void {
    for (const table of tables)
      for (const [key, sequence] of this.#entries.get(table) as Entries)
        if (this.model.get(key) === sequence) this.model.delete(key);
  }

  #merge(inputs: Choice['inputs'], outputLevel: number, isBottom: boolean): TableFile[] {
    const tables = inputs.flatMap(({ tables: some }) => some);
    const merged: Entries = new Map();
    for (const table of tables)
      for (const [key, sequence] of this.#entries.get(table) as Entries)
        if (Math.abs(sequence) > Math.abs(merged.get(key) ?? 0)) merged.set(key, sequence);
    const kept = [...merged].filter(([, sequence]) => !isBottom || sequence > 0).sort(([a], [b]) => a - b);
    const firstMs = Math.min(...tables.map(({ properties }) => properties.firstMs));
    const lastMs = Math.max(...tables.map(({ properties }) => properties.lastMs));
    const made: TableFile[] = [];
    while (kept.length > 0) {
      const some = kept.splice(0, outputLevel === 0 ? kept.length : TABLE_ENTRIES);
      made.push(this.#table(new Map(some), firstMs, lastMs));
    }
    this.bytes.rewritten += made.reduce((sum, { properties }) => sum + properties.bytes, 0);
    return made;
  }

  #check(): void {
    for (const level of this.levels.slice(1)) {
      for (const [i, { properties }] of level.entries()) {
        const before = level[i - 1]?.properties.largestKey;
        if (before !== undefined) expect(Buffer.compare(before, properties.smallestKey)).toBeLessThan(0);
      }
    }
    const found = new Map<number, number>();
    for (const table of this.levels.flat())
      for (const [key, sequence] of this.#entries.get(table) as Entries)
        if (!found.has(key)) found.set(key, sequence);
    let seen = 0;
    for (const [key, sequence] of found) {
      if (sequence < 0) continue;
      seen++;
      if (this.model.get(key) !== sequence) expect.fail(`${key} is ${sequence}, not ${this.model.get(key)}`);
    }
    expect(seen).toBe(this.model.size);
  }
}

const FACTOR = 4;
const LEVELED: CompactionStrategy = {
  kind: 'leveled',
  baseBytes: 4 * TABLE_ENTRIES * ENTRY_BYTES,
  factor: FACTOR,
};
const TIERED: CompactionStrategy = { kind: 'tiered' };
const WINDOW: CompactionStrategy = { kind: 'timeWindow', windowMs: 1000, maxAgeMs: 20_000 };

function someKeys(random: Random, most: number): number[] {
  const keys = new Set<number>();
  const [from, range] = random.chance(0.3) ? [random.int(0, most), 40] : [0, most];
  for (let i = random.int(1, TABLE_ENTRIES); i > 0; i--) keys.add(from + random.int(0, range));
  return [...keys];
}

describe.each([LEVELED, TIERED, WINDOW])('the strategy $kind', (strategy) => {
  test('keeps what was written last, and comes to an end, whatever is written', () => {
    const random = createRandom(31);
    for (let round = 0; round < 6; round++) {
      const tree = new ModelTree(strategy);
      for (let i = 0; i < 60; i++) {
        tree.flush(someKeys(random, random.pick([30, 600])), () => random.chance(0.2));
        tree.nowMs += random.pick([0, 100, 900, 5000]);
        if (random.chance(0.7)) tree.settle();
      }
      tree.settle();
      expect(choose(tree.levels, tree.strategy, tree.nowMs, [])).toBeUndefined();
    }
  });

  test('rests where nothing is left to be done', () => {
    const tree = new ModelTree(strategy);
    for (let i = 0; i < 30; i++) {
      tree.flush(someKeys(createRandom(i), 100));
      tree.settle();
      expect(choose(tree.levels, tree.strategy, tree.nowMs, [])).toBeUndefined();
    }
  });
});

describe('amplification is bounded', () => {
  function overwrite(strategy: CompactionStrategy, keys: number, tables: number): ModelTree {
    const random = createRandom(8);
    const tree = new ModelTree(strategy);
    let [runs, space] = [0, 0];
    for (let i = 0; i < tables; i++) {
      tree.flush([...new Set(Array.from({ length: TABLE_ENTRIES }, () => random.int(0, keys - 1)))]);
      tree.settle();
      runs = Math.max(runs, tree.runs);
      if (i > tables / 2) space = Math.max(space, tree.total / (tree.model.size * ENTRY_BYTES));
    }
    const limit = strategy.kind === 'tiered' ? { runs: 8, space: 3.2 } : { runs: 4 + BOTTOM, space: 1.7 };
    expect(runs).toBeLessThanOrEqual(limit.runs);
    expect(space).toBeLessThan(limit.space);
    return tree;
  }

  test('of leveled: little space, of tiered: little that is written again', () => {
    const writes = [LEVELED, TIERED].map((strategy) => {
      const { bytes } = overwrite(strategy, 600, 250);
      return bytes.rewritten / bytes.written;
    }) as [number, number];
    expect(writes[0]).toBeLessThan(4 * FACTOR);
    expect(writes[1]).toBeLessThan(writes[0]);
  });

  test('of leveled: what is written in the order of its keys is moved, not written again', () => {
    const tree = new ModelTree(LEVELED);
    for (let i = 0; i < 120; i++) {
      tree.flush(Array.from({ length: TABLE_ENTRIES }, (_, n) => i * TABLE_ENTRIES + n));
      tree.settle();
    }
    expect(tree.moves).toBeGreaterThan(20);
    expect(tree.bytes.rewritten).toBe(0);
    // Nearly everything is in the last level, as the sizes of levels follow the data.
    const sizes = tree.levels.map((level) => level.length);
    expect(sizes[BOTTOM]).toBeGreaterThan(60);
  });

  test('of windows: each is one run when it is over, is read by itself, and goes when it is too old', () => {
    const tree = new ModelTree(WINDOW);
    for (let i = 0; i < 300; i++) {
      tree.flush(Array.from({ length: TABLE_ENTRIES }, (_, n) => i * TABLE_ENTRIES + n));
      tree.nowMs += 100;
      tree.settle();
      expect(tree.runs).toBeLessThanOrEqual(21 + 8);
      expect(backlogOf(tree.levels, tree.strategy)).toBeLessThanOrEqual(8);
    }
    expect(tree.drops).toBeGreaterThan(5);
    expect(tree.bytes.rewritten).toBeLessThan(3 * tree.bytes.written);
    const oldest = Math.min(...tree.levels.flat().map(({ properties }) => properties.lastMs));
    expect(oldest).toBeGreaterThanOrEqual(tree.nowMs - 20_000);
    const limited = new ModelTree({ ...WINDOW, maxBytes: 20_000 });
    for (let i = 0; i < 100; i++) {
      limited.flush([i]);
      limited.flush(Array.from({ length: TABLE_ENTRIES }, (_, n) => 1000 + i * TABLE_ENTRIES + n));
      limited.nowMs += 500;
      limited.settle();
      expect(limited.total).toBeLessThanOrEqual(20_000);
    }
    expect(limited.total).toBeGreaterThan(15_000);
  });

  test('of windows: nothing goes that a snapshot sees', () => {
    const tree = new ModelTree(WINDOW);
    tree.flush([1, 2, 3]);
    tree.nowMs += 100_000;
    tree.settle([2]);
    expect(tree.drops).toBe(0);
    tree.settle([1]);
    expect([tree.drops, tree.model.size]).toEqual([1, 0]);
  });
});

describe('the option of a tree', () => {
  test('is refused where it makes no sense', () => {
    for (const wrong of [
      5,
      { kind: 'none' },
      { kind: 'tiered', factor: 3 },
      { kind: 'leveled', minRuns: 3 },
      { kind: 'timeWindow', windowMs: 5 },
      { kind: 'tiered', sizeRatio: '2' },
    ])
      expect(() => resolveStrategy(wrong as never, 1)).toThrow(TypeError);
    for (const wrong of [
      { kind: 'tiered', minRuns: 5, maxRuns: 4 },
      { kind: 'tiered', sizeRatio: 0.5 },
      { kind: 'leveled', factor: 1 },
      { kind: 'timeWindow', windowMs: 10, maxAgeMs: 9 },
      { kind: 'timeWindow', windowMs: 10, maxAgeMs: 10_001 },
    ])
      expect(() => resolveStrategy(wrong as never, 1)).toThrow(RangeError);
  });

  test.each([{ kind: 'tiered' }, WINDOW] as CompactionStrategy[])(
    '$kind: a tree has what was written, is kept in the manifest, and can be changed',
    async (strategy) => {
      const disk = await kit.disk();
      const options = { memtableBytes: 65_536, tableBytes: 16_384, blockBytes: 512 };
      let open = await kit.open(disk);
      let tree = await open.tree('one', { ...options, strategy });
      const random = createRandom(12);
      const expected = new Map<string, string>();
      for (let i = 0; i < 4000; i++) {
        const key = `key ${random.int(0, 700)}`;
        const value = `${i}`.padEnd(100, '.');
        await tree.put(key, value);
        expected.set(key, value);
        if (i % 500 === 0) await tree.delete(`key ${random.int(0, 700)}`).then(() => settle(1));
        if (i === 2000) {
          await open.trees.close();
          open = await kit.open(disk);
          tree = await open.tree('one');
        }
      }
      for (const key of expected.keys()) if (!tree.hasSync(key)) expected.delete(key);
      expect(expected.size).toBeGreaterThan(680);
      await tree.flush();
      await open.trees.background.settled();
      const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1));
      const contents = (): string[][] => [...tree.entries()].map(([key, value]) => [`${key}`, `${value}`]);
      expect(contents()).toEqual(sorted);
      expect(open.trees.list[0]?.options.strategy.kind).toBe(strategy.kind);
      expect(tree.stats().work.compactions).toBeGreaterThan(0);
      expect(tree.stats().levels[0]?.tables).toBeLessThanOrEqual(8);
      tree = await open.tree('one', { strategy: { kind: 'leveled' } });
      await tree.compact();
      expect(contents()).toEqual(sorted);
      // Too old to be kept, once the time for that has come.
      if (strategy.kind !== 'timeWindow') return;
      await open.tree('one', { strategy });
      await kit.clock.advance(30_000);
      await open.trees.background.settled();
      expect(contents()).toEqual([]);
      expect(tree.stats().tableBytes).toBe(0);
    },
  );
});
