/**
 * Zigzag varints, as Kafka and Protocol Buffers have them: seven bits a byte, the low ones first, and the sign in
 * the lowest of all, so that small numbers of either sign are short.
 *
 * @module
 */

const BYTE_BITS = 7;
const MORE = 0x80;
const LOW_BITS = 0x7f;
/** From here on the difference of two times is written by way of a BigInt. */
const SMALL_MAX = 2 ** 30;

/** How many bytes a 32-bit integer takes. */
export function varintBytes(value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let bytes = 1;
  while (rest >= MORE) {
    rest >>>= BYTE_BITS;
    bytes++;
  }
  return bytes;
}

/** Writes a 32-bit integer; returns the position behind it. */
export function writeVarint(target: Uint8Array, position: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let at = position;
  while (rest >= MORE) {
    target[at++] = (rest & LOW_BITS) | MORE;
    rest >>>= BYTE_BITS;
  }
  target[at++] = rest;
  return at;
}

/** How many bytes a length takes: a 32-bit integer that is not negative, and mostly small. */
export function lengthBytes(length: number): number {
  if (length < 64) return 1;
  return length < 8192 ? 2 : varintBytes(length);
}

/** Writes a length; returns the position behind it. */
export function writeLength(target: Uint8Array, position: number, length: number): number {
  if (length < 64) {
    target[position] = length << 1;
    return position + 1;
  }
  if (length >= 8192) return writeVarint(target, position, length);
  target[position] = ((length << 1) & LOW_BITS) | MORE;
  target[position + 1] = length >> 6;
  return position + 2;
}

/** How many bytes `to - from` takes; both are safe integers, their difference need not be. */
export function differenceBytes(from: number, to: number): number {
  const difference = to - from;
  if (difference > -SMALL_MAX && difference < SMALL_MAX) return varintBytes(difference);
  let rest = zigzag(from, to);
  let bytes = 1;
  for (; rest >= BigInt(MORE); bytes++) rest >>= BigInt(BYTE_BITS);
  return bytes;
}

/** Writes `to - from`; returns the position behind it. */
export function writeDifference(target: Uint8Array, position: number, from: number, to: number): number {
  const difference = to - from;
  if (difference > -SMALL_MAX && difference < SMALL_MAX) return writeVarint(target, position, difference);
  let at = position;
  let rest = zigzag(from, to);
  while (rest >= BigInt(MORE)) {
    target[at++] = Number(rest & BigInt(LOW_BITS)) | MORE;
    rest >>= BigInt(BYTE_BITS);
  }
  target[at++] = Number(rest);
  return at;
}

/** Rare: times that lie weeks apart in one batch. */
function zigzag(from: number, to: number): bigint {
  const difference = BigInt(to) - BigInt(from);
  return difference < 0n ? -difference * 2n - 1n : difference * 2n;
}
