/**
 * The conformance of names: directories, renaming, removing, the lock.
 *
 * @module
 */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { VarveError } from '../../src/errors.ts';
import type { VfsLock } from '../../src/vfs/vfs.ts';
import { type Bench, expectRefused, pattern } from '../kit/vfs-bench.ts';

export function nameSuite(make: () => Promise<Bench>): void {
  let bench: Bench;

  beforeEach(async () => {
    bench = await make();
  });

  afterEach(() => bench.dispose());

  describe('names', () => {
    test('a file that was removed lives until it is closed', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10), 0);
      await bench.vfs.remove(bench.at('a'));
      expect(await bench.vfs.readdir(bench.root)).toEqual([]);
      expect(await bench.vfs.stat(bench.at('a'))).toBeUndefined();
      await file.write(pattern(10), 10);
      await file.datasync();
      expect(await file.size()).toBe(20);
      await bench.put(bench.at('a'), pattern(3));
      expect(await file.size()).toBe(20);
      expect(await bench.contentsOf(bench.at('a'))).toEqual(pattern(3));
    });

    test('to remove what does not exist is no error; to remove a directory is one', async () => {
      await bench.vfs.remove(bench.at('none'));
      await bench.vfs.remove(bench.at('none', 'below'));
      await bench.vfs.mkdir(bench.at('d'));
      // POSIX says EPERM, Linux says EISDIR.
      await expectRefused(bench.vfs.remove(bench.at('d')), ['IO', 'READ_ONLY'], bench.at('d'));
      expect(await bench.vfs.stat(bench.at('d'))).toMatchObject({ kind: 'directory', bytes: 0 });
    });

    test('rename moves the file, its bytes and its open handles', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10), 0);
      await bench.vfs.rename(bench.at('a'), bench.at('b'));
      expect(await bench.vfs.readdir(bench.root)).toEqual(['b']);
      await file.write(pattern(10), 10);
      expect((await bench.contentsOf(bench.at('b'))).length).toBe(20);
    });

    test('a file keeps its id under another name, and shares it with no other', async () => {
      await bench.put(bench.at('a'), pattern(10));
      await bench.put(bench.at('b'), pattern(10));
      const [a, b] = [await bench.vfs.stat(bench.at('a')), await bench.vfs.stat(bench.at('b'))];
      expect(a?.id).not.toBe(b?.id);
      await bench.vfs.rename(bench.at('a'), bench.at('b'));
      expect(await bench.vfs.stat(bench.at('b'))).toEqual(a);
    });

    test('the time of the last change goes on with each write', async () => {
      const file = await bench.open(bench.at('a'), 'create');
      await file.write(pattern(10), 0);
      const before = await bench.vfs.stat(bench.at('a'));
      expect(await bench.vfs.stat(bench.at('a'))).toEqual(before);
      // The clock of a file system moves in steps of some milliseconds.
      await expect
        .poll(async () => {
          await file.write(pattern(10), 0);
          return (await bench.vfs.stat(bench.at('a')))?.modifiedMs;
        })
        .toBeGreaterThan(before?.modifiedMs ?? Number.NaN);
    });

    test.skipIf(process.platform === 'win32')(
      'rename replaces what has the new name, whose open handles keep the old bytes',
      async () => {
        await bench.put(bench.at('new'), pattern(10, 1));
        await bench.put(bench.at('old'), pattern(20, 2));
        const old = await bench.open(bench.at('old'), 'read');
        await bench.vfs.rename(bench.at('new'), bench.at('old'));
        expect(await bench.vfs.readdir(bench.root)).toEqual(['old']);
        expect(await bench.contentsOf(bench.at('old'))).toEqual(pattern(10, 1));
        expect(await bench.contents(old)).toEqual(pattern(20, 2));
      },
    );

    test('rename works between directories, and onto itself does nothing', async () => {
      await bench.vfs.mkdir(bench.at('d'));
      await bench.put(bench.at('a'), pattern(10));
      await bench.vfs.rename(bench.at('a'), bench.at('a'));
      await bench.vfs.rename(bench.at('a'), bench.at('d', 'b'));
      expect(await bench.vfs.readdir(bench.root)).toEqual(['d']);
      expect(await bench.contentsOf(bench.at('d', 'b'))).toEqual(pattern(10));
    });

    test('rename refuses a file that does not exist, and leaves the target alone', async () => {
      await bench.put(bench.at('b'), pattern(10));
      await expectRefused(bench.vfs.rename(bench.at('a'), bench.at('b')), 'NOT_FOUND', bench.at('a'));
      expect(await bench.contentsOf(bench.at('b'))).toEqual(pattern(10));
      await expectRefused(bench.vfs.rename(bench.at('b'), bench.at('no', 'b')), 'NOT_FOUND', bench.at('b'));
      expect(await bench.contentsOf(bench.at('b'))).toEqual(pattern(10));
    });

    test('readdir sorts by code unit', async () => {
      const names = ['b', 'a', 'B', '10', '9', '00000000000000000010.log', '\u{1F600}', '\uFF5E', 'aa'];
      for (const name of names) await bench.put(bench.at(name), pattern(1));
      expect(await bench.vfs.readdir(bench.root)).toEqual([
        '00000000000000000010.log',
        '10',
        '9',
        'B',
        'a',
        'aa',
        'b',
        '\u{1F600}',
        '\uFF5E',
      ]);
    });

    test('readdir refuses what is no directory', async () => {
      await expectRefused(bench.vfs.readdir(bench.at('none')), 'NOT_FOUND', bench.at('none'));
      await bench.put(bench.at('a'), pattern(1));
      await expectRefused(bench.vfs.readdir(bench.at('a')), 'IO', bench.at('a'));
    });

    test('stat tells files from directories, and from nothing', async () => {
      await bench.put(bench.at('a'), pattern(10));
      await bench.vfs.mkdir(bench.at('d'));
      expect(await bench.vfs.stat(bench.at('a'))).toMatchObject({ kind: 'file', bytes: 10 });
      expect(await bench.vfs.stat(bench.at('d'))).toMatchObject({ kind: 'directory', bytes: 0 });
      expect(await bench.vfs.stat(bench.at('none'))).toBeUndefined();
      expect(await bench.vfs.stat(bench.at('none', 'below'))).toBeUndefined();
      expect(await bench.vfs.stat(bench.at('a', 'below'))).toBeUndefined();
    });
  });

  describe('directories', () => {
    test('mkdir makes the missing parents, and accepts what exists', async () => {
      await bench.vfs.mkdir(bench.at('x', 'y', 'z'));
      await bench.vfs.mkdir(bench.at('x', 'y', 'z'));
      await bench.vfs.mkdir(bench.at('x'));
      expect(await bench.vfs.readdir(bench.at('x'))).toEqual(['y']);
      await bench.put(bench.at('x', 'y', 'z', 'a'), pattern(1));
    });

    test('mkdir refuses where a file is in the way', async () => {
      await bench.put(bench.at('a'), pattern(1));
      await expectRefused(bench.vfs.mkdir(bench.at('a')), 'IO', bench.at('a'));
      await expectRefused(bench.vfs.mkdir(bench.at('a', 'b')), 'IO', bench.at('a', 'b'));
    });

    test('removeDir takes an empty directory, or none', async () => {
      await bench.vfs.mkdir(bench.at('d', 'e'));
      await expectRefused(bench.vfs.removeDir(bench.at('d')), 'IO', bench.at('d'));
      await bench.vfs.removeDir(bench.at('d', 'e'));
      await bench.vfs.removeDir(bench.at('d'));
      await bench.vfs.removeDir(bench.at('d'));
      expect(await bench.vfs.readdir(bench.root)).toEqual([]);
      await bench.put(bench.at('a'), pattern(1));
      await expectRefused(bench.vfs.removeDir(bench.at('a')), 'IO', bench.at('a'));
    });

    test.skipIf(process.platform === 'win32')('syncDir refuses what is no directory', async () => {
      await bench.vfs.syncDir(bench.root);
      await expectRefused(bench.vfs.syncDir(bench.at('none')), 'NOT_FOUND', bench.at('none'));
      await bench.put(bench.at('a'), pattern(1));
      await expectRefused(bench.vfs.syncDir(bench.at('a')), 'IO', bench.at('a'));
    });
  });

  describe('the lock', () => {
    test('a second handle of this process is refused, by its own pid', async () => {
      const lock = await bench.vfs.lock(bench.root);
      const error = await expectRefused(bench.vfs.lock(bench.root), 'LOCKED', bench.root);
      expect(error.pid).toBe(process.pid);
      await lock.release();
    });

    test('what was released can be taken again, and a second release does not hurt its new owner', async () => {
      const first = await bench.vfs.lock(bench.root);
      await Promise.all([first.release(), first.release()]);
      const second = await bench.vfs.lock(bench.root);
      await first.release();
      await expectRefused(bench.vfs.lock(bench.root), 'LOCKED', bench.root);
      await second.release();
    });

    test('another way of writing the path is the same lock', async () => {
      await bench.vfs.mkdir(bench.at('d', 'e'));
      const lock = await bench.vfs.lock(bench.at('d'));
      const other = bench.at('d', '.', 'e', '..');
      await expectRefused(bench.vfs.lock(other), 'LOCKED', other);
      await lock.release();
    });

    test('two directories have two locks', async () => {
      await bench.vfs.mkdir(bench.at('d'));
      await bench.vfs.mkdir(bench.at('e'));
      const locks: VfsLock[] = [
        await bench.vfs.lock(bench.at('d')),
        await bench.vfs.lock(bench.at('e')),
        await bench.vfs.lock(bench.root),
      ];
      for (const lock of locks) await lock.release();
      expect(locks.length).toBe(3);
    });

    test('of many that ask at once, exactly one gets it', async () => {
      for (let round = 0; round < 5; round++) {
        const results = await Promise.allSettled(Array.from({ length: 8 }, () => bench.vfs.lock(bench.root)));
        const taken = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        const refused = results.flatMap((result) =>
          result.status === 'rejected' ? [result.reason as VarveError] : [],
        );
        expect(taken.length).toBe(1);
        expect(new Set(refused.map((error) => error.code))).toEqual(new Set(['LOCKED']));
        for (const lock of taken) await lock.release();
      }
    });

    test('a directory that does not exist has no lock', async () => {
      await expectRefused(bench.vfs.lock(bench.at('none')), 'NOT_FOUND', bench.at('none'));
    });
  });
}
