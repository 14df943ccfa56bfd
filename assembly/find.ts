/**
 * Searches text for literals, and answers by the line. Sixteen bytes are looked at at a time, for two bytes of
 * the one literal (after the "packed pair" of the Rust crate memchr) or for the fingerprints of several (after
 * Teddy, of Hyperscan); only where those are found is anything compared. Lines are looked for only around what
 * was found, so that text without it costs next to nothing.
 */

import {
  FINDER_BUCKETS,
  FINDER_COUNT,
  FINDER_FINGERPRINT,
  FINDER_FIRST,
  FINDER_LITERALS,
  FINDER_SECOND,
  FINDER_TABLES,
  LITERAL_ADDRESS,
  LITERAL_BYTES,
  LITERAL_FINGERPRINT,
  LITERAL_LENGTH,
  LITERAL_MASKS,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
  TEXT_HAS_RETURN,
  TEXT_NOT_ASCII,
} from '../src/memory/layout';

// @ts-ignore: decorator
@inline const LF: u8 = 10;
// @ts-ignore: decorator
@inline const CR: u8 = 13;
// @ts-ignore: decorator
@inline const NOWHERE: usize = 0;

export function findLines(finder: usize, address: usize, length: i32, spans: usize, maxLines: i32): i32 {
  const end = address + length;
  let count = 0;
  let from = address;
  let span = spans;
  while (count < maxLines && from < end) {
    const found = findNext(finder, from, end);
    if (found == NOWHERE) {
      from = end;
      break;
    }
    const start = lineStart(from, found);
    const feed = lineFeed(found, end);
    store<u32>(span, <u32>start, SPAN_ADDRESS);
    store<u32>(span, <u32>(feed - start), SPAN_LENGTH);
    span += SPAN_BYTES;
    count++;
    from = feed + 1;
  }
  store<u32>(span, <u32>min(from, end), SPAN_ADDRESS);
  store<u32>(span, 0, SPAN_LENGTH);
  return count;
}

export function countFound(finder: usize, address: usize, length: i32): i32 {
  const end = address + length;
  let count = 0;
  let from = address;
  while (from < end) {
    const found = findNext(finder, from, end);
    if (found == NOWHERE) break;
    count++;
    from = lineFeed(found, end) + 1;
  }
  return count;
}

export function countFeeds(address: usize, length: i32): i32 {
  const end = address + length;
  let count = 0;
  let at = address;
  if (ASC_FEATURE_SIMD) {
    // A lane counts up to 255 before the sums are taken.
    while (end - at >= 64) {
      const blocks = min<usize>((end - at) >> 6, 63);
      let sums = i8x16.splat(0);
      for (let i: usize = 0; i < blocks; i++) {
        const feeds = i8x16.splat(LF);
        const first = i8x16.add(i8x16.eq(v128.load(at), feeds), i8x16.eq(v128.load(at, 16), feeds));
        const second = i8x16.add(i8x16.eq(v128.load(at, 32), feeds), i8x16.eq(v128.load(at, 48), feeds));
        sums = i8x16.sub(sums, i8x16.add(first, second));
        at += 64;
      }
      const pairs = i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(sums));
      count += i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
      count += i32x4.extract_lane(pairs, 2) + i32x4.extract_lane(pairs, 3);
    }
  }
  for (; at < end; at += 16) count += <i32>popcnt(upTo(equal16(at, LF), end - at));
  return count;
}

export function findFeedBack(address: usize, length: i32, number: i32): i32 {
  let end = address + length;
  let left = number;
  while (end > address) {
    const start = end - address >= 16 ? end - 16 : address;
    let bits = upTo(equal16(start, LF), end - start);
    const feeds = <i32>popcnt(bits);
    if (feeds >= left) {
      // The one that is looked for is the last but so many.
      for (let skip = feeds - left; skip > 0; skip--) bits &= bits - 1;
      return <i32>(start + ctz(bits));
    }
    left -= feeds;
    end = start;
  }
  return -1;
}

export function examineText(address: usize, length: i32): i32 {
  const end = address + length;
  let at = address;
  let seen: u32 = 0;
  let returns: u32 = 0;
  if (ASC_FEATURE_SIMD) {
    let all = i8x16.splat(0);
    let equals = i8x16.splat(0);
    for (; end - at >= 32; at += 32) {
      const first = v128.load(at);
      const second = v128.load(at, 16);
      all = v128.or(all, v128.or(first, second));
      equals = v128.or(equals, i8x16.eq(first, i8x16.splat(CR)));
      equals = v128.or(equals, i8x16.eq(second, i8x16.splat(CR)));
    }
    seen = <u32>i8x16.bitmask(all);
    returns = <u32>i8x16.bitmask(equals);
  }
  for (; at < end; at++) {
    const byte = load<u8>(at);
    seen |= byte & 0x80;
    returns |= <u32>(byte == CR);
  }
  return (seen != 0 ? TEXT_NOT_ASCII : 0) | (returns != 0 ? TEXT_HAS_RETURN : 0);
}

