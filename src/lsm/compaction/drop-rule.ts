/**
 * Rules by which a flush or a merge drops values though nothing newer hides them: a closed list, since workers
 * carry them out, as kernels (`FILTER_*` in `table-layout.ts`). What time it is, the main thread says when a task
 * begins, so that a rule is a plain value.
 *
 * A value that is dropped becomes a deletion unless nothing older can come to light, and one that a snapshot sees
 * is not dropped. Tables count what they have by when it will be due (`DropCounts`), so that it can be told
 * without reading them how much a merge would drop at least.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';

export type DropKind = 'expiry' | 'retention';

/** Values begin with the time at which they expire: f64, little-endian, ms since the epoch; 0 for never. */
export interface ExpiryRule {
  kind: 'expiry';
  /** Dropped is what expires at this time or before; 0 for nothing. */
  dueMs: number;
  /** What stays is counted by how long after this it expires. */
  baseMs: number;
}

/** Keys begin with a time, u64, the high byte first; values with a byte that says their class, 0 to 7. */
export interface RetentionRule {
  kind: 'retention';
  /** Dropped is what is before the cutoff of its class; and, of any class, what is before all of them. */
  cutoffs: bigint[];
}

export type DropRule = ExpiryRule | RetentionRule;

/**
 * What a table counts of the values that a rule may drop. By expiry, the first count has those that were due at
 * the base, and number n those that are due less than 2^n ms after it; the last has all others. By retention,
 * there is a count for each class. Zeros at the end are left out.
 */
export interface DropCounts {
  kind: DropKind;
  baseMs: number;
  counts: number[];
}

export const CLASSES: number = layout.FILTER_CLASSES;
const COUNTS = layout.FILTER_COUNTS;
export const DROP_KINDS: readonly DropKind[] = ['expiry', 'retention'];

/** The least of some cutoffs. */
export function leastCutoff(cutoffs: readonly bigint[]): bigint {
  return cutoffs.toSorted((a, b) => (a < b ? -1 : 1))[0] ?? 0n;
}

/** Writes a rule where the kernels read it. */
export function writeDropRule(
  memory: Pick<MemoryView, 'data' | 'u8'>,
  rule: DropRule,
  address: number,
): void {
  const { data, u8 } = memory;
  u8.fill(0, address, address + layout.FILTER_BYTES);
  const isExpiry = rule.kind === 'expiry';
  data.setInt32(
    address + layout.FILTER_KIND,
    isExpiry ? layout.FILTER_EXPIRY : layout.FILTER_RETENTION,
    true,
  );
  if (isExpiry) {
    data.setFloat64(address + layout.FILTER_BASE, rule.baseMs, true);
    data.setFloat64(address + layout.FILTER_DUE, rule.dueMs, true);
    return;
  }
  data.setBigUint64(address + layout.FILTER_LEAST, leastCutoff(rule.cutoffs), true);
  for (const [i, cutoff] of rule.cutoffs.entries())
    data.setBigUint64(address + layout.FILTER_CUTOFFS + i * 8, cutoff, true);
}

/** What was counted by a rule, from where kernels have counted it. */
export function readDropCounts(memory: MemoryView, rule: DropRule, address: number): DropCounts {
  const counts = [...memory.f64.subarray(address >> 3, (address >> 3) + COUNTS)];
  while (counts.at(-1) === 0) counts.pop();
  return { kind: rule.kind, baseMs: rule.kind === 'expiry' ? Math.floor(rule.baseMs) : 0, counts };
}

/** What is known of a table here. */
interface CountedTable {
  entries: number;
  tombstones: number;
  largestKey: Uint8Array;
  drop?: DropCounts;
}

/** How many entries of a table a rule drops, if no snapshot sees them: at least so many. */
export function dueEntries(table: CountedTable, rule: DropRule): number {
  const { drop } = table;
  if (rule.kind === 'retention') {
    if (isBeforeAll(table.largestKey, rule.cutoffs)) return table.entries - table.tombstones;
    if (drop?.kind !== 'retention') return 0;
    const last = timeOfKey(table.largestKey);
    return drop.counts.reduce((sum, count, of) => sum + (last < (rule.cutoffs[of] as bigint) ? count : 0), 0);
  }
  if (drop?.kind !== 'expiry') return 0;
  return drop.counts.reduce((sum, count, n) => {
    // The base was rounded down.
    const isDue = n < COUNTS - 1 && drop.baseMs + 1 + (n === 0 ? 0 : 2 ** n) <= rule.dueMs;
    return isDue ? sum + count : sum;
  }, 0);
}

/** Whether all keys up to one are before every cutoff. */
export function isBeforeAll(largestKey: Uint8Array, cutoffs: readonly bigint[]): boolean {
  return timeOfKey(largestKey) < leastCutoff(cutoffs);
}

/** The time that a key begins with; a shorter one has zeros behind it. */
export function timeOfKey(key: Uint8Array): bigint {
  let time = 0n;
  for (let i = 0; i < layout.FILTER_TIME_BYTES; i++) time = (time << 8n) | BigInt(key[i] ?? 0);
  return time;
}
