/**
 * Prepares literals for the kernels that search: which bytes of them are looked for first. A byte that is rare
 * in text is found rarely in vain; how rare, is guessed from what logs are made of.
 *
 * @module
 */

import { assert } from '../assert.ts';
import {
  FINDER_BUCKETS,
  FINDER_COUNT,
  FINDER_FINGERPRINT,
  FINDER_FIRST,
  FINDER_LITERALS,
  FINDER_LITERALS_MAX,
  FINDER_SECOND,
  FINDER_TABLES,
  LITERAL_ADDRESS,
  LITERAL_BYTES,
  LITERAL_FINGERPRINT,
  LITERAL_LENGTH,
  LITERAL_MASKS,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';

/** Literals have at most so many bytes together. */
export const FINDER_TEXT_BYTES_MAX: number = 16 * 1024;
const FINGERPRINT_BYTES_MAX = 3;
/** Kernels compare eight bytes at a time. */
const BEHIND_BYTES = 8;
const LETTER_CASE = 0x20;

/** Room for the largest finder. */
export const FINDER_BYTES: number =
  FINDER_LITERALS + FINDER_LITERALS_MAX * (LITERAL_BYTES + 2 * BEHIND_BYTES) + 2 * FINDER_TEXT_BYTES_MAX;

/** Bytes by how common they are, counted in logs of seven systems; the others are rarer than these. */
const COMMON =
  ' e01ort2an:csi5.d438976-ulmpkb/hf[]N_gvFIORSD=yCxw,()MEWATJPBjL@$QGqK";*zHVUXZ\'<>+#Y\\%&{}?!';

const RANKS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const place = COMMON.indexOf(String.fromCharCode(byte));
  return place < 0 ? 0 : COMMON.length - place;
});

/** How common a byte is, from 0 for the rarest; with `fold`, in either case. */
export function commonness(byte: number, fold: boolean): number {
  const rank = RANKS[byte] as number;
  return fold && isLowerCase(byte) ? Math.max(rank, RANKS[byte - LETTER_CASE] as number) : rank;
}

function isLowerCase(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}

/** Whether so many literals of so many bytes fit into a finder. */
export function fitsFinder(literals: readonly Uint8Array[]): boolean {
  const bytes = literals.reduce((sum, literal) => sum + literal.length, 0);
  return (
    literals.length > 0 &&
    literals.length <= FINDER_LITERALS_MAX &&
    bytes <= FINDER_TEXT_BYTES_MAX &&
    literals.every((literal) => literal.length > 0)
  );
}

/**
 * Writes a finder.
 *
 * @param address of `FINDER_BYTES`
 * @param literals that fit
 * @param fold whether letters of ASCII are found in either case; the literals have them in lower case
 */
export function writeFinder(
  memory: Pick<MemoryView, 'u8' | 'data'>,
  address: number,
  literals: readonly Uint8Array[],
  fold: boolean,
): void {
  assert(fitsFinder(literals), 'the literals fit into a finder');
  const { u8, data } = memory;
  u8.fill(0, address, address + FINDER_LITERALS);
  const store = (at: number, value: number): void => data.setInt32(at, value, true);
  const shortest = Math.min(...literals.map((literal) => literal.length));
  const fingerprint = Math.min(FINGERPRINT_BYTES_MAX, shortest);
  let text = address + FINDER_LITERALS + FINDER_LITERALS_MAX * LITERAL_BYTES;
  for (const [i, literal] of literals.entries()) {
    const entry = address + FINDER_LITERALS + i * LITERAL_BYTES;
    const masks = text + literal.length + BEHIND_BYTES;
    u8.set(literal, text);
    for (const [j, byte] of literal.entries()) u8[masks + j] = fold && isLowerCase(byte) ? LETTER_CASE : 0;
    const place = fingerprintPlace(literal, fingerprint, fold);
    store(entry + LITERAL_ADDRESS, text);
    store(entry + LITERAL_LENGTH, literal.length);
    store(entry + LITERAL_MASKS, masks);
    store(entry + LITERAL_FINGERPRINT, place);
    addToTables(u8, address + FINDER_TABLES, literal.subarray(place, place + fingerprint), fold, i);
    text = masks + literal.length + BEHIND_BYTES;
  }
  // What is behind a shorter fingerprint lets every byte pass.
  u8.fill(0xff, address + FINDER_TABLES + fingerprint * 32, address + FINDER_LITERALS);
  const [first, second] = rarestTwo(literals[0] as Uint8Array, fold);
  store(address + FINDER_COUNT, literals.length);
  store(address + FINDER_FIRST, first);
  store(address + FINDER_SECOND, second);
  store(address + FINDER_FINGERPRINT, fingerprint);
}

function addToTables(
  u8: Uint8Array,
  tables: number,
  fingerprint: Uint8Array,
  fold: boolean,
  literal: number,
): void {
  const bucket = 1 << (literal % FINDER_BUCKETS);
  for (const [i, byte] of fingerprint.entries()) {
    for (const either of fold && isLowerCase(byte) ? [byte, byte - LETTER_CASE] : [byte]) {
      const low = tables + i * 32 + (either & 15);
      const high = tables + i * 32 + 16 + (either >> 4);
      u8[low] = (u8[low] as number) | bucket;
      u8[high] = (u8[high] as number) | bucket;
    }
  }
}

/** Where the bytes in a row begin that are the least common together. */
function fingerprintPlace(literal: Uint8Array, bytes: number, fold: boolean): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let at = 0; at + bytes <= literal.length; at++) {
    const sum = literal.subarray(at, at + bytes).reduce((total, byte) => total + commonness(byte, fold), 0);
    if (sum >= least) continue;
    least = sum;
    best = at;
  }
  return best;
}

/** Places of the two rarest bytes; the same twice where there is but one. */
function rarestTwo(literal: Uint8Array, fold: boolean): [number, number] {
  const places = [...literal.keys()];
  const rankAt = (place: number): number => commonness(literal[place] as number, fold);
  places.sort((a, b) => rankAt(a) - rankAt(b) || a - b);
  const first = places[0] as number;
  // A byte that is the same as the first says little more, unless there is no other.
  const second = places.find((place) => literal[place] !== literal[first]) ?? places[1] ?? first;
  return [first, second];
}
