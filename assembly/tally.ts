/** Counts rows of fields: by status, level, second, component and template of the message. */

import {
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_COMPONENT_LENGTH,
  FIELDS_CONTENT,
  FIELDS_CONTENT_LENGTH,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  MEMO_ENTRIES,
  MEMO_ENTRY_BYTES,
  MEMO_ENTRY_COUNT,
  MEMO_HASHES,
  MEMO_RESTING,
  MEMO_ROWS,
  MEMO_SLOT,
  PAGE_BYTES,
  PAGE_KEY_BIAS,
  PAGE_SECONDS,
  PAGE_SHIFT,
  SLOT_BYTES,
  SLOT_COUNT,
  SLOT_KEY,
  SLOT_NUMBER,
  TABLE_LIMIT,
  TABLE_MASK,
  TABLE_SLOTS,
  TABLE_STRIDE,
  TABLE_TEXTS,
  TABLE_USED,
  TALLY_COMPONENTS,
  TALLY_EARLIEST,
  TALLY_LATEST,
  TALLY_LEVELS,
  TALLY_MEMO,
  TALLY_PAGES,
  TALLY_STATUSES,
  TALLY_TEMPLATES,
} from '../src/memory/layout';
import { hashShapes } from './shape';
import { hashBytes, PRIME_1, templateHash } from './template';

/** Of `MEMO_ROWS` messages: where more have a shape that is not known, looking for it costs more than it saves. */
// @ts-ignore: decorator
@inline const UNKNOWN_MAX: i32 = 24;
/** For so many times as many rows the memo rests then. */
// @ts-ignore: decorator
@inline const RESTING: i32 = 31;

export function tallyRows(rows: usize, count: i32, chosen: usize, tally: usize): i32 {
  assert(count >= 0);
  const components = <usize>load<u32>(tally, TALLY_COMPONENTS);
  const templates = <usize>load<u32>(tally, TALLY_TEMPLATES);
  const pages = <usize>load<u32>(tally, TALLY_PAGES);
  let earliest = load<f64>(tally, TALLY_EARLIEST);
  let latest = load<f64>(tally, TALLY_LATEST);
  // The second that was counted last, and its counter.
  let from: f64 = Infinity;
  let to: f64 = -Infinity;
  let second: usize = 0;
  const memo: usize = templates == 0 ? 0 : <usize>load<u32>(tally, TALLY_MEMO);
  // The row at which shapes are looked at again, and how many of them were not known since.
  let look = 0;
  let hashes: usize = 0;
  let unknown = 0;
  let done = 0;
  for (; done < count; done++) {
    if (ASC_FEATURE_SIMD) {
      if (memo != 0 && done == look) {
        rest(memo, unknown);
        unknown = 0;
        const more = min(count - done, MEMO_ROWS);
        hashes = beginShapes(memo, rows, done, more, chosen);
        look = done + more;
      }
    }
    const row = rows + (chosen == 0 ? done : load<i32>(chosen + (done << 2))) * FIELDS_BYTES;
    const status = load<i32>(row, FIELDS_STATUS);
    const isEntry = status == FIELDS_PARSED || status == FIELDS_PLAIN;
    // Nothing is counted before there is room for all of it.
    let component: usize = 0;
    const componentBytes = <usize>load<u32>(row, FIELDS_COMPONENT_LENGTH);
    if (isEntry && components != 0 && componentBytes != 0) {
      const text = <usize>load<u32>(row, FIELDS_COMPONENT);
      component = findText(components, hashText(text, componentBytes), text, componentBytes);
      if (component == 0) break;
    }
    let template: usize = 0;
    if (isEntry && templates != 0) {
      const isPlain = status == FIELDS_PLAIN && load<u32>(row, FIELDS_CONTENT_LENGTH) == 0;
      const text = <usize>(isPlain ? load<u32>(row, FIELDS_LINE) : load<u32>(row, FIELDS_CONTENT));
      const bytes = <usize>(isPlain ? load<u32>(row, FIELDS_LINE_LENGTH) : load<u32>(row, FIELDS_CONTENT_LENGTH));
      const shape = hashes == 0 ? 0 : load<u64>(hashes + ((done & (MEMO_ROWS - 1)) << 3));
      const entry = memo + MEMO_ENTRIES + <usize>(<u32>shape & (MEMO_ENTRY_COUNT - 1)) * <usize>MEMO_ENTRY_BYTES;
      if (shape != 0 && load<u64>(entry) == shape) {
        template = <usize>load<u32>(entry, MEMO_SLOT);
      } else {
        template = findText(templates, templateHash(text, bytes), text, bytes);
        if (template == 0) break;
        if (shape != 0) {
          store<u64>(entry, shape);
          store<u32>(entry, <u32>template, MEMO_SLOT);
          unknown++;
        }
      }
    }
    const timestamp = load<f64>(row, FIELDS_TIMESTAMP);
    if (timestamp == timestamp) {
      if (pages != 0) {
        if (!(timestamp >= from && timestamp < to)) {
          const number = floor(timestamp / 1000);
          const page = findPage(pages, <i64>number >> PAGE_SHIFT);
          if (page == 0) break;
          second = page + (<usize>(<i64>number & (PAGE_SECONDS - 1)) << 2);
          from = number * 1000;
          to = from + 1000;
        }
        store<i32>(second, load<i32>(second) + 1);
      }
      earliest = timestamp < earliest ? timestamp : earliest;
      latest = timestamp > latest ? timestamp : latest;
    }
    if (component != 0) store<i32>(component, load<i32>(component, SLOT_COUNT) + 1, SLOT_COUNT);
    if (template != 0) store<i32>(template, load<i32>(template, SLOT_COUNT) + 1, SLOT_COUNT);
    const counter = tally + ((<usize>status & 7) << 2);
    store<i32>(counter, load<i32>(counter, TALLY_STATUSES) + 1, TALLY_STATUSES);
    if (status == FIELDS_PARSED) {
      const level = tally + (load<i32>(row, FIELDS_LEVEL_CODE) << 2);
      store<i32>(level, load<i32>(level, TALLY_LEVELS) + 1, TALLY_LEVELS);
    }
  }
  store<f64>(tally, earliest, TALLY_EARLIEST);
  store<f64>(tally, latest, TALLY_LATEST);
  return done;
}

