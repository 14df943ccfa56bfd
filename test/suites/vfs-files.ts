/**
 * The conformance of open files: reading, writing, length, closing.
 *
 * @module
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemCode } from '../../src/errors.ts';
import { WebAssembly } from '../../src/memory/webassembly.ts';
import { type Bench, expectRefused, pattern } from '../kit/vfs-bench.ts';

/** A view into the middle of a memory that is shared, as the engine writes from. */
function sharedView(length: number): Uint8Array {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  return new Uint8Array(memory.buffer, 4097, length);
}

export function fileSuite(make: () => Promise<Bench>): void {
  let bench: Bench;

  beforeEach(async () => {
    bench = await make();
  });

  afterEach(() => bench.dispose());

  describe('opening', () => {
    test('create makes an empty file and says where it is', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      expect(file.path).toBe(bench.at('a'));
      expect(await file.size()).toBe(0);
      expect(await bench.vfs.stat(bench.at('a'))).toMatchObject({ kind: 'file', bytes: 0 });
    });

    test('create refuses a name that exists, and leaves the file as it was', async () => {
      await bench.put(bench.at('a'), pattern(10));
      const error = await expectRefused(bench.vfs.open(bench.at('a'), 'create'), 'IO', bench.at('a'));
      expect(systemCode(error.cause)).toBe('EEXIST');
      expect(await bench.contentsOf(bench.at('a'))).toEqual(pattern(10));
    });

    test('read and write refuse a name that does not exist, and do not make it', async () => {
      await expectRefused(bench.vfs.open(bench.at('none'), 'read'), 'NOT_FOUND', bench.at('none'));
      await expectRefused(bench.vfs.open(bench.at('none'), 'write'), 'NOT_FOUND', bench.at('none'));
      expect(await bench.vfs.readdir(bench.root)).toEqual([]);
    });

    test('create refuses a directory that does not exist', async () => {
      await expectRefused(bench.vfs.open(bench.at('no', 'a'), 'create'), 'NOT_FOUND', bench.at('no', 'a'));
    });

    test('a directory is not opened, in no mode', async () => {
      for (const mode of ['read', 'write', 'create'] as const) {
        await expectRefused(bench.vfs.open(bench.root, mode), 'IO', bench.root);
      }
    });

    test('write keeps what the file holds', async () => {
      await bench.put(bench.at('a'), pattern(100));
      const file = await bench.open(bench.at('a'), 'write');
      await file.write(Uint8Array.of(9, 9), 50);
      const expected = pattern(100);
      expected.set([9, 9], 50);
      expect(await bench.contents(file)).toEqual(expected);
    });

    test('two handles on one file see each other without delay', async () => {
      const writer = await bench.open(bench.at('a'), 'create');
      const reader = await bench.open(bench.at('a'), 'read');
      await writer.write(pattern(20), 0);
      expect(await bench.contents(reader)).toEqual(pattern(20));
      await writer.truncate(5);
      expect(await reader.size()).toBe(5);
    });
  });

  describe('reading and writing', () => {
    test('bytes come back from where they were put', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(1000, 1), 0);
      await file.write(pattern(500, 2), 1000);
      const part = new Uint8Array(300);
      expect(await file.read(part, 900)).toBe(300);
      expect(part.subarray(0, 100)).toEqual(pattern(1000, 1).subarray(900));
      expect(part.subarray(100)).toEqual(pattern(500, 2).subarray(0, 200));
    });

    test('a read that meets the end of the file returns fewer bytes and leaves the rest of its target', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10), 0);
      const target = new Uint8Array(20).fill(0xee);
      expect(await file.read(target, 4)).toBe(6);
      expect(target.subarray(0, 6)).toEqual(pattern(10).subarray(4));
      expect(target.subarray(6)).toEqual(new Uint8Array(14).fill(0xee));
      expect(await file.read(target, 10)).toBe(0);
      expect(await file.read(target, 1_000_000)).toBe(0);
      expect(file.readSync(target, 8)).toBe(2);
      expect(file.readSync(target, 11)).toBe(0);
    });

    test('what lies between the end and a write past it reads as zeros', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(3), 0);
      await file.write(pattern(3), 100_000);
      expect(await file.size()).toBe(100_003);
      const all = await bench.contents(file);
      expect(all.subarray(0, 3)).toEqual(pattern(3));
      expect(all.subarray(3, 100_000).every((byte) => byte === 0)).toBe(true);
      expect(all.subarray(100_000)).toEqual(pattern(3));
    });

    test('nothing is read or written through an empty view, wherever it points', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(new Uint8Array(0), 500);
      file.writeSync(new Uint8Array(0), 500);
      expect(await file.size()).toBe(0);
      expect(await file.read(new Uint8Array(0), 7)).toBe(0);
      expect(file.readSync(new Uint8Array(0), 7)).toBe(0);
    });

    test('the synchronous calls do the same as the others', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      file.writeSync(pattern(5000), 10);
      const target = new Uint8Array(5000);
      expect(file.readSync(target, 10)).toBe(5000);
      expect(target).toEqual(pattern(5000));
      expect(await bench.contents(file)).toEqual(Uint8Array.of(...new Uint8Array(10), ...pattern(5000)));
    });

    test('views on a shared memory are read into and written from in place', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      const source = sharedView(70_001);
      source.set(pattern(70_001));
      await file.write(source, 3);
      const target = sharedView(70_001);
      expect(await file.read(target, 3)).toBe(70_001);
      expect(Buffer.compare(target, pattern(70_001))).toBe(0);
      file.writeSync(source.subarray(1, 6), 0);
      target.fill(0);
      expect(file.readSync(target.subarray(10, 15), 0)).toBe(5);
      expect([...target.subarray(9, 16)]).toEqual([0, ...pattern(6).subarray(1), 0]);
    });

    test('a source may change once its write has settled', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      const source = pattern(1000);
      await file.write(source, 0);
      source.fill(0xff);
      expect(await bench.contents(file)).toEqual(pattern(1000));
    });

    test('writes to disjoint positions may overlap in time', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      const parts = Array.from({ length: 64 }, (_, i) => ({ i, position: ((i * 37) % 64) * 777 }));
      await Promise.all(parts.map(({ i, position }) => file.write(pattern(777, i), position)));
      const all = await bench.contents(file);
      expect(all.length).toBe(64 * 777);
      for (const { i, position } of parts) {
        expect(all.subarray(position, position + 777)).toEqual(pattern(777, i));
      }
    });

    test('a transfer of some megabytes is whole', async () => {
      const bytes = pattern(3 * 1024 * 1024 + 13);
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(bytes, 5);
      const target = new Uint8Array(bytes.length);
      expect(await file.read(target, 5)).toBe(bytes.length);
      expect(Buffer.compare(target, bytes)).toBe(0);
      file.writeSync(bytes, 0);
      expect(file.readSync(target, 0)).toBe(bytes.length);
      expect(Buffer.compare(target, bytes)).toBe(0);
    });

    test('a handle for reading takes no writes', async () => {
      await bench.put(bench.at('a'), pattern(10));
      const file = await bench.open(bench.at('a'), 'read');
      await expectRefused(file.write(pattern(1), 0), 'READ_ONLY', bench.at('a'));
      await expectRefused(file.truncate(0), 'READ_ONLY', bench.at('a'));
      expect(() => file.writeSync(pattern(1), 0)).toThrow(expect.objectContaining({ code: 'READ_ONLY' }));
      expect(await bench.contents(file)).toEqual(pattern(10));
    });

    test('a position that is none is refused before anything happens', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10), 0);
      for (const position of [-1, 1.5, Number.NaN, 2 ** 53, undefined as unknown as number]) {
        await expect(file.read(new Uint8Array(1), position)).rejects.toThrow(RangeError);
        await expect(file.write(pattern(1), position)).rejects.toThrow(RangeError);
        await expect(file.truncate(position)).rejects.toThrow(RangeError);
        expect(() => file.readSync(new Uint8Array(1), position)).toThrow(RangeError);
        expect(() => file.writeSync(pattern(1), position)).toThrow(RangeError);
      }
      expect(await bench.contents(file)).toEqual(pattern(10));
    });
  });

  describe('length', () => {
    test('truncate cuts off, and what is cut off does not come back', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10_000), 0);
      await file.truncate(4097);
      expect(await file.size()).toBe(4097);
      await file.truncate(10_000);
      const all = await bench.contents(file);
      expect(all.subarray(0, 4097)).toEqual(pattern(10_000).subarray(0, 4097));
      expect(all.subarray(4097).every((byte) => byte === 0)).toBe(true);
    });

    test('truncate extends with zeros', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(3), 0);
      await file.truncate(5);
      expect(await bench.contents(file)).toEqual(Uint8Array.of(...pattern(3), 0, 0));
      await file.truncate(0);
      expect(await file.size()).toBe(0);
    });

    test('a write past a cut leaves zeros between', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(9000), 0);
      await file.truncate(10);
      await file.write(pattern(1), 8000);
      const all = await bench.contents(file);
      expect(all.subarray(10, 8000).every((byte) => byte === 0)).toBe(true);
    });

    test('syncing changes nothing that can be seen', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(100), 0);
      await file.datasync();
      await bench.vfs.syncDir(bench.root);
      expect(await bench.contents(file)).toEqual(pattern(100));
      expect(await bench.vfs.readdir(bench.root)).toEqual(['a']);
    });
  });

  describe('closing', () => {
    test('every call on a closed handle is refused', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.close();
      const one = new Uint8Array(1);
      await expectRefused(file.size(), 'CLOSED', bench.at('a'));
      await expectRefused(file.read(one, 0), 'CLOSED', bench.at('a'));
      await expectRefused(file.write(one, 0), 'CLOSED', bench.at('a'));
      await expectRefused(file.datasync(), 'CLOSED', bench.at('a'));
      await expectRefused(file.truncate(0), 'CLOSED', bench.at('a'));
      expect(() => file.readSync(one, 0)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
      expect(() => file.writeSync(one, 0)).toThrow(expect.objectContaining({ code: 'CLOSED' }));
    });

    test('a second close does nothing', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await Promise.all([file.close(), file.close()]);
      expect(await file.close()).toBeUndefined();
    });

    test('closing lets the calls in flight finish', async () => {
      const bytes = pattern(500_000);
      const file = await bench.open(bench.at('a'), 'create');
      const writes = [file.write(bytes, 0), file.write(bytes, 500_000), file.datasync()];
      const closed = file.close();
      await expectRefused(file.write(bytes, 0), 'CLOSED', bench.at('a'));
      await Promise.all([...writes, closed]);
      expect((await bench.contentsOf(bench.at('a'))).length).toBe(1_000_000);
    });
  });
}
