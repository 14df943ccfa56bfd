/**
 * What the sweeps of test/sweep found, each as the smallest story that shows it; docs/DURABILITY.md has the
 * list.
 */

import { afterAll, expect, test } from 'vitest';
import type { LogOptions } from '../../src/log/options.ts';
import { open } from '../../src/open.ts';
import { createRuntime } from '../../src/runtime.ts';
import { CrashVfs, createFaultVfs } from '../../src/testing/testing.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import {
  DIRECTORY,
  damageFile,
  range,
  readOffsets,
  readValues,
  segmentPath,
  tree,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const SMALL: LogOptions = { segmentBytes: 4096 };
const NOTHING = { choices: [] };
const EVERYTHING = { seed: 1, keep: 1, sectorBytes: 512 };

/** An empty disk with the log's directory; `onOperation` is told of each call before it happens. */
async function machine(onOperation: (operation: string, vfs: CrashVfs) => void): Promise<CrashVfs> {
  const vfs: CrashVfs = new CrashVfs({
    onOperation: (_, { op, path }) => onOperation(`${op} ${path.slice(path.lastIndexOf('/') + 1)}`, vfs),
  });
  await vfs.mkdir(DIRECTORY);
  for (const path of ['/', '/logs']) await vfs.syncDir(path);
  return vfs;
}

const runtime = createRuntime({ memoryBytes: 16 << 20, threads: 1 });
afterAll(() => runtime.close());

test('a database can be opened whenever the power failed while it was made', async () => {
  const woken: CrashVfs[] = [];
  const vfs: CrashVfs = new CrashVfs({
    onOperation: () => {
      for (const plan of vfs.enumerateCrashes(1000)) woken.push(vfs.preview(plan));
    },
  });
  await (await open('/data', { vfs, runtime })).close();
  expect(woken.length).toBeGreaterThan(20);
  for (const again of woken) await (await open('/data', { vfs: again, runtime })).close();
});

test('what an open that failed has made is durable once another one uses it', async () => {
  for (let at = 0, met = true; met; at++) {
    const disk = new CrashVfs();
    const vfs = createFaultVfs(disk, [{ operation: 'syncDir', skip: at, times: 1, error: 'EIO' }]);
    const attempt = async (): Promise<void> => {
      const database = await open('/a/data', { vfs, runtime });
      try {
        await (await database.log('events')).append({ value: 'kept' });
      } finally {
        await database.close();
      }
    };
    await attempt().catch(() => attempt());
    met = vfs.injected > 0;
    const database = await open('/a/data', { vfs: disk.crash(NOTHING), runtime });
    expect(await readValues(await database.log('events'))).toContain('kept');
    await database.close();
  }
});

test('what was not synced when a segment was rolled is no damage, though the segment had been closed once', async () => {
  const options: LogOptions = { ...SMALL, sync: { mode: 'never' } };
  const woken: CrashVfs[] = [];
  const vfs = await machine((_, now) => woken.push(now.preview(NOTHING)));
  const first = await kit.open({ vfs }, options);
  await first.append({ value: Buffer.alloc(900) });
  await first.close();
  woken.length = 0;
  const log = await kit.open({ vfs }, options);
  for (const _ of range(1, 6)) await log.append({ value: Buffer.alloc(900) });
  for (const again of woken) expect((await readOffsets(await kit.open({ vfs: again }, options)))[0]).toBe(0);
});

test('a segment that was truncated while it was being sealed is not missed', async () => {
  const woken: CrashVfs[] = [];
  const vfs = await machine((_, now) => woken.push(now.preview(EVERYTHING)));
  const log = await kit.open({ vfs }, SMALL);
  for (const _ of range(0, 4)) await log.append({ value: Buffer.alloc(900) });
  await log.truncateBefore(4);
  woken.length = 0;
  await log.append({ value: Buffer.alloc(900) });
  await log.close();
  expect(woken.length).toBeGreaterThan(10);
  for (const again of woken) expect((await kit.open({ vfs: again }, SMALL)).firstOffset).toBe(4);
});

