import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { LogOptions } from '../src/log/options.ts';
import { type Database, open } from '../src/open.ts';
import type { OpenOptions } from '../src/open-options.ts';
import { createRuntime, type Runtime } from '../src/runtime.ts';
import { createFaultVfs, type FaultRule, type FaultVfs } from '../src/testing/fault.ts';
import { createMemoryVfs } from '../src/vfs/memory.ts';
import type { Vfs } from '../src/vfs/vfs.ts';
import { settle } from './kit/clock.ts';
import { failure, failureCode, fileBytes, putFile, readValues, soon } from './kit/log-kit.ts';

const runtime: Runtime = createRuntime({ memoryBytes: 32 * 1024 * 1024 });
const databases: Database[] = [];
const disks: FaultVfs[] = [];

function disk(rules: FaultRule[] = []): FaultVfs {
  const vfs = createFaultVfs(createMemoryVfs(), rules);
  disks.push(vfs);
  return vfs;
}

async function opened(vfs: Vfs, options?: OpenOptions, directory = '/data'): Promise<Database> {
  const database = await open(directory, { runtime, vfs, ...options });
  databases.push(database);
  return database;
}

afterEach(async () => {
  for (const database of databases.splice(0)) await soon(database.close().catch(() => undefined));
  const openFiles = disks.splice(0).reduce((sum, vfs) => sum + vfs.openFiles, 0);
  expect({ slabs: runtime.memory.slabs.inUse(), openFiles }).toEqual({ slabs: [], openFiles: 0 });
});

afterAll(() => runtime.close());

describe('open', () => {
  test('makes a directory, and finds it again', async () => {
    const vfs = disk();
    const database = await opened(vfs, {}, '/a/b/data');
    expect(await vfs.readdir('/a/b/data')).toContain('VERSION');
    await (await database.log('orders')).append({ value: 'x' });
    await database.close();
    const again = await opened(vfs, { create: false }, '/a/b/data');
    expect(await readValues(await again.log('orders'))).toEqual(['x']);
  });

  test('says who has the directory, and lets the next one in afterwards', async () => {
    const vfs = disk();
    const first = await opened(vfs);
    expect(await failure(opened(vfs))).toMatchObject({ code: 'LOCKED', pid: process.pid });
    await first.close();
    await opened(vfs);
  });

  test('read-only works beside a writer, and takes no lock', async () => {
    const vfs = disk();
    const writer = await opened(vfs);
    await (await writer.log('orders')).append({ value: 'x' });
    const reader = await opened(vfs, { readOnly: true });
    expect(reader.readOnly).toBe(true);
    const log = await reader.log('orders');
    expect(await readValues(log)).toEqual(['x']);
    expect(await failureCode(log.append({}))).toBe('READ_ONLY');
    expect(await failureCode(reader.log('unknown'))).toBe('NOT_FOUND');
    expect(await reader.logNames()).toEqual([{ name: 'orders', partition: 0 }]);
  });

  test('refuses what is no database, and leaves nothing in it', async () => {
    const vfs = disk();
    await vfs.mkdir('/photos');
    await putFile(vfs, '/photos/cat.jpg', Buffer.from('cat'));
    await putFile(vfs, '/file', Buffer.from('file'));
    await vfs.mkdir('/empty');
    const cases: [string, OpenOptions][] = [
      ['/photos', {}],
      ['/photos', { readOnly: true }],
      ['/photos', { create: false }],
      ['/file', {}],
      ['/file', { readOnly: true }],
      ['/empty', { create: false }],
      ['/empty', { readOnly: true }],
      ['/missing', { create: false }],
      ['/missing', { readOnly: true }],
      ['/missing', { readOnly: true, create: true }],
    ];
    for (const [directory, options] of cases) {
      expect([directory, await failureCode(opened(vfs, options, directory))]).toEqual([
        directory,
        'NOT_FOUND',
      ]);
    }
    expect(await vfs.readdir('/photos')).toEqual(['cat.jpg']);
    expect(await vfs.readdir('/empty')).toEqual([]);
    expect(await vfs.stat('/missing')).toBeUndefined();
  });

  test.each([
    ['2\n', 'VERSION'],
    ['999999999', 'VERSION'],
    ['', 'CORRUPT'],
    ['one', 'CORRUPT'],
    ['-1', 'CORRUPT'],
    ['1234567890123', 'CORRUPT'],
  ])('of a directory with the version %j is %s, and the lock is given back', async (text, code) => {
    const vfs = disk();
    await (await opened(vfs)).close();
    await putFile(vfs, '/data/VERSION', Buffer.from(text));
    for (const readOnly of [false, true]) expect(await failureCode(opened(vfs, { readOnly }))).toBe(code);
    expect((await fileBytes(vfs, '/data/VERSION')).toString()).toBe(text);
    await putFile(vfs, '/data/VERSION', Buffer.from('1\n'));
    await opened(vfs);
  });

  test('names the option that is wrong before anything happens', async () => {
    const vfs = disk();
    const cases: [unknown, object, RegExp][] = [
      ['', {}, /directory must be a path/],
      [5, {}, /directory must be a path/],
      ['/data', { read_only: true }, /options has no option read_only; it has runtime, readOnly/],
      ['/data', { readOnly: 'no' }, /readOnly must be true or false, not "no"/],
      ['/data', { create: 1 }, /create must be true or false/],
      ['/data', { recovery: 'best' }, /recovery must be one of/],
    ];
    for (const [directory, options, message] of cases) {
      await expect(open(directory as string, { vfs, runtime, ...options })).rejects.toThrow(message);
    }
    expect(await vfs.readdir('/')).toEqual([]);
  });

  test('that fails at any operation gives back what it took, and works the next time', async () => {
    let failures = 0;
    for (let at = 0, met = true; met; at++) {
      const inner = createMemoryVfs();
      const vfs = createFaultVfs(inner, [{ at, error: 'EIO' }]);
      await opened(vfs).then(
        (database) => database.close().catch(() => undefined),
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'IO' });
          failures++;
        },
      );
      met = vfs.injected > 0;
      expect(vfs.openFiles).toBe(0);
      await (await opened(inner)).close();
    }
    expect(failures).toBeGreaterThan(5);
  });
});

