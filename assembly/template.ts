/**
 * What the messages that one statement of a program writes have in common: the message without its
 * variables. What counts as a variable is said, byte for byte, in src/memory/template.ts. A message is never
 * rewritten: 64 bytes at a time become bits (is it part of a token, does it make the token a variable), and
 * what lies between the variables is hashed where it is.
 *
 * Windows of 64 bytes begin where a variable ends, or behind a stretch of constant text that fills one. So
 * where they begin depends on the constant text alone, and messages of one template are hashed alike
 * however long their variables are.
 */

import { TEMPLATE_BYTES_MAX } from '../src/memory/layout';

// Delimiters, as two sets of 64 bytes: tab and space " ' ( ) , : ; < = >, and [ ] { | }.
// @ts-ignore: decorator
@inline const DELIMITERS_LOW: u64 = 0x7c00138500000200;
// @ts-ignore: decorator
@inline const DELIMITERS_HIGH: u64 = 0x3800000028000000;

// @ts-ignore: decorator
@inline const EQUALS: u8 = 0x3d;
// @ts-ignore: decorator
@inline const SLASH: u8 = 0x2f;
// @ts-ignore: decorator
@inline const SPACE: u8 = 0x20;
/** ` B` and the first two of ` KB`, ` MB`, ... as they lie in memory. */
// @ts-ignore: decorator
@inline const BYTES_UNIT: u32 = 0x4220;

// Odd constants of xxHash64.
// @ts-ignore: decorator
@inline export const PRIME_1: u64 = 0x9e3779b185ebca87;
// @ts-ignore: decorator
@inline export const PRIME_2: u64 = 0xc2b2ae3d27d4eb4f;
// @ts-ignore: decorator
@inline export const PRIME_3: u64 = 0x165667b19e3779f9;

/** The bit of each class, by the lower and by the upper half of a byte; the classes are those of both. */
// @ts-ignore: decorator
@inline const CLASS_DELIMITER: u8 = 0x1f;

export function isDelimiter(byte: u32): bool {
  if (byte >= 128) return false;
  return (((byte < 64 ? DELIMITERS_LOW : DELIMITERS_HIGH) >> (<u64>(byte & 63))) & 1) != 0;
}

/** Hashes bytes; two stretches, one behind the other, have another hash than both as one. */
// @ts-ignore: decorator
@inline
export function hashBytes(hash: u64, at: usize, length: usize): u64 {
  hash += <u64>length * PRIME_2;
  let left = length;
  while (left > 16) {
    hash = mix(hash, load<u64>(at), load<u64>(at, 8));
    at += 16;
    left -= 16;
  }
  // The bytes behind the last are taken off without a branch: how many there are is not to be foreseen.
  const first = <u64>min<usize>(left, 8) << 3;
  const second = <u64>max<isize>(<isize>left - 8, 0) << 3;
  const a = load<u64>(at) & select<u64>(-1, ((<u64>1) << first) - 1, first == 64);
  const b = load<u64>(at, 8) & select<u64>(-1, ((<u64>1) << second) - 1, second == 64);
  return mix(hash, a, b);
}

// @ts-ignore: decorator
@inline
function mix(hash: u64, a: u64, b: u64): u64 {
  const first = (a ^ PRIME_3) * PRIME_1;
  const second = (b ^ PRIME_1) * PRIME_2;
  hash = (hash ^ (first ^ (first >> 32)) ^ rotl<u64>(second ^ (second >> 29), 21)) * PRIME_1;
  return hash ^ (hash >> 32);
}

/** Bits of a window: which bytes belong to tokens, which are digits, and which are slashes or equals signs. */
let tokens: u64 = 0;
let digits: u64 = 0;
let others: u64 = 0;

// @ts-ignore: decorator
@inline
function classify(at: usize, left: usize): void {
  if (ASC_FEATURE_SIMD) {
    const a = classes(at);
    const b = classes(at + 16);
    const c = classes(at + 32);
    const d = classes(at + 48);
    tokens = bits64(isNone(a), isNone(b), isNone(c), isNone(d));
    digits = bits64(i16x8.shl(a, 2), i16x8.shl(b, 2), i16x8.shl(c, 2), i16x8.shl(d, 2));
    others = bits64(isOther(a), isOther(b), isOther(c), isOther(d));
  } else {
    tokens = 0;
    digits = 0;
    others = 0;
    const count = <u64>min<usize>(left, 64);
    for (let i: u64 = 0; i < count; i++) {
      const byte = <u32>load<u8>(at + <usize>i);
      tokens |= (<u64>!isDelimiter(byte)) << i;
      digits |= (<u64>(byte - 48 < 10)) << i;
      others |= (<u64>(byte == SLASH || byte == EQUALS)) << i;
    }
  }
}

/**
 * Classes of 16 bytes, by two look-ups of four bits each: delimiters in the bits 0 to 4 (one for each upper
 * half that has some), digits in bit 5, the slash in bit 6, the equals sign in bit 7.
 */
// @ts-ignore: decorator
@inline
function classes(at: usize): v128 {
  const bytes = v128.load(at);
  const low = v128.swizzle(
    i8x16(0x22, 0x20, 0x22, 0x20, 0x20, 0x20, 0x20, 0x22, 0x22, 0x23, 0x04, 0x1c, 0x16, -0x64, 0x04, 0x40),
    v128.and(bytes, i8x16.splat(15)),
  );
  const high = v128.swizzle(
    i8x16(0x01, 0, 0x42, -0x5c, 0, 0x08, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0),
    v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15)),
  );
  return v128.and(low, high);
}

