import { afterEach, describe, expect, it } from 'vitest';
import type { AnyCodecName } from '../../../src/codec/codec.ts';
import { CodecRegistry, codecs } from '../../../src/codec/registry.ts';
import { isVarveError } from '../../../src/errors.ts';
import {
  type Compression,
  codecNumber,
  compressBlock,
  EXPANDED_BYTES_MAX,
  expandBlock,
  expandedBytes,
  loadCompression,
  settleTable,
} from '../../../src/lsm/table/codecs.ts';
import type { TableReader } from '../../../src/lsm/table/reader.ts';
import type { TableFile } from '../../../src/lsm/table/table-file.ts';
import { verifyTable } from '../../../src/lsm/table/verify.ts';
import { textOf } from '../../kit/table-arena.ts';
import { plainEntries, TableKit } from '../../kit/tables.ts';

const PACKED: readonly Exclude<Compression, 'none'>[] = ['deflate', 'zstd', 'lz4'];
const TEXT = Buffer.from('a block that is much the same from end to end. '.repeat(80));

async function noteOf(name: AnyCodecName): Promise<string | undefined> {
  try {
    await codecs.load(name);
    return undefined;
  } catch (error) {
    if (!isVarveError(error, 'UNSUPPORTED')) throw error;
    return ` (skipped: ${error.message})`;
  }
}

const NOTES = new Map(await Promise.all(PACKED.map(async (name) => [name, await noteOf(name)] as const)));

/** A registry that finds nothing but what Node.js always has. */
const bare = (): CodecRegistry => new CodecRegistry(() => Promise.reject(new Error('not found')), null);

function thrownBy(action: () => unknown): { code?: string; message?: string } {
  try {
    action();
  } catch (error) {
    return error as { code?: string };
  }
  return {};
}

describe('tables that are compressed', () => {
  const readers: TableReader[] = [];
  let kit = new TableKit();

  afterEach(async () => {
    for (const reader of readers.splice(0)) await reader.close();
    expect(kit.leaks()).toEqual([]);
    kit = new TableKit();
  });

  for (const compression of PACKED) {
    const note = NOTES.get(compression);
    it.skipIf(note !== undefined)(`are read and merged again: ${compression}${note ?? ''}`, async () => {
      const entries = plainEntries(400);
      const written = await kit.write(entries, { options: { compression } });
      const reader = await kit.open(written?.number as number);
      readers.push(reader);
      expect(reader.properties.codec).toBe(codecNumber(compression));
      expect(reader.properties.bytes).toBeLessThan(30_000);
      for (const entry of entries.slice(0, 20))
        expect(textOf(kit.get(reader, entry.key) as never)).toBe(textOf(entry));
      // Into what is compressed in another way, and back into what is not.
      const other = PACKED.find((name) => name !== compression && NOTES.get(name) === undefined) ?? 'none';
      let tables = [written as TableFile];
      for (const next of [other, 'none'] as const) {
        tables = await kit.merge([tables], [], {
          options: { blockBytes: 4096, bitsPerKey: 10.5, compression: next },
        });
        const { number, properties } = tables[0] as TableFile;
        expect(properties).toMatchObject({ codec: codecNumber(next), entries: 400 });
        expect((await verifyTable(kit.vfs, kit.path(number), kit.memory)).damage).toEqual([]);
      }
      const merged = await kit.open(tables[0]?.number as number);
      readers.push(merged);
      const textsOf = (table: TableReader): string =>
        kit
          .scan([table])
          .map(({ key, value }) => `${key} ${value}`)
          .join();
      expect(textsOf(merged)).toBe(textsOf(reader));
    });
  }

  it('say with what, and those of earlier builds, which do not, are read with what those knew', async () => {
    const asked: string[] = [];
    const registry = new CodecRegistry((name) => {
      asked.push(name);
      return Promise.reject(new Error('not found'));
    }, null);
    await settleTable(codecNumber('none'), registry);
    await settleTable(codecNumber('deflate'), registry);
    expect(asked).toEqual([]);
    await settleTable(codecNumber('lz4'), registry);
    await settleTable(undefined, registry);
    expect(asked).toEqual(['lz4-napi', '@cloudpss/zstd/napi']);
  });
});

describe('a block', () => {
  for (const compression of PACKED) {
    const note = NOTES.get(compression);
    const codec = codecNumber(compression);

    it.skipIf(note !== undefined)(
      `that claims or comes to more than it may is damaged: ${compression}${note ?? ''}`,
      () => {
        const stored = compressBlock(codec, TEXT) as Uint8Array;
        expect(Buffer.from(expandBlock(codec, stored, 'file', 7)).equals(TEXT)).toBe(true);
        const withLength = (length: number): Uint8Array => {
          const copy = Uint8Array.from(stored);
          new DataView(copy.buffer).setUint32(0, length, true);
          return copy;
        };
        for (const length of [0, 1, TEXT.length - 1, TEXT.length + 1, EXPANDED_BYTES_MAX + 1, 2 ** 32 - 1]) {
          const error = thrownBy(() => expandBlock(codec, withLength(length), 'file', 7));
          expect(error).toMatchObject({ code: 'CORRUPT', file: 'file', position: 7 });
        }
        expect(expandedBytes(withLength(EXPANDED_BYTES_MAX + 1))).toBeUndefined();
        // A little that would become 64 MiB is given up long before.
        const bomb = codecs.settled(compression).compress(Buffer.alloc(64 * 1024 * 1024));
        const claimed = Buffer.concat([Buffer.alloc(4), bomb]);
        claimed.writeUInt32LE(EXPANDED_BYTES_MAX);
        expect(thrownBy(() => expandBlock(codec, claimed, 'file', 7)).code).toBe('CORRUPT');
        // And so is what is cut short, or changed.
        for (let at = 4; at < stored.length; at += 7) {
          const changed = Uint8Array.from(stored);
          changed[at] = (changed[at] as number) ^ 0x55;
          for (const bytes of [changed, stored.subarray(0, at)]) {
            const error = thrownBy(() =>
              expect(expandBlock(codec, bytes, 'file', 7).length).toBe(TEXT.length),
            );
            expect([undefined, 'CORRUPT']).toContain(error.code);
          }
        }
      },
    );
  }

  it('whose codec is not there says which package is missing, and where it lies', async () => {
    for (const [compression, message] of [
      ['lz4', /position 7 of file: .*needs the package lz4-napi/],
      ['zstd', /position 7 of file: .*needs the package @cloudpss\/zstd, or Node\.js 22\.15 or later/],
    ] as const) {
      const registry = bare();
      const codec = codecNumber(compression);
      await settleTable(codec, registry);
      const stored = Uint8Array.of(10, 0, 0, 0, 1, 2, 3);
      const error = thrownBy(() => expandBlock(codec, stored, 'file', 7, registry));
      expect(error).toMatchObject({ code: 'UNSUPPORTED', file: 'file', position: 7 });
      expect(error.message).toMatch(message);
      await expect(loadCompression(compression, registry)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    }
    await loadCompression('deflate', bare());
    await loadCompression('none', bare());
  });

  it('of a codec that nobody knows yet says so', () => {
    const error = thrownBy(() => expandBlock(9, Uint8Array.of(10, 0, 0, 0, 1), 'file', 7));
    expect(error).toMatchObject({ code: 'UNSUPPORTED', file: 'file', position: 7 });
    expect(error.message).toMatch(/unknown \(9\), which needs a newer varve/);
  });
});
