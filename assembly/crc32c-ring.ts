/**
 * CRC-32C of long input: folding with the multiple x^7890 + x^7818 + x^205 + 1, whose distances are 72, 7685
 * and 7890 bytes. It was found by a search over all multiples with four terms for one whose first distance,
 * and the difference of the others (205), are so short that the vectors are still at hand. So there is one
 * load instead of two, from a ring that keeps sums:
 *
 *     v[i] = message[i] + v[i - 72] + w[i - 7685]        w[i] = v[i] + v[i - 205]
 *
 * 7685 bytes are far enough for what is loaded to have left the processor's store buffer, and near enough for
 * the ring to stay in its first-level cache.
 *
 *     0           RING             + MIRROR       + VECTORS     + LEFT            + FOLD6_SCRATCH
 *     +-----------+------------------+--------------+-------------+-----------------+
 *     |   ring    | its first bytes, | the last     | what the    | scratch of the  |
 *     |   of w    |            again | 13 of v      | fold leaves |    smaller fold |
 *     +-----------+------------------+--------------+-------------+-----------------+
 *
 * Work is done in turns of 13 vectors. There are three places: where the message is read (`at`), and where
 * the ring is written (`here`) and read (`near`). The last two go back from the ring's end to its start, but
 * only between turns; because the first bytes are there twice, `near` may pass the end in between.
 */

import { SCRATCH_BYTES } from '../src/memory/layout';
import { FOLD6_SCRATCH, fold6 } from './crc32c-fold';
import { SLICE_SCRATCH } from './crc32c-slice';
import { from3, from8 } from './shuffle';

const TURN_VECTORS: u32 = 13;
const TURN_BYTES: u32 = 16 * TURN_VECTORS;
const NEAR: u32 = 7685;

/** Turns at the beginning, in which there is nothing `NEAR` bytes back. */
const FIRST_TURNS: u32 = 36;
/** Turns at the end, into which things move; what does not fill a turn is left with them. */
const LAST_TURNS: u32 = 38;

const RING: u32 = 60 * TURN_BYTES;
/** What `near` can read beyond the ring's end in a turn, and the place behind which that is copied there. */
const MIRROR: u32 = TURN_BYTES + 16;
const MIRROR_AFTER: u32 = 2 * TURN_BYTES;
const VECTORS: u32 = TURN_BYTES;
const LEFT: u32 = (LAST_TURNS + 1) * TURN_BYTES;

/** The least vectors that `fold4` takes. */
export const FOLD4_MIN: u32 = (FIRST_TURNS + LAST_TURNS) * TURN_VECTORS;

/**
 * The state after `count` vectors, at least `FOLD4_MIN`.
 *
 * @param ring `SCRATCH_BYTES`
 */
export function fold4(at: usize, count: u32, state: u32, ring: usize): u32 {
  assert(count >= FOLD4_MIN);
  assert(RING + MIRROR + VECTORS + LEFT + FOLD6_SCRATCH + SLICE_SCRATCH <= <u32>SCRATCH_BYTES);
  const end = ring + RING;
  const vectors = end + MIRROR;
  const left = vectors + VECTORS;
  const rest = count % TURN_VECTORS;
  let turns = count / TURN_VECTORS - FIRST_TURNS - LAST_TURNS;

  firstTurns(at, ring, vectors, state);
  at += FIRST_TURNS * TURN_BYTES;
  let here = ring + FIRST_TURNS * TURN_BYTES;
  let near = here + RING - NEAR;
  for (let place = end - TURN_BYTES; place < end; place += 16) v128.store(place, i64x2.splat(0));
  mirror(ring);

  while (turns > 0) {
    const stop = here < ring + MIRROR_AFTER ? ring + MIRROR_AFTER : end;
    const n = min<u32>(turns, min<u32>(turnsTo(stop, here), turnsTo(end, near)));
    moveTurns(at, here, near, vectors, n);
    turns -= n;
    at += n * TURN_BYTES;
    here += n * TURN_BYTES;
    near += n * TURN_BYTES;
    if (here <= ring + MIRROR_AFTER) mirror(ring);
    if (here >= end) here -= RING;
    if (near >= end) near -= RING;
  }

  // From here on v is nothing, so that w ends after 205 more bytes.
  for (let i: u32 = 0; i < TURN_BYTES + 64; i += 16) {
    const w = i < TURN_BYTES ? from3(v128.load(vectors + i), next(vectors, i)) : i64x2.splat(0);
    const place = here + i < end ? here + i : here + i - RING;
    v128.store(place, w);
    if (place < ring + MIRROR) v128.store(place + RING, w);
  }
  let out = left;
  turns = LAST_TURNS;
  while (turns > 0) {
    const n = min<u32>(turns, turnsTo(end, near));
    lastTurns(at, near, out, n);
    turns -= n;
    at += n * TURN_BYTES;
    near += n * TURN_BYTES;
    out += n * TURN_BYTES;
    if (near >= end) near -= RING;
  }
  for (let i: u32 = 0; i < rest; i++) v128.store(out + i * 16, v128.load(at + i * 16));
  for (let i: u32 = 8 * 16; i < TURN_BYTES; i += 16) {
    const v = from8(v128.load(vectors + i), next(vectors, i));
    v128.store(left + i - 128, v128.xor(v128.load(left + i - 128), v));
  }
  return fold6(left, <i32>(LAST_TURNS * TURN_VECTORS + rest), 0, left + LEFT);
}

