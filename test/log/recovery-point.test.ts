/** The recovery point only saves work: missing, damaged, old or wrong, the log is the same. */

import { describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/log/checkpoint.ts';
import type { Log } from '../../src/log/log.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDisk,
  DIRECTORY,
  differences,
  failure,
  fileBytes,
  putFile,
  range,
  readOffsets,
  readValues,
  segmentPath,
  tree,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const OPTIONS = { segmentBytes: 4096, indexIntervalBytes: 1024 };
const CHECKPOINT = `${DIRECTORY}/recovery-point`;

function valueOf(offset: number): string {
  return `${offset}`.padEnd(900, '.');
}

async function append(log: Log, from: number, to: number): Promise<void> {
  for (const i of range(from, to)) expect(await log.append({ value: valueOf(i), timestamp: i })).toBe(i);
  await settle();
}

/** A log of 11 records in three segments, on a machine that stopped, or that was closed. */
async function image(isClosed: boolean): Promise<Vfs> {
  const disk = await kit.disk();
  const log = await kit.open(disk, OPTIONS);
  await append(log, 0, 11);
  if (isClosed) await log.close();
  const copy = await copyDisk(disk.inner);
  await log.close();
  return copy;
}

async function expectAll(vfs: Vfs, to = 11): Promise<Log> {
  const log = await kit.open(kit.wrap(vfs), OPTIONS);
  expect(log.firstOffset).toBe(0);
  expect(await readValues(log)).toEqual(range(0, to).map(valueOf));
  expect((await log.get(5)).value?.toString()).toBe(valueOf(5));
  expect(log.recovery.quarantined).toEqual([]);
  return log;
}

/** Every segment is as it was; what recovery makes anew may differ. */
async function expectSameSegments(before: Map<string, Buffer>, vfs: Vfs): Promise<void> {
  const changed = differences(before, await tree(vfs));
  expect(changed.filter((path) => path.endsWith('.log'))).toEqual([]);
}

describe.each([
  ['a log that was closed', true],
  ['a log that was not closed', false],
])('the recovery point of %s', (_, isClosed) => {
  test('may have any wrong byte', async () => {
    const vfs = await image(isClosed);
    const before = await tree(vfs);
    const bytes = await fileBytes(vfs, CHECKPOINT);
    for (let at = 0; at < bytes.length; at++) {
      const wrong = Buffer.from(bytes);
      wrong[at] = (wrong[at] as number) ^ (1 << (at % 8));
      const copy = await copyDisk(vfs);
      await putFile(copy, CHECKPOINT, wrong);
      const log = await kit.open(kit.wrap(copy), OPTIONS);
      expect(await readOffsets(log)).toEqual(range(0, 11));
      expect(log.recovery.wasClean).toBe(false);
      await expectSameSegments(before, copy);
      await log.close();
    }
  });

  test.each([
    ['missing', async (vfs: Vfs) => vfs.remove(CHECKPOINT)],
    ['empty', async (vfs: Vfs) => putFile(vfs, CHECKPOINT, Buffer.alloc(0))],
    ['zeros', async (vfs: Vfs) => putFile(vfs, CHECKPOINT, Buffer.alloc(152))],
    [
      'cut off',
      async (vfs: Vfs) => putFile(vfs, CHECKPOINT, (await fileBytes(vfs, CHECKPOINT)).subarray(0, 90)),
    ],
    [
      'only its header',
      async (vfs: Vfs) => putFile(vfs, CHECKPOINT, (await fileBytes(vfs, CHECKPOINT)).subarray(0, 24)),
    ],
    ['text', async (vfs: Vfs) => putFile(vfs, CHECKPOINT, Buffer.from('not a recovery point at all'))],
  ])('may be %s', async (__, change) => {
    const vfs = await image(isClosed);
    const before = await tree(vfs);
    await change(vfs);
    const log = await expectAll(vfs);
    await expectSameSegments(before, vfs);
    await append(log, 11, 13);
    await log.close();
    await expectAll(vfs, 13);
  });

  test('may be from an earlier time', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    const old: Buffer[] = [];
    for (const i of range(0, 11)) {
      await append(log, i, i + 1);
      if ((await disk.inner.stat(CHECKPOINT)) !== undefined)
        old.push(await fileBytes(disk.inner, CHECKPOINT));
    }
    if (isClosed) await log.close();
    const now = await copyDisk(disk.inner);
    await log.close();
    expect(new Set(old.map((bytes) => bytes.length)).size).toBeGreaterThan(1);
    for (const bytes of old) {
      const vfs = await copyDisk(now);
      await putFile(vfs, CHECKPOINT, bytes);
      await (await expectAll(vfs)).close();
    }
  });

  test('of a newer format is refused, and nothing is changed', async () => {
    const vfs = await image(isClosed);
    const bytes = await fileBytes(vfs, CHECKPOINT);
    bytes.writeUInt16BE(2, 4);
    bytes.writeUInt32BE(crc32cOf(bytes.subarray(12), crc32cOf(bytes.subarray(0, 8))), 8);
    await putFile(vfs, CHECKPOINT, bytes);
    const before = await tree(vfs);
    expect(await failure(kit.open(kit.wrap(vfs), OPTIONS))).toMatchObject({ code: 'VERSION' });
    expect(differences(before, await tree(vfs))).toEqual([]);
  });
});

