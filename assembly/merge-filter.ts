/** Filters of merges: which values are due to be dropped, and how those that stay are counted. */

import {
  BUILDER_COUNTS,
  FILTER_BASE,
  FILTER_CLASSES,
  FILTER_COUNTS,
  FILTER_CUTOFFS,
  FILTER_DUE,
  FILTER_EXPIRY,
  FILTER_KIND,
  FILTER_LEAST,
  FILTER_TIME_BYTES,
  SOURCE_PREFIX,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../src/memory/table-layout';

/** From here on, a time is counted with the last. */
const FAR: f64 = 70368744177664;

/** Whether the value of the entry that a source is at, which is a put, is to be dropped. */
export function isDue(filter: usize, top: usize): bool {
  const value = <usize>load<u32>(top, SOURCE_VALUE);
  const length = load<u32>(top, SOURCE_VALUE_LENGTH);
  if (load<i32>(filter, FILTER_KIND) == FILTER_EXPIRY) {
    if (length < <u32>FILTER_TIME_BYTES) return false;
    const time = load<f64>(value);
    return time > 0 && time <= load<f64>(filter, FILTER_DUE);
  }
  const time = load<u64>(top, SOURCE_PREFIX);
  if (time < load<u64>(filter, FILTER_LEAST)) return true;
  if (length == 0) return false;
  const ofClass = <usize>load<u8>(value);
  return ofClass < <usize>FILTER_CLASSES && time < load<u64>(filter + (ofClass << 3), FILTER_CUTOFFS);
}

/** Counts the value of a put that stays. */
export function countKept(filter: usize, builder: usize, top: usize): void {
  const value = <usize>load<u32>(top, SOURCE_VALUE);
  const length = load<u32>(top, SOURCE_VALUE_LENGTH);
  let index: usize = 0;
  if (load<i32>(filter, FILTER_KIND) == FILTER_EXPIRY) {
    if (length < <u32>FILTER_TIME_BYTES) return;
    const time = load<f64>(value);
    if (!(time > 0)) return;
    const behind = time - load<f64>(filter, FILTER_BASE);
    if (behind >= FAR) index = FILTER_COUNTS - 1;
    else if (behind > 0) index = 64 - <usize>clz<u64>(<u64>Math.ceil(behind));
  } else {
    if (length == 0) return;
    index = <usize>load<u8>(value);
    if (index >= <usize>FILTER_CLASSES) return;
  }
  const slot = <usize>load<u32>(builder, BUILDER_COUNTS) + (index << 3);
  store<f64>(slot, load<f64>(slot) + 1);
}
