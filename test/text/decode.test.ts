import { execFileSync, spawnSync } from 'node:child_process';
import zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { CodecRegistry } from '../../src/codec/registry.ts';
import { cutAtFrames } from '../../src/codec/zstd-pieces.ts';
import { zstdDecoder } from '../../src/text/decode.ts';
import { openFile } from '../../src/text/file-source.ts';
import type { TextEncoding } from '../../src/text/recognize.ts';
import type { TextSource } from '../../src/text/source.ts';
import { openStream } from '../../src/text/stream-source.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { writeFile } from '../kit/ingesting.ts';

const clock = systemClock;
const TEXT = `${'Grüße, 日本 🌍\n'.repeat(20_000)}no end`;
const UTF8 = Buffer.from(TEXT);
const BIG_ENDIAN = Buffer.from(TEXT, 'utf16le').swap16();
const whyNoZstd =
  spawnSync('zstd', ['--version']).status === 0
    ? undefined
    : 'the program zstd makes the file, and is not here';

async function readAll(source: TextSource, pieceBytes = 10_007): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    while (!source.isOver) {
      const piece = Buffer.alloc(pieceBytes);
      pieces.push(piece.subarray(0, await source.read(piece)));
    }
  } finally {
    await source.close();
  }
  return Buffer.concat(pieces).toString();
}

async function readFile(content: Uint8Array, encoding?: TextEncoding): Promise<string> {
  const vfs = createMemoryVfs();
  await writeFile(vfs, 'file', content);
  const text = await readAll(await openFile(vfs, 'file', { clock, encoding }));
  expect((vfs as unknown as { openFiles: number }).openFiles).toBe(0);
  return text;
}

/** The same bytes as a stream, in pieces of some bytes. */
function readStream(content: Uint8Array, pieceBytes: number, encoding?: TextEncoding): Promise<string> {
  return readAll(openStream(piecesOf(content, pieceBytes), { clock, encoding }));
}

async function* piecesOf(content: Uint8Array, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes);
}

describe('text is read', () => {
  test.each<[string, Uint8Array, TextEncoding | undefined]>([
    ['that is UTF-8', Buffer.from(TEXT), undefined],
    ['that is UTF-8 with a mark', Buffer.from(`\ufeff${TEXT}`), undefined],
    ['that is UTF-16 with a mark', Buffer.from(`\ufeff${TEXT}`, 'utf16le'), undefined],
    ['that is UTF-16 without a mark, as is known', Buffer.from(TEXT, 'utf16le'), 'utf-16le'],
    [
      'that is UTF-16 the other way around',
      Buffer.concat([Buffer.from([0xfe, 0xff]), BIG_ENDIAN]),
      undefined,
    ],
    ['that is UTF-16 the other way around, as is known', BIG_ENDIAN, 'utf-16be'],
    ['that is compressed with gzip', zlib.gzipSync(TEXT), undefined],
    ['that is compressed twice', zlib.gzipSync(zlib.gzipSync(TEXT)), undefined],
    [
      'in two compressed parts',
      Buffer.concat([zlib.gzipSync(UTF8.subarray(0, 999)), zlib.gzipSync(UTF8.subarray(999))]),
      undefined,
    ],
    ['that is compressed UTF-16', zlib.gzipSync(Buffer.from(`\ufeff${TEXT}`, 'utf16le')), undefined],
    ['of no bytes', new Uint8Array(0), undefined],
  ])('%s', async (name, content, encoding) => {
    const expected = name === 'of no bytes' ? '' : TEXT;
    expect(await readFile(content, encoding)).toBe(expected);
    expect(await readStream(content, 64 * 1024, encoding)).toBe(expected);
  });

  test('that is latin1, as is known', async () => {
    const content = Buffer.from('Größe \x80\xff\n', 'latin1');
    expect(await readFile(content, 'latin1')).toBe('Größe \x80ÿ\n');
    expect(await readFile(content, 'utf-8')).toBe('Gr\ufffd\ufffde \ufffd\ufffd\n');
  });

  test('that has half a character of UTF-16, which is replaced', async () => {
    expect(await readFile(Buffer.from([0xff, 0xfe, 0x61, 0, 0x3d, 0xd8, 0x62, 0]))).toBe('a\ufffdb');
    expect(await readFile(Buffer.from([0xff, 0xfe, 0x61, 0, 0x62]))).toBe('a\ufffd');
  });

  test('from a stream that is yielded byte by byte', async () => {
    expect(await readStream(zlib.gzipSync('one\ntwo\n'), 1)).toBe('one\ntwo\n');
    expect(await readStream(Buffer.from('\ufeffone\n', 'utf16le'), 1)).toBe('one\n');
    expect(await readStream(Buffer.from('B\n'), 1)).toBe('B\n');
    expect(await readStream(Buffer.from('\xef\xbb'), 1)).toBe('\xef\xbb');
  });

  test('from a stream that waits: what is there is handed over', async () => {
    let wake: () => void = () => undefined;
    async function* slowly(): AsyncGenerator<string> {
      yield 'a\n';
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      yield 'b\n';
    }
    const source = openStream(slowly(), { clock });
    const piece = Buffer.alloc(100);
    expect(await source.read(piece)).toBe(2);
    wake();
    expect(await source.read(piece)).toBe(2);
    expect(await source.read(piece)).toBe(0);
    expect(source.isOver).toBe(true);
  });
});

