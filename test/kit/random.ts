/**
 * Random numbers that a seed replays: sfc32 (Chris Doty-Humphrey's Small Fast Counting generator), seeded
 * through splitmix32. For tests only; it is not cryptographic.
 *
 * @module
 */

export interface Random {
  /** A number from 0 (inclusive) to 1 (exclusive). */
  next(): number;
  /** An integer from `min` to `max`, both inclusive. */
  int(min: number, max: number): number;
  /** `length` random bytes. */
  bytes(length: number): Uint8Array<ArrayBuffer>;
  /** One of `items`. */
  pick<T>(items: readonly T[]): T;
  /** True with the given probability. */
  chance(probability: number): boolean;
}

/**
 * Creates a generator whose whole sequence follows from `seed`.
 *
 * @param seed any integer
 */
export function createRandom(seed: number): Random {
  let mix = seed | 0;
  function splitmix(): number {
    mix = (mix + 0x9e3779b9) | 0;
    let z = mix;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  }
  let a = splitmix();
  let b = splitmix();
  let c = splitmix();
  let counter = 1;

  function next32(): number {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  }

  function next(): number {
    return (next32() * 0x200000 + (next32() >>> 11)) / 0x20000000000000;
  }

  function int(min: number, max: number): number {
    if (!(min <= max)) throw new RangeError(`no integer lies between ${min} and ${max}`);
    return min + Math.floor(next() * (max - min + 1));
  }

  return {
    next,
    int,
    bytes(length) {
      const bytes = new Uint8Array(length);
      for (let i = 0; i < length; i++) bytes[i] = next32() >>> 24;
      return bytes;
    },
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('there is nothing to pick from');
      return items[int(0, items.length - 1)] as T;
    },
    chance: (probability) => next() < probability,
  };
}
