/**
 * The kernels that merge, in plain JavaScript: the specification. It looks at all sources for the next entry.
 *
 * @module
 */

import { compareBytes, prefixOf } from './key-reference.ts';
import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  KIND_DELETE,
  KIND_PUT,
  RUN_ENTRY_BYTES,
} from './lsm-layout.ts';
import { createMergeFilter, type FilteredEntry } from './merge-filter-reference.ts';
import type { TableKernels } from './table-kernels.ts';
import * as layout from './table-layout.ts';

type MergeKernels = Pick<
  TableKernels,
  'mergeStart' | 'mergeBlock' | 'mergeTake' | 'mergeIsDue' | 'mergeDrop' | 'mergeTop' | 'mergePage'
>;

/** What merging needs of the builder. */
export interface ReferenceBuilder {
  append(builder: number, key: Uint8Array, value: Uint8Array, sequence: number, kind: number): void;
  /** @param value 0 where it does not lie in memory */
  count(
    builder: number,
    keyLength: number,
    value: number,
    valueLength: number,
    sequence: number,
    kind: number,
  ): void;
}

/** The entry that a source is at. */
interface Current extends FilteredEntry {
  source: number;
  sequence: number;
  kind: number;
}

/** Creates the reference of the merge kernels over a memory. */
export function createMergeReference(view: DataView, builders: ReferenceBuilder): MergeKernels {
  const u8 = new Uint8Array(view.buffer);
  const u32 = (address: number): number => view.getUint32(address, true);
  const setU32 = (address: number, value: number): void => view.setUint32(address, value, true);
  const f64 = (address: number): number => view.getFloat64(address, true);
  const bytesAt = (address: number, length: number): Uint8Array => u8.slice(address, address + length);
  const isBackward = (merge: number): boolean => u32(merge + layout.MERGE_BACKWARD) !== 0;

  // --- sources --------------------------------------------------------------------------------------

  /** Takes the next entry of a source over into it. */
  function step(source: number, backward: boolean): void {
    const next = u32(source + layout.SOURCE_NEXT);
    const isEmpty = next === u32(source + layout.SOURCE_STOP);
    setU32(source + layout.SOURCE_STATE, isEmpty ? layout.STATE_EMPTY : layout.STATE_AT_ENTRY);
    if (isEmpty) return;
    const isRun = u32(source + layout.SOURCE_FORM) === layout.FORM_RUN;
    const entry = isRun ? entryOfCell(u32(next)) : entryOfRow(next);
    view.setBigUint64(source + layout.SOURCE_PREFIX, prefixOf(bytesAt(entry.key, entry.keyLength)), true);
    view.setFloat64(source + layout.SOURCE_SEQUENCE, entry.sequence, true);
    setU32(source + layout.SOURCE_KEY, entry.key);
    setU32(source + layout.SOURCE_KEY_LENGTH, entry.keyLength);
    setU32(source + layout.SOURCE_VALUE, entry.value);
    setU32(source + layout.SOURCE_VALUE_LENGTH, entry.valueLength);
    setU32(source + layout.SOURCE_KIND, entry.kind);
    const size = isRun ? RUN_ENTRY_BYTES : layout.ROW_ENTRY_BYTES;
    setU32(source + layout.SOURCE_NEXT, next + (backward ? -size : size));
  }

  function entryOfCell(
    cell: number,
  ): Record<'key' | 'keyLength' | 'value' | 'valueLength' | 'kind' | 'sequence', number> {
    const keyLength = view.getUint16(cell + CELL_KEY_LENGTH, true);
    return {
      key: cell + CELL_KEY,
      keyLength,
      value: cell + CELL_KEY + keyLength,
      valueLength: u32(cell + CELL_VALUE_LENGTH),
      kind: view.getUint8(cell + CELL_KIND),
      sequence: f64(cell + CELL_SEQUENCE),
    };
  }

  function entryOfRow(row: number): ReturnType<typeof entryOfCell> {
    return {
      key: u32(row + layout.ROW_KEY),
      keyLength: view.getUint16(row + layout.ROW_KEY_LENGTH, true),
      value: u32(row + layout.ROW_VALUE),
      valueLength: u32(row + layout.ROW_VALUE_LENGTH),
      kind: view.getUint8(row + layout.ROW_KIND),
      sequence: f64(row + layout.ROW_SEQUENCE),
    };
  }

  function sourcesOf(merge: number): number[] {
    const first = u32(merge + layout.MERGE_SOURCES);
    const count = u32(merge + layout.MERGE_SOURCE_COUNT);
    return Array.from({ length: count }, (_, i) => first + i * layout.SOURCE_BYTES);
  }

  function currentOf(source: number): Current {
    return {
      source,
      key: bytesAt(u32(source + layout.SOURCE_KEY), u32(source + layout.SOURCE_KEY_LENGTH)),
      sequence: f64(source + layout.SOURCE_SEQUENCE),
      kind: u32(source + layout.SOURCE_KIND),
      value: u32(source + layout.SOURCE_VALUE),
      valueLength: u32(source + layout.SOURCE_VALUE_LENGTH),
    };
  }

  function compare(a: Current, b: Current): number {
    return compareBytes(a.key, b.key) || b.sequence - a.sequence || a.source - b.source;
  }

  /** The next entry of all; or why there is none. */
  function topOf(merge: number): Current | 'end' | 'empty' {
    const sources = sourcesOf(merge);
    for (const [i, source] of sources.entries()) {
      if (u32(source + layout.SOURCE_STATE) === layout.STATE_FRESH) step(source, isBackward(merge));
      if (u32(source + layout.SOURCE_STATE) !== layout.STATE_EMPTY) continue;
      setU32(merge + layout.MERGE_EMPTY, i);
      return 'empty';
    }
    const direction = isBackward(merge) ? -1 : 1;
    const all = sources
      .filter((source) => u32(source + layout.SOURCE_STATE) === layout.STATE_AT_ENTRY)
      .map(currentOf)
      .sort((a, b) => direction * compare(a, b));
    return all[0] ?? 'end';
  }

  function mergeStart(merge: number): void {
    view.setInt32(merge + layout.MERGE_VISITED_LENGTH, -1, true);
  }

  function mergeTop(merge: number): number {
    const top = topOf(merge);
    if (typeof top !== 'string') return top.source;
    return top === 'end' ? 0 : 1;
  }

  // --- what is left out -----------------------------------------------------------------------------

  function snapshotsOf(merge: number): number[] {
    const address = u32(merge + layout.MERGE_SNAPSHOTS);
    return Array.from({ length: u32(merge + layout.MERGE_SNAPSHOT_COUNT) }, (_, i) => f64(address + i * 8));
  }

  /** Who sees a sequence number first: the least snapshot above it, or the newest state. */
  function seenFrom(merge: number, sequence: number): number {
    return snapshotsOf(merge).find((snapshot) => sequence < snapshot) ?? Number.POSITIVE_INFINITY;
  }

  function isCovered(merge: number, key: Uint8Array, sequence: number): boolean {
    const fragments = u32(merge + layout.MERGE_FRAGMENTS);
    for (let i = 0; i < u32(merge + layout.MERGE_FRAGMENT_COUNT); i++) {
      const fragment = fragments + i * layout.FRAGMENT_BYTES;
      const span = (at: number, length: number): Uint8Array =>
        bytesAt(u32(fragment + at), u32(fragment + length));
      if (compareBytes(span(layout.FRAGMENT_FIRST, layout.FRAGMENT_FIRST_LENGTH), key) > 0) continue;
      if (compareBytes(span(layout.FRAGMENT_END, layout.FRAGMENT_END_LENGTH), key) <= 0) continue;
      const at = u32(fragment + layout.FRAGMENT_SEQUENCES);
      const count = u32(fragment + layout.FRAGMENT_SEQUENCE_COUNT);
      const deleted = Array.from({ length: count }, (_, j) => f64(at + j * 8));
      return deleted.some((other) => other > sequence && other < seenFrom(merge, sequence));
    }
    return false;
  }

  function visitedKey(merge: number): Uint8Array | undefined {
    const length = view.getInt32(merge + layout.MERGE_VISITED_LENGTH, true);
    return length < 0 ? undefined : bytesAt(u32(merge + layout.MERGE_VISITED), length);
  }

  function isVisited(merge: number, key: Uint8Array): boolean {
    const visited = visitedKey(merge);
    return visited !== undefined && compareBytes(visited, key) === 0;
  }

  function visit(merge: number, { key, sequence }: Current): void {
    const buffer = u32(merge + layout.MERGE_VISITED_BUFFER);
    u8.set(key, buffer);
    setU32(merge + layout.MERGE_VISITED, buffer);
    view.setInt32(merge + layout.MERGE_VISITED_LENGTH, key.length, true);
    view.setFloat64(merge + layout.MERGE_VISITED_SEQUENCE, sequence, true);
  }

  /** How a key stands to the limit; before it, where there is none. */
  function compareLimit(merge: number, key: Uint8Array): number | undefined {
    const limit = u32(merge + layout.MERGE_LIMIT);
    return limit === 0
      ? undefined
      : compareBytes(key, bytesAt(limit, u32(merge + layout.MERGE_LIMIT_LENGTH)));
  }

  // --- into blocks ----------------------------------------------------------------------------------

  /** Whether an entry is seen by nobody, or hides nothing. */
  function isDropped(merge: number, top: Current): boolean {
    const isSeenByAll = snapshotsOf(merge).every((snapshot) => top.sequence < snapshot);
    if (u32(merge + layout.MERGE_BOTTOM) !== 0 && top.kind === KIND_DELETE && isSeenByAll) return true;
    return isCovered(merge, top.key, top.sequence);
  }

  const filters = createMergeFilter(view);

  /** Whether the filter drops an entry: nobody but the newest state must see it. */
  function isExpired(merge: number, top: Current): boolean {
    const filter = u32(merge + layout.MERGE_FILTER);
    if (filter === 0 || top.kind !== KIND_PUT) return false;
    return seenFrom(merge, top.sequence) === Number.POSITIVE_INFINITY && filters.isDue(filter, top);
  }

  const isNothingBelow = (merge: number): boolean =>
    u32(merge + layout.MERGE_BOTTOM) !== 0 && snapshotsOf(merge).length === 0;

  function noteDropped(merge: number): void {
    view.setFloat64(merge + layout.MERGE_DROPPED, f64(merge + layout.MERGE_DROPPED) + 1, true);
  }

  /** Appends an entry, a deletion where it has expired. */
  function append(merge: number, builder: number, top: Current, expired: boolean): void {
    const kind = expired ? KIND_DELETE : top.kind;
    const valueLength = expired ? 0 : top.valueLength;
    builders.append(builder, top.key, bytesAt(top.value, valueLength), top.sequence, kind);
    builders.count(builder, top.key.length, top.value, valueLength, top.sequence, kind);
    if (expired) noteDropped(merge);
    else countKept(merge, builder, top);
  }

  function countKept(merge: number, builder: number, top: Current): void {
    const filter = u32(merge + layout.MERGE_FILTER);
    if (filter !== 0 && top.kind === KIND_PUT)
      filters.countKept(filter, u32(builder + layout.BUILDER_COUNTS), top);
  }

  function mergeBlock(merge: number, builder: number): number {
    for (;;) {
      const top = topOf(merge);
      if (typeof top === 'string') return top === 'end' ? layout.MERGED_END : layout.MERGED_EMPTY;
      const isSame = isVisited(merge, top.key);
      const isShadowed = isSame && f64(merge + layout.MERGE_VISITED_SEQUENCE) < seenFrom(merge, top.sequence);
      if (!isSame && (compareLimit(merge, top.key) ?? -1) >= 0) return layout.MERGED_LIMIT;
      if (isShadowed || isDropped(merge, top)) {
        if (!isShadowed) visit(merge, top);
        step(top.source, false);
        continue;
      }
      const isLarge = top.key.length + top.valueLength > layout.LARGE_ENTRY_BYTES;
      const expired = !isLarge && isExpired(merge, top);
      if (expired && isNothingBelow(merge)) {
        noteDropped(merge);
        visit(merge, top);
        step(top.source, false);
        continue;
      }
      const stored = expired ? { ...top, valueLength: 0 } : top;
      const isFull = u32(builder + layout.BUILDER_ENTRIES) > 0 && (isLarge || !isRoomFor(builder, stored));
      if (isFull || isLarge) {
        setU32(merge + layout.MERGE_SAME, isSame ? 1 : 0);
        return isFull ? layout.MERGED_FULL : layout.MERGED_LARGE;
      }
      append(merge, builder, top, expired);
      visit(merge, top);
      step(top.source, false);
    }
  }

  function isRoomFor(builder: number, { key, valueLength }: Current): boolean {
    const begun = u32(builder + layout.BUILDER_AT) - u32(builder + layout.BUILDER_START);
    const used = begun + u32(builder + layout.BUILDER_RESTART_COUNT) * layout.RESTART_BYTES;
    return (
      used + key.length + valueLength <= u32(builder + layout.BUILDER_TARGET) &&
      u32(builder + layout.BUILDER_ENTRIES) < layout.BLOCK_ENTRIES_MAX &&
      u32(builder + layout.BUILDER_KEY_BYTES) < layout.BLOCK_KEY_BYTES
    );
  }

  function mergeTake(merge: number, builder: number): void {
    const top = topOf(merge) as Current;
    builders.count(builder, top.key.length, 0, top.valueLength, top.sequence, top.kind);
    countKept(merge, builder, top);
    visit(merge, top);
    step(top.source, false);
  }

  function mergeDrop(merge: number, builder: number): void {
    const top = topOf(merge) as Current;
    if (isNothingBelow(merge)) noteDropped(merge);
    else append(merge, builder, top, true);
    visit(merge, top);
    step(top.source, false);
  }

  // --- into pages -----------------------------------------------------------------------------------

  /** Writes an entry to the end of a page, where it does not count yet; false where there is no room. */
  function writeWaiting(page: number, top: Current): boolean {
    const at = u32(page + layout.PAGE_AT);
    const copied = u32(page + layout.PAGE_WITH_VALUES) !== 0 ? top.valueLength : 0;
    const size = (layout.PAGE_ENTRY_HEADER_BYTES + top.key.length + copied + 7) & ~7;
    if (size > u32(page + layout.PAGE_END) - at) {
      setU32(page + layout.PAGE_NEEDED, size);
      return false;
    }
    setU32(at, top.key.length);
    setU32(at + 4, top.valueLength);
    u8.set(top.key, at + layout.PAGE_ENTRY_HEADER_BYTES);
    u8.set(bytesAt(top.value, copied), at + layout.PAGE_ENTRY_HEADER_BYTES + top.key.length);
    setU32(page + layout.PAGE_WAITING, size);
    return true;
  }

  function commitWaiting(page: number): void {
    const waiting = u32(page + layout.PAGE_WAITING);
    if (waiting === 0) return;
    setU32(page + layout.PAGE_AT, u32(page + layout.PAGE_AT) + waiting);
    setU32(page + layout.PAGE_ENTRIES, u32(page + layout.PAGE_ENTRIES) + 1);
    setU32(page + layout.PAGE_WAITING, 0);
  }

  const isPageFull = (page: number): boolean =>
    u32(page + layout.PAGE_ENTRIES) >= u32(page + layout.PAGE_ENTRIES_MOST);
  const noRoom = (page: number): number =>
    u32(page + layout.PAGE_ENTRIES) === 0 ? layout.MERGED_LARGE : layout.MERGED_FULL;
  const isGone = (merge: number, top: Current): boolean =>
    top.kind !== KIND_PUT || isCovered(merge, top.key, top.sequence);

  function pageForward(merge: number, page: number): number {
    const [snapshot = 0] = snapshotsOf(merge);
    for (;;) {
      const top = topOf(merge);
      if (typeof top === 'string') return top === 'end' ? layout.MERGED_END : layout.MERGED_EMPTY;
      if (top.sequence < snapshot && !isVisited(merge, top.key)) {
        if ((compareLimit(merge, top.key) ?? -1) >= 0) return layout.MERGED_LIMIT;
        if (!isGone(merge, top)) {
          if (isPageFull(page)) return layout.MERGED_FULL;
          if (!writeWaiting(page, top)) return noRoom(page);
          commitWaiting(page);
        }
        visit(merge, top);
      }
      step(top.source, false);
    }
  }

  function pageBackward(merge: number, page: number): number {
    const [snapshot = 0] = snapshotsOf(merge);
    for (;;) {
      const top = topOf(merge);
      if (top === 'empty') return layout.MERGED_EMPTY;
      if (top === 'end' || !isVisited(merge, top.key)) commitWaiting(page);
      if (top === 'end') return layout.MERGED_END;
      if (!isVisited(merge, top.key)) {
        if ((compareLimit(merge, top.key) ?? 1) < 0) return layout.MERGED_LIMIT;
        if (isPageFull(page)) return layout.MERGED_FULL;
      }
      if (top.sequence < snapshot) {
        // Of the versions of a key the newest comes last, and replaces those before.
        setU32(page + layout.PAGE_WAITING, 0);
        if (!isGone(merge, top) && !writeWaiting(page, top)) return noRoom(page);
        visit(merge, top);
      }
      step(top.source, true);
    }
  }

  return {
    mergeStart,
    mergeTop,
    mergeBlock,
    mergeTake,
    mergeIsDue: (merge) => Number(isExpired(merge, topOf(merge) as Current)),
    mergeDrop,
    mergePage: (merge, page) => (isBackward(merge) ? pageBackward(merge, page) : pageForward(merge, page)),
  };
}
