/** Lookups: what of a tree is in memory is found from the newest to the oldest, and the rest is asked for. */

import { describe, expect, it } from 'vitest';

import { OperationsEncoder } from '../../../src/lsm/operations.ts';
import { EntriesBuilder } from '../../../src/lsm/table/entries.ts';
import { SLACK_BYTES } from '../../../src/memory/layout.ts';
import * as lookup from '../../../src/memory/lookup-layout.ts';
import * as lsm from '../../../src/memory/lsm-layout.ts';
import {
  BUILDER_AT,
  BUILDER_START,
  FILTER_LINE_BYTES,
  ROW_ENTRY_BYTES,
  SOURCE_BYTES,
  SOURCE_NEXT,
  SOURCE_STATE,
  SOURCE_STOP,
  STATE_FRESH,
} from '../../../src/memory/table-layout.ts';
import { createRandom, type Random } from '../../kit/random.ts';
import { compareEntries, randomKey, type TableArena, type TestEntry, textOf } from '../../kit/table-arena.ts';

const TREE = 5;
const SLOTS = 256;
const FILTER_LINES = 2;

/** What a tree is made of, the same for every arena: sorted entries of each source, the newest source first. */
interface Plan {
  memtables: TestEntry[][];
  /** Each table as parts, each part as blocks. */
  newest: TestEntry[][][][];
  levels: TestEntry[][][][][];
  withFilter: boolean;
}

const operations = new OperationsEncoder();

function putMemtable(arena: TableArena, entries: readonly TestEntry[]): number {
  const memtable = arena.allocate(lsm.MEMTABLE_BYTES);
  const slots = arena.allocate(SLOTS * lsm.SLOT_BYTES);
  const target = arena.allocate(lsm.TARGET_BYTES);
  arena.u8.fill(0, memtable, memtable + lsm.MEMTABLE_BYTES);
  arena.u8.fill(0, slots, slots + SLOTS * lsm.SLOT_BYTES);
  arena.u8.fill(0, target, target + lsm.TARGET_BYTES);
  arena.setI32(memtable + lsm.MEMTABLE_SLOTS, slots);
  arena.setI32(memtable + lsm.MEMTABLE_SLOT_MASK, SLOTS - 1);
  arena.setI32(memtable + lsm.MEMTABLE_ARENA_NEXT, arena.allocate(64 * 1024));
  arena.setF64(memtable + lsm.MEMTABLE_FIRST_SEQUENCE, -1);
  arena.setF64(memtable + lsm.MEMTABLE_LAST_SEQUENCE, -1);
  arena.setI32(target + lsm.TARGET_TREE, TREE);
  arena.setI32(target + lsm.TARGET_MEMTABLE, memtable);
  for (const { key, value, kind, sequence } of entries.toSorted((a, b) => a.sequence - b.sequence)) {
    operations.clear();
    if (kind === lsm.KIND_PUT) operations.put(TREE, key, value);
    else operations.delete(TREE, key);
    arena.kernels.applyOperations(arena.put(operations.bytes), operations.length, sequence, target, 1);
  }
  return memtable;
}

/** Builds blocks one after the other, all in the same place. */
class Blocks {
  readonly #arena: TableArena;
  readonly #builder: number;

  constructor(arena: TableArena) {
    this.#arena = arena;
    this.#builder = arena.builder({ withHashes: false });
  }