/** Hashes the next shapes, unless that is not worth it at present; returns where they are, or 0. */
function beginShapes(memo: usize, rows: usize, first: i32, count: i32, chosen: usize): usize {
  const resting = load<i32>(memo, MEMO_RESTING);
  if (resting > 0) {
    store<i32>(memo, resting - 1, MEMO_RESTING);
    return 0;
  }
  if (chosen == 0) hashShapes(rows + first * FIELDS_BYTES, count, 0, memo);
  else hashShapes(rows, count, chosen + (first << 2), memo);
  return memo + MEMO_HASHES;
}

/** Lets the memo rest for a while where it is of no use. */
function rest(memo: usize, unknown: i32): void {
  if (unknown > UNKNOWN_MAX) store<i32>(memo, RESTING, MEMO_RESTING);
}

// @ts-ignore: decorator
@inline
function hashText(text: usize, bytes: usize): u64 {
  const hash = hashBytes(PRIME_1, text, bytes);
  return hash == 0 ? 1 : hash;
}

/** The slot of a key, or a free one; 0 where there is none left. */
// @ts-ignore: decorator
@inline
function findSlot(table: usize, key: u64): usize {
  const slots = <usize>load<u32>(table, TABLE_SLOTS);
  const mask = load<u32>(table, TABLE_MASK);
  let index = <u32>key & mask;
  let slot = slots + <usize>index * SLOT_BYTES;
  let found = load<u64>(slot, SLOT_KEY);
  while (found != key && found != 0) {
    index = (index + 1) & mask;
    slot = slots + <usize>index * SLOT_BYTES;
    found = load<u64>(slot, SLOT_KEY);
  }
  return found == key || load<i32>(table, TABLE_USED) < load<i32>(table, TABLE_LIMIT) ? slot : 0;
}

/** Takes a free slot for a key; returns the address of its text. */
function addKey(table: usize, slot: usize, key: u64): usize {
  const number = load<i32>(table, TABLE_USED);
  store<i32>(table, number + 1, TABLE_USED);
  store<u64>(slot, key, SLOT_KEY);
  store<i32>(slot, 0, SLOT_COUNT);
  store<i32>(slot, number, SLOT_NUMBER);
  return <usize>load<u32>(table, TABLE_TEXTS) + <usize>number * <usize>load<u32>(table, TABLE_STRIDE);
}

// @ts-ignore: decorator
@inline
function findText(table: usize, key: u64, text: usize, bytes: usize): usize {
  const slot = findSlot(table, key);
  if (slot != 0 && load<u64>(slot, SLOT_KEY) == 0) {
    const kept = addKey(table, slot, key);
    const room = <usize>load<u32>(table, TABLE_STRIDE) - 4;
    const length = min<usize>(bytes, room);
    store<u32>(kept, <u32>length);
    memory.copy(kept + 4, text, length);
  }
  return slot;
}

/** The counters of a page of seconds; 0 where there is no room for another. */
function findPage(table: usize, number: i64): usize {
  const key = <u64>(number + PAGE_KEY_BIAS);
  const slot = findSlot(table, key);
  if (slot == 0) return 0;
  if (load<u64>(slot, SLOT_KEY) == 0) {
    const page = addKey(table, slot, key);
    memory.fill(page, 0, PAGE_BYTES);
    return page;
  }
  return <usize>load<u32>(table, TABLE_TEXTS) + <usize>load<i32>(slot, SLOT_NUMBER) * PAGE_BYTES;
}