describe('what cannot be read is told', () => {
  test.each([
    [
      'a file of which the second part was cut off',
      Buffer.concat([zlib.gzipSync(TEXT), zlib.gzipSync(TEXT).subarray(0, 300)]),
      'CORRUPT',
      /unexpected end of file/,
    ],
    ['a file that was cut off', zlib.gzipSync(TEXT).subarray(0, 300), 'CORRUPT', /unexpected end of file/],
    [
      'a damaged file',
      Buffer.concat([zlib.gzipSync(TEXT).subarray(0, 100), Buffer.alloc(500, 7)]),
      'CORRUPT',
      /cannot decompress file/,
    ],
    ['bzip2', Buffer.from('BZh91AY&SY...'), 'UNSUPPORTED', /compressed with bzip2/],
    ['xz', Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 1, 2]), 'UNSUPPORTED', /compressed with xz/],
  ])('%s', async (_, content, code, message) => {
    await expect(readFile(content)).rejects.toMatchObject({ code, file: 'file', message });
  });

  test('a stream of something else', async () => {
    async function* numbers(): AsyncGenerator<Uint8Array> {
      yield 5 as unknown as Uint8Array;
    }
    await expect(readAll(openStream(numbers(), { clock }))).rejects.toThrow(TypeError);
  });

  test('a stream that fails, in its own words', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield zlib.gzipSync(TEXT).subarray(0, 100);
      throw new Error('the line is dead');
    }
    await expect(readAll(openStream(failing(), { clock }))).rejects.toMatchObject({
      code: 'IO',
      message: 'cannot read the stream: the line is dead',
    });
  });
});

describe('Zstandard', () => {
  const compressed = (text: string | Uint8Array): Buffer =>
    execFileSync('zstd', ['-q', '-c'], { input: text });

  const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);

  describe.skipIf(whyNoZstd !== undefined)('made by zstd', () => {
    const one = whyNoZstd === undefined ? compressed(UTF8.subarray(0, 5000)) : UTF8;
    const two = whyNoZstd === undefined ? compressed(UTF8.subarray(5000)) : UTF8;

    test.each<[string, () => Buffer]>([
      ['one frame', () => compressed(TEXT)],
      ['several frames', () => Buffer.concat([one, two])],
      ['with something to be passed over', () => Buffer.concat([skippable, one, skippable, two, skippable])],
      [
        'that stores its size and nothing to check',
        () => execFileSync('zstd', ['-qc', '--no-check'], { input: TEXT }),
      ],
      ['compressed twice', () => compressed(compressed(TEXT))],
    ])('%s is read', async (_, content) => {
      expect(await readFile(content())).toBe(TEXT);
      expect(await readStream(content(), 7)).toBe(TEXT);
    });

    test('bytes that are repeated are not all there at once', async () => {
      const zeros = compressed(Buffer.alloc(50_000_000));
      expect(zeros.length).toBeLessThan(10_000);
      const sizes: number[] = [];
      for await (const piece of cutAtFrames(piecesOf(zeros, 65_536), 'zeros')) sizes.push(piece.length);
      expect(sizes.length).toBeGreaterThan(20);
      expect((await readFile(zeros)).length).toBe(50_000_000);
    });

    test('cut off at any place, it is told, and never taken for shorter', async () => {
      const whole = Buffer.concat([one, skippable, two]);
      const ends = [one.length, one.length + skippable.length];
      for (let bytes = 4; bytes < whole.length; bytes += 1 + (bytes % 7)) {
        if (ends.includes(bytes)) continue;
        await expect(readFile(whole.subarray(0, bytes))).rejects.toMatchObject({
          code: 'CORRUPT',
          message: expect.stringMatching(/^cannot decompress file: /),
        });
      }
    });

    test('damaged, or with something else behind it, it is told', async () => {
      const wrong = [
        Buffer.concat([one, Buffer.from('hello')]),
        Buffer.concat([one.subarray(0, 20), Buffer.alloc(500, 6), one.subarray(20)]),
        Buffer.concat([one.subarray(0, -4), Buffer.alloc(4, 7), two]),
      ];
      for (const content of wrong) await expect(readFile(content)).rejects.toMatchObject({ code: 'CORRUPT' });
    });
  });

  test('where nobody can read it, it says who could', async () => {
    const expected = {
      code: 'UNSUPPORTED',
      message: /needs Node\.js 22\.15 or later, or the package @cloudpss\/zstd/,
    };
    const none = new CodecRegistry(() => Promise.reject(new Error('not found')), null);
    await expect(zstdDecoder('file', none)).rejects.toMatchObject(expected);
    const noNativePart = new CodecRegistry(() => Promise.resolve({}), null);
    await expect(zstdDecoder('file', noNativePart)).rejects.toMatchObject(expected);
  });
});