describe('a database', () => {
  test('gives the same handle for the same log', async () => {
    const database = await opened(disk());
    const [one, two] = await Promise.all([database.log('orders'), database.log('orders')]);
    expect(one).toBe(two);
    expect(await database.log('orders', { partition: 0 })).toBe(one);
    const other = await database.log('orders', { partition: 7 });
    expect(other).not.toBe(one);
    await other.append({ value: 'seven' });
    expect(await readValues(one)).toEqual([]);
    expect(await database.logNames()).toEqual([
      { name: 'orders', partition: 0 },
      { name: 'orders', partition: 7 },
    ]);
  });

  test('refuses other options for a log that is open', async () => {
    const database = await opened(disk());
    const options = { segmentBytes: 8192, retention: { bytes: 100_000 } } as const;
    const opening = database.log('orders', { ...options, sync: { mode: 'interval' } });
    const wrong: [LogOptions, RegExp][] = [
      [{ segmentBytes: 4096 }, /orders is open with segmentBytes 8192: close it before you ask for 4096/],
      [{ sync: { mode: 'always' } }, /sync .*"interval"/],
      [{ sync: { mode: 'interval', intervalMs: 7 } }, /sync/],
      [{ retention: { ageMs: 5 } }, /retention/],
      [{ recovery: 'skipAnyCorrupted' }, /recovery "tolerateCorruptedTail"/],
      [{ preallocate: true }, /preallocate false/],
    ];
    // While it is being opened, and afterwards.
    for (const _ of [0, 1]) {
      for (const [other, message] of wrong) {
        const refused = database.log('orders', other);
        await expect(refused).rejects.toThrow(TypeError);
        await expect(refused).rejects.toThrow(message);
      }
      await opening;
    }
    const log = await opening;
    expect(await database.log('orders')).toBe(log);
    expect(await database.log('orders', { ...options, preallocate: false })).toBe(log);
    // 200 ms is what `interval` says without being told.
    expect(await database.log('orders', { sync: { mode: 'interval', intervalMs: 200 } })).toBe(log);
    expect(await database.log('orders', { partition: 1, segmentBytes: 4096 })).not.toBe(log);
    await log.close();
    expect(await database.log('orders', { segmentBytes: 4096 })).not.toBe(log);
  });

  test('opens a log again that was closed', async () => {
    const database = await opened(disk());
    const first = await database.log('orders');
    await first.append({ value: 'a' });
    const closing = first.close();
    const again = await database.log('orders', { segmentBytes: 4096 });
    await closing;
    expect(again).not.toBe(first);
    expect(await again.append({ value: 'b' })).toBe(1);
    expect(await readValues(again)).toEqual(['a', 'b']);
    expect(await database.log('orders')).toBe(again);
  });

  test('opens a log again that was poisoned', async () => {
    const rules: FaultRule[] = [];
    const database = await opened(disk(rules));
    const log = await database.log('orders');
    await log.append({ value: 'a' });
    rules.push({ operation: 'datasync', path: /\d\.log$/, error: 'EIO', times: 1 });
    expect(await failureCode(log.append({ value: 'b' }))).toBe('POISONED');
    expect(await failureCode(log.close())).toBe('POISONED');
    const again = await database.log('orders');
    await again.append({ value: 'c' });
    expect((await readValues(again)).at(-1)).toBe('c');
  });

  test('tries again to open a log where that failed', async () => {
    const rules: FaultRule[] = [];
    const database = await opened(disk(rules));
    rules.push({ operation: 'open', path: /\.log$/, error: 'EMFILE', times: 1 });
    expect(await failureCode(database.log('orders'))).toBe('IO');
    expect(await (await database.log('orders')).append({})).toBe(0);
  });

  test.each([
    ['a/b', RangeError],
    ['../escape', RangeError],
    ['.', RangeError],
    ['..', RangeError],
    ['', RangeError],
    ['a b', RangeError],
    ['größe', RangeError],
    ['a'.repeat(201), RangeError],
    [5, TypeError],
    [undefined, TypeError],
  ])('refuses the name %j', async (name, kind) => {
    const vfs = disk();
    const database = await opened(vfs);
    await expect(database.log(name as string)).rejects.toThrow(kind);
    expect(await vfs.readdir('/data/logs')).toEqual([]);
  });

  test('takes names that look like other names', async () => {
    const database = await opened(disk());
    const names = ['a', 'a-1', 'a-1-0', 'A.b_c', '-', '0'];
    for (const name of names) await (await database.log(name)).append({ value: name });
    await (await database.log('a', { partition: 1 })).append({ value: 'a 1' });
    for (const name of names) expect(await readValues(await database.log(name))).toEqual([name]);
    expect(await database.logNames()).toEqual([
      { name: '-', partition: 0 },
      { name: '0', partition: 0 },
      { name: 'A.b_c', partition: 0 },
      { name: 'a', partition: 0 },
      { name: 'a', partition: 1 },
      { name: 'a-1', partition: 0 },
      { name: 'a-1-0', partition: 0 },
    ]);
  });

  test('lists only what its logs can be, and is not troubled by the rest', async () => {
    const vfs = disk();
    const database = await opened(vfs);
    await database.log('orders');
    for (const name of ['orders-00', 'backup', 'with space-0', 'orders-0x'])
      await vfs.mkdir(`/data/logs/${name}`);
    await putFile(vfs, '/data/logs/notes-1', Buffer.from('a file'));
    expect(await database.logNames()).toEqual([{ name: 'orders', partition: 0 }]);
    expect((await database.verify()).isClean).toBe(true);
    expect(await vfs.readdir('/data/logs')).toHaveLength(6);
  });

  test('checks the options of a log before it makes one', async () => {
    const vfs = disk();
    const database = await opened(vfs);
    await expect(database.log('orders', { segmentBytes: 1 })).rejects.toThrow(/segmentBytes/);
    await expect(database.log('orders', { partition: -1 })).rejects.toThrow(/partition/);
    expect(await vfs.readdir('/data/logs')).toEqual([]);
  });

  test('passes its recovery mode on, unless a log has its own', async () => {
    const vfs = disk();
    const first = await opened(vfs);
    const log = await first.log('orders');
    await log.append({ value: 'a' });
    await first.close();
    const path = '/data/logs/orders-0/00000000000000000000.log';
    await putFile(vfs, path, Buffer.concat([await fileBytes(vfs, path), Buffer.from('torn')]));
    const strict = await opened(vfs, { recovery: 'absoluteConsistency' });
    expect(await failureCode(strict.log('orders'))).toBe('CORRUPT');
    expect(await failureCode(strict.log('orders', { recovery: undefined }))).toBe('CORRUPT');
    const lenient = await strict.log('orders', { recovery: 'tolerateCorruptedTail' });
    expect(await readValues(lenient)).toEqual(['a']);
  });

  test('closes everything, once, and refuses what comes later', async () => {
    const vfs = disk();
    const database = await opened(vfs);
    const logs = await Promise.all(['a', 'b', 'c'].map((name) => database.log(name)));
    for (const log of logs) log.enqueue({ value: 'x' });
    const late = database.log('d');
    const closing = database.close();
    expect(database.close()).toBe(closing);
    await soon(closing);
    for (const log of [...logs, await late]) expect(await failureCode(log.append({}))).toBe('CLOSED');
    expect(await failureCode(database.log('a'))).toBe('CLOSED');
    expect(await failureCode(database.logNames())).toBe('CLOSED');
    expect(await failureCode(database.verify())).toBe('CLOSED');
    const again = await opened(vfs);
    expect(await readValues(await again.log('b'))).toEqual(['x']);
  });

  test('closes the others and gives the directory back though one log fails', async () => {
    const rules: FaultRule[] = [];
    const vfs = disk(rules);
    const database = await opened(vfs);
    const [bad, good] = [await database.log('bad'), await database.log('good')];
    rules.push({ operation: 'datasync', path: /bad-0\/\d+\.log$/, error: 'EIO', times: 1 });
    bad.enqueue({ value: 'x' });
    good.enqueue({ value: 'y' });
    expect(await failureCode(database.close())).toBe('POISONED');
    const again = await opened(vfs);
    expect(await readValues(await again.log('good'))).toEqual(['y']);
  });

  test('is closed at the end of a scope', async () => {
    const vfs = disk();
    {
      await using database = await open('/data', { runtime, vfs });
      await using log = await database.log('orders');
      log.enqueue({ value: 'x' });
    }
    const again = await opened(vfs);
    expect(await readValues(await again.log('orders'))).toEqual(['x']);
  });

  test('counts what its logs did', async () => {
    const database = await opened(disk());
    await (await database.log('orders')).appendMany([{}, {}, {}]);
    const { logs, memory } = database.metrics();
    expect(logs['orders-0']).toMatchObject({ appendedRecords: 3, writes: 1, syncs: 1, isPoisoned: false });
    expect(memory.inUseBytes).toBeGreaterThan(0);
    expect(memory.budgetBytes).toBe(runtime.memory.slabs.budgetBytes);
  });

  test('verify leaves the next call of log its options', async () => {
    const vfs = disk();
    await (await (await opened(vfs)).log('orders')).append({ value: 'x' });
    await databases.at(-1)?.close();
    const database = await opened(vfs);
    expect((await database.verify()).isClean).toBe(true);
    const log = await database.log('orders', { maxRecordBytes: 7 });
    expect(log.maxRecordBytes).toBe(7);
    await settle(1);
  });
});

describe('on the real disk', () => {
  test('a database is made, locked, closed and found again', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'varve-open-'));
    try {
      const path = join(directory, 'data');
      const database = await open(path, { runtime });
      databases.push(database);
      expect(await failure(open(path, { runtime }))).toMatchObject({ code: 'LOCKED', pid: process.pid });
      await (await database.log('orders')).append({ value: 'kept' });
      await database.close();
      const again = await open(path, { runtime });
      databases.push(again);
      expect(await readValues(await again.log('orders'))).toEqual(['kept']);
      await again.close();
      await writeFile(join(directory, 'stray'), 'x');
      expect(await failureCode(open(directory, { runtime }))).toBe('NOT_FOUND');
      expect((await readdir(directory)).sort()).toEqual(['data', 'stray']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
