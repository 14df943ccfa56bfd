import { describe, expect, test } from 'vitest';
import { type CrashOptions, CrashVfs } from '../../src/testing/crash.ts';
import type { CrashPlan } from '../../src/testing/plan.ts';
import { dump, filled, states } from '../kit/disk-states.ts';

/** Some of everything, left unsynced. */
async function workload(vfs: CrashVfs): Promise<void> {
  await vfs.mkdir('/d');
  await vfs.syncDir('/');
  const log = await vfs.open('/d/log', 'create');
  await log.write(filled(1000, 1), 0);
  await log.datasync();
  await vfs.syncDir('/d');
  await log.write(filled(3000, 2), 1000);
  const next = await vfs.open('/d/next', 'create');
  await next.write(filled(600, 3), 0);
  await vfs.rename('/d/next', '/d/now');
  await log.truncate(2500);
  await log.write(filled(100, 4), 2500);
}

async function worked(options?: CrashOptions): Promise<CrashVfs> {
  const vfs = new CrashVfs(options);
  await workload(vfs);
  return vfs;
}

describe('a plan', () => {
  const plans: CrashPlan[] = [
    ...Array.from({ length: 50 }, (_, seed) => ({ seed })),
    { seed: 5, keep: 0.5, sectorBytes: 4096 },
    { choices: [1, 0, 2, 3, 1, 0, 1] },
    { choices: [0, 2, 1, 9, 9, 9], sectorBytes: 4096 },
  ];

  test('replays exactly: on the same machine, and on one that did the same', async () => {
    const vfs = await worked();
    const different = new Set<string>();
    for (const plan of plans) {
      const state = await dump(vfs.preview(plan));
      expect(await dump(vfs.preview(plan))).toEqual(state);
      expect(await dump((await worked()).crash(plan))).toEqual(state);
      different.add(JSON.stringify(state));
    }
    expect(different.size).toBeGreaterThan(20);
  });

  test('keeps everything or nothing where it says so', async () => {
    const vfs = await worked();
    expect(await dump(vfs.preview({ seed: 3, keep: 1 }))).toEqual(await dump(vfs));
    expect(await dump(vfs.preview({ choices: [] }))).toEqual({ '/d': '/', '/d/log': '1x1000' });
    const all = vfs.crashChoices().map(({ options }) => options - 1);
    expect(await dump(vfs.preview({ choices: all }))).toEqual(await dump(vfs));
  });

  test('of which each is a pair of numbers within what there is to choose from', async () => {
    const vfs = await worked();
    const choices = vfs.crashChoices(4096);
    expect(choices.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      'name /d/next',
      'name /d/now',
      'length /d/log',
      'sector /d/log',
      'length /d/next',
      'sector /d/next',
    ]);
    for (const { options } of choices) expect(options).toBeGreaterThan(1);
  });

  test('with a sector size that is none is refused', () => {
    expect(() => new CrashVfs().preview({ seed: 1, sectorBytes: 0 })).toThrow(RangeError);
    expect(() => new CrashVfs().crashChoices(1.5)).toThrow(RangeError);
  });
});

describe('the enumeration of crashes', () => {
  test('gives all states once where they are few, and the same ones each time', async () => {
    const vfs = new CrashVfs();
    const file = await vfs.open('/a', 'create');
    await file.write(filled(1024, 1), 0);
    const plans = [...vfs.enumerateCrashes(1000)];
    // No name; or a name, three lengths (0, 512, 1024) and two sectors.
    expect(plans.length).toBe(1 + 3 * 2 * 2);
    expect([...vfs.enumerateCrashes(1000)]).toEqual(plans);
    expect((await states(vfs)).length).toBe(1 + 1 + 2 + 4);
  });

  test('gives as many as it may where they are many, all different, the extremes first', async () => {
    const vfs = await worked();
    const plans = [...vfs.enumerateCrashes(100)];
    expect(plans.length).toBe(100);
    expect(new Set(plans.map((plan) => JSON.stringify(plan))).size).toBe(100);
    expect([...vfs.enumerateCrashes(100)]).toEqual(plans);
    const [none, all] = plans as [CrashPlan, CrashPlan];
    expect(await dump(vfs.preview(none))).toEqual({ '/d': '/', '/d/log': '1x1000' });
    expect(await dump(vfs.preview(all))).toEqual(await dump(vfs));
  });

  test('of a disk where nothing is open is one state', () => {
    expect([...new CrashVfs().enumerateCrashes(10)]).toEqual([{ choices: [], sectorBytes: 512 }]);
  });
});

