/**
 * Shapes of messages: a message with each row of digits made one zero. Of a template only this counts, that
 * there are digits, so messages of one shape have one template; and a memo of the shapes that were seen saves
 * most of the work that finding a template is.
 *
 * Making a shape has no branch that depends on where digits are: bytes are moved together eight at a time, by
 * a table of shuffles (after Daniel Lemire, "How quickly can you remove spaces from a string?", 2017).
 */

import {
  FIELDS_BYTES,
  FIELDS_CONTENT,
  FIELDS_CONTENT_LENGTH,
  MEMO_HASHES,
  MEMO_KEPT,
  MEMO_KEPT_BYTES,
  MEMO_SHUFFLES,
  SHAPE_BYTES_MAX,
} from '../src/memory/layout';
import { bits64, PRIME_1, PRIME_2, PRIME_3 } from './template';

// @ts-ignore: decorator
@inline const ZERO: u8 = 0x30;

/**
 * Hashes the shapes of the messages of rows; 0 stands for a message that has none, or is too long.
 *
 * What was just stored in pieces cannot be loaded as a whole before all of it has reached the cache. So while
 * one shape is put together, the one before it is hashed.
 */
export function hashShapes(rows: usize, count: i32, chosen: usize, memo: usize): void {
  const kept = memo + MEMO_KEPT;
  let hashes = memo + MEMO_HASHES;
  let before: usize = kept;
  let end: usize = 0;
  for (let i = 0; i < count; i++) {
    const row = rows + (chosen == 0 ? i : load<i32>(chosen + (i << 2))) * FIELDS_BYTES;
    const text = <usize>load<u32>(row, FIELDS_CONTENT);
    const bytes = <usize>load<u32>(row, FIELDS_CONTENT_LENGTH);
    const now = kept + (i & 1) * MEMO_KEPT_BYTES;
    const nowEnd = bytes - 1 < <usize>SHAPE_BYTES_MAX ? keepShape(text, bytes, now, memo + MEMO_SHUFFLES) : 0;
    if (i > 0) {
      store<u64>(hashes, end == 0 ? 0 : hashKept(before, end));
      hashes += 8;
    }
    before = now;
    end = nowEnd;
  }
  if (count > 0) store<u64>(hashes, end == 0 ? 0 : hashKept(before, end));
}

/** Puts a shape together, and 64 zeros behind it; returns the address behind the shape. */
// @ts-ignore: decorator
@inline
function keepShape(text: usize, bytes: usize, out: usize, shuffles: usize): usize {
  let wasDigit: u64 = 0;
  let left = bytes;
  for (;;) {
    const a = v128.load(text);
    const b = v128.load(text, 16);
    const c = v128.load(text, 32);
    const d = v128.load(text, 48);
    const isA = isDigit(a);
    const isB = isDigit(b);
    const isC = isDigit(c);
    const isD = isDigit(d);
    const digits = bits64(isA, isB, isC, isD);
    let keep = ~(digits & ((digits << 1) | wasDigit));
    if (left < 64) keep &= ((<u64>1) << <u64>left) - 1;
    out = keep16(noughts(a, isA), keep, out, shuffles);
    out = keep16(noughts(b, isB), keep >> 16, out, shuffles);
    out = keep16(noughts(c, isC), keep >> 32, out, shuffles);
    out = keep16(noughts(d, isD), keep >> 48, out, shuffles);
    if (left <= 64) break;
    wasDigit = digits >> 63;
    text += 64;
    left -= 64;
  }
  const zeros = i64x2.splat(0);
  v128.store(out, zeros);
  v128.store(out, zeros, 16);
  v128.store(out, zeros, 32);
  v128.store(out, zeros, 48);
  return out;
}

// @ts-ignore: decorator
@inline
function isDigit(bytes: v128): v128 {
  return i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(ZERO)), i8x16.splat(10));
}

/** Makes digits noughts: they differ in their lower halves alone. */
// @ts-ignore: decorator
@inline
function noughts(bytes: v128, digits: v128): v128 {
  return v128.andnot(bytes, v128.and(digits, i8x16.splat(15)));
}

/** Stores those of 16 bytes that are to be kept, and what is behind them; returns the address behind them. */
// @ts-ignore: decorator
@inline
function keep16(bytes: v128, keep: u64, out: usize, shuffles: usize): usize {
  const low = <u32>keep & 0xff;
  const high = (<u32>keep >> 8) & 0xff;
  const first = v128.load64_zero(shuffles + (<usize>low << 3));
  const second = i8x16.add(v128.load64_zero(shuffles + (<usize>high << 3)), i8x16.splat(8));
  v128.store64_lane(out, v128.swizzle(bytes, first), 0);
  out += <usize>popcnt(low);
  v128.store64_lane(out, v128.swizzle(bytes, second), 0);
  return out + <usize>popcnt(high);
}

// @ts-ignore: decorator
@inline
function hashKept(at: usize, end: usize): u64 {
  let hash = PRIME_3 + <u64>(end - at) * PRIME_2;
  do {
    const a = pair(load<u64>(at), load<u64>(at, 8)) * PRIME_1;
    const b = pair(load<u64>(at, 16), load<u64>(at, 24)) * PRIME_2;
    const c = pair(load<u64>(at, 32), load<u64>(at, 40)) * PRIME_3;
    const d = pair(load<u64>(at, 48), load<u64>(at, 56));
    hash = (hash ^ a ^ rotl<u64>(b, 17) ^ rotl<u64>(c, 31) ^ rotl<u64>(d, 47)) * PRIME_1;
    hash ^= hash >> 32;
    at += 64;
  } while (at < end);
  return hash == 0 ? 1 : hash;
}

// @ts-ignore: decorator
@inline
function pair(a: u64, b: u64): u64 {
  const first = (a ^ PRIME_3) * PRIME_1;
  const second = (b ^ PRIME_1) * PRIME_2;
  return first ^ (first >> 32) ^ rotl<u64>(second ^ (second >> 29), 21);
}
