/** CRC-32C: check values, and every length, alignment and split against a table of 256. */

import { describe, expect, it } from 'vitest';

import { SLACK_BYTES } from '../../../src/memory/layout.ts';
import { type Arena, BYTES } from '../../kit/arena.ts';
import { crc32cOf } from '../../kit/batch-bytes.ts';
import { createRandom } from '../../kit/random.ts';

const LONG_BYTES = 400_000;

/** RFC 3720, appendix B.4; the first is the catalogue's check value. */
const CHECK_VALUES: readonly (readonly [string, Uint8Array, number])[] = [
  ['the digits 1 to 9', Buffer.from('123456789'), 0xe3069283],
  ['32 bytes of zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 bytes of ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 incrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ['32 decrementing bytes', Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
  [
    'an iSCSI SCSI Read (10) command',
    Buffer.from(
      '01c00000000000000000000000000000140000000000040000000014000000182800000000000000' + '0200000000000000',
      'hex',
    ),
    0xd9963a56,
  ],
];

export function crcSuite({ u8, kernels }: Arena): void {
  describe('crc32c', () => {
    const crcOf = (address: number, length: number, crc: number): number =>
      kernels.crc32c(address, length, crc) >>> 0;

    it.each(CHECK_VALUES)('gives the published value for %s', (_, bytes, expected) => {
      u8.set(bytes, BYTES);
      expect(crcOf(BYTES, bytes.length, 0)).toBe(expected);
    });

    it('returns its seed for no bytes', () => {
      expect(kernels.crc32c(BYTES, 0, 0)).toBe(0);
      expect(kernels.crc32c(BYTES, 0, -559038737)).toBe(-559038737);
    });

    it('is right for every length up to 2000 at any alignment and with any seed', () => {
      const random = createRandom(1);
      for (const shift of [0, 1, 2, 3, 7, 8, 13, 15]) {
        const start = BYTES + shift;
        const seed = random.int(0, 0xffffffff);
        u8.set(random.bytes(2100), start - 50);
        let expected = seed;
        for (let length = 0; length <= 2000; length++) {
          const actual = crcOf(start, length, seed);
          if (actual !== expected)
            expect({ shift, length, crc: actual }).toEqual({ shift, length, crc: expected });
          expected = crc32cOf(u8.subarray(start + length, start + length + 1), expected);
        }
      }
    });

    it('is right for random stretches of up to 400 KB, whole and in pieces', () => {
      const random = createRandom(2);
      u8.set(random.bytes(LONG_BYTES), BYTES);
      for (let i = 0; i < 60; i++) {
        const length = random.int(0, i % 2 === 0 ? LONG_BYTES : 30_000);
        const start = BYTES + random.int(0, LONG_BYTES - length);
        const seed = random.int(0, 0xffffffff);
        const expected = crc32cOf(u8.subarray(start, start + length), seed);
        const first = random.int(0, length);
        const second = random.int(0, length - first);
        let pieces = crcOf(start, first, seed);
        pieces = crcOf(start + first, second, pieces);
        pieces = crcOf(start + first + second, length - first - second, pieces);
        const actual = { start, length, whole: crcOf(start, length, seed), pieces };
        expect(actual).toEqual({ start, length, whole: expected, pieces: expected });
      }
    });

    it('is right around every size at which another method takes over', () => {
      const random = createRandom(3);
      u8.set(random.bytes(60_000), BYTES);
      const chunk = 24 * 1024;
      for (const size of [
        2 * 5328,
        8192,
        10_240,
        12_288,
        16_384,
        chunk + 5328,
        2 * chunk,
        2 * chunk + 5328,
      ]) {
        for (let length = size - 40; length <= size + 40; length += 1) {
          const actual = crcOf(BYTES + 5, length, 7);
          const expected = crc32cOf(u8.subarray(BYTES + 5, BYTES + 5 + length), 7);
          if (actual !== expected) expect({ length, crc: actual }).toEqual({ length, crc: expected });
        }
      }
    });

    it('changes nothing but its scratch', () => {
      const random = createRandom(4);
      u8.set(random.bytes(100_000), BYTES);
      const before = u8.slice(64 * 1024);
      for (const length of [10, 100, 400, 1000, 9000, 70_000]) kernels.crc32c(BYTES + 3, length, 0);
      expect(Buffer.compare(u8.slice(64 * 1024), before)).toBe(0);
    });

    it('reads no further than the slack, at the end of the memory', () => {
      const end = u8.length - SLACK_BYTES;
      u8.set(createRandom(5).bytes(40_000), end - 40_000);
      for (let length = 0; length < 40_000; length += length < 1500 ? 1 : 997) {
        const actual = crcOf(end - length, length, 0);
        if (length % 97 === 0) expect(actual).toBe(crc32cOf(u8.subarray(end - length, end)));
      }
    });
  });
}
