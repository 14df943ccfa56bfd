/**
 * The filters of merges in plain JavaScript: the specification.
 *
 * @module
 */

import { prefixOf } from './key-reference.ts';
import * as layout from './table-layout.ts';

/** What a filter looks at. */
export interface FilteredEntry {
  key: Uint8Array;
  /** Address of the value. */
  value: number;
  valueLength: number;
}

export interface MergeFilter {
  /** Whether a value is to be dropped. */
  isDue(filter: number, entry: FilteredEntry): boolean;
  /** Counts one that stays. */
  countKept(filter: number, counts: number, entry: FilteredEntry): void;
}

/** Creates the filters over a memory. */
export function createMergeFilter(view: DataView): MergeFilter {
  const isExpiry = (filter: number): boolean =>
    view.getUint32(filter + layout.FILTER_KIND, true) === layout.FILTER_EXPIRY;
  const timeOf = ({ value, valueLength }: FilteredEntry): number =>
    valueLength < layout.FILTER_TIME_BYTES ? 0 : view.getFloat64(value, true);
  const classOf = ({ value, valueLength }: FilteredEntry): number | undefined => {
    const found = valueLength === 0 ? layout.FILTER_CLASSES : view.getUint8(value);
    return found < layout.FILTER_CLASSES ? found : undefined;
  };

  function isDue(filter: number, entry: FilteredEntry): boolean {
    if (isExpiry(filter)) {
      const time = timeOf(entry);
      return time > 0 && time <= view.getFloat64(filter + layout.FILTER_DUE, true);
    }
    const time = prefixOf(entry.key);
    if (time < view.getBigUint64(filter + layout.FILTER_LEAST, true)) return true;
    const found = classOf(entry);
    return found !== undefined && time < view.getBigUint64(filter + layout.FILTER_CUTOFFS + found * 8, true);
  }

  /** The number of the count that an entry goes to. */
  function indexOf(filter: number, entry: FilteredEntry): number | undefined {
    if (!isExpiry(filter)) return classOf(entry);
    const time = timeOf(entry);
    if (!(time > 0)) return undefined;
    const behind = time - view.getFloat64(filter + layout.FILTER_BASE, true);
    if (behind <= 0) return 0;
    let index = 1;
    while (index < layout.FILTER_COUNTS - 1 && Math.ceil(behind) >= 2 ** index) index++;
    return index;
  }

  return {
    isDue,
    countKept(filter, counts, entry) {
      const index = indexOf(filter, entry);
      if (index === undefined) return;
      const slot = counts + index * 8;
      view.setFloat64(slot, view.getFloat64(slot, true) + 1, true);
    },
  };
}
