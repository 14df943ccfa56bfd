/**
 * Merges over an arena: entries are cut into runs and blocks, and given to the kernels piece by piece. What must
 * come out is worked out from what a reader sees, not from rules.
 *
 * @module
 */

import { type DropRule, writeDropRule } from '../../src/lsm/compaction/drop-rule.ts';
import { KIND_PUT } from '../../src/memory/lsm-layout.ts';
import * as layout from '../../src/memory/table-layout.ts';
import type { Random } from './random.ts';
import { type BuildOptions, compareEntries, type TableArena, type TestEntry } from './table-arena.ts';

/** A stretch of keys that was deleted at some sequence numbers. */
export interface TestFragment {
  start: Uint8Array;
  end: Uint8Array;
  sequences: number[];
}

export interface MergeRules {
  snapshots?: number[];
  fragments?: TestFragment[];
  bottom?: boolean;
  backward?: boolean;
  limit?: Uint8Array;
  drop?: DropRule;
}

/** A part of a source: entries that are given together, as a run or as the rows of a block. */
export interface Piece {
  entries: TestEntry[];
  isRun: boolean;
}

/** Cuts entries into pieces. */
export function cut(random: Random, entries: readonly TestEntry[]): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < entries.length; ) {
    const count = random.pick([1, 2, 7, 40]);
    pieces.push({ entries: entries.slice(at, at + count), isRun: random.chance(0.5) });
    at += count;
  }
  return pieces;
}

/** A merge that was begun. */
export class ArenaMerge {
  readonly merge: number;
  readonly #arena: TableArena;
  readonly #sources: number;
  readonly #pieces: Piece[][];
  readonly #backward: boolean;