test.each([false, true])(
  "a segment that a failed roll left behind is in nobody's way (preallocate: %s)",
  async (preallocate) => {
    const options: LogOptions = { ...SMALL, preallocate };
    const disk = await kit.disk();
    const log = await kit.open(disk, options);
    for (const _ of range(0, 3)) await log.append({ value: Buffer.alloc(900) });
    disk.rules.push({ operation: 'open', path: /0{19}3\.log$/, late: !preallocate, error: 'EMFILE' });
    await expect(log.append({ value: Buffer.alloc(2000) })).rejects.toMatchObject({ code: 'IO' });
    disk.rules.length = 0;
    await log.append({ value: 'small' });
    await log.append({ value: Buffer.alloc(2000) });
    await log.close();
    expect([...(await tree(disk.inner)).keys()]).toContain(segmentPath(3));
    const again = await kit.open(disk, options);
    expect(await readOffsets(again)).toEqual(range(0, 5));
    expect((await again.verify()).problems).toEqual([]);
  },
);

test('a read that begins at an index entry does not believe a base offset that was changed', async () => {
  const options: LogOptions = { indexIntervalBytes: 1 };
  const disk = await kit.disk();
  const log = await kit.open(disk, options);
  for (const i of range(0, 10)) await log.append({ value: `${i}` });
  const batchBytes = log.info().bytes / 10;
  await log.close();
  for (const [byte, mask] of [
    [2, 0x02],
    [7, 0x08],
    [7, 0x01],
  ] as const) {
    await damageFile(disk.inner, segmentPath(0), 5 * batchBytes + byte, mask);
    const again = await kit.open(disk, options);
    await expect(readValues(again, { fromOffset: 5 })).rejects.toMatchObject({
      code: 'CORRUPT',
      file: segmentPath(0),
      position: 5 * batchBytes,
      offsets: { first: 5, last: 5 },
    });
    expect(await readValues(again, { fromOffset: 6 })).toEqual(['6', '7', '8', '9']);
    await again.close();
    await damageFile(disk.inner, segmentPath(0), 5 * batchBytes + byte, mask);
  }
});

test('a segment that a failed roll left behind does not make truncated records of others', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, SMALL);
  for (const _ of range(0, 3)) await log.append({ value: Buffer.alloc(900) });
  disk.rules.push({ operation: 'open', path: /0{19}3\.log$/, late: true, error: 'EIO' });
  await expect(log.append({ value: Buffer.alloc(2000) })).rejects.toMatchObject({ code: 'IO' });
  disk.rules.length = 0;
  await log.append({ value: 'small' });
  await log.append({ value: 'too' });
  await log.truncateBefore(4);
  const again = await kit.open(kit.wrap(disk.inner), SMALL);
  expect(await readValues(again)).toEqual(['too']);
  await log.close();
  expect(await readValues(await kit.open(disk, SMALL))).toEqual(['too']);
});

test('what is left of segments that were being removed is not taken for the log', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, { ...SMALL, sync: { mode: 'never' } });
  for (const _ of range(0, 8)) await log.append({ value: 'x'.repeat(1800) });
  const copy = async (from: Vfs, to: Vfs, names: string[]): Promise<void> => {
    for (const name of names) {
      const source = await from.open(`${DIRECTORY}/${name}`, 'read');
      const bytes = new Uint8Array(await source.size());
      await source.read(bytes, 0);
      await source.close();
      const target = await to.open(`${DIRECTORY}/${name}`, 'create');
      await target.write(name.startsWith(String(active).padStart(20, '0')) ? bytes.fill(0) : bytes, 0);
      await target.close();
    }
  };
  const { segments } = log.info();
  const active = segments.at(-1)?.baseOffset ?? 0;
  expect(segments.length).toBeGreaterThan(3);
  // The power fails: the first segment is there again, the next are gone, and nothing of the active one was synced.
  const again = await kit.disk();
  await copy(disk.inner, again.inner, ['00000000000000000000.log']);
  await log.truncateBefore(log.nextOffset);
  await copy(disk.inner, again.inner, ['recovery-point', `${String(active).padStart(20, '0')}.log`]);
  for (const readOnly of [true, false]) {
    const woken = await kit.open(again, SMALL, { readOnly });
    expect([woken.firstOffset, woken.visibleOffset]).toEqual([active, active]);
    expect(woken.recovery).toMatchObject({ quarantined: [], damage: [], tornTails: 0 });
    await woken.close();
  }
});