// @ts-ignore: decorator
@inline
function isOther(classes: v128): v128 {
  return v128.or(classes, i16x8.shl(classes, 1));
}

/** Which bytes are no delimiters. */
// @ts-ignore: decorator
@inline
function isNone(classes: v128): v128 {
  return i8x16.eq(v128.and(classes, i8x16.splat(CLASS_DELIMITER)), i8x16.splat(0));
}

/** The highest bit of each of 64 bytes. */
// @ts-ignore: decorator
@inline
export function bits64(a: v128, b: v128, c: v128, d: v128): u64 {
  const low = <u32>i8x16.bitmask(a) | (<u32>i8x16.bitmask(b) << 16);
  const high = <u32>i8x16.bitmask(c) | (<u32>i8x16.bitmask(d) << 16);
  return <u64>low | (<u64>high << 32);
}

/** How many bytes behind a variable are its unit: ` B`, ` KB`, ` MB`, ` GB`, ` TB`, ` PB`, or none. */
// @ts-ignore: decorator
@inline
function unitBytes(at: usize, end: usize): usize {
  if (load<u8>(at) != SPACE || end - at < 2) return 0;
  const word = load<u32>(at);
  let bytes: usize = 0;
  if ((word & 0xffff) == BYTES_UNIT) {
    bytes = 2;
  } else if (((word >> 16) & 0xff) == 0x42 && end - at >= 3) {
    const prefix = (word >> 8) & 0xff;
    bytes = prefix == 0x4b || prefix == 0x4d || prefix == 0x47 || prefix == 0x54 || prefix == 0x50 ? 3 : 0;
  }
  if (bytes == 0) return 0;
  return at + bytes == end || isDelimiter(load<u8>(at + bytes)) ? bytes : 0;
}

/**
 * The hash of a message without its variables. Up to 64 bytes behind the message are read, whatever they
 * are: the memory has room behind its last slab.
 */
// @ts-ignore: decorator
@inline
export function templateHash(text: usize, length: usize): u64 {
  const end = text + min<usize>(length, TEMPLATE_BYTES_MAX);
  let hash = PRIME_3;
  // The window begins at `at`; what is before `from` is hashed, and between the two are delimiters only.
  let at = text;
  let from = text;
  let isBehindVariable = false;
  while (at < end) {
    const left = end - at;
    classify(at, left);
    const window = at;
    let limit = min<usize>(left, 64);
    if (left >= 64) {
      // A token that the window cuts belongs to the next.
      const cut = <usize>(64 - clz(~tokens));
      if (cut == 0) {
        at += 64;
        while (at < end && !isDelimiter(load<u8>(at))) at++;
        if (!isBehindVariable) hash = addVariable(addConstant(hash, from, window));
        at += unitBytes(at, end);
        from = at;
        isBehindVariable = true;
        continue;
      }
      if (left > 64) limit = cut;
    }
    const inside = (<u64>-1) >> (64 - <u64>limit);
    const isToken = tokens & inside;
    // A byte is at the start of a token where the one before is none; at that of a window, one may lie before.
    const starts = isToken & ~(isToken << 1);
    const isAfterEquals = <u64>(at > text && load<u8>(at - 1) == EQUALS);
    const isAfter = ((others & ~tokens) << 1) | isAfterEquals;
    const marks = (digits | (starts & (isAfter | (others & (isToken >> 1))))) & isToken;
    // From the first mark of each token to its end: the sum carries a one through all of it.
    let variables = isToken & (~(isToken + marks) | marks);
    const isFound = variables != 0;
    while (variables != 0) {
      const mark = <u64>ctz(variables);
      const start = 64 - <u64>clz(~isToken & (((<u64>1) << mark) - 1));
      const stop = mark + <u64>ctz(~(variables >> mark));
      const before = isToken & (((<u64>1) << start) - 1) & ~bitsBelow(from - window, from > window);
      const isJoined = isBehindVariable && before == 0;
      if (!isJoined) {
        const first = window + <usize>start;
        hash = addVariable(addConstant(hash, from, first));
      }
      from = window + <usize>stop;
      from += unitBytes(from, end);
      isBehindVariable = true;
      variables &= stop == 64 ? 0 : (<u64>-1) << stop;
    }
    if (left <= 64) {
      hash = addConstant(hash, from, end);
      break;
    }
    if (isFound) {
      at = from;
      continue;
    }
    at = window + limit;
    if (isToken != 0) {
      hash = hashBytes(hash, from, at - from);
      from = at;
      isBehindVariable = false;
    }
  }
  return hash == 0 ? 1 : hash;
}

/** The hash with constant text behind what it has. None is none, and not an empty one. */
// @ts-ignore: decorator
@inline
function addConstant(hash: u64, from: usize, to: usize): u64 {
  return to > from ? hashBytes(hash, from, to - from) : hash;
}

/** The hash with a variable behind what it has. */
// @ts-ignore: decorator
@inline
function addVariable(hash: u64): u64 {
  hash = (hash ^ PRIME_2) * PRIME_1;
  return hash ^ (hash >> 31);
}

/** The bits below `count`, where there are any. */
// @ts-ignore: decorator
@inline
function bitsBelow(count: usize, isAny: bool): u64 {
  return isAny ? ((<u64>1) << <u64>count) - 1 : 0;
}
