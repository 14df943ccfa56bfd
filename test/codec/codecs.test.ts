import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Codec, CodecName, StreamingCodec } from '../../src/codec/codec.ts';
import { CodecRegistry, codecs } from '../../src/codec/registry.ts';
import { createBuiltInZstd } from '../../src/codec/zstd.ts';
import { zstdFrames } from '../../src/codec/zstd-frames.ts';
import { isVarveError } from '../../src/errors.ts';
import { CODECS_HERE } from '../kit/codecs.ts';
import { createRandom } from '../kit/random.ts';

const MIB = 1024 * 1024;
const TEXT = Buffer.from(
  Array.from(
    { length: 600 },
    (_, i) => `081109 2036${i % 60} ${i} INFO dfs.DataNode: Receiving blk_${i * 977}\n`,
  ).join(''),
);

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    return isVarveError(error) ? error.code : String(error);
  }
}

/** Bytes in shared memory, as the engine has them. */
function shared(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length + 8), 4, bytes.length);
  copy.set(bytes);
  return copy;
}

const samples: [string, Buffer][] = [
  ['one byte', Buffer.from('x')],
  ['lines of a log', TEXT],
  ['what cannot be made smaller', Buffer.from(createRandom(7).bytes(100_000))],
  ['a megabyte of zeros', Buffer.alloc(MIB)],
];

for (const { name, codec, note } of CODECS_HERE) {
  describe.skipIf(codec === undefined)(`${name}${note}`, () => {
    const { compress, expand } = codec as Codec;

    test.each(samples)('%s comes back as it was', (_, bytes) => {
      const compressed = compress(shared(bytes));
      expect(Buffer.compare(expand(shared(compressed), bytes.length), bytes)).toBe(0);
    });

    test('a log becomes smaller by half at least', () => {
      expect(compress(TEXT).length).toBeLessThan(TEXT.length / 2);
    });

    test('frames end to end are one text', () => {
      const two = Buffer.concat([compress(Buffer.from('abc')), compress(Buffer.from('defg'))]);
      expect(Buffer.from(expand(two, 7)).toString()).toBe('abcdefg');
      expect(codeOf(() => expand(two, 6))).toBe('CORRUPT');
    });

    test('what is cut off anywhere is broken, and never more than what was whole before', () => {
      const compressed = compress(TEXT);
      for (let length = 0; length < compressed.length; length += length < 64 ? 1 : 97) {
        const part = compressed.subarray(0, length);
        const found = codeOf(() => expand(part, TEXT.length));
        // The framing of snappy has no end: what is cut off between two blocks is whole, and shorter.
        if (name === 'snappy' && found === 'none')
          expect(expand(part, TEXT.length).length).toBeLessThan(TEXT.length);
        else expect(found).toBe('CORRUPT');
      }
    });

    test('changed bytes are broken, or expand to no more than the bound', () => {
      const random = createRandom(11);
      const compressed = compress(TEXT);
      for (let round = 0; round < 300; round++) {
        const changed = Buffer.from(compressed);
        const at = random.int(0, round % 2 === 0 ? Math.min(40, changed.length) : changed.length);
        changed[at] = (changed[at] as number) ^ (1 << random.int(0, 8));
        try {
          expect(expand(changed, TEXT.length + 100).length).toBeLessThanOrEqual(TEXT.length + 100);
        } catch (error) {
          expect(isVarveError(error, 'CORRUPT')).toBe(true);
        }
      }
    });

    test('random bytes are broken', () => {
      const random = createRandom(3);
      for (let round = 0; round < 200; round++) {
        const bytes = Buffer.from(random.bytes(random.int(0, 300)));
        // Without its framing, snappy has nothing that tells it from other bytes.
        const found = codeOf(() => expand(bytes, 64));
        if (name === 'snappy') expect(['CORRUPT', 'none']).toContain(found);
        else expect(found).toBe('CORRUPT');
      }
    });

    test('a little that stands for much is given up at the bound', () => {
      const bomb = compress(Buffer.alloc(16 * MIB));
      expect(bomb.length).toBeLessThan(4 * MIB);
      const before = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
      for (const bound of [0, 1, 1000, MIB, 16 * MIB - 1]) {
        expect(codeOf(() => expand(bomb, bound))).toBe('CORRUPT');
      }
      const after = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
      expect(after - before).toBeLessThan(200 * MIB);
      expect(expand(bomb, 16 * MIB).length).toBe(16 * MIB);
    });
  });
}

