import { afterAll, describe, expect, it } from 'vitest';

import { isVarveError } from '../../../src/errors.ts';
import type { TableReader } from '../../../src/lsm/table/reader.ts';
import { verifyTable } from '../../../src/lsm/table/verify.ts';
import { KIND_DELETE, KIND_PUT } from '../../../src/memory/lsm-layout.ts';
import { LARGE_ENTRY_BYTES } from '../../../src/memory/table-layout.ts';
import { createRandom } from '../../kit/random.ts';
import { randomEntries, type TestEntry, textOf } from '../../kit/table-arena.ts';
import { plainEntries, TableKit } from '../../kit/tables.ts';

const kit = new TableKit();

async function bytesOf(path: string): Promise<Buffer> {
  const file = await kit.vfs.open(path, 'read');
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function put(path: string, bytes: Uint8Array): Promise<void> {
  await kit.vfs.remove(path);
  const file = await kit.vfs.open(path, 'create');
  await file.write(bytes, 0);
  await file.close();
}

/** A small table with a bit of everything, as bytes. */
async function smallTable(): Promise<{ path: string; number: number; bytes: Buffer; entries: TestEntry[] }> {
  const entries = randomEntries(createRandom(630), 60, 20, 12);
  const rangeTombstones = [{ start: Buffer.from('a'), end: Buffer.from('k'), sequence: 5 }];
  const snapshots = Array.from({ length: 30 }, (_, i) => i);
  const file = await kit.write(entries, { rangeTombstones, snapshots, options: { blockBytes: 256 } });
  const number = file?.number ?? -1;
  return { path: kit.path(number), number, bytes: await bytesOf(kit.path(number)), entries };
}

describe('verifying a table', () => {
  afterAll(() => expect(kit.leaks()).toEqual([]));

  it('finds nothing wrong with what was written', async () => {
    const random = createRandom(631);
    const large = {
      key: Buffer.from('m'),
      value: Buffer.alloc(LARGE_ENTRY_BYTES * 3),
      sequence: 1,
      kind: KIND_PUT,
    };
    const deleted = { key: Buffer.from('n'), value: Buffer.alloc(0), sequence: 1, kind: KIND_DELETE };
    for (const entries of [
      plainEntries(1),
      plainEntries(30_000, 5),
      randomEntries(random, 500, 9),
      [large, deleted],
    ]) {
      for (const compression of ['none', 'deflate'] as const) {
        const file = await kit.write(entries, {
          snapshots: [1, 2, 3, 4, 5, 6, 7, 8],
          options: { compression },
        });
        const report = await verifyTable(kit.vfs, kit.path(file?.number ?? -1), kit.memory);
        expect(report.damage).toEqual([]);
        expect(report.entries).toBe(file?.properties.entries);
        expect(report.blocks).toBe(file?.properties.blocks);
      }
    }
  });

  it('notices every flipped byte, and a reader never gives a wrong entry', { timeout: 120_000 }, async () => {
    const { path, number, bytes, entries } = await smallTable();
    const random = createRandom(632);
    const keys = [...new Set(entries.map(({ key }) => Buffer.from(key).toString('hex')))];
    const whole = await kit.open(number);
    const expected = new Map(keys.map((key) => [key, textOfFound(whole, key)]));
    await whole.close();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ (1 << random.int(0, 7));
      await put(path, damaged);
      const { damage } = await verifyTable(kit.vfs, path, kit.memory);
      expect(damage.length, `byte ${at}`).toBeGreaterThan(0);
      let reader: TableReader | undefined;
      try {
        reader = await kit.open(number);
      } catch (error) {
        expect(isVarveError(error, 'CORRUPT')).toBe(true);
        continue;
      }
      let readable = 0;
      for (const key of keys) {
        try {
          expect(textOfFound(reader, key)).toBe(expected.get(key));
          readable++;
        } catch (error) {
          if (!isVarveError(error)) throw error;
          expect(error.code).toBe('CORRUPT');
          expect(error.file).toBe(path);
        }
      }
      // A block of data takes only its own keys with it.
      const isData = damage.every(({ after, upTo }) => after !== upTo) && damage[0]?.position !== undefined;
      if (isData && at < bytes.length / 4) expect(readable).toBeGreaterThan(0);
      await reader.close();
    }
    await put(path, bytes);
  });

  function textOfFound(reader: TableReader, hex: string): string | undefined {
    const found = kit.get(reader, Buffer.from(hex, 'hex'));
    return found && textOf(found);
  }

  it('refuses a file that was cut off anywhere, or has more', async () => {
    const { path, number, bytes } = await smallTable();
    for (let length = 0; length < bytes.length; length += 7) {
      await put(path, bytes.subarray(0, length));
      await expect(kit.open(number)).rejects.toMatchObject({ code: 'CORRUPT', file: path });
      expect((await verifyTable(kit.vfs, path, kit.memory)).damage).toHaveLength(1);
    }
    await put(path, Buffer.concat([bytes, Buffer.alloc(1)]));
    await expect(kit.open(number)).rejects.toMatchObject({ code: 'CORRUPT' });
    await put(path, Buffer.alloc(5000));
    await expect(kit.open(number)).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('says which block is damaged, and which keys it may have taken with it; others are found', async () => {
    const entries = plainEntries(2000);
    const file = await kit.write(entries);
    const path = kit.path(file?.number ?? -1);
    const bytes = await bytesOf(path);
    bytes[50_000] = (bytes[50_000] as number) ^ 4;
    await put(path, bytes);
    const { damage, entries: counted } = await verifyTable(kit.vfs, path, kit.memory);
    expect(damage).toHaveLength(1);
    const [{ position, bytes: length, after, upTo, reason }] = damage as [(typeof damage)[number]];
    expect(position).toBeLessThanOrEqual(50_000);
    expect(position + length).toBeGreaterThan(50_000);
    expect(reason).toBe(`the block at position ${position} of ${path} is damaged: its checksum is wrong`);
    const reader = await kit.open(file?.number ?? -1);
    let lost = 0;
    for (const entry of entries) {
      const isInside =
        Buffer.compare(entry.key, after as Uint8Array) > 0 &&
        Buffer.compare(entry.key, upTo as Uint8Array) <= 0;
      if (isInside) {
        lost++;
        expect(() => kit.get(reader, entry.key)).toThrow(/damaged: its checksum is wrong/);
      } else {
        expect(textOf(kit.get(reader, entry.key) as TestEntry)).toBe(textOf(entry));
      }
    }
    expect(lost + counted).toBe(2000);
    expect(lost).toBeGreaterThan(20);
    expect(() => kit.scan([reader])).toThrow(/damaged/);
    await reader.close();
  });

  it('refuses a table of a newer format, and a block of a codec that is missing', async () => {
    const { path, number, bytes } = await smallTable();
    const crc = (data: Buffer, from: number): void => {
      const slab = kit.memory.slabs.allocate(data.length, 'test');
      kit.memory.u8.set(data, slab.address);
      const head = kit.memory.kernels.crc32c(slab.address, from, 0);
      data.writeInt32LE(from === 52 ? kit.memory.kernels.crc32c(slab.address + 56, 8, head) : head, from);
      slab.release();
    };
    const newer = Buffer.from(bytes);
    const footer = newer.subarray(newer.length - 64);
    footer.writeUInt32LE(3, 48);
    crc(footer, 52);
    await put(path, newer);
    await expect(kit.open(number)).rejects.toMatchObject({ code: 'VERSION', file: path });

    const entries = plainEntries(3);
    const file = await kit.write(entries);
    const other = kit.path(file?.number ?? -1);
    const lz4 = await bytesOf(other);
    const size = file?.properties.largestBlockBytes ?? 0;
    lz4[size] = 4;
    crc(lz4.subarray(0, size + 5), size + 1);
    await put(other, lz4);
    const reader = await kit.open(file?.number ?? -1);
    // What the block says that it expands to is looked at first, and is nonsense here.
    expect(() => kit.get(reader, entries[1]?.key as Uint8Array)).toThrow(/lz4/);
    await reader.close();
  });
});
