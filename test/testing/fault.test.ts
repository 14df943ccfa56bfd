import { describe, expect, test } from 'vitest';
import { isVarveError } from '../../src/errors.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createFaultVfs, type FaultRule, type FaultVfs } from '../../src/testing/fault.ts';
import { createMemoryVfs, type OperationName } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { dump, filled, readAll, runs } from '../kit/disk-states.ts';

const faulty = (...rules: FaultRule[]): FaultVfs => createFaultVfs(createMemoryVfs(), rules);

/** Uses each operation once, in an order in which each needs those before it. */
async function workload(vfs: Vfs): Promise<void> {
  await vfs.mkdir('/d');
  const lock = await vfs.lock('/d');
  try {
    const file = await vfs.open('/d/a', 'create');
    try {
      await file.write(filled(10, 1), 0);
      file.writeSync(filled(10, 2), 10);
      await file.datasync();
      await file.truncate(15);
      await file.size();
      await file.read(new Uint8Array(5), 0);
      file.readSync(new Uint8Array(5), 0);
    } finally {
      await file.close();
    }
    await vfs.rename('/d/a', '/d/b');
    await vfs.syncDir('/d');
    await vfs.readdir('/d');
    await vfs.stat('/d/b');
    await vfs.remove('/d/b');
  } finally {
    await lock.release();
  }
  await vfs.removeDir('/d');
}

describe('a sweep', () => {
  test('fails each operation in turn, until the workload meets no fault', async () => {
    const failed: OperationName[] = [];
    for (let at = 0; ; at++) {
      const vfs = faulty({ at, error: 'EIO' });
      const outcome = await workload(vfs).catch((error: unknown) => error);
      expect(vfs.openFiles).toBe(0);
      if (vfs.injected === 0) {
        expect(outcome).toBeUndefined();
        expect(vfs.operations).toBe(at);
        break;
      }
      expect(isVarveError(outcome, 'IO')).toBe(true);
      expect(outcome).toMatchObject({
        file: expect.stringMatching(/^\/d/) as unknown,
        cause: { code: 'EIO' },
      });
      failed.push((vfs.trace[at] as { op: OperationName }).op);
    }
    expect(failed).toEqual([
      'mkdir',
      'lock',
      'open',
      'write',
      'write',
      'datasync',
      'truncate',
      'size',
      'read',
      'read',
      'close',
      'rename',
      'syncDir',
      'readdir',
      'stat',
      'remove',
      'removeDir',
    ]);
  });
});

