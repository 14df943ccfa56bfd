/**
 * CRC-32C by folding, for engines with SIMD. There is no carry-less multiplication in WebAssembly, so this
 * folds with sparse multiples of the polynomial instead, as Chorba does for the CRC of zlib (Russell, 2024,
 * arXiv:2412.16398). Castagnoli's polynomial has other multiples, all with an even number of terms.
 *
 * If Z(x) = x^n + x^b + ... + 1 is a multiple of the polynomial, adding it anywhere to a message leaves the
 * checksum as it is. So each bit, from the first on, can be cleared by adding Z there: the bit moves to the
 * places n - b, ..., n further on. Because Z(x)^8 = Z(x^8) over GF(2), bytes can be moved like bits, and
 * vectors of 16 bytes too where no distance is below 16. Seen from the vector that receives:
 *
 *     v[i] = message[i] + v[i - distance] + v[i - distance'] + ...        (+ is exclusive or)
 *
 * At the end, what has moved into the last n bytes is added to them, and they have the checksum of the whole.
 * The state from before is added to the first four bytes.
 *
 *     terms     n    distances in bytes              vectors of state    per vector
 *       8      98    21 47 60 65 70 94 98                     7          7 shuffles, 7 xors
 *       6     209    65 155 170 195 209                      14          5 shuffles, 5 xors
 *       4    7890    72 7685 7890 (crc32c-ring.ts)      13 + memory      2 shuffles, 3 xors, 1 load, 1 store
 *
 * Fewer terms are faster, but leave more bytes for the next smaller method. A turn of a loop handles as many
 * vectors as there is state, so that none has to move from one variable to another: in each line, the oldest
 * vector is replaced by the new one.
 */

import { sliceWhole } from './crc32c-slice';
import { from1, from10, from11, from13, from14, from15, from2, from4, from5, from6 } from './shuffle';

/** Scratch that `fold8` and `fold6` need. */
export const FOLD8_SCRATCH: u32 = 7 * 16;
export const FOLD6_SCRATCH: u32 = 14 * 16 + FOLD8_SCRATCH;

/** The least vectors that they take. */
export const FOLD8_MIN = 8;
export const FOLD6_MIN = 15;

/**
 * One step of the fold with 8 terms; v7 is the vector 7 back. The bytes that lie 98 back begin at byte 14 of
 * the vector 7 back, and so on. What depends on the last step is added last.
 */
// @ts-ignore: decorator
@inline
function step8(x: v128, v7: v128, v6: v128, v5: v128, v4: v128, v3: v128, v2: v128, v1: v128): v128 {
  return sum8(
    x,
    from14(v7, v6), // 98
    from2(v6, v5), // 94
    from10(v5, v4), // 70
    from15(v5, v4), // 65
    from4(v4, v3), // 60
    from1(v3, v2), // 47
    from11(v2, v1), // 21
  );
}

/** The same with 6 terms. */
// @ts-ignore: decorator
@inline
function step6(
  x: v128,
  v14: v128,
  v13: v128,
  v12: v128,
  v11: v128,
  v10: v128,
  v9: v128,
  v5: v128,
  v4: v128,
): v128 {
  return sum6(
    x,
    from15(v14, v13), // 209
    from13(v13, v12), // 195
    from6(v11, v10), // 170
    from5(v10, v9), // 155
    from15(v5, v4), // 65
  );
}

/**
 * The state after `count` vectors, at least `FOLD8_MIN`.
 *
 * @param out `FOLD8_SCRATCH`
 */