/** Where the first literal from `from` on begins that ends before `end`, or near there in its line. */
// @ts-ignore: decorator
@inline
function findNext(finder: usize, from: usize, end: usize): usize {
  return load<i32>(finder, FINDER_COUNT) == 1 ? findPair(finder, from, end) : findSet(finder, from, end);
}

function findPair(finder: usize, from: usize, end: usize): usize {
  const literal = finder + FINDER_LITERALS;
  const bytes = load<u32>(literal, LITERAL_ADDRESS);
  const masks = load<u32>(literal, LITERAL_MASKS);
  const length = load<u32>(literal, LITERAL_LENGTH);
  const first = load<u32>(finder, FINDER_FIRST);
  const second = load<u32>(finder, FINDER_SECOND);
  if (end - from < length) return NOWHERE;
  const last = end - length;
  let at = from;
  if (ASC_FEATURE_SIMD) {
    const byte1 = i8x16.splat(load<u8>(bytes + first));
    const byte2 = i8x16.splat(load<u8>(bytes + second));
    const mask1 = i8x16.splat(load<u8>(masks + first));
    const mask2 = i8x16.splat(load<u8>(masks + second));
    const folds = load<u8>(masks + first) | load<u8>(masks + second);
    if (folds == 0) {
      for (; at + 31 <= last; at += 32) {
        const equal1 = v128.and(
          i8x16.eq(v128.load(at + first), byte1),
          i8x16.eq(v128.load(at + second), byte2),
        );
        const equal2 = v128.and(
          i8x16.eq(v128.load(at + first, 16), byte1),
          i8x16.eq(v128.load(at + second, 16), byte2),
        );
        if (!v128.any_true(v128.or(equal1, equal2))) continue;
        const found = verify(
          at,
          <u32>i8x16.bitmask(equal1) | (<u32>i8x16.bitmask(equal2) << 16),
          bytes,
          masks,
          length,
        );
        if (found != NOWHERE) return found;
      }
    } else {
      for (; at + 15 <= last; at += 16) {
        const equals = v128.and(
          i8x16.eq(v128.or(v128.load(at + first), mask1), byte1),
          i8x16.eq(v128.or(v128.load(at + second), mask2), byte2),
        );
        if (!v128.any_true(equals)) continue;
        const found = verify(at, <u32>i8x16.bitmask(equals), bytes, masks, length);
        if (found != NOWHERE) return found;
      }
    }
  }
  const byte1 = load<u8>(bytes + first);
  const byte2 = load<u8>(bytes + second);
  const mask1 = load<u8>(masks + first);
  const mask2 = load<u8>(masks + second);
  for (; at <= last; at += 16) {
    const pairs = equalMasked16(at + first, byte1, mask1) & equalMasked16(at + second, byte2, mask2);
    const bits = upTo(pairs, last + 1 - at);
    if (bits == 0) continue;
    const found = verify(at, bits, bytes, masks, length);
    if (found != NOWHERE) return found;
  }
  return NOWHERE;
}

/** The first of the places that `bits` names, counted from `at`, where the literal really is. */
// @ts-ignore: decorator
@inline
function verify(at: usize, bits: u32, bytes: usize, masks: usize, length: u32): usize {
  let left = bits;
  while (left != 0) {
    const candidate = at + ctz(left);
    if (equals(candidate, bytes, masks, length)) return candidate;
    left &= left - 1;
  }
  return NOWHERE;
}

// @ts-ignore: decorator
@inline
function equals(at: usize, bytes: usize, masks: usize, length: u32): bool {
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) {
    if ((load<u64>(at + i) | load<u64>(masks + i)) != load<u64>(bytes + i)) return false;
  }
  const left = length - i;
  if (left == 0) return true;
  const different = (load<u64>(at + i) | load<u64>(masks + i)) ^ load<u64>(bytes + i);
  return different << ((8 - left) << 3) == 0;
}

