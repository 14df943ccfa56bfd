/**
 * The kernels of tables against careful JavaScript: questions to a filter, and a merge of four sorted runs into
 * blocks.
 *
 * @module
 */

import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  KIND_PUT,
} from '../../src/memory/lsm-layout.ts';
import * as layout from '../../src/memory/table-layout.ts';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context } from '../suite.ts';
import { RECORD_BYTES, recordAt } from '../workload.ts';
import { KEY_BYTES, keyAt } from './tree-stores.ts';

type Memory = ReturnType<Context['engine']['createRuntime']>['memory'];
/** Measures how long one of `count` things takes that `once` does. */
export type Stopwatch = (count: number, once: () => number) => Promise<number>;

const KEYS = 20_000;
const QUESTIONS = 1024;
const BITS_PER_KEY = 10.5;
const RUNS = 4;
const RUN_ENTRIES = 2000;
const BLOCK_BYTES = 4096;
const CELL_BYTES = (CELL_KEY + KEY_BYTES + RECORD_BYTES + 7) & -8;

export const filterRow: RowSpec = {
  id: 'kernels/filter-question vs js-filter',
  unit: 'ns/question',
  versus: 'a blocked Bloom filter in JavaScript',
  target: null,
};
export const mergeRow: RowSpec = {
  id: 'kernels/merge-to-blocks vs js-merge',
  unit: 'ns/entry',
  versus: 'a merge with Buffer.compare, keys whole',
  target: null,
};

/** FNV-1a (Fowler, Noll, Vo) of 32 bits, which is what JavaScript multiplies well. */
function hashInJs(key: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key[i]!, 0x01000193);
  return hash >>> 0;
}

/** A filter as the kernels have it: six bits a key, all in one line of 64 bytes. */
class FilterInJs {
  readonly #bits: Uint8Array;
  readonly #lines: number;

  constructor(lines: number) {
    this.#lines = lines;
    this.#bits = new Uint8Array(lines * layout.FILTER_LINE_BYTES);
  }

