/**
 * The sources of a merge, in a binary heap by the entry that each is at. What was taken from the top is
 * replaced by the next entry of the same source, which mostly stays there: then it costs two comparisons.
 */

import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_KIND,
  CELL_SEQUENCE,
  CELL_VALUE_LENGTH,
  RUN_ENTRY_BYTES,
} from '../src/memory/lsm-layout';
import {
  FORM_RUN,
  MERGE_BACKWARD,
  MERGE_EMPTY,
  MERGE_HEAP,
  MERGE_HEAP_COUNT,
  MERGE_SOURCE_COUNT,
  MERGE_SOURCES,
  ROW_ENTRY_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_PREFIX,
  ROW_SEQUENCE,
  ROW_VALUE,
  ROW_VALUE_LENGTH,
  SOURCE_BYTES,
  SOURCE_FORM,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_NEXT,
  SOURCE_PREFIX,
  SOURCE_SEQUENCE,
  SOURCE_STATE,
  SOURCE_STOP,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
  STATE_AT_ENTRY,
  STATE_EMPTY,
  STATE_ENDED,
  STATE_FRESH,
} from '../src/memory/table-layout';
import { prefixOf } from './key-prefix';
import { compareKeys } from './keys';

/** Moves a source to its next entry. */
// @ts-ignore: decorator
@inline
function step(source: usize, backward: bool): void {
  const next = <usize>load<u32>(source, SOURCE_NEXT);
  if (next == <usize>load<u32>(source, SOURCE_STOP)) {
    store<i32>(source, STATE_EMPTY, SOURCE_STATE);
    return;
  }
  store<i32>(source, STATE_AT_ENTRY, SOURCE_STATE);
  if (load<i32>(source, SOURCE_FORM) == FORM_RUN) {
    const cell = <usize>load<u32>(next);
    const keyLength = <u32>load<u16>(cell, CELL_KEY_LENGTH);
    store<u64>(source, prefixOf(cell + CELL_KEY, keyLength), SOURCE_PREFIX);
    store<f64>(source, load<f64>(cell, CELL_SEQUENCE), SOURCE_SEQUENCE);
    store<u32>(source, <u32>cell + CELL_KEY, SOURCE_KEY);
    store<u32>(source, keyLength, SOURCE_KEY_LENGTH);
    store<u32>(source, <u32>cell + CELL_KEY + keyLength, SOURCE_VALUE);
    store<u32>(source, load<u32>(cell, CELL_VALUE_LENGTH), SOURCE_VALUE_LENGTH);
    store<u32>(source, load<u8>(cell, CELL_KIND), SOURCE_KIND);
    store<u32>(source, <u32>next + (backward ? -RUN_ENTRY_BYTES : RUN_ENTRY_BYTES), SOURCE_NEXT);
  } else {
    store<u64>(source, load<u64>(next, ROW_PREFIX), SOURCE_PREFIX);
    store<f64>(source, load<f64>(next, ROW_SEQUENCE), SOURCE_SEQUENCE);
    store<u32>(source, load<u32>(next, ROW_KEY), SOURCE_KEY);
    store<u32>(source, load<u16>(next, ROW_KEY_LENGTH), SOURCE_KEY_LENGTH);
    store<u32>(source, load<u32>(next, ROW_VALUE), SOURCE_VALUE);
    store<u32>(source, load<u32>(next, ROW_VALUE_LENGTH), SOURCE_VALUE_LENGTH);
    store<u32>(source, load<u8>(next, ROW_KIND), SOURCE_KIND);
    store<u32>(source, <u32>next + (backward ? -ROW_ENTRY_BYTES : ROW_ENTRY_BYTES), SOURCE_NEXT);
  }
}

/**
 * Whether the entry of `a` comes before that of `b`: by key, of the same key the newer one first, of the same
 * sequence number that of the source that was named first. Backward, all of it the other way round.
 */
// @ts-ignore: decorator
@inline
function precedes(a: usize, b: usize, backward: bool): bool {
  const prefixA = load<u64>(a, SOURCE_PREFIX);
  const prefixB = load<u64>(b, SOURCE_PREFIX);
  if (prefixA != prefixB) return prefixA < prefixB != backward;
  const order = compareKeys(
    load<u32>(a, SOURCE_KEY),
    load<u32>(a, SOURCE_KEY_LENGTH),
    load<u32>(b, SOURCE_KEY),
    load<u32>(b, SOURCE_KEY_LENGTH),
  );
  if (order != 0) return order < 0 != backward;
  const sequenceA = load<f64>(a, SOURCE_SEQUENCE);
  const sequenceB = load<f64>(b, SOURCE_SEQUENCE);
  if (sequenceA != sequenceB) return sequenceA > sequenceB != backward;
  return a < b != backward;
}

