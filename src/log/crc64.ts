/**
 * CRC-64/XZ: the polynomial of ECMA-182 (0x42F0E1EBA9EA3693), reflected, as the xz format has it; the check
 * value of "123456789" is 995dc9bbdf1939fa. JavaScript has no integers of 64 bits that are fast, so each
 * is kept as two halves; eight bytes a step, by tables ("slicing by eight": Kounavis and Berry, "A systematic
 * approach to building high performance software-based CRC generators", 2005).
 *
 * @module
 */

const POLYNOMIAL_HIGH = 0xc96c5795;
const POLYNOMIAL_LOW = 0xd7870f42;
const SLICES = 8;

interface Tables {
  high: Int32Array;
  low: Int32Array;
}

let built: Tables | undefined;

/** Slice k of a byte: what it does to the checksum when k more bytes have followed. */
function buildTables(): Tables {
  const high = new Int32Array(SLICES * 256);
  const low = new Int32Array(SLICES * 256);
  for (let byte = 0; byte < 256; byte++) {
    let [h, l] = [0, byte];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (l & 1) !== 0;
      l = (l >>> 1) | (h << 31);
      h >>>= 1;
      if (!isOdd) continue;
      l ^= POLYNOMIAL_LOW;
      h ^= POLYNOMIAL_HIGH;
    }
    high[byte] = h;
    low[byte] = l;
  }
  for (let i = 256; i < SLICES * 256; i++) {
    const h = high[i - 256] as number;
    const l = low[i - 256] as number;
    const next = l & 255;
    low[i] = ((l >>> 8) | (h << 24)) ^ (low[next] as number);
    high[i] = (h >>> 8) ^ (high[next] as number);
  }
  return { high, low };
}

export class Crc64 {
  readonly #tables: Tables;
  #high = -1;
  #low = -1;

  constructor() {
    built ??= buildTables();
    this.#tables = built;
  }

  /** Takes in more bytes. */
  update(bytes: Uint8Array): void {
    const { high, low } = this.#tables;
    const whole = bytes.length - (bytes.length % 8);
    let h = this.#high;
    let l = this.#low;
    for (let at = 0; at < whole; at += 8) {
      l ^= word(bytes, at);
      h ^= word(bytes, at + 4);
      const a = 1792 + (l & 255);
      const b = 1536 + ((l >>> 8) & 255);
      const c = 1280 + ((l >>> 16) & 255);
      const d = 1024 + (l >>> 24);
      const e = 768 + (h & 255);
      const f = 512 + ((h >>> 8) & 255);
      const g = 256 + ((h >>> 16) & 255);
      const i = h >>> 24;
      l =
        at8(low, a) ^
        at8(low, b) ^
        at8(low, c) ^
        at8(low, d) ^
        at8(low, e) ^
        at8(low, f) ^
        at8(low, g) ^
        at8(low, i);
      h =
        at8(high, a) ^
        at8(high, b) ^
        at8(high, c) ^
        at8(high, d) ^
        at8(high, e) ^
        at8(high, f) ^
        at8(high, g) ^
        at8(high, i);
    }
    for (let at = whole; at < bytes.length; at++) {
      const index = (l ^ (bytes[at] as number)) & 255;
      l = ((l >>> 8) | (h << 24)) ^ at8(low, index);
      h = (h >>> 8) ^ at8(high, index);
    }
    this.#high = h;
    this.#low = l;
  }

  /** The checksum of all that was taken in, big-endian. */
  digest(): Uint8Array {
    const bytes = new Uint8Array(8);
    const data = new DataView(bytes.buffer);
    data.setInt32(0, ~this.#high);
    data.setInt32(4, ~this.#low);
    return bytes;
  }
}

function word(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

function at8(table: Int32Array, index: number): number {
  return table[index] as number;
}
