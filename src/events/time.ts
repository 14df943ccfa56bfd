/**
 * Times of log entries: nanoseconds since the epoch, which are too many for a number of JavaScript. Outside they
 * are milliseconds and the nanoseconds beyond them; in keys, two halves of 32 bits.
 *
 * @module
 */

const TWO_32 = 2 ** 32;
const NS_PER_MS = 1_000_000;
/** 2^32 nanoseconds are so many milliseconds, and so many nanoseconds beyond them. */
const HALF_MS = 4294;
const HALF_NS = 967_296;
const SPLIT = 65_536;

/** The last time that an entry can have, in milliseconds since the epoch: in the year 2262. */
export const TIME_MS_MAX = 9_223_372_036_854;
/** What comes behind all times, as nanoseconds. */
export const TIME_NS_END: bigint = BigInt(TIME_MS_MAX + 1) * 1_000_000n;

/** The upper 32 bits of a time in nanoseconds. */
export function upperHalf(ms: number, nanoseconds: number): number {
  // Each product stays below 2^53.
  const high = Math.floor(ms / SPLIT) * NS_PER_MS;
  const rest = (high % SPLIT) * SPLIT + (ms % SPLIT) * NS_PER_MS + nanoseconds;
  return Math.floor(high / SPLIT) + Math.floor(rest / TWO_32);
}

/** The lower 32 bits of a time in nanoseconds. */
export function lowerHalf(ms: number, nanoseconds: number): number {
  const high = Math.floor(ms / SPLIT) * NS_PER_MS;
  return ((high % SPLIT) * SPLIT + (ms % SPLIT) * NS_PER_MS + nanoseconds) % TWO_32;
}

/** The whole milliseconds of a time whose halves are given. */
export function millisecondsOf(upper: number, lower: number): number {
  return upper * HALF_MS + Math.floor((upper * HALF_NS + lower) / NS_PER_MS);
}

/** What a time whose halves are given has beyond whole milliseconds, from 0 to 999,999. */
export function nanosecondsOf(upper: number, lower: number): number {
  return (upper * HALF_NS + lower) % NS_PER_MS;
}

/** A time in nanoseconds. */
export function toBigInt(ms: number, nanoseconds: number): bigint {
  return BigInt(ms) * 1_000_000n + BigInt(nanoseconds);
}

/**
 * Checks a bound of a range of times: milliseconds as a number, or nanoseconds as a bigint.
 *
 * @returns the time as the beginning of a key, at most the end of all times
 * @throws TypeError, RangeError
 */
export function boundOf(name: string, value: unknown): Buffer {
  let ms: number;
  let nanoseconds = 0;
  if (typeof value === 'bigint') {
    if (value < 0n) throw new RangeError(`${name} must not be negative, but is ${value}`);
    const capped = value > TIME_NS_END ? TIME_NS_END : value;
    ms = Number(capped / 1_000_000n);
    nanoseconds = Number(capped % 1_000_000n);
  } else if (typeof value === 'number') {
    if (Number.isNaN(value)) throw new RangeError(`${name} must be a time in milliseconds, not NaN`);
    // Entries have times from 0 on: what lies before all of them, or behind, is no mistake.
    const capped = Math.min(Math.max(value, 0), TIME_MS_MAX + 1);
    ms = Math.floor(capped);
    nanoseconds = Math.floor((capped - ms) * NS_PER_MS);
  } else {
    throw new TypeError(
      `${name} must be milliseconds as a number or nanoseconds as a bigint, not ${typeof value}`,
    );
  }
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(upperHalf(ms, nanoseconds), 0);
  bytes.writeUInt32BE(lowerHalf(ms, nanoseconds), 4);
  return bytes;
}
