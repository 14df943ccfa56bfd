/**
 * The kernels of filters in plain JavaScript: the specification.
 *
 * @module
 */

import type { TableKernels } from './table-kernels.ts';
import { FILTER_LINE_BYTES, FILTER_PROBES } from './table-layout.ts';

/** MurmurHash64A with the seed 0, its two halves folded together. */
export function hashOf(key: Uint8Array): number {
  const m = 0xc6a4a7935bd1e995n;
  const mask = 2n ** 64n - 1n;
  /** Up to eight bytes as a number, the first the lowest. */
  const wordAt = (at: number): bigint => {
    let word = 0n;
    for (const byte of key.subarray(at, at + 8).toReversed()) word = (word << 8n) | BigInt(byte);
    return word;
  };
  let hash = (BigInt(key.length) * m) & mask;
  let at = 0;
  for (; at + 8 <= key.length; at += 8) {
    let word = (wordAt(at) * m) & mask;
    word ^= word >> 47n;
    hash = ((hash ^ ((word * m) & mask)) * m) & mask;
  }
  if (at < key.length) hash = ((hash ^ wordAt(at)) * m) & mask;
  hash ^= hash >> 47n;
  hash = (hash * m) & mask;
  hash ^= hash >> 47n;
  return Number(hash & 0xffffffffn) ^ Number(hash >> 32n);
}

/** Creates the reference of these kernels over a memory. */
export function createFilterReference(
  view: DataView,
): Pick<TableKernels, 'filterHash' | 'buildFilter' | 'filterHas'> {
  const u8 = new Uint8Array(view.buffer);

  /** Where the bits of a key are in a filter. */
  function bitsOf(lines: number, hash: number): number[] {
    const line = Number((BigInt(hash >>> 0) * BigInt(lines)) >> 32n);
    const bits: number[] = [];
    let word = hash;
    for (let i = 0; i < FILTER_PROBES; i++) {
      word = Math.imul(word, 0x9e3779b9);
      bits.push(line * FILTER_LINE_BYTES * 8 + (word >>> 23));
    }
    return bits;
  }

  function buildFilter(hashes: number, count: number, filter: number, lines: number): void {
    u8.fill(0, filter, filter + lines * FILTER_LINE_BYTES);
    for (let i = 0; i < count; i++) {
      for (const bit of bitsOf(lines, view.getUint32(hashes + i * 4, true))) {
        u8[filter + (bit >> 3)] = (u8[filter + (bit >> 3)] as number) | (1 << (bit & 7));
      }
    }
  }

  function filterHas(filter: number, lines: number, hash: number): number {
    const isSet = (bit: number): boolean => (((u8[filter + (bit >> 3)] as number) >> (bit & 7)) & 1) === 1;
    return bitsOf(lines, hash).every(isSet) ? 1 : 0;
  }

  return {
    filterHash: (key, keyLength) => hashOf(u8.slice(key, key + keyLength)),
    buildFilter,
    filterHas,
  };
}