describe('an error', () => {
  test.each([
    ['EIO', 'IO'],
    ['ENOSPC', 'NO_SPACE'],
    ['EROFS', 'READ_ONLY'],
    ['EMFILE', 'IO'],
    ['EINTR', 'IO'],
  ])('%s looks like the one of the system, as %s', async (error, code) => {
    const vfs = faulty({ operation: 'open', error });
    await expect(vfs.open('/a', 'create')).rejects.toMatchObject({
      code,
      file: '/a',
      cause: { code: error },
    });
    expect(await vfs.readdir('/')).toEqual([]);
  });

  test('comes before anything is done, unless it is late', async () => {
    const rules: FaultRule[] = [{ operation: 'rename', error: 'EIO', times: 1 }];
    const vfs = faulty(...rules, { operation: 'rename', error: 'EIO', late: true });
    await (await vfs.open('/a', 'create')).close();
    await expect(vfs.rename('/a', '/b')).rejects.toThrow('EIO');
    expect(await vfs.readdir('/')).toEqual(['a']);
    await expect(vfs.rename('/a', '/b')).rejects.toThrow('EIO');
    expect(await vfs.readdir('/')).toEqual(['b']);
  });

  test('of a late open or lock leaves nothing open and nothing locked', async () => {
    const rule: FaultRule = { operation: ['open', 'lock'], error: 'EMFILE', late: true, times: 2 };
    const vfs = faulty(rule);
    await expect(vfs.open('/a', 'create')).rejects.toThrow('EMFILE');
    await expect(vfs.lock('/')).rejects.toThrow('EMFILE');
    expect(vfs.openFiles).toBe(0);
    await expect(vfs.lock('/')).resolves.toBeDefined();
    await expect(vfs.open('/a', 'read')).resolves.toBeDefined();
  });

  test.each(['write', 'writeSync'] as const)('of %s can come after a part of it', async (name) => {
    const vfs = faulty({ operation: 'write', error: 'ENOSPC', afterBytes: 4, skip: 1 });
    const file = await vfs.open('/a', 'create');
    await file.write(filled(10, 1), 0);
    const write = async (): Promise<void> => file[name](filled(10, 2), 5);
    await expect(write()).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(runs(await readAll(vfs, '/a'))).toBe('1x5 2x4 1x1');
  });

  test.each(['read', 'readSync'] as const)('of %s can come after a part of it', async (name) => {
    const vfs = faulty({ operation: 'read', error: 'EIO', afterBytes: 4 });
    const file = await vfs.open('/a', 'create');
    await file.write(filled(10, 1), 0);
    const target = new Uint8Array(10);
    const read = async (): Promise<number> => file[name](target, 0);
    await expect(read()).rejects.toMatchObject({ code: 'IO' });
    expect(runs(target)).toBe('1x4 0x6');
  });

  test('of close closes the file all the same', async () => {
    const vfs = faulty({ operation: 'close', error: 'EIO' });
    const file = await vfs.open('/a', 'create');
    await expect(file.close()).rejects.toMatchObject({ code: 'IO', file: '/a' });
    expect(vfs.openFiles).toBe(0);
    await expect(file.size()).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('of datasync makes nothing durable', async () => {
    const machine = new CrashVfs();
    const vfs = createFaultVfs(machine, [{ operation: 'datasync', error: 'EIO', times: 1 }]);
    const file = await vfs.open('/a', 'create');
    await vfs.syncDir('/');
    await file.write(filled(10, 1), 0);
    await expect(file.datasync()).rejects.toMatchObject({ code: 'IO' });
    expect(await dump(machine.preview({ choices: [] }))).toEqual({ '/a': '' });
    await file.datasync();
    expect(await dump(machine.preview({ choices: [] }))).toEqual({ '/a': '1x10' });
  });
});

describe('a read', () => {
  test('can find bits flipped, wherever it begins, and the file is as it was', async () => {
    const machine = createMemoryVfs();
    const vfs = createFaultVfs(machine, [{ path: /a$/, flip: { position: 7, mask: 0x81 } }]);
    const file = await vfs.open('/a', 'create');
    await file.write(filled(10, 1), 0);
    const target = new Uint8Array(10);
    expect(await file.read(target, 0)).toBe(10);
    expect(runs(target)).toBe('1x7 128x1 1x2');
    expect(file.readSync(target.subarray(0, 3), 5)).toBe(3);
    expect(runs(target.subarray(0, 3))).toBe('1x2 128x1');
    expect(await file.read(target.subarray(0, 2), 5)).toBe(2);
    expect(runs(target.subarray(0, 2))).toBe('1x2');
    expect(runs(await readAll(machine, '/a'))).toBe('1x10');
  });

  test('can end before the file does', async () => {
    const vfs = faulty({ operation: 'read', shortenTo: 3 });
    const file = await vfs.open('/a', 'create');
    await file.write(filled(10, 1), 0);
    const target = new Uint8Array(10);
    expect(await file.read(target, 0)).toBe(3);
    expect(file.readSync(target, 5)).toBe(3);
    expect(runs(target)).toBe('1x3 0x7');
  });
});

/** A promise that resolves when it is told to. */
function gate(): { passed: Promise<void>; open: () => void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open: () => open() };
}

describe('a delay', () => {
  test('holds back the operation and nothing else', async () => {
    const { passed, open } = gate();
    const vfs = faulty({ operation: 'datasync', delay: () => passed });
    const file = await vfs.open('/a', 'create');
    const order: string[] = [];
    const sync = file.datasync().then(() => order.push('synced'));
    await file.write(filled(10, 1), 0);
    order.push('written');
    open();
    await sync;
    expect(order).toEqual(['written', 'synced']);
  });

  test('can end in an error', async () => {
    const vfs = faulty({ operation: 'datasync', delay: () => Promise.resolve(), error: 'EIO' });
    const file = await vfs.open('/a', 'create');
    await expect(file.datasync()).rejects.toMatchObject({ code: 'IO', cause: { code: 'EIO' } });
  });

  test('lets a close wait for what was asked before it', async () => {
    const { passed, open } = gate();
    const vfs = faulty({ operation: 'write', delay: () => passed });
    const file = await vfs.open('/a', 'create');
    const write = file.write(filled(10, 1), 0);
    const close = file.close();
    await expect(file.size()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(vfs.openFiles).toBe(1);
    open();
    await Promise.all([write, close]);
    expect(vfs.openFiles).toBe(0);
    expect(runs(await readAll(vfs, '/a'))).toBe('1x10');
  });
});

describe('a rule', () => {
  test('picks operations by kind, by path, and by how many came before', async () => {
    const outcomes = async (rule: FaultRule): Promise<string> => {
      const vfs = faulty({ ...rule, error: 'EIO' });
      const found: string[] = [];
      for (const path of ['/a', '/b', '/a', '/b', '/a']) {
        found.push(
          await vfs.stat(path).then(
            () => '.',
            () => 'x',
          ),
        );
        await vfs.readdir('/').catch(() => found.push('r'));
      }
      return found.join('');
    };
    expect(await outcomes({ operation: 'stat' })).toBe('xxxxx');
    expect(await outcomes({ operation: ['stat', 'readdir'] })).toBe('xrxrxrxrxr');
    expect(await outcomes({ operation: 'stat', path: /a/g })).toBe('x.x.x');
    expect(await outcomes({ path: (path) => path === '/b' })).toBe('.x.x.');
    expect(await outcomes({ operation: 'stat', skip: 1, times: 2 })).toBe('.xx..');
    expect(await outcomes({ operation: 'stat', path: /a/, skip: 1 })).toBe('..x.x');
    expect(await outcomes({ at: 3 })).toBe('..r...');
    expect(await outcomes({ operation: 'write' })).toBe('.....');
  });

  test('for a path holds for both names of a rename', async () => {
    const vfs = faulty({ operation: 'rename', path: /new$/, error: 'EROFS' });
    await (await vfs.open('/a', 'create')).close();
    await expect(vfs.rename('/a', '/new')).rejects.toMatchObject({ code: 'READ_ONLY', file: '/a' });
    await vfs.rename('/a', '/b');
    expect(await vfs.readdir('/')).toEqual(['b']);
  });

  test('that comes first wins', async () => {
    const vfs = faulty({ operation: 'stat', error: 'EIO', times: 1 }, { error: 'EROFS' });
    await expect(vfs.stat('/a')).rejects.toMatchObject({ code: 'IO' });
    await expect(vfs.stat('/a')).rejects.toMatchObject({ code: 'READ_ONLY' });
    expect(vfs.injected).toBe(2);
  });
});