  constructor(arena: TableArena, sources: readonly Piece[][], rules: MergeRules) {
    const { snapshots = [], fragments = [], bottom = false, backward = false, limit, drop } = rules;
    this.#arena = arena;
    this.#backward = backward;
    this.#pieces = sources.map((pieces) => (backward ? pieces.toReversed() : [...pieces]));
    this.#sources = arena.allocate(sources.length * layout.SOURCE_BYTES);
    this.merge = arena.allocate(layout.MERGE_BYTES);
    arena.u8.fill(0, this.merge, this.merge + layout.MERGE_BYTES);
    const set = (field: number, value: number): void => arena.setI32(this.merge + field, value);
    set(layout.MERGE_SOURCES, this.#sources);
    set(layout.MERGE_SOURCE_COUNT, sources.length);
    set(layout.MERGE_HEAP, arena.allocate(sources.length * 4));
    set(layout.MERGE_BACKWARD, backward ? 1 : 0);
    set(layout.MERGE_BOTTOM, bottom ? 1 : 0);
    set(layout.MERGE_VISITED_BUFFER, arena.allocate(layout.KEY_ROOM_BYTES));
    set(layout.MERGE_SNAPSHOTS, this.#numbers(snapshots));
    set(layout.MERGE_SNAPSHOT_COUNT, snapshots.length);
    set(layout.MERGE_FRAGMENTS, this.#fragments(fragments));
    set(layout.MERGE_FRAGMENT_COUNT, fragments.length);
    if (drop !== undefined) {
      const filter = arena.allocate(layout.FILTER_BYTES);
      writeDropRule({ u8: arena.u8, data: arena.view }, drop, filter);
      set(layout.MERGE_FILTER, filter);
    }
    this.limit(limit);
    for (let i = 0; i < sources.length; i++) this.feed(i);
    arena.kernels.mergeStart(this.merge);
  }

  limit(limit: Uint8Array | undefined): void {
    const { setI32 } = this.#arena;
    setI32(this.merge + layout.MERGE_LIMIT, limit === undefined ? 0 : this.#arena.put(limit));
    setI32(this.merge + layout.MERGE_LIMIT_LENGTH, limit?.length ?? 0);
  }

  #numbers(numbers: readonly number[]): number {
    const at = this.#arena.allocate(numbers.length * 8);
    for (const [i, number] of numbers.entries()) this.#arena.setF64(at + i * 8, number);
    return at;
  }

  #fragments(fragments: readonly TestFragment[]): number {
    const { setI32, put, allocate } = this.#arena;
    const at = allocate(fragments.length * layout.FRAGMENT_BYTES);
    for (const [i, { start, end, sequences }] of fragments.entries()) {
      const fragment = at + i * layout.FRAGMENT_BYTES;
      setI32(fragment + layout.FRAGMENT_FIRST, put(start));
      setI32(fragment + layout.FRAGMENT_FIRST_LENGTH, start.length);
      setI32(fragment + layout.FRAGMENT_END, put(end));
      setI32(fragment + layout.FRAGMENT_END_LENGTH, end.length);
      setI32(fragment + layout.FRAGMENT_SEQUENCES, this.#numbers(sequences));
      setI32(fragment + layout.FRAGMENT_SEQUENCE_COUNT, sequences.length);
    }
    return at;
  }

  /** Gives a source its next piece, or ends it. */
  feed(index: number): void {
    const { setI32, kernels } = this.#arena;
    const source = this.#sources + index * layout.SOURCE_BYTES;
    const piece = this.#pieces[index]?.shift();
    setI32(source + layout.SOURCE_STATE, piece === undefined ? layout.STATE_ENDED : layout.STATE_FRESH);
    if (piece === undefined) return;
    let first: number;
    if (piece.isRun) {
      first = this.#arena.run(piece.entries);
    } else {
      const block = this.#arena.build(piece.entries, { target: 65_536 });
      first = this.#arena.allocate(65_536);
      kernels.decodeBlock(this.#arena.put(block), block.length, first, 65_536);
    }
    const size = piece.isRun ? 4 : layout.ROW_ENTRY_BYTES;
    const end = first + piece.entries.length * size;
    setI32(source + layout.SOURCE_FORM, piece.isRun ? layout.FORM_RUN : layout.FORM_ROWS);
    setI32(source + layout.SOURCE_NEXT, this.#backward ? end - size : first);
    setI32(source + layout.SOURCE_STOP, this.#backward ? first - size : end);
  }

  feedEmpty(): void {
    this.feed(this.#arena.i32(this.merge + layout.MERGE_EMPTY));
  }
}

/** Merges everything into blocks; the code it ended with is the last of the codes. */
export function mergeBlocks(
  arena: TableArena,
  sources: readonly Piece[][],
  rules: MergeRules,
  options: BuildOptions = {},
): { blocks: Buffer[]; codes: number[]; builder: number; dropped: number } {
  const merging = new ArenaMerge(arena, sources, rules);
  const builder = arena.builder(options);
  const start = arena.i32(builder + layout.BUILDER_START);
  const blocks: Buffer[] = [];
  const codes: number[] = [];
  const finish = (): void => {
    if (arena.i32(builder + layout.BUILDER_ENTRIES) === 0) return;
    blocks.push(arena.slice(start, arena.kernels.finishBlock(builder)));
    arena.setI32(builder + layout.BUILDER_AT, start);
  };
  for (;;) {
    const code = arena.kernels.mergeBlock(merging.merge, builder);
    codes.push(code);
    if (code === layout.MERGED_EMPTY) {
      merging.feedEmpty();
    } else if (code === layout.MERGED_FULL) {
      finish();
    } else if (code === layout.MERGED_LARGE) {
      if (arena.kernels.mergeIsDue(merging.merge) === 1) {
        arena.kernels.mergeDrop(merging.merge, builder);
        continue;
      }
      const top = arena.kernels.mergeTop(merging.merge);
      blocks.push(Buffer.from(`large entry of ${arena.i32(top + layout.SOURCE_VALUE_LENGTH)}`));
      arena.kernels.mergeTake(merging.merge, builder);
    } else {
      finish();
      return { blocks, codes, builder, dropped: arena.f64(merging.merge + layout.MERGE_DROPPED) };
    }
  }
}

/** Merges everything into pages, and returns their entries. */
export function mergePages(
  arena: TableArena,
  sources: readonly Piece[][],
  rules: MergeRules,
  page: { bytes: number; most: number; withValues: boolean },
): { key: Buffer; value: Buffer | number }[] {
  const merging = new ArenaMerge(arena, sources, rules);
  const header = arena.allocate(layout.PAGE_HEADER_BYTES);
  const start = arena.allocate(65_536);
  let { bytes } = page;
  const clear = (): void => {
    arena.setI32(header + layout.PAGE_AT, start);
    arena.setI32(header + layout.PAGE_END, start + bytes);
    arena.setI32(header + layout.PAGE_ENTRIES, 0);
    arena.setI32(header + layout.PAGE_ENTRIES_MOST, page.most);
    arena.setI32(header + layout.PAGE_WITH_VALUES, page.withValues ? 1 : 0);
    arena.setI32(header + layout.PAGE_WAITING, 0);
  };
  const entries: { key: Buffer; value: Buffer | number }[] = [];
  const empty = (): void => {
    let at = start;
    for (let left = arena.i32(header + layout.PAGE_ENTRIES); left > 0; left--) {
      const [keyLength, valueLength] = [arena.i32(at), arena.i32(at + 4)];
      const key = arena.slice(at + 8, keyLength);
      const value = page.withValues ? arena.slice(at + 8 + keyLength, valueLength) : valueLength;
      entries.push({ key, value });
      at += (8 + keyLength + (page.withValues ? valueLength : 0) + 7) & ~7;
    }
    if (at !== arena.i32(header + layout.PAGE_AT))
      throw new Error('the page does not end where its entries do');
    clear();
  };
  clear();
  for (;;) {
    const code = arena.kernels.mergePage(merging.merge, header);
    if (code === layout.MERGED_EMPTY) {
      merging.feedEmpty();
    } else if (code === layout.MERGED_FULL) {
      empty();
    } else if (code === layout.MERGED_LARGE) {
      bytes = arena.i32(header + layout.PAGE_NEEDED);
      clear();
    } else {
      empty();
      return entries;
    }
  }
}

/** Whether a deleted range hides an entry from a snapshot. */
function isHidden(entry: TestEntry, snapshot: number, fragments: readonly TestFragment[]): boolean {
  return fragments.some(
    ({ start, end, sequences }) =>
      Buffer.compare(start, entry.key) <= 0 &&
      Buffer.compare(entry.key, end) < 0 &&
      sequences.some((sequence) => sequence > entry.sequence && sequence < snapshot),
  );
}

/** What a reader at a snapshot sees: the puts, in order. */
export function viewAt(
  entries: readonly TestEntry[],
  snapshot: number,
  fragments: readonly TestFragment[] = [],
): TestEntry[] {
  const newest = new Map<string, TestEntry>();
  for (const entry of entries.toSorted(compareEntries)) {
    const key = Buffer.from(entry.key).toString('hex');
    if (entry.sequence < snapshot && !newest.has(key)) newest.set(key, entry);
  }
  return [...newest.values()].filter(
    (entry) => entry.kind === KIND_PUT && !isHidden(entry, snapshot, fragments),
  );
}

/** Some fragments, in order. */
export function randomFragments(
  random: Random,
  keys: readonly Uint8Array[],
  sequences: number,
): TestFragment[] {
  const borders = Array.from({ length: random.int(0, 6) }, () => random.pick(keys)).sort(Buffer.compare);
  const fragments: TestFragment[] = [];
  for (let i = 0; i + 1 < borders.length; i++) {
    const [start, end] = [borders[i] as Uint8Array, borders[i + 1] as Uint8Array];
    if (Buffer.compare(start, end) === 0 || random.chance(0.3)) continue;
    const numbers = new Set(Array.from({ length: random.int(1, 3) }, () => random.int(0, sequences)));
    fragments.push({ start, end, sequences: [...numbers].sort((a, b) => b - a) });
  }
  return fragments;
}