/** The vector behind that at `i`, or nothing behind the last. */
// @ts-ignore: decorator
@inline
function next(vectors: usize, i: u32): v128 {
  return i + 16 < TURN_BYTES ? v128.load(vectors + i, 16) : i64x2.splat(0);
}

/** Turns after which `place` is not below `end`. */
// @ts-ignore: decorator
@inline
function turnsTo(end: usize, place: usize): u32 {
  return (<u32>(end - place) + TURN_BYTES - 1) / TURN_BYTES;
}

function mirror(ring: usize): void {
  for (let i: u32 = 0; i < MIRROR; i += 16) v128.store(ring + RING + i, v128.load(ring + i));
}

/** Turns in which nothing arrives from the ring yet; `state` is added to the first four bytes. */
function firstTurns(at: usize, here: usize, vectors: usize, state: u32): void {
  const zero = i64x2.splat(0);
  let s0 = zero, s1 = zero, s2 = zero, s3 = zero, s4 = zero, s5 = zero, s6 = zero, s7 = zero, s8 = zero,
    s9 = zero, s10 = zero, s11 = zero, s12 = zero;
  let x = v128.xor(v128.load(at), i32x4.replace_lane(zero, 0, state));
  const end = here + FIRST_TURNS * TURN_BYTES;
  do {
    x = v128.xor(x, from8(s8, s9));
    v128.store(here, v128.xor(x, from3(s0, s1))); s0 = x;
    x = v128.xor(v128.load(at, 16), from8(s9, s10));
    v128.store(here, v128.xor(x, from3(s1, s2)), 16); s1 = x;
    x = v128.xor(v128.load(at, 32), from8(s10, s11));
    v128.store(here, v128.xor(x, from3(s2, s3)), 32); s2 = x;
    x = v128.xor(v128.load(at, 48), from8(s11, s12));
    v128.store(here, v128.xor(x, from3(s3, s4)), 48); s3 = x;
    x = v128.xor(v128.load(at, 64), from8(s12, s0));
    v128.store(here, v128.xor(x, from3(s4, s5)), 64); s4 = x;
    x = v128.xor(v128.load(at, 80), from8(s0, s1));
    v128.store(here, v128.xor(x, from3(s5, s6)), 80); s5 = x;
    x = v128.xor(v128.load(at, 96), from8(s1, s2));
    v128.store(here, v128.xor(x, from3(s6, s7)), 96); s6 = x;
    x = v128.xor(v128.load(at, 112), from8(s2, s3));
    v128.store(here, v128.xor(x, from3(s7, s8)), 112); s7 = x;
    x = v128.xor(v128.load(at, 128), from8(s3, s4));
    v128.store(here, v128.xor(x, from3(s8, s9)), 128); s8 = x;
    x = v128.xor(v128.load(at, 144), from8(s4, s5));
    v128.store(here, v128.xor(x, from3(s9, s10)), 144); s9 = x;
    x = v128.xor(v128.load(at, 160), from8(s5, s6));
    v128.store(here, v128.xor(x, from3(s10, s11)), 160); s10 = x;
    x = v128.xor(v128.load(at, 176), from8(s6, s7));
    v128.store(here, v128.xor(x, from3(s11, s12)), 176); s11 = x;
    x = v128.xor(v128.load(at, 192), from8(s7, s8));
    v128.store(here, v128.xor(x, from3(s12, s0)), 192); s12 = x;
    here += TURN_BYTES;
    x = v128.load((at += TURN_BYTES));
  } while (here < end);
  v128.store(vectors, s0);
  v128.store(vectors, s1, 16);
  v128.store(vectors, s2, 32);
  v128.store(vectors, s3, 48);
  v128.store(vectors, s4, 64);
  v128.store(vectors, s5, 80);
  v128.store(vectors, s6, 96);
  v128.store(vectors, s7, 112);
  v128.store(vectors, s8, 128);
  v128.store(vectors, s9, 144);
  v128.store(vectors, s10, 160);
  v128.store(vectors, s11, 176);
  v128.store(vectors, s12, 192);
}