describe('claims', () => {
  const codecOf = (name: CodecName): Codec | undefined => codecs.loaded(name);

  test.skipIf(codecOf('snappy') === undefined)('a block of snappy that says 4 GiB is refused', () => {
    const { expand } = codecOf('snappy') as Codec;
    const block = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 97]);
    expect(codeOf(() => expand(block, 128 * MIB))).toBe('CORRUPT');
    const header = Buffer.from('82534e41505059000000000100000001', 'hex');
    const length = Buffer.from([0, 0, 0, block.length]);
    expect(codeOf(() => expand(Buffer.concat([header, length, block]), 128 * MIB))).toBe('CORRUPT');
  });

  test.skipIf(codecOf('snappy') === undefined)(
    'snappy without framing, as librdkafka writes it, is read',
    () => {
      // 3 bytes, as one literal: by hand, from the description of the format.
      const block = Buffer.from([3, 2 << 2, 97, 98, 99]);
      expect(Buffer.from((codecOf('snappy') as Codec).expand(block, 3)).toString()).toBe('abc');
    },
  );

  test.skipIf(codecOf('lz4') === undefined)('a frame of lz4 that says 4 GiB is refused', () => {
    const { expand, compress } = codecOf('lz4') as Codec;
    const frame = Buffer.from(compress(TEXT));
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(4n << 30n);
    const claiming = Buffer.concat([frame.subarray(0, 6), size, frame.subarray(6)]);
    claiming[4] = (claiming[4] as number) | 8;
    expect(codeOf(() => expand(claiming, 128 * MIB))).toBe('CORRUPT');
  });

  test.skipIf(codecOf('lz4') === undefined)(
    'the length of a packed block of lz4 is counted where its room is more than the bound',
    () => {
      const { expand, compress } = codecOf('lz4') as Codec;
      // The room of a frame of one block of 4 MiB is more than the text; what it is, is not.
      const text = Buffer.concat([Buffer.alloc(200_000, 'a'), TEXT, Buffer.alloc(70_000, 'b')]);
      const frame = compress(text);
      expect(expand(frame, text.length).length).toBe(text.length);
      expect(codeOf(() => expand(frame, text.length - 1))).toBe('CORRUPT');
    },
  );

  test.skipIf(codecOf('zstd') === undefined)(
    'a frame of zstd that says 4 GiB is refused, whatever is in it',
    () => {
      const { expand } = codecOf('zstd') as Codec;
      // Single segment, content size of 8 bytes: 4 GiB; then one block of zeros, repeated 100 times.
      const frame = Buffer.from('28b52ffde0000000000100000003030000', 'hex');
      expect(codeOf(() => expand(frame, 128 * MIB))).toBe('CORRUPT');
    },
  );

  test.skipIf(codecOf('zstd') === undefined)(
    'a frame of zstd without its size is expanded, and bounded',
    () => {
      const { expand } = codecOf('zstd') as Codec;
      // No checksum, no size, a window of 1 KiB, then raw blocks: by hand, from RFC 8878.
      const raw = (text: string, isLast: boolean): Buffer => {
        const header = (text.length << 3) | Number(isLast);
        return Buffer.concat([Buffer.from([header & 255, header >> 8, 0]), Buffer.from(text)]);
      };
      const head = Buffer.from('28b52ffd0000', 'hex');
      const frame = Buffer.concat([head, raw('hello ', false), raw('world', true)]);
      expect(zstdFrames(frame)).toMatchObject([{ declared: undefined, most: 11 }]);
      expect(Buffer.from(expand(frame, 11)).toString()).toBe('hello world');
      expect(codeOf(() => expand(frame, 10))).toBe('CORRUPT');
      // A block of one byte that is repeated: 100,000 times in four bytes, for as many blocks as one likes.
      const many = Buffer.alloc(4 * 1000);
      for (let i = 0; i < 1000; i++) many.writeUInt32LE((100_000 << 3) | 2 | Number(i === 999), i * 4);
      expect(codeOf(() => expand(Buffer.concat([Buffer.from('28b52ffd0080', 'hex'), many]), 50 * MIB))).toBe(
        'CORRUPT',
      );
    },
  );
});

describe('where codecs come from', () => {
  const nothing = (): Promise<never> => Promise.reject(new Error('Cannot find package'));

  test.each([
    ['snappy', /needs the package snappy, which is not there \(this is Node\.js \d+/],
    ['lz4', /needs the package lz4-napi, which is not there \(this is Node\.js \d+/],
    ['zstd', /needs the package @cloudpss\/zstd, or Node\.js 22\.15 or later/],
  ] as const)('%s without its package is unsupported, and says what is missing', async (name, message) => {
    const registry = new CodecRegistry(nothing, null);
    expect(registry.missing(name)).toBeUndefined();
    const error = await registry.load(name).catch((caught: unknown) => caught);
    expect(isVarveError(error, 'UNSUPPORTED')).toBe(true);
    expect((error as Error).message).toMatch(message);
    expect(registry.loaded(name)).toBeUndefined();
    expect(registry.missing(name)).toBe(error);
  });

  test('gzip needs nothing', async () => {
    const registry = new CodecRegistry(nothing, null);
    expect((await registry.load('gzip')).name).toBe('gzip');
  });

  test('where Node.js has Zstandard, the package is never imported', async () => {
    const imported: string[] = [];
    const builtIn = createBuiltInZstd({
      zstdCompressSync: (bytes) => bytes,
      zstdDecompressSync: (bytes) => bytes,
      createZstdDecompress: () => new PassThrough(),
    }) as StreamingCodec;
    const registry = new CodecRegistry((name) => {
      imported.push(name);
      return nothing();
    }, builtIn);
    expect(await registry.load('zstd')).toBe(builtIn);
    expect(registry.loaded('zstd')).toBe(builtIn);
    expect(imported).toEqual([]);
  });

  test('a package is imported once, however many ask', async () => {
    let count = 0;
    const registry = new CodecRegistry(async () => {
      count++;
      return {
        default: { compressSync: (bytes: Uint8Array) => bytes, uncompressSync: (bytes: Uint8Array) => bytes },
      };
    }, null);
    const [one, other] = await Promise.all([registry.load('snappy'), registry.load('snappy')]);
    expect(one).toBe(other);
    expect(await registry.load('snappy')).toBe(one);
    expect(count).toBe(1);
  });
});
