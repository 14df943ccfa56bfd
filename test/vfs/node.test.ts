import fs, { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VarveError } from '../../src/errors.ts';
import { systemError } from '../../src/vfs/checks.ts';
import { nodeVfs } from '../../src/vfs/node.ts';
import type { VfsFile } from '../../src/vfs/vfs.ts';

type Callback = (error: Error | null, bytes: number) => void;
type Transfer = (
  fd: number,
  view: Uint8Array,
  at: number,
  bytes: number,
  position: number,
  done: Callback,
) => void;
type TransferSync = (fd: number, view: Uint8Array, at: number, bytes: number, position: number) => number;

const real = { read: fs.read as Transfer, write: fs.write as unknown as Transfer };
const realSync = { read: fs.readSync as TransferSync, write: fs.writeSync as TransferSync };

let directory: string;
let file: VfsFile;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'varve-node-'));
  file = await nodeVfs.open(join(directory, 'a'), 'create');
});
afterEach(async () => {
  vi.restoreAllMocks();
  await file.close();
  rmSync(directory, { recursive: true, force: true });
});

const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
const onDisk = (): Uint8Array => Uint8Array.from(readFileSync(file.path));

/**
 * Puts a plan before a call: a number is how many bytes the system takes at most, a string is the code of the
 * error it gives instead. After the plan everything goes through.
 */
function plan(name: 'read' | 'write', steps: (number | string)[]): { calls: () => number } {
  let calls = 0;
  const next = (wanted: number): number => {
    calls++;
    const step = steps.shift() ?? wanted;
    if (typeof step === 'string') throw systemError(step, name, file.path);
    return Math.min(step, wanted);
  };
  const asynchronous: Transfer = (fd, view, at, wanted, position, done) => {
    try {
      const part = next(wanted);
      if (part === 0) queueMicrotask(() => done(null, 0));
      else real[name](fd, view, at, part, position, done);
    } catch (error) {
      queueMicrotask(() => done(error as Error, 0));
    }
  };
  const synchronous: TransferSync = (fd, view, at, wanted, position) => {
    const part = next(wanted);
    return part === 0 ? 0 : realSync[name](fd, view, at, part, position);
  };
  vi.spyOn(fs, name).mockImplementation(asynchronous as never);
  vi.spyOn(fs, `${name}Sync`).mockImplementation(synchronous as never);
  return { calls: () => calls };
}

/** The two ways to do each transfer, which must behave alike. */
const ways = [
  {
    way: 'asynchronous',
    write: (view: Uint8Array, position: number): Promise<void> => file.write(view, position),
    read: (view: Uint8Array, position: number): Promise<number> => file.read(view, position),
  },
  {
    way: 'synchronous',
    write: async (view: Uint8Array, position: number): Promise<void> => file.writeSync(view, position),
    read: async (view: Uint8Array, position: number): Promise<number> => file.readSync(view, position),
  },
];

describe.each(ways)('an $way transfer', ({ read, write }) => {
  test('that the system does in parts is whole', async () => {
    const { calls } = plan('write', [1, 7, 100, 891]);
    await write(bytes, 0);
    expect(calls()).toBe(5);
    expect(onDisk()).toEqual(bytes);
    plan('read', [1, 7, 100]);
    const target = new Uint8Array(1000);
    expect(await read(target, 0)).toBe(1000);
    expect(target).toEqual(bytes);
  });

  test('that is interrupted goes on where it was', async () => {
    plan('write', ['EINTR', 10, 'EAGAIN', 'EINTR', 10, 'EINTR']);
    await write(bytes, 0);
    expect(onDisk()).toEqual(bytes);
    plan('read', ['EAGAIN', 10, 'EINTR']);
    const target = new Uint8Array(1000);
    expect(await read(target, 0)).toBe(1000);
    expect(target).toEqual(bytes);
  });

  test('that is interrupted without end fails', async () => {
    plan('write', new Array<string>(1000).fill('EINTR'));
    await expect(write(bytes, 0)).rejects.toMatchObject({ code: 'IO', file: file.path });
    plan('read', new Array<string>(1000).fill('EAGAIN'));
    await expect(read(new Uint8Array(1), 0)).rejects.toMatchObject({ code: 'IO', file: file.path });
  });

  test('that writes nothing once goes on, and fails when it writes nothing twice in a row', async () => {
    plan('write', [0, 10, 0]);
    await write(bytes, 0);
    expect(onDisk()).toEqual(bytes);
    const { calls } = plan('write', [10, 0, 0]);
    await expect(write(bytes, 0)).rejects.toMatchObject({ code: 'IO', file: file.path });
    expect(calls()).toBe(3);
  });

  test('that fails half-way has the code of what stopped it', async () => {
    plan('write', [500, 'ENOSPC']);
    await expect(write(bytes, 0)).rejects.toMatchObject({
      code: 'NO_SPACE',
      file: file.path,
      cause: expect.objectContaining({ code: 'ENOSPC' }) as unknown,
    });
    expect(onDisk()).toEqual(bytes.subarray(0, 500));
    plan('read', [100, 'EIO']);
    await expect(read(new Uint8Array(1000), 0)).rejects.toMatchObject({ code: 'IO' });
  });

  test.skipIf(process.platform !== 'linux')('to a full disk says NO_SPACE', async () => {
    const full = await nodeVfs.open('/dev/full', 'write');
    await expect(full.write(bytes, 0)).rejects.toMatchObject({ code: 'NO_SPACE', file: '/dev/full' });
    expect(() => full.writeSync(bytes, 0)).toThrow(expect.objectContaining({ code: 'NO_SPACE' }));
    await full.close();
  });
});