export function fold8(at: usize, count: i32, state: u32, out: usize): u32 {
  assert(count >= FOLD8_MIN);
  const zero = i64x2.splat(0);
  let s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero, s5 = zero, s6 = zero;
  let left = count - 7;
  // The first turn begins in its midst, so that whole turns are left.
  const first = <i32>((<u32>left - 1) % 7) + 1;
  let x = v128.xor(v128.load(at), i32x4.replace_lane(zero, 0, state));
  switch (first) {
    case 7:
      s0 = step8(x, s0, s1, s2, s3, s4, s5, s6); x = v128.load((at += 16));
    case 6:
      s1 = step8(x, s1, s2, s3, s4, s5, s6, s0); x = v128.load((at += 16));
    case 5:
      s2 = step8(x, s2, s3, s4, s5, s6, s0, s1); x = v128.load((at += 16));
    case 4:
      s3 = step8(x, s3, s4, s5, s6, s0, s1, s2); x = v128.load((at += 16));
    case 3:
      s4 = step8(x, s4, s5, s6, s0, s1, s2, s3); x = v128.load((at += 16));
    case 2:
      s5 = step8(x, s5, s6, s0, s1, s2, s3, s4); x = v128.load((at += 16));
    case 1:
      s6 = step8(x, s6, s0, s1, s2, s3, s4, s5);
  }
  at += 16;
  left -= first;
  if (left > 0) {
    do {
      s0 = step8(v128.load(at), s0, s1, s2, s3, s4, s5, s6);
      s1 = step8(v128.load(at, 16), s1, s2, s3, s4, s5, s6, s0);
      s2 = step8(v128.load(at, 32), s2, s3, s4, s5, s6, s0, s1);
      s3 = step8(v128.load(at, 48), s3, s4, s5, s6, s0, s1, s2);
      s4 = step8(v128.load(at, 64), s4, s5, s6, s0, s1, s2, s3);
      s5 = step8(v128.load(at, 80), s5, s6, s0, s1, s2, s3, s4);
      s6 = step8(v128.load(at, 96), s6, s0, s1, s2, s3, s4, s5);
      at += 112;
      left -= 7;
    } while (left > 0);
  }
  // The last 7 vectors do not move. A distance that reaches beyond the state finds nothing there.
  v128.store(out, step8(v128.load(at), s0, s1, s2, s3, s4, s5, s6));
  v128.store(out, step8(v128.load(at, 16), s1, s2, s3, s4, s5, s6, zero), 16);
  v128.store(
    out,
    sum7(
      v128.load(at, 32),
      from14(s2, s3), from2(s3, s4), from10(s4, s5), from15(s4, s5), from4(s5, s6), from1(s6, zero),
    ),
    32,
  );
  v128.store(
    out,
    sum6(v128.load(at, 48), from14(s3, s4), from2(s4, s5), from10(s5, s6), from15(s5, s6), from4(s6, zero)),
    48,
  );
  v128.store(
    out,
    sum5(v128.load(at, 64), from14(s4, s5), from2(s5, s6), from10(s6, zero), from15(s6, zero)),
    64,
  );
  v128.store(out, sum3(v128.load(at, 80), from14(s5, s6), from2(s6, zero)), 80);
  v128.store(out, sum2(v128.load(at, 96), from14(s6, zero)), 96);
  return sliceWhole(out, 7, 0);
}

/**
 * The state after `count` vectors, at least `FOLD6_MIN`.
 *
 * The store in each step has no use but one: it keeps V8 from moving the loads of later steps before it,
 * which would take registers that the state needs. Without it, this is a sixth slower. The loop is a `do`
 * within an `if` for a like reason: V8 would otherwise compute in every turn what the last steps share with
 * the first of a turn.
 *
 * @param out `FOLD6_SCRATCH`
 */
export function fold6(at: usize, count: i32, state: u32, out: usize): u32 {
  assert(count >= FOLD6_MIN);
  const zero = i64x2.splat(0);
  let s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero, s5 = zero, s6 = zero, s7 = zero, s8 = zero,
    s9 = zero, s10 = zero, s11 = zero, s12 = zero, s13 = zero;
  let left = count - 14;
  const first = <i32>((<u32>left - 1) % 14) + 1;
  let x = v128.xor(v128.load(at), i32x4.replace_lane(zero, 0, state));
  switch (first) {
    case 14:
      s0 = step6(x, s0, s1, s2, s3, s4, s5, s9, s10); x = v128.load((at += 16));
    case 13:
      s1 = step6(x, s1, s2, s3, s4, s5, s6, s10, s11); x = v128.load((at += 16));
    case 12:
      s2 = step6(x, s2, s3, s4, s5, s6, s7, s11, s12); x = v128.load((at += 16));
    case 11:
      s3 = step6(x, s3, s4, s5, s6, s7, s8, s12, s13); x = v128.load((at += 16));
    case 10:
      s4 = step6(x, s4, s5, s6, s7, s8, s9, s13, s0); x = v128.load((at += 16));
    case 9:
      s5 = step6(x, s5, s6, s7, s8, s9, s10, s0, s1); x = v128.load((at += 16));
    case 8:
      s6 = step6(x, s6, s7, s8, s9, s10, s11, s1, s2); x = v128.load((at += 16));
    case 7:
      s7 = step6(x, s7, s8, s9, s10, s11, s12, s2, s3); x = v128.load((at += 16));
    case 6:
      s8 = step6(x, s8, s9, s10, s11, s12, s13, s3, s4); x = v128.load((at += 16));
    case 5:
      s9 = step6(x, s9, s10, s11, s12, s13, s0, s4, s5); x = v128.load((at += 16));
    case 4:
      s10 = step6(x, s10, s11, s12, s13, s0, s1, s5, s6); x = v128.load((at += 16));
    case 3:
      s11 = step6(x, s11, s12, s13, s0, s1, s2, s6, s7); x = v128.load((at += 16));
    case 2:
      s12 = step6(x, s12, s13, s0, s1, s2, s3, s7, s8); x = v128.load((at += 16));
    case 1:
      s13 = step6(x, s13, s0, s1, s2, s3, s4, s8, s9);
  }
  at += 16;
  left -= first;
  if (left > 0) {
    do {
      s0 = step6(v128.load(at), s0, s1, s2, s3, s4, s5, s9, s10); v128.store(out, s0);
      s1 = step6(v128.load(at, 16), s1, s2, s3, s4, s5, s6, s10, s11); v128.store(out, s1);
      s2 = step6(v128.load(at, 32), s2, s3, s4, s5, s6, s7, s11, s12); v128.store(out, s2);
      s3 = step6(v128.load(at, 48), s3, s4, s5, s6, s7, s8, s12, s13); v128.store(out, s3);
      s4 = step6(v128.load(at, 64), s4, s5, s6, s7, s8, s9, s13, s0); v128.store(out, s4);
      s5 = step6(v128.load(at, 80), s5, s6, s7, s8, s9, s10, s0, s1); v128.store(out, s5);
      s6 = step6(v128.load(at, 96), s6, s7, s8, s9, s10, s11, s1, s2); v128.store(out, s6);
      s7 = step6(v128.load(at, 112), s7, s8, s9, s10, s11, s12, s2, s3); v128.store(out, s7);
      s8 = step6(v128.load(at, 128), s8, s9, s10, s11, s12, s13, s3, s4); v128.store(out, s8);
      s9 = step6(v128.load(at, 144), s9, s10, s11, s12, s13, s0, s4, s5); v128.store(out, s9);
      s10 = step6(v128.load(at, 160), s10, s11, s12, s13, s0, s1, s5, s6); v128.store(out, s10);
      s11 = step6(v128.load(at, 176), s11, s12, s13, s0, s1, s2, s6, s7); v128.store(out, s11);
      s12 = step6(v128.load(at, 192), s12, s13, s0, s1, s2, s3, s7, s8); v128.store(out, s12);
      s13 = step6(v128.load(at, 208), s13, s0, s1, s2, s3, s4, s8, s9); v128.store(out, s13);
      at += 224;
      left -= 14;
    } while (left > 0);
  }
  leave6(at, out, s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13);
  return fold8(out, 14, 0, out + 14 * 16);
}