  add(key: Uint8Array): void {
    const hash = hashInJs(key);
    const line = (hash % this.#lines) * layout.FILTER_LINE_BYTES;
    for (let i = 0, word = hash; i < layout.FILTER_PROBES; i++) {
      word = Math.imul(word, 0x9e3779b9);
      this.#bits[line + (word >>> 26)]! |= 1 << ((word >>> 23) & 7);
    }
  }

  has(key: Uint8Array): boolean {
    const hash = hashInJs(key);
    const line = (hash % this.#lines) * layout.FILTER_LINE_BYTES;
    for (let i = 0, word = hash; i < layout.FILTER_PROBES; i++) {
      word = Math.imul(word, 0x9e3779b9);
      if (((this.#bits[line + (word >>> 26)]! >> ((word >>> 23) & 7)) & 1) === 0) return false;
    }
    return true;
  }
}

async function compareFilters(context: Context, memory: Memory, stopwatch: Stopwatch): Promise<void> {
  context.say(filterRow.id);
  const { kernels, u8, i32, slabs } = memory;
  const lines = Math.ceil((KEYS * BITS_PER_KEY) / (layout.FILTER_LINE_BYTES * 8));
  const bytes = lines * layout.FILTER_LINE_BYTES;
  const slab = slabs.allocate(KEYS * 4 + bytes + QUESTIONS * KEY_BYTES + 128, 'bench');
  const filter = (slab.address + KEYS * 4 + 63) & -64;
  const questions = filter + bytes;
  const other = new FilterInJs(lines);
  for (let i = 0; i < KEYS; i++) {
    const key = keyAt(2 * i);
    u8.set(key, questions);
    i32[(slab.address >> 2) + i] = kernels.filterHash(questions, KEY_BYTES);
    other.add(key);
  }
  kernels.buildFilter(slab.address, KEYS, filter, lines);
  // Half of them are there.
  const keys = Array.from({ length: QUESTIONS }, (_, i) => keyAt((i * 7919) % (2 * KEYS)));
  for (const [i, key] of keys.entries()) u8.set(key, questions + i * KEY_BYTES);
  const varve: Contestant = () =>
    stopwatch(QUESTIONS, () => {
      let found = 0;
      for (let i = 0; i < QUESTIONS; i++)
        found += kernels.filterHas(filter, lines, kernels.filterHash(questions + i * KEY_BYTES, KEY_BYTES));
      return found;
    });
  const js: Contestant = () =>
    stopwatch(QUESTIONS, () => {
      let found = 0;
      for (const key of keys) if (other.has(key)) found++;
      return found;
    });
  const measured = await inTurn(context.rounds, { varve, js });
  context.report(filterRow.id, { samples: measured.varve, versusSamples: measured.js });
  slab.release();
}

/** Sorted entries of one run: every fourth key. */
function runInJs(run: number): { key: Buffer; value: Buffer }[] {
  return Array.from({ length: RUN_ENTRIES }, (_, i) => ({ key: keyAt(i * RUNS + run), value: recordAt(i) }));
}

/** Merges runs into blocks of whole keys; returns how many bytes they have. */
function mergeInJs(runs: readonly { key: Buffer; value: Buffer }[][], out: Buffer): number {
  const next = runs.map(() => 0);
  let used = 0;
  let bytes = 0;
  for (;;) {
    let least = -1;
    for (let i = 0; i < runs.length; i++) {
      const entry = runs[i]![next[i]!];
      if (entry === undefined) continue;
      if (least < 0 || Buffer.compare(entry.key, runs[least]![next[least]!]!.key) < 0) least = i;
    }
    if (least < 0) return bytes + used;
    const { key, value } = runs[least]![next[least]!++]!;
    if (used + key.length + value.length + 4 > BLOCK_BYTES) {
      bytes += used;
      used = 0;
    }
    out[used++] = key.length;
    out[used++] = value.length;
    out.set(key, used);
    out.set(value, used + key.length);
    used += key.length + value.length;
  }
}

/** Puts a run of cells into memory. */
function putRun(memory: Memory, address: number, run: number): void {
  const { u8, i32, f64, data } = memory;
  let cell = (address + RUN_ENTRIES * 4 + 7) & -8;
  for (const [i, { key, value }] of runInJs(run).entries()) {
    i32[(address >> 2) + i] = cell;
    f64[(cell + CELL_SEQUENCE) >> 3] = i * RUNS + run;
    i32[(cell + CELL_VALUE_LENGTH) >> 2] = value.length;
    data.setUint16(cell + CELL_KEY_LENGTH, key.length, true);
    u8[cell + CELL_KIND] = KIND_PUT;
    u8.set(key, cell + CELL_KEY);
    u8.set(value, cell + CELL_KEY + key.length);
    cell += CELL_BYTES;
  }
}

async function compareMerges(context: Context, memory: Memory, stopwatch: Stopwatch): Promise<void> {
  context.say(mergeRow.id);
  const { kernels, i32, u8, f64, slabs } = memory;
  const runBytes = RUN_ENTRIES * (4 + CELL_BYTES) + 64;
  const slab = slabs.allocate(RUNS * runBytes + 512 * 1024, 'bench');
  const runs = Array.from({ length: RUNS }, (_, i) => (slab.address + i * runBytes + 7) & -8);
  for (const [i, address] of runs.entries()) putRun(memory, address, i);
  const merge = (slab.address + RUNS * runBytes + 63) & -64;
  const [sources, heap, visited] = [merge + 128, merge + 1024, merge + 2048];
  const builder = visited + layout.KEY_ROOM_BYTES;
  const [restarts, lastKey] = [builder + 256, builder + 8192];
  const block = lastKey + layout.KEY_ROOM_BYTES;
  const set = (at: number, value: number): void => {
    i32[at >> 2] = value;
  };
  const once = (): number => {
    u8.fill(0, merge, merge + layout.MERGE_BYTES);
    u8.fill(0, builder, builder + layout.BUILDER_BYTES);
    set(merge + layout.MERGE_SOURCES, sources);
    set(merge + layout.MERGE_SOURCE_COUNT, RUNS);
    set(merge + layout.MERGE_HEAP, heap);
    set(merge + layout.MERGE_VISITED_BUFFER, visited);
    for (const [i, address] of runs.entries()) {
      const source = sources + i * layout.SOURCE_BYTES;
      set(source + layout.SOURCE_FORM, layout.FORM_RUN);
      set(source + layout.SOURCE_NEXT, address);
      set(source + layout.SOURCE_STOP, address + RUN_ENTRIES * 4);
      set(source + layout.SOURCE_STATE, layout.STATE_FRESH);
    }
    set(builder + layout.BUILDER_TARGET, BLOCK_BYTES);
    set(builder + layout.BUILDER_INTERVAL, 16);
    set(builder + layout.BUILDER_RESTARTS, restarts);
    set(builder + layout.BUILDER_LAST_KEY, lastKey);
    set(builder + layout.BUILDER_LAST_KEY_LENGTH, -1);
    set(builder + layout.BUILDER_START, block);
    set(builder + layout.BUILDER_AT, block);
    f64[(builder + layout.BUILDER_LEAST_SEQUENCE) >> 3] = Number.POSITIVE_INFINITY;
    kernels.mergeStart(merge);
    for (let bytes = 0; ; ) {
      const code = kernels.mergeBlock(merge, builder);
      if (code === layout.MERGED_EMPTY) {
        const source = sources + (i32[(merge + layout.MERGE_EMPTY) >> 2] as number) * layout.SOURCE_BYTES;
        set(source + layout.SOURCE_STATE, layout.STATE_ENDED);
        continue;
      }
      bytes += kernels.finishBlock(builder);
      set(builder + layout.BUILDER_AT, block);
      if (code === layout.MERGED_END) return bytes;
    }
  };
  const others = Array.from({ length: RUNS }, (_, run) => runInJs(run));
  const out = Buffer.alloc(2 * BLOCK_BYTES);
  const entries = RUNS * RUN_ENTRIES;
  if (once() < entries * RECORD_BYTES || mergeInJs(others, out) < entries * RECORD_BYTES)
    throw new Error('a merge lost an entry');
  const measured = await inTurn(context.rounds, {
    varve: () => stopwatch(entries, once),
    js: () => stopwatch(entries, () => mergeInJs(others, out)),
  });
  context.report(mergeRow.id, { samples: measured.varve, versusSamples: measured.js });
  slab.release();
}

/** Measures both rows. */
export async function compareTableKernels(
  context: Context,
  memory: Memory,
  stopwatch: Stopwatch,
): Promise<void> {
  await compareFilters(context, memory, stopwatch);
  await compareMerges(context, memory, stopwatch);
}