describe('a sync', () => {
  test.each(['EIO', 'EINTR', 'EAGAIN'])('that fails with %s is not tried again', async (code) => {
    const sync = vi.spyOn(fs, 'fdatasync');
    sync.mockImplementation((_fd, done) => done(systemError(code, 'fdatasync', file.path)));
    await expect(file.datasync()).rejects.toMatchObject({ code: 'IO', file: file.path });
    expect(sync).toHaveBeenCalledTimes(1);
  });

  test.skipIf(process.platform === 'win32')('of a directory that fails is an error', async () => {
    vi.spyOn(fs, 'fsync').mockImplementation((_fd, done) => done(systemError('EINVAL', 'fsync', directory)));
    await expect(nodeVfs.syncDir(directory)).rejects.toMatchObject({ code: 'IO', file: directory });
  });
});

describe('a descriptor', () => {
  const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

  test('is closed only when the calls in flight are over', async () => {
    const order: string[] = [];
    const asynchronous: Transfer = (fd, view, at, wanted, position, done) => {
      real.write(fd, view, at, wanted, position, (error, count) => {
        order.push('written');
        done(error, count);
      });
    };
    vi.spyOn(fs, 'write').mockImplementation(asynchronous as never);
    const close = fs.close;
    vi.spyOn(fs, 'close').mockImplementation((fd, done) => {
      order.push('closed');
      close(fd, done);
    });
    await Promise.all([file.write(bytes, 0), file.write(bytes, 1000), file.close()]);
    expect(order).toEqual(['written', 'written', 'closed']);
  });

  test.skipIf(process.platform !== 'linux')('is not leaked by what fails', async () => {
    writeFileSync(join(directory, 'b'), '');
    const before = openDescriptors();
    const refused = (promise: Promise<unknown>): Promise<void> => expect(promise).rejects.toThrow(VarveError);
    vi.spyOn(fs, 'fsync').mockImplementation((_fd, done) => done(systemError('EIO', 'fsync', directory)));
    for (let round = 0; round < 5; round++) {
      await refused(nodeVfs.open(directory, 'read'));
      await refused(nodeVfs.open(join(directory, 'b'), 'create'));
      await refused(nodeVfs.syncDir(directory));
      await refused(nodeVfs.syncDir(join(directory, 'b')));
      const lock = await nodeVfs.lock(directory);
      await refused(nodeVfs.lock(directory));
      await lock.release();
    }
    // What was connected to is dropped by the event loop a moment later.
    await vi.waitFor(() => expect(openDescriptors()).toBe(before));
  });
});

describe('the errors of the system', () => {
  test.each([
    ['EROFS', 'READ_ONLY'],
    ['EACCES', 'READ_ONLY'],
    ['EDQUOT', 'NO_SPACE'],
    ['EMFILE', 'IO'],
    ['ENOENT', 'NOT_FOUND'],
  ])('%s on opening is %s, with the file and the cause', async (code, expected) => {
    const error = systemError(code, 'open', 'b');
    vi.spyOn(fs, 'open').mockImplementation((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(error);
    });
    await expect(nodeVfs.open('b', 'create')).rejects.toMatchObject({
      code: expected,
      file: 'b',
      message: `cannot open b: ${code}`,
      cause: error,
    });
  });
});