/** Moves the source at the top of the heap to where it belongs. */
function sink(heap: usize, count: u32, backward: bool): void {
  const moved = <usize>load<u32>(heap);
  let slot: u32 = 0;
  let child: u32 = 1;
  while (child < count) {
    let least = <usize>load<u32>(heap + (child << 2));
    if (child + 1 < count) {
      const other = <usize>load<u32>(heap + (child << 2), 4);
      if (precedes(other, least, backward)) {
        least = other;
        child++;
      }
    }
    if (!precedes(least, moved, backward)) break;
    store<u32>(heap + (slot << 2), <u32>least);
    slot = child;
    child = (child << 1) + 1;
  }
  store<u32>(heap + (slot << 2), <u32>moved);
}

/** Takes a new source into the heap. */
function rise(heap: usize, slot: u32, backward: bool): void {
  const moved = <usize>load<u32>(heap + (slot << 2));
  while (slot > 0) {
    const parent = (slot - 1) >> 1;
    const above = <usize>load<u32>(heap + (parent << 2));
    if (!precedes(moved, above, backward)) break;
    store<u32>(heap + (slot << 2), <u32>above);
    slot = parent;
  }
  store<u32>(heap + (slot << 2), <u32>moved);
}

/** Puts the sources that have entries into the heap, each at its first one. */
export function startSources(merge: usize): void {
  const heap = <usize>load<u32>(merge, MERGE_HEAP);
  const backward = load<i32>(merge, MERGE_BACKWARD) != 0;
  const count = load<u32>(merge, MERGE_SOURCE_COUNT);
  let source = <usize>load<u32>(merge, MERGE_SOURCES);
  let inHeap: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (load<i32>(source, SOURCE_STATE) == STATE_FRESH) {
      step(source, backward);
      assert(load<i32>(source, SOURCE_STATE) == STATE_AT_ENTRY);
      store<u32>(heap + (inHeap << 2), <u32>source);
      rise(heap, inHeap++, backward);
    }
    source += SOURCE_BYTES;
  }
  store<u32>(merge, inHeap, MERGE_HEAP_COUNT);
}

/** The source with the next entry; 0 at the end of all, 1 where one of them has to be given more first. */
// @ts-ignore: decorator
@inline
export function topSource(merge: usize): usize {
  const heap = <usize>load<u32>(merge, MERGE_HEAP);
  if (load<u32>(merge, MERGE_HEAP_COUNT) == 0) return 0;
  const top = <usize>load<u32>(heap);
  return load<i32>(top, SOURCE_STATE) == STATE_AT_ENTRY ? top : settleTop(merge);
}

/** Looks what has become of the source at the top, which was empty. */
function settleTop(merge: usize): usize {
  const heap = <usize>load<u32>(merge, MERGE_HEAP);
  const backward = load<i32>(merge, MERGE_BACKWARD) != 0;
  let count = load<u32>(merge, MERGE_HEAP_COUNT);
  while (count > 0) {
    const top = <usize>load<u32>(heap);
    const state = load<i32>(top, SOURCE_STATE);
    if (state == STATE_AT_ENTRY) return top;
    if (state == STATE_EMPTY) {
      const index = (<u32>top - load<u32>(merge, MERGE_SOURCES)) / SOURCE_BYTES;
      store<u32>(merge, index, MERGE_EMPTY);
      return 1;
    }
    if (state == STATE_ENDED) {
      count--;
      store<u32>(merge, count, MERGE_HEAP_COUNT);
      store<u32>(heap, load<u32>(heap + (count << 2)));
    } else {
      step(top, backward);
    }
    if (count > 1) sink(heap, count, backward);
  }
  return 0;
}

/** Moves on from the entry at the top. */
// @ts-ignore: decorator
@inline
export function advanceTop(merge: usize): void {
  const heap = <usize>load<u32>(merge, MERGE_HEAP);
  const backward = load<i32>(merge, MERGE_BACKWARD) != 0;
  const top = <usize>load<u32>(heap);
  step(top, backward);
  const count = load<u32>(merge, MERGE_HEAP_COUNT);
  if (count > 1 && load<i32>(top, SOURCE_STATE) == STATE_AT_ENTRY) sink(heap, count, backward);
}