/** Writes the last 14 vectors, which do not move, with what has moved to them. */
// @ts-ignore: decorator
@inline
function leave6(
  at: usize, out: usize, s0: v128, s1: v128, s2: v128, s3: v128, s4: v128, s5: v128, s6: v128, s7: v128,
  s8: v128, s9: v128, s10: v128, s11: v128, s12: v128, s13: v128,
): void {
  const zero = i64x2.splat(0);
  v128.store(out, step6(v128.load(at), s0, s1, s2, s3, s4, s5, s9, s10));
  v128.store(out, step6(v128.load(at, 16), s1, s2, s3, s4, s5, s6, s10, s11), 16);
  v128.store(out, step6(v128.load(at, 32), s2, s3, s4, s5, s6, s7, s11, s12), 32);
  v128.store(out, step6(v128.load(at, 48), s3, s4, s5, s6, s7, s8, s12, s13), 48);
  v128.store(out, step6(v128.load(at, 64), s4, s5, s6, s7, s8, s9, s13, zero), 64);
  v128.store(out, sum5(v128.load(at, 80), from15(s5, s6), from13(s6, s7), from6(s8, s9), from5(s9, s10)), 80);
  v128.store(
    out,
    sum5(v128.load(at, 96), from15(s6, s7), from13(s7, s8), from6(s9, s10), from5(s10, s11)),
    96,
  );
  v128.store(
    out,
    sum5(v128.load(at, 112), from15(s7, s8), from13(s8, s9), from6(s10, s11), from5(s11, s12)),
    112,
  );
  v128.store(
    out,
    sum5(v128.load(at, 128), from15(s8, s9), from13(s9, s10), from6(s11, s12), from5(s12, s13)),
    128,
  );
  v128.store(
    out,
    sum5(v128.load(at, 144), from15(s9, s10), from13(s10, s11), from6(s12, s13), from5(s13, zero)),
    144,
  );
  v128.store(out, sum4(v128.load(at, 160), from15(s10, s11), from13(s11, s12), from6(s13, zero)), 160);
  v128.store(out, sum3(v128.load(at, 176), from15(s11, s12), from13(s12, s13)), 176);
  v128.store(out, sum3(v128.load(at, 192), from15(s12, s13), from13(s13, zero)), 192);
  v128.store(out, sum2(v128.load(at, 208), from15(s13, zero)), 208);
}

// @ts-ignore: decorator
@inline
function sum2(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}

// @ts-ignore: decorator
@inline
function sum3(a: v128, b: v128, c: v128): v128 {
  return v128.xor(sum2(a, b), c);
}

// @ts-ignore: decorator
@inline
function sum4(a: v128, b: v128, c: v128, d: v128): v128 {
  return v128.xor(sum3(a, b, c), d);
}

// @ts-ignore: decorator
@inline
function sum5(a: v128, b: v128, c: v128, d: v128, e: v128): v128 {
  return v128.xor(sum4(a, b, c, d), e);
}

// @ts-ignore: decorator
@inline
function sum6(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128): v128 {
  return v128.xor(sum5(a, b, c, d, e), f);
}

// @ts-ignore: decorator
@inline
function sum7(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128): v128 {
  return v128.xor(sum6(a, b, c, d, e, f), g);
}

// @ts-ignore: decorator
@inline
function sum8(a: v128, b: v128, c: v128, d: v128, e: v128, f: v128, g: v128, h: v128): v128 {
  return v128.xor(sum7(a, b, c, d, e, f, g), h);
}