describe('a clean close', () => {
  test('is noticed, and nothing is scanned', async () => {
    const vfs = await image(true);
    const log = await expectAll(vfs);
    expect(log.recovery).toMatchObject({ wasClean: true, scannedSegments: 0, scannedBytes: 0 });
  });

  test('counts no longer once something was appended', async () => {
    const disk = kit.wrap(await image(true));
    const log = await kit.open(disk, OPTIONS);
    await append(log, 11, 12);
    const copy = await copyDisk(disk.inner);
    await log.close();
    const again = await expectAll(copy, 12);
    expect(again.recovery).toMatchObject({ wasClean: false, scannedSegments: 1 });
  });

  test('counts no longer once the log was rolled, even if nothing else says so', async () => {
    const disk = kit.wrap(await image(true));
    const log = await kit.open(disk, { ...OPTIONS, rollMs: 1000 });
    await kit.clock.advance(2000);
    disk.rules.push({ operation: 'open', path: /recovery-point\.tmp$/, error: 'ENOSPC' });
    await append(log, 11, 12);
    expect(log.info().segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 4, 8, 11]);
    const copy = await copyDisk(disk.inner);
    const again = await expectAll(copy, 12);
    expect(again.info().segments.map(({ isSealed }) => isSealed)).toEqual([true, true, true, false]);
    await append(again, 12, 20);
    await again.close();
    await expectAll(copy, 20);
  });

  test('that could not be noted costs time when the log is opened, and nothing else', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    await append(log, 0, 6);
    disk.rules.push({ operation: ['open', 'write'], path: /recovery-point\.tmp$|index$/, error: 'ENOSPC' });
    await log.close();
    disk.rules.length = 0;
    const again = await expectAll(disk.inner, 6);
    expect(again.recovery.wasClean).toBe(false);
  });
});

describe('the beginning of a log', () => {
  test('that was moved is kept', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    await append(log, 0, 11);
    await log.truncateBefore(5);
    const copy = await copyDisk(disk.inner);
    await log.close();
    for (const vfs of [copy, disk.inner]) {
      const again = await kit.open(kit.wrap(vfs), OPTIONS);
      expect(await readOffsets(again)).toEqual(range(5, 11));
      expect((await failure(again.get(4))).code).toBe('OUT_OF_RANGE');
    }
  });

  test('is never behind its end, though what was removed had never been synced', async () => {
    const machine = new CrashVfs();
    await machine.mkdir(DIRECTORY);
    for (const path of ['/', '/logs']) await machine.syncDir(path);
    const options = { sync: { mode: 'never' } } as const;
    const log = await kit.open({ vfs: machine }, options);
    for (const _ of range(0, 10)) await log.append({ value: 'x' });
    await log.truncateBefore(8);
    const woken = machine.crash({ choices: [] });
    await log.close().catch(() => undefined);
    const disk = kit.wrap(woken);
    const again = await kit.open(disk, options);
    expect([again.firstOffset, again.nextOffset]).toEqual([0, 0]);
    await again.append({ value: 'first' }, { durability: 'synced' });
    expect(await readValues(again)).toEqual(['first']);
    const copy = await copyDisk(woken);
    expect(await readValues(await kit.open(kit.wrap(copy), options))).toEqual(['first']);
  });
});

describe('the format of the recovery point', () => {
  const segment = {
    baseOffset: 2 ** 52,
    nextOffset: 2 ** 52 + 5,
    maxTimestamp: -5,
    maxTimestampOffset: 3,
    createdAtMs: 1_700_000_000_000,
    bytes: 2 ** 31 - 1,
    offsetEntries: 7,
    timeEntries: 8,
    offsetCrc: 0xffffffff,
    timeCrc: 1,
    absentOffsets: 0,
  };

  test.each([0, 1, 1000])('keeps all of %i segments', (count) => {
    const checkpoint = {
      firstOffset: 17,
      isClean: count === 1,
      segments: Array.from({ length: count }, () => segment),
    };
    expect(decodeCheckpoint(kit.memory, encodeCheckpoint(kit.memory, checkpoint))).toEqual(checkpoint);
  });

  test.each([-Infinity, Number.MIN_SAFE_INTEGER, 0, Number.MAX_SAFE_INTEGER])(
    'keeps the newest timestamp %d',
    (maxTimestamp) => {
      const checkpoint = { firstOffset: 0, isClean: true, segments: [{ ...segment, maxTimestamp }] };
      expect(decodeCheckpoint(kit.memory, encodeCheckpoint(kit.memory, checkpoint))).toEqual(checkpoint);
    },
  );
});

test('files that are none of the log stay as they are', async () => {
  const vfs = await image(false);
  const strange = ['notes.txt', '0.log', '00000000000000000004.log.bak', '99999999999999999999.log'];
  for (const name of strange) await putFile(vfs, `${DIRECTORY}/${name}`, Buffer.from(name));
  await putFile(vfs, segmentPath(2, 'index'), Buffer.from('without a log'));
  await (await expectAll(vfs)).close();
  const after = await tree(vfs);
  for (const name of strange) expect(after.get(`${DIRECTORY}/${name}`)?.toString()).toBe(name);
});
