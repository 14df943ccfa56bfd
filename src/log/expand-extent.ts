/**
 * Extents with compressed batches, for `get`: an extent is expanded as a whole where that is not much, so
 * that it can be cached like any other, and the next `get` finds its record without expanding anything.
 *
 *     read:      | plain batch | compressed batch | compressed batch |
 *     expanded:  | plain batch | plain batch ...        | plain batch ...      |
 *
 * @module
 */

import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  MARK_BYTES,
  MARK_RECORDS,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { expandRecords, isCodecSettled, isCompressed, writeExpanded } from '../record/compression.ts';
import { ATTRIBUTES_POSITION, BATCH_LENGTH_POSITION, RECORD_COUNT_POSITION } from '../record/format.ts';

/** What is expanded as a whole: more than this no cache would keep. */
const WHOLE_BYTES_MAX: number = 256 * 1024;
/** No record has fewer bytes: so many bytes of batch there are for each byte of marks, at least. */
const BYTES_PER_MARK_BYTE: number = (7 * MARK_RECORDS) / MARK_BYTES;

/** A batch of an extent. */
export interface ExtentBatch {
  address: number;
  size: number;
  recordCount: number;
  attributes: number;
}

/** An extent whose batches are all plain. */
export interface PlainExtent {
  slab: Slab;
  address: number;
  bytes: number;
  /** Address of room for the marks of its records. */
  marks: number;
}

/** The batch at an address, which the kernels have accepted. */
export function batchAt({ data }: Memory, address: number): ExtentBatch {
  return {
    address,
    size: data.getInt32(address + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES,
    recordCount: data.getInt32(address + RECORD_COUNT_POSITION),
    attributes: data.getInt16(address + ATTRIBUTES_POSITION),
  };
}

/** Whether a batch of an extent is compressed; where the codec of one has not been loaded, the attributes of that. */
export function compressionIn(
  memory: Memory,
  address: number,
  bytes: number,
): boolean | { unsettled: number[] } {
  const { data } = memory;
  let isAny = false;
  for (let at = address; at < address + bytes; ) {
    const attributes = data.getInt16(at + ATTRIBUTES_POSITION);
    if (isCompressed(attributes)) {
      if (!isCodecSettled(attributes)) return { unsettled: [attributes] };
      isAny = true;
    }
    at += data.getInt32(at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
  }
  return isAny;
}

/**
 * Expands an extent.
 *
 * @returns undefined where a batch of it does not expand, or it would become much: then the one batch that is
 * wanted is looked at alone
 * @throws VarveError `UNSUPPORTED` where a codec is not to be had; `NO_MEMORY`
 */
export function expandExtent(memory: Memory, address: number, bytes: number): PlainExtent | undefined {
  const batches: ExtentBatch[] = [];
  const expanded: (Uint8Array | undefined)[] = [];
  let total = 0;
  for (let at = address; at < address + bytes; ) {
    const batch = batchAt(memory, at);
    const records = isCompressed(batch.attributes) ? expandRecords(memory, batch) : undefined;
    if (isCompressed(batch.attributes) && records === undefined) return undefined;
    total += records === undefined ? batch.size : BATCH_HEADER_BYTES + records.length;
    if (total > WHOLE_BYTES_MAX) return undefined;
    batches.push(batch);
    expanded.push(records);
    at += batch.size;
  }
  const marksBytes = Math.ceil(total / BYTES_PER_MARK_BYTE) + MARK_BYTES;
  const slab = memory.slabs.allocate(total + SLACK_BYTES + 8 + marksBytes, 'expanded extent');
  const marks = (slab.address + total + SLACK_BYTES + 7) & ~7;
  if (place(memory, batches, expanded, slab.address, marks)) {
    return { slab, address: slab.address, bytes: total, marks };
  }
  slab.release();
  return undefined;
}

/** Writes batches end to end. Returns whether their insides are whole. */
function place(
  memory: Memory,
  batches: readonly ExtentBatch[],
  expanded: readonly (Uint8Array | undefined)[],
  target: number,
  marks: number,
): boolean {
  let to = target;
  for (const [i, batch] of batches.entries()) {
    const records = expanded[i];
    const size = records === undefined ? batch.size : BATCH_HEADER_BYTES + records.length;
    if (records === undefined) memory.u8.copyWithin(to, batch.address, batch.address + size);
    else writeExpanded(memory, batch, records, to);
    // What goes to the cache must not turn out to be broken later, when its place on disk is not known.
    if (memory.kernels.markRecords(to, size, marks) < 0) return false;
    to += size;
  }
  return true;
}
