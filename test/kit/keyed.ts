/**
 * Logs of records with keys, and what compaction may make of them: which records are there, is told from an array of
 * all that were ever appended.
 *
 * @module
 */

import { expect } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import type { RecordInput } from '../../src/record/record.ts';
import { range, readRecords } from './log-kit.ts';

/** The smallest segments and batches: much happens in little time. */
export const COMPACTED: LogOptions = {
  cleanup: 'compact',
  segmentBytes: 4096,
  batchBytes: 512,
  bufferBytes: 64 * 1024,
  indexIntervalBytes: 700,
  keyMapBytes: 256 * 1024,
  sync: { mode: 'never' },
};

/** What was appended at an offset: its key, and its value or none. */
export interface Keyed {
  key: string;
  value: string | null;
}

/** Records of which the value says which one it is. */
export function keyedRecords(from: number, count: number, keys: number, bytes: number): RecordInput[] {
  return range(from, from + count).map((i) => ({ key: `key-${i % keys}`, value: `${i}`.padEnd(bytes, '.') }));
}

/** Appends such records. */
export async function fill(log: Log, count: number, keys: number, bytes = 40): Promise<void> {
  await log.appendMany(keyedRecords(log.nextOffset, count, keys, bytes));
}

/** The records that a log has, a line each. */
export async function contents(log: Log): Promise<string[]> {
  return (await readRecords(log)).map(({ offset, key, value }) => {
    const text = value === null ? 'none' : value.toString().replaceAll('.', '');
    return `${offset} ${key?.toString()} ${text}`;
  });
}

/**
 * Checks that a log has nothing but what was appended, in order, and the last record of each key, but for deletions.
 *
 * @param all everything that was appended, by offset
 * @param isDeletionKept whether a deletion, if it is the last record of its key, must be there too
 */
export async function expectCompacted(
  log: Log,
  all: readonly Keyed[],
  isDeletionKept: boolean,
): Promise<void> {
  const found = await readRecords(log);
  const there = new Set<number>();
  let last = log.firstOffset - 1;
  for (const { offset, key, value } of found) {
    expect(offset).toBeGreaterThan(last);
    expect({ key: key?.toString(), value: value?.toString() ?? null }).toEqual(all[offset]);
    there.add(offset);
    last = offset;
  }
  expect(log.nextOffset).toBe(all.length);
  const newest = new Map<string, number>();
  for (const [offset, { key }] of all.entries()) newest.set(key, offset);
  for (const offset of newest.values()) {
    const isDeletion = all[offset]?.value === null;
    if (offset < log.firstOffset || (isDeletion && !isDeletionKept)) continue;
    expect(there.has(offset), `offset ${offset}, the last of ${all[offset]?.key}, is there`).toBe(true);
  }
}

/** The keys that are there more than once below an offset. */
export async function repeatedKeys(log: Log, end: number): Promise<string[]> {
  const counts = new Map<string, number>();
  for (const { key, offset } of await readRecords(log)) {
    if (offset < end) counts.set(String(key), (counts.get(String(key)) ?? 0) + 1);
  }
  return [...counts].filter(([, count]) => count > 1).map(([key]) => key);
}