/** Whole turns; the vectors of state are kept in memory between calls. */
function moveTurns(at: usize, here: usize, near: usize, vectors: usize, turns: u32): void {
  let s0 = v128.load(vectors);
  let s1 = v128.load(vectors, 16);
  let s2 = v128.load(vectors, 32);
  let s3 = v128.load(vectors, 48);
  let s4 = v128.load(vectors, 64);
  let s5 = v128.load(vectors, 80);
  let s6 = v128.load(vectors, 96);
  let s7 = v128.load(vectors, 112);
  let s8 = v128.load(vectors, 128);
  let s9 = v128.load(vectors, 144);
  let s10 = v128.load(vectors, 160);
  let s11 = v128.load(vectors, 176);
  let s12 = v128.load(vectors, 192);
  let x = s0;
  do {
    x = v128.xor(v128.xor(v128.load(at), v128.load(near)), from8(s8, s9));
    v128.store(here, v128.xor(x, from3(s0, s1))); s0 = x;
    x = v128.xor(v128.xor(v128.load(at, 16), v128.load(near, 16)), from8(s9, s10));
    v128.store(here, v128.xor(x, from3(s1, s2)), 16); s1 = x;
    x = v128.xor(v128.xor(v128.load(at, 32), v128.load(near, 32)), from8(s10, s11));
    v128.store(here, v128.xor(x, from3(s2, s3)), 32); s2 = x;
    x = v128.xor(v128.xor(v128.load(at, 48), v128.load(near, 48)), from8(s11, s12));
    v128.store(here, v128.xor(x, from3(s3, s4)), 48); s3 = x;
    x = v128.xor(v128.xor(v128.load(at, 64), v128.load(near, 64)), from8(s12, s0));
    v128.store(here, v128.xor(x, from3(s4, s5)), 64); s4 = x;
    x = v128.xor(v128.xor(v128.load(at, 80), v128.load(near, 80)), from8(s0, s1));
    v128.store(here, v128.xor(x, from3(s5, s6)), 80); s5 = x;
    x = v128.xor(v128.xor(v128.load(at, 96), v128.load(near, 96)), from8(s1, s2));
    v128.store(here, v128.xor(x, from3(s6, s7)), 96); s6 = x;
    x = v128.xor(v128.xor(v128.load(at, 112), v128.load(near, 112)), from8(s2, s3));
    v128.store(here, v128.xor(x, from3(s7, s8)), 112); s7 = x;
    x = v128.xor(v128.xor(v128.load(at, 128), v128.load(near, 128)), from8(s3, s4));
    v128.store(here, v128.xor(x, from3(s8, s9)), 128); s8 = x;
    x = v128.xor(v128.xor(v128.load(at, 144), v128.load(near, 144)), from8(s4, s5));
    v128.store(here, v128.xor(x, from3(s9, s10)), 144); s9 = x;
    x = v128.xor(v128.xor(v128.load(at, 160), v128.load(near, 160)), from8(s5, s6));
    v128.store(here, v128.xor(x, from3(s10, s11)), 160); s10 = x;
    x = v128.xor(v128.xor(v128.load(at, 176), v128.load(near, 176)), from8(s6, s7));
    v128.store(here, v128.xor(x, from3(s11, s12)), 176); s11 = x;
    x = v128.xor(v128.xor(v128.load(at, 192), v128.load(near, 192)), from8(s7, s8));
    v128.store(here, v128.xor(x, from3(s12, s0)), 192); s12 = x;
    at += TURN_BYTES;
    here += TURN_BYTES;
    near += TURN_BYTES;
  } while (--turns);
  v128.store(vectors, s0);
  v128.store(vectors, s1, 16);
  v128.store(vectors, s2, 32);
  v128.store(vectors, s3, 48);
  v128.store(vectors, s4, 64);
  v128.store(vectors, s5, 80);
  v128.store(vectors, s6, 96);
  v128.store(vectors, s7, 112);
  v128.store(vectors, s8, 128);
  v128.store(vectors, s9, 144);
  v128.store(vectors, s10, 160);
  v128.store(vectors, s11, 176);
  v128.store(vectors, s12, 192);
}

/** Turns in which nothing moves on. */
function lastTurns(at: usize, near: usize, out: usize, turns: u32): void {
  do {
    v128.store(out, v128.xor(v128.load(at), v128.load(near)));
    v128.store(out, v128.xor(v128.load(at, 16), v128.load(near, 16)), 16);
    v128.store(out, v128.xor(v128.load(at, 32), v128.load(near, 32)), 32);
    v128.store(out, v128.xor(v128.load(at, 48), v128.load(near, 48)), 48);
    v128.store(out, v128.xor(v128.load(at, 64), v128.load(near, 64)), 64);
    v128.store(out, v128.xor(v128.load(at, 80), v128.load(near, 80)), 80);
    v128.store(out, v128.xor(v128.load(at, 96), v128.load(near, 96)), 96);
    v128.store(out, v128.xor(v128.load(at, 112), v128.load(near, 112)), 112);
    v128.store(out, v128.xor(v128.load(at, 128), v128.load(near, 128)), 128);
    v128.store(out, v128.xor(v128.load(at, 144), v128.load(near, 144)), 144);
    v128.store(out, v128.xor(v128.load(at, 160), v128.load(near, 160)), 160);
    v128.store(out, v128.xor(v128.load(at, 176), v128.load(near, 176)), 176);
    v128.store(out, v128.xor(v128.load(at, 192), v128.load(near, 192)), 192);
    at += TURN_BYTES;
    near += TURN_BYTES;
    out += TURN_BYTES;
  } while (--turns);
}