describe('a machine that stopped', () => {
  test('fails all that is asked of it, and what was in flight', async () => {
    const vfs = await worked();
    const file = await vfs.open('/d/log', 'write');
    const lock = await vfs.lock('/d');
    const inFlight = [file.write(filled(1, 1), 0), file.datasync(), vfs.syncDir('/d'), vfs.stat('/d')];
    vfs.crash({ seed: 1 });
    expect(vfs.stopped).toBe(true);
    const one = new Uint8Array(1);
    expect(() => file.readSync(one, 0)).toThrow(expect.objectContaining({ code: 'IO' }));
    expect(() => file.writeSync(one, 0)).toThrow(expect.objectContaining({ code: 'IO' }));
    const calls = [
      ...inFlight,
      file.size(),
      file.read(one, 0),
      file.write(one, 0),
      file.datasync(),
      file.truncate(0),
      file.close(),
      lock.release(),
      vfs.open('/d/log', 'read'),
      vfs.readdir('/'),
      vfs.stat('/'),
      vfs.mkdir('/e'),
      vfs.rename('/d/log', '/d/x'),
      vfs.remove('/d/log'),
      vfs.removeDir('/d'),
      vfs.syncDir('/'),
      vfs.lock('/d'),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'IO' } });
    }
  });

  test('leaves no lock and no open file behind', async () => {
    const vfs = await worked();
    await vfs.lock('/d');
    const woken = vfs.crash({ seed: 1, keep: 1 });
    expect(woken.openFiles).toBe(0);
    await expect(woken.lock('/d')).resolves.toBeDefined();
  });

  test('leaves a disk on which all is settled', async () => {
    const vfs = await worked();
    for (let seed = 0; seed < 20; seed++) {
      const woken = vfs.crash({ seed });
      expect(woken.crashChoices()).toEqual([]);
      expect(await dump(woken.preview({ seed: 9 }))).toEqual(await dump(woken));
    }
  });

  test('is independent of the one that woke up', async () => {
    const vfs = await worked();
    const plan = { seed: 4, keep: 1 };
    const before = await dump(vfs.preview(plan));
    const woken = vfs.preview(plan);
    const file = await woken.open('/d/log', 'write');
    await file.write(filled(5000, 7), 0);
    await woken.remove('/d/now');
    expect(await dump(vfs)).toEqual(before);
    expect(await dump(vfs.preview(plan))).toEqual(before);
  });

  test('at any operation has done all before it, and nothing of it or after it', async () => {
    const whole = await worked();
    for (let at = 0; at < whole.operations; at++) {
      const reached: number[] = [];
      const vfs = new CrashVfs({
        onOperation(index) {
          reached.push(index);
          if (index === at) throw new Error('the power is gone');
        },
      });
      await expect(workload(vfs)).rejects.toMatchObject({
        code: 'IO',
        cause: { code: 'EIO', cause: new Error('the power is gone') },
      });
      expect(reached).toEqual(Array.from({ length: at + 1 }, (_, i) => i));
      expect(vfs.trace).toEqual(whole.trace.slice(0, at + 1));
      await expect(vfs.stat('/')).rejects.toMatchObject({ code: 'IO' });
    }
  });

  test('can be gone on with where it was only looked at', async () => {
    const vfs = new CrashVfs();
    const file = await vfs.open('/a', 'create');
    await file.write(filled(10, 1), 0);
    expect(await dump(vfs.preview({ seed: 1, keep: 1 }))).toEqual({ '/a': '1x10' });
    await file.datasync();
    await vfs.syncDir('/');
    expect(await dump(vfs.crash({ choices: [] }))).toEqual({ '/a': '1x10' });
  });
});

describe('the trace', () => {
  test('has every operation with what it was asked', async () => {
    const vfs = new CrashVfs();
    await vfs.mkdir('/d');
    const file = await vfs.open('/d/a', 'create');
    file.writeSync(filled(10, 1), 5);
    await file.read(new Uint8Array(4), 6);
    await file.truncate(3);
    await file.datasync();
    await vfs.rename('/d/a', '/d/b');
    await file.close();
    await (await vfs.lock('/d')).release();
    expect(vfs.trace).toEqual([
      { op: 'mkdir', path: '/d' },
      { op: 'open', path: '/d/a' },
      { op: 'write', path: '/d/a', position: 5, bytes: 10 },
      { op: 'read', path: '/d/a', position: 6, bytes: 4 },
      { op: 'truncate', path: '/d/a', bytes: 3 },
      { op: 'datasync', path: '/d/a' },
      { op: 'rename', path: '/d/a', to: '/d/b' },
      { op: 'close', path: '/d/a' },
      { op: 'lock', path: '/d' },
      { op: 'release', path: '/d' },
    ]);
    expect(vfs.operations).toBe(10);
    expect(vfs.openFiles).toBe(0);
  });
});
