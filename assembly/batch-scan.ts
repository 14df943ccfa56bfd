/** Finding whole, valid batches in bytes that may be torn or damaged. */

import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  ROW_ADDRESS,
  ROW_ATTRIBUTES,
  ROW_BASE_OFFSET,
  ROW_BASE_TIMESTAMP,
  ROW_BYTES,
  ROW_LAST_DELTA,
  ROW_LEADER_EPOCH,
  ROW_MAX_TIMESTAMP,
  ROW_RECORD_COUNT,
  ROW_SIZE,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_NEED,
  SCAN_STATUS_STOP,
  SCAN_STOP_END,
  SCAN_STOP_INCOMPLETE,
  SCAN_STOP_INVALID,
} from '../src/memory/layout';
import {
  ATTRIBUTE_COMPRESSION,
  BATCH_ATTRIBUTES,
  BATCH_BASE_OFFSET,
  BATCH_BASE_TIMESTAMP,
  BATCH_CRC,
  BATCH_LAST_DELTA,
  BATCH_LEADER_EPOCH,
  BATCH_LENGTH,
  BATCH_MAGIC,
  BATCH_MAX_TIMESTAMP,
  BATCH_RECORD_COUNT,
  LENGTH_MAX,
  LENGTH_MIN,
  MAGIC,
  RECORD_BYTES_MIN,
} from './batch-format';
import { load16, load32, load64, SAFE_LIMIT } from './bytes';
import { crc32c } from './crc32c';

export function scanBatches(address: usize, length: i32, rows: usize, maxRows: i32, status: usize): i32 {
  assert(length >= 0 && maxRows >= 0);
  const end = address + length;
  let at = address;
  let count = 0;
  let stop = SCAN_STOP_END;
  let need = 0;
  while (at < end && count < maxRows) {
    const available = <i32>(end - at);
    stop = judgeHead(at, available);
    if (stop == SCAN_STOP_INCOMPLETE && available >= BATCH_PREFIX_BYTES) {
      need = load32(at + BATCH_LENGTH) + BATCH_PREFIX_BYTES;
    }
    if (stop == SCAN_STOP_END && !isValid(at)) stop = SCAN_STOP_INVALID;
    if (stop != SCAN_STOP_END) break;
    const size = load32(at + BATCH_LENGTH) + BATCH_PREFIX_BYTES;
    writeRow(rows + count * ROW_BYTES, at, size);
    count++;
    at += size;
  }
  store<i32>(status, stop, SCAN_STATUS_STOP);
  store<u32>(status, <u32>at, SCAN_STATUS_ADDRESS);
  store<i32>(status, need, SCAN_STATUS_NEED);
  return count;
}

export function findBatch(address: usize, length: i32, minOffset: f64, maxOffset: f64): i32 {
  assert(length >= 0);
  const least = <i64>minOffset;
  const greatest = <i64>maxOffset;
  const end = address + length;
  for (let at = address; at + BATCH_HEADER_BYTES <= end; at++) {
    if (load<u8>(at + BATCH_MAGIC) != MAGIC) continue;
    const baseOffset = load64(at + BATCH_BASE_OFFSET);
    if (baseOffset < least || baseOffset > greatest) continue;
    if (judgeHead(at, <i32>(end - at)) == SCAN_STOP_END && isValid(at)) return <i32>at;
  }
  return -1;
}

/**
 * Judges what tells a batch from other bytes before all of it must be there: its length, its offset and
 * its magic number, as far as `available` bytes reach.
 *
 * @returns a stop reason; `SCAN_STOP_END` means that the batch is there as a whole
 */
// @ts-ignore: decorator
@inline
function judgeHead(at: usize, available: i32): i32 {
  if (available < BATCH_PREFIX_BYTES) return SCAN_STOP_INCOMPLETE;
  const length = load32(at + BATCH_LENGTH);
  if (length < LENGTH_MIN || length > LENGTH_MAX) return SCAN_STOP_INVALID;
  if (<u64>load64(at + BATCH_BASE_OFFSET) >= <u64>SAFE_LIMIT) return SCAN_STOP_INVALID;
  if (available > BATCH_MAGIC && load<u8>(at + BATCH_MAGIC) != MAGIC) return SCAN_STOP_INVALID;
  return length + BATCH_PREFIX_BYTES > available ? SCAN_STOP_INCOMPLETE : SCAN_STOP_END;
}

/** Whether the counts of a whole batch fit together, and its bytes their checksum. */
function isValid(at: usize): bool {
  const size = load32(at + BATCH_LENGTH) + BATCH_PREFIX_BYTES;
  const lastDelta = load32(at + BATCH_LAST_DELTA);
  const recordCount = load32(at + BATCH_RECORD_COUNT);
  if (lastDelta < 0 || recordCount < 0 || recordCount - 1 > lastDelta) return false;
  if (load64(at + BATCH_BASE_OFFSET) + lastDelta >= SAFE_LIMIT) return false;
  const compressed = (load16(at + BATCH_ATTRIBUTES) & ATTRIBUTE_COMPRESSION) != 0;
  if (!compressed && recordCount > (size - BATCH_HEADER_BYTES) / RECORD_BYTES_MIN) return false;
  return load32(at + BATCH_CRC) == crc32c(at + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES, 0);
}

function writeRow(row: usize, at: usize, size: i32): void {
  store<f64>(row, <f64>load64(at + BATCH_BASE_OFFSET), ROW_BASE_OFFSET);
  store<f64>(row, <f64>load64(at + BATCH_BASE_TIMESTAMP), ROW_BASE_TIMESTAMP);
  store<f64>(row, <f64>load64(at + BATCH_MAX_TIMESTAMP), ROW_MAX_TIMESTAMP);
  store<u32>(row, <u32>at, ROW_ADDRESS);
  store<i32>(row, size, ROW_SIZE);
  store<i32>(row, load32(at + BATCH_RECORD_COUNT), ROW_RECORD_COUNT);
  store<i32>(row, load32(at + BATCH_LAST_DELTA), ROW_LAST_DELTA);
  store<i32>(row, load16(at + BATCH_ATTRIBUTES), ROW_ATTRIBUTES);
  store<i32>(row, load32(at + BATCH_LEADER_EPOCH), ROW_LEADER_EPOCH);
}