function findSet(finder: usize, from: usize, end: usize): usize {
  const fingerprint = load<u32>(finder, FINDER_FINGERPRINT);
  if (end - from < fingerprint) return NOWHERE;
  const last = end - fingerprint;
  let at = from;
  if (ASC_FEATURE_SIMD) {
    const tables = finder + FINDER_TABLES;
    const low0 = v128.load(tables);
    const high0 = v128.load(tables, 16);
    const low1 = v128.load(tables, 32);
    const high1 = v128.load(tables, 48);
    const low2 = v128.load(tables, 64);
    const high2 = v128.load(tables, 80);
    const half = i8x16.splat(0x0f);
    // Where fingerprints are shorter than three bytes, the tables behind them let everything pass.
    for (; at + 15 <= last; at += 16) {
      const text0 = v128.load(at);
      const text1 = v128.load(at, 1);
      const text2 = v128.load(at, 2);
      let may = v128.and(
        v128.swizzle(low0, v128.and(text0, half)),
        v128.swizzle(high0, i8x16.shr_u(text0, 4)),
      );
      may = v128.and(may, v128.swizzle(low1, v128.and(text1, half)));
      may = v128.and(may, v128.swizzle(high1, i8x16.shr_u(text1, 4)));
      may = v128.and(may, v128.swizzle(low2, v128.and(text2, half)));
      may = v128.and(may, v128.swizzle(high2, i8x16.shr_u(text2, 4)));
      if (!v128.any_true(may)) continue;
      let bits = ~(<u32>i8x16.bitmask(i8x16.eq(may, i8x16.splat(0)))) & 0xffff;
      for (; bits != 0; bits &= bits - 1) {
        const candidate = at + ctz(bits);
        if (verifySet(finder, candidate, from, end)) return candidate;
      }
    }
  }
  for (; at <= last; at++) if (verifySet(finder, at, from, end)) return at;
  return NOWHERE;
}

/** Whether a literal lies at its place around a fingerprint. */
function verifySet(finder: usize, at: usize, from: usize, end: usize): bool {
  const tables = finder + FINDER_TABLES;
  let buckets: u32 = 0xff;
  for (let i: usize = 0; i < <usize>load<u32>(finder, FINDER_FINGERPRINT); i++) {
    const byte = <usize>load<u8>(at + i);
    const table = tables + (i << 5);
    buckets &= <u32>load<u8>(table + (byte & 0x0f)) & <u32>load<u8>(table + 16 + (byte >> 4));
  }
  const count = load<u32>(finder, FINDER_COUNT);
  for (; buckets != 0; buckets &= buckets - 1) {
    for (let i = ctz(buckets); i < count; i += FINDER_BUCKETS) {
      const literal = finder + FINDER_LITERALS + i * LITERAL_BYTES;
      const length = load<u32>(literal, LITERAL_LENGTH);
      const before = load<u32>(literal, LITERAL_FINGERPRINT);
      if (at - from < before) continue;
      const start = at - before;
      if (end - start < length) continue;
      if (equals(start, load<u32>(literal, LITERAL_ADDRESS), load<u32>(literal, LITERAL_MASKS), length)) return true;
    }
  }
  return false;
}

/** Where the line begins that has the byte at `at`; `floor` is the beginning of a line. */
// @ts-ignore: decorator
@inline
function lineStart(floor: usize, at: usize): usize {
  let end = at;
  while (end - floor >= 16) {
    const bits = equal16(end - 16, LF);
    if (bits != 0) return end - 16 + (32 - clz(bits));
    end -= 16;
  }
  while (end > floor && load<u8>(end - 1) != LF) end--;
  return end;
}

/** Where the line ends that has the byte at `at`. */
// @ts-ignore: decorator
@inline
function lineFeed(at: usize, end: usize): usize {
  for (let block = at; block < end; block += 16) {
    const bits = equal16(block, LF);
    if (bits != 0) return min(block + ctz(bits), end);
  }
  return end;
}

/** The lowest bits, so many as there are bytes left. */
// @ts-ignore: decorator
@inline
function upTo(bits: u32, left: usize): u32 {
  return left >= 16 ? bits : bits & (((<u32>1) << <u32>left) - 1);
}

/** One bit for each of 16 bytes: whether it is `byte`. */
// @ts-ignore: decorator
@inline
function equal16(address: usize, byte: u8): u32 {
  return equalMasked16(address, byte, 0);
}

// @ts-ignore: decorator
@inline
function equalMasked16(address: usize, byte: u8, mask: u8): u32 {
  if (ASC_FEATURE_SIMD) {
    return <u32>i8x16.bitmask(i8x16.eq(v128.or(v128.load(address), i8x16.splat(mask)), i8x16.splat(byte)));
  } else {
    const ones: u64 = 0x0101010101010101;
    const bytes = ones * <u64>byte;
    const masks = ones * <u64>mask;
    return zeros8((load<u64>(address) | masks) ^ bytes) | (zeros8((load<u64>(address, 8) | masks) ^ bytes) << 8);
  }
}

/** One bit for each byte that is zero: found exactly, then the high bits are gathered into one byte. */
// @ts-ignore: decorator
@inline
function zeros8(bytes: u64): u32 {
  const low: u64 = 0x7f7f7f7f7f7f7f7f;
  const zeros = ~(((bytes & low) + low) | bytes | low);
  return <u32>(((zeros >> 7) * 0x0102040810204080) >> 56);
}