  build(entries: readonly TestEntry[]): Buffer {
    const { kernels, put, i32, setI32, slice } = this.#arena;
    const start = i32(this.#builder + BUILDER_START);
    setI32(this.#builder + BUILDER_AT, start);
    for (const { key, value, sequence, kind } of entries) {
      kernels.addEntry(this.#builder, put(key), key.length, put(value), value.length, sequence, kind);
    }
    return slice(start, kernels.finishBlock(this.#builder));
  }
}

/** Puts a block where the cache might have it. */
function putPlace(arena: TableArena, place: number, block: Uint8Array): void {
  const address = (arena.allocate(block.length + lookup.PLACE_ALIGN) + 63) & -lookup.PLACE_ALIGN;
  arena.u8.set(block, address);
  arena.setI32(place, address);
  arena.setI32(place + lookup.PLACE_LENGTH, block.length);
}

function putKey(arena: TableArena, at: number, key: Uint8Array): void {
  arena.setI32(at, arena.put(key));
  arena.setI32(at + 4, key.length);
}

function filterOf(arena: TableArena, entries: readonly TestEntry[]): Uint8Array {
  const hashes = arena.allocate(entries.length * 4);
  for (const [i, { key }] of entries.entries()) {
    arena.setI32(hashes + i * 4, arena.kernels.filterHash(arena.put(key), key.length));
  }
  const filter = arena.allocate(FILTER_LINES * FILTER_LINE_BYTES);
  arena.kernels.buildFilter(hashes, entries.length, filter, FILTER_LINES);
  return arena.slice(filter, FILTER_LINES * FILTER_LINE_BYTES);
}

function putTable(arena: TableArena, made: Blocks, parts: TestEntry[][][], withFilter: boolean): number {
  const table = arena.allocate(lookup.LOOKUP_TABLE_BYTES);
  const all = parts.flat(2);
  const first = arena.allocate(parts.length * lookup.LOOKUP_PART_BYTES);
  putKey(arena, table + lookup.LOOKUP_TABLE_SMALLEST, (all[0] as TestEntry).key);
  putKey(arena, table + lookup.LOOKUP_TABLE_LARGEST, (all.at(-1) as TestEntry).key);
  arena.setI32(table + lookup.LOOKUP_TABLE_EXCLUSIVE, 0);
  arena.setI32(table + lookup.LOOKUP_TABLE_READY, 1);
  arena.setI32(table + lookup.LOOKUP_TABLE_PARTS, first);
  arena.setI32(table + lookup.LOOKUP_TABLE_PART_COUNT, parts.length);
  for (const [i, blocks] of parts.entries()) {
    const part = first + i * lookup.LOOKUP_PART_BYTES;
    const places = arena.allocate((blocks.length + 2) * lookup.PLACE_BYTES);
    const index = new EntriesBuilder();
    for (const [j, entries] of blocks.entries()) {
      putPlace(arena, places + j * lookup.PLACE_BYTES, made.build(entries));
      index.addNumbers((entries.at(-1) as TestEntry).key, [j, 1], lsm.KIND_PUT);
    }
    const indexPlace = places + blocks.length * lookup.PLACE_BYTES;
    putPlace(arena, indexPlace, index.finish());
    if (withFilter) putPlace(arena, indexPlace + lookup.PLACE_BYTES, filterOf(arena, blocks.flat()));
    const last = blocks.flat().at(-1) as TestEntry;
    putKey(arena, part + lookup.LOOKUP_PART_LAST, last.key);
    arena.setI32(part + lookup.LOOKUP_PART_BLOCKS, places);
    arena.setI32(part + lookup.LOOKUP_PART_BLOCK_COUNT, blocks.length);
    arena.setI32(part + lookup.LOOKUP_PART_INDEX, indexPlace);
    arena.setI32(part + lookup.LOOKUP_PART_FILTER, withFilter ? indexPlace + lookup.PLACE_BYTES : 0);
  }
  return table;
}

/** A view of a whole tree; returns it, and its tables. */
function putView(arena: TableArena, plan: Plan): { view: number; tables: number[] } {
  const view = arena.allocate(lookup.VIEW_BYTES);
  const blocks = new Blocks(arena);
  const tables: number[] = [];
  const list = (at: number, addresses: number[]): void => {
    const first = arena.allocate(addresses.length * 4);
    for (const [i, address] of addresses.entries()) arena.setI32(first + i * 4, address);
    arena.setI32(at, first);
    arena.setI32(at + 4, addresses.length);
  };
  const tablesOf = (of: TestEntry[][][][]): number[] => {
    const made = of.map((parts) => putTable(arena, blocks, parts, plan.withFilter));
    tables.push(...made);
    return made;
  };
  list(
    view + lookup.VIEW_MEMTABLES,
    plan.memtables.map((entries) => putMemtable(arena, entries)),
  );
  list(view + lookup.VIEW_NEWEST, tablesOf(plan.newest));
  const levels = arena.allocate(plan.levels.length * lookup.LEVEL_BYTES);
  for (const [i, level] of plan.levels.entries()) list(levels + i * lookup.LEVEL_BYTES, tablesOf(level));
  arena.setI32(view + lookup.VIEW_LEVELS, levels);
  arena.setI32(view + lookup.VIEW_LEVEL_COUNT, plan.levels.length);
  const counters = arena.allocate(lookup.COUNTERS_BYTES);
  arena.u8.fill(0, counters, counters + lookup.COUNTERS_BYTES);
  arena.setI32(view + lookup.VIEW_COUNTERS, counters);
  return { view, tables };
}

/** Sorted entries, all of them of sequence numbers from `from` on; no key twice unless `versions`. */
function entriesFrom(random: Random, from: number, versions: boolean): TestEntry[] {
  const entries = new Map<string, TestEntry>();
  for (let i = random.int(1, 60); i > 0; i--) {
    const sequence = from + random.int(0, 9);
    const key = randomKey(random);
    const kind = random.chance(0.2) ? lsm.KIND_DELETE : lsm.KIND_PUT;
    const value = kind === lsm.KIND_PUT ? random.bytes(random.int(0, 20)) : new Uint8Array();
    const name = Buffer.from(key).toString('hex') + (versions ? sequence : '');
    entries.set(name, { key, value, sequence, kind });
  }
  return [...entries.values()].sort(compareEntries);
}

/** Cuts a list into pieces, none of them empty, and never between versions of one key. */
function cut<T>(random: Random, list: T[], keyOf: (of: T) => Uint8Array, most: number): T[][] {
  const pieces: T[][] = [];
  for (const item of list) {
    const last = pieces.at(-1);
    const before = last?.at(-1);
    const isSame = before !== undefined && Buffer.compare(keyOf(before), keyOf(item)) === 0;
    if (last === undefined || (!isSame && last.length >= random.int(1, most))) pieces.push([item]);
    else last.push(item);
  }
  return pieces;
}

function tableOf(random: Random, entries: TestEntry[]): TestEntry[][][] {
  const blocks = cut(random, entries, ({ key }) => key, 20);
  return cut(random, blocks, ([first]) => (first as TestEntry).key, 3);
}

function randomPlan(random: Random): { plan: Plan; sources: TestEntry[][] } {
  let from = 1000;
  const older = (versions: boolean): TestEntry[] => entriesFrom(random, (from -= 10), versions);
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);
  const memtables = times(random.int(1, 3), () => older(true));
  const newest = times(random.int(0, 3), () => older(true));
  const levels = times(random.int(0, 3), () => older(true));
  return {
    sources: [...memtables, ...newest, ...levels],
    plan: {
      memtables,
      newest: newest.map((entries) => tableOf(random, entries)),
      levels: levels.map((entries) =>
        cut(random, entries, ({ key }) => key, 25).map((piece) => tableOf(random, piece)),
      ),
      withFilter: random.chance(0.7),
    },
  };
}

export function lookupSuite(arena: TableArena, reference: TableArena): void {
  const arenas = [arena, reference];

  /** Asks both; what they say, and what they count, is the same. */
  function ask(views: number[], key: Uint8Array, snapshot: number): { kind: number; text: string } {
    const answers = arenas.map((each, i) => {
      const found = each.allocate(lsm.FOUND_BYTES);
      const kind = each.kernels.lookup(views[i] as number, each.put(key), key.length, snapshot, found);
      const value =
        kind === lsm.KIND_PUT ? each.slice(each.i32(found), each.i32(found + 4)) : Buffer.alloc(0);
      const isFound = kind === lsm.KIND_PUT || kind === lsm.KIND_DELETE;
      const sequence = isFound ? each.f64(found + lsm.FOUND_SEQUENCE) : 0;
      return { kind, text: textOf({ key, value, sequence, kind }) };
    });
    const counts = arenas.map((each, i) => {
      const counters = each.i32((views[i] as number) + lookup.VIEW_COUNTERS);
      return [0, 8, 16].map((at) => each.f64(counters + at));
    });
    expect(answers[0]).toEqual(answers[1]);
    expect(counts[0]).toEqual(counts[1]);
    return answers[0] as { kind: number; text: string };
  }

  describe('a lookup', () => {
    it('finds the newest version that a snapshot sees, wherever in the tree it is', () => {
      const random = createRandom(540);
      for (let round = 0; round < 10; round++) {
        for (const each of arenas) each.clear();
        const { plan, sources } = randomPlan(random);
        const views = arenas.map((each) => putView(each, plan).view);
        const keys = sources.flat().map(({ key }) => key);
        for (let i = 0; i < 60; i++) {
          const key = random.chance(0.7) ? random.pick(keys) : randomKey(random);
          const snapshot = random.pick([Number.POSITIVE_INFINITY, 1000 - random.int(0, 80)]);
          const seen = sources
            .flat()
            .find((entry) => Buffer.compare(entry.key, key) === 0 && entry.sequence < snapshot);
          const { kind, text } = ask(views, key, snapshot);
          // What goes on in the next block is for the reader.
          if (kind === lookup.LOOKUP_ASK) expect(snapshot).toBeLessThan(1000);
          else if (seen === undefined) expect(kind).toBe(lsm.KIND_NONE);
          else expect(text).toBe(textOf(seen));
        }
      }
    });

    it('asks for what is not in memory, and says that it has used what is', () => {
      const random = createRandom(541);
      let asked = 0;
      for (let round = 0; round < 10; round++) {
        for (const each of arenas) each.clear();
        const { plan, sources } = randomPlan(random);
        const made = arenas.map((each) => putView(each, plan));
        const holes = random.int(0, 1 << 30);
        const uses = (each: TableArena, tables: number[], change: (place: number) => void): void => {
          for (const table of tables) {
            for (let i = 0; i < each.i32(table + lookup.LOOKUP_TABLE_PART_COUNT); i++) {
              const part = each.i32(table + lookup.LOOKUP_TABLE_PARTS) + i * lookup.LOOKUP_PART_BYTES;
              const blocks = each.i32(part + lookup.LOOKUP_PART_BLOCK_COUNT);
              const places = each.i32(part + lookup.LOOKUP_PART_BLOCKS);
              const count = blocks + (plan.withFilter ? 2 : 1);
              for (let j = 0; j < count; j++) change(places + j * lookup.PLACE_BYTES);
            }
          }
        };
        for (const [i, each] of arenas.entries()) {
          const hole = createRandom(holes);
          const { tables } = made[i] as { tables: number[] };
          uses(each, tables, (place) => {
            if (hole.chance(0.15)) each.setI32(place, 0);
          });
          for (const table of tables) {
            if (hole.chance(0.1)) each.setI32(table + lookup.LOOKUP_TABLE_READY, 0);
          }
        }
        const views = made.map(({ view }) => view);
        for (const { key, sequence } of sources.flat()) {
          const { kind, text } = ask(views, key, Number.POSITIVE_INFINITY);
          const newest = sources.flat().find((entry) => Buffer.compare(entry.key, key) === 0) as TestEntry;
          if (kind === lookup.LOOKUP_ASK) asked++;
          else if (newest.sequence === sequence) expect(text).toBe(textOf(newest));
        }
        const marks = arenas.map((each, i) => {
          const seen: number[] = [];
          uses(each, (made[i] as { tables: number[] }).tables, (place) => seen.push(each.i32(place) & 63));
          return seen;
        });
        expect(marks[0]).toEqual(marks[1]);
      }
      expect(asked).toBeGreaterThan(10);
    });
  });

  describe('a seek', () => {
    it('shows entries from the first on that is not less, up to a restart', () => {
      const random = createRandom(542);
      let shown = 0;
      for (let round = 0; round < 10; round++) {
        for (const each of arenas) each.clear();
        const entries = entriesFrom(random, 0, true);
        const parts = tableOf(random, entries);
        const made = arenas.map((each) => {
          const table = putTable(each, new Blocks(each), parts, false);
          const cursor = each.allocate(lookup.CURSOR_BYTES);
          const rows = each.allocate(32 * 1024);
          each.setI32(cursor + lookup.CURSOR_ROWS, rows);
          each.setI32(cursor + lookup.CURSOR_ROOM, 32 * 1024);
          return { each, table, cursor, source: each.allocate(SOURCE_BYTES) };
        });
        const keys = [
          ...entries.map(({ key }) => key),
          ...Array.from({ length: 20 }, () => randomKey(random)),
        ];
        for (const key of keys) {
          const from = entries.findIndex((entry) => Buffer.compare(entry.key, key) >= 0);
          for (const { each, table, cursor, source } of made) {
            const code = each.kernels.seekTable(table, each.put(key), key.length, cursor, source);
            // Behind the last entry of a block, its reader has to look further.
            if (code === lookup.LOOKUP_ASK) continue;
            shown++;
            const first = each.i32(source + SOURCE_NEXT);
            const count = (each.i32(source + SOURCE_STOP) - first) / ROW_ENTRY_BYTES;
            const rows = Array.from({ length: count }, (_, i) => each.rowAt(first + i * ROW_ENTRY_BYTES));
            expect(rows.map(textOf)).toEqual(entries.slice(from, from + count).map(textOf));
            expect(each.i32(source + SOURCE_STATE)).toBe(STATE_FRESH);
            const part = parts[each.i32(cursor + lookup.CURSOR_PART)] as TestEntry[][];
            const block = part[each.i32(cursor + lookup.CURSOR_ENTRY)] as TestEntry[];
            const isWhole = textOf(block.at(-1) as TestEntry) === textOf(rows.at(-1) as TestEntry);
            expect(each.i32(cursor + lookup.CURSOR_REST) === 0).toBe(isWhole);
          }
        }
      }
      expect(shown).toBeGreaterThan(200);
    });

    it('takes nothing that there is no room for', () => {
      const random = createRandom(543);
      for (const each of arenas) {
        each.clear();
        const entries = entriesFrom(random, 0, false);
        const table = putTable(each, new Blocks(each), [[entries]], false);
        const cursor = each.allocate(lookup.CURSOR_BYTES);
        const source = each.allocate(SOURCE_BYTES);
        const rows = each.allocate(32 * 1024);
        each.setI32(cursor + lookup.CURSOR_ROWS, rows);
        const key = each.put((entries[0] as TestEntry).key);
        for (const room of [0, 16]) {
          each.setI32(cursor + lookup.CURSOR_ROOM, room);
          each.u8.fill(7, rows + room, rows + room + 4096);
          expect(each.kernels.seekTable(table, key, 1, cursor, source)).toBe(lookup.LOOKUP_ASK);
          expect(each.slice(rows + room + SLACK_BYTES, 4000).every((byte) => byte === 7)).toBe(true);
        }
      }
    });
  });
}
