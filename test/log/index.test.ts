/** The index files: what Kafka would have written, whatever happened to the log, and never trusted. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDisk,
  DIRECTORY,
  fileBytes,
  putFile,
  range,
  readOffsets,
  readRecords,
  segmentPath,
  useLogKit,
} from '../kit/log-kit.ts';
import { createRandom, type Random } from '../kit/random.ts';

const kit = useLogKit();
const INTERVAL = 700;
const OPTIONS: LogOptions = { segmentBytes: 8192, indexIntervalBytes: INTERVAL, batchBytes: 300 };

/** The two indexes of a segment, made from the bytes of its log by the rules of the format alone. */
function indexOf(log: Buffer, base: number, isSealed: boolean): { index: Buffer; timeindex: Buffer } {
  const offsets: number[] = [];
  const times: [time: bigint, offset: number][] = [];
  let since = 0;
  let newest = { time: -(2n ** 63n), offset: 0 };
  const addTime = (): void => {
    if (newest.time > (times.at(-1)?.[0] ?? -(2n ** 63n))) times.push([newest.time, newest.offset]);
  };
  for (let at = 0; at < log.length; ) {
    const last = Number(log.readBigInt64BE(at)) + log.readInt32BE(at + 23) - base;
    const time = log.readBigInt64BE(at + 35);
    const size = 12 + log.readInt32BE(at + 8);
    if (time > newest.time) newest = { time, offset: last };
    if (since > INTERVAL) {
      offsets.push(last, at);
      addTime();
      since = 0;
    }
    since += size;
    at += size;
  }
  if (isSealed) addTime();
  const index = Buffer.alloc(offsets.length * 4);
  for (const [i, value] of offsets.entries()) index.writeInt32BE(value, i * 4);
  const timeindex = Buffer.alloc(times.length * 12);
  for (const [i, [time, offset]] of times.entries()) {
    timeindex.writeBigInt64BE(time, i * 12);
    timeindex.writeInt32BE(offset, i * 12 + 8);
  }
  return { index, timeindex };
}

async function append(log: Log, random: Random, count: number): Promise<void> {
  const end = log.nextOffset + count;
  while (log.nextOffset < end) {
    const time = 1_000_000 + log.nextOffset * 10;
    await log.appendMany(
      range(0, random.int(1, 20)).map(() => ({
        value: Buffer.alloc(random.int(0, 200)),
        timestamp: time - (random.chance(0.3) ? random.int(0, 5000) : 0),
      })),
    );
  }
  await settle();
}

/** Every segment's index files are what its log yields. */
async function expectIndexes(vfs: Vfs, isClosed: boolean): Promise<number> {
  const names = (await vfs.readdir(DIRECTORY)).filter((name) => name.endsWith('.log'));
  let entries = 0;
  for (const name of names) {
    const base = Number(name.slice(0, 20));
    const isSealed = name !== names.at(-1);
    // The active segment has index files only when the log was closed.
    if (!isSealed && !isClosed) continue;
    const made = indexOf(await fileBytes(vfs, segmentPath(base)), base, isSealed);
    for (const kind of ['index', 'timeindex'] as const) {
      expect((await fileBytes(vfs, segmentPath(base, kind))).toString('hex')).toBe(
        made[kind].toString('hex'),
      );
    }
    entries += made.index.length / 8 + made.timeindex.length / 12;
  }
  return entries;
}

async function expectReadable(log: Log): Promise<void> {
  const records = await readRecords(log);
  expect(records.map(({ offset }) => offset)).toEqual(range(log.firstOffset, log.nextOffset));
  const random = createRandom(log.nextOffset);
  const wrong: unknown[] = [];
  for (const _ of range(0, 30)) {
    const offset = random.int(log.firstOffset, log.nextOffset - 1);
    if ((await log.get(offset)).offset !== offset) wrong.push(offset);
    const fromTimestamp = random.pick(records).timestamp + random.int(-1, 1);
    const expected = records.filter(({ timestamp }) => timestamp >= fromTimestamp).map((one) => one.offset);
    if ((await readOffsets(log, { fromTimestamp })).join() !== expected.join()) wrong.push({ fromTimestamp });
  }
  expect(wrong).toEqual([]);
}

describe('the index files are those of the log', () => {
  test.each([1, 2])('after writing, after closing and opening, and after a crash (seed %i)', async (seed) => {
    const random = createRandom(seed);
    const disk = await kit.disk();
    let log = await kit.open(disk, OPTIONS);
    for (const life of range(0, 4)) {
      await append(log, random, 150);
      expect(await expectIndexes(disk.inner, false)).toBeGreaterThan(10);
      const crashed = await copyDisk(disk.inner);
      const again = await kit.open(kit.wrap(crashed), OPTIONS);
      expect(await expectIndexes(crashed, false)).toBeGreaterThan(10);
      if (life === 1) await append(again, random, 150);
      await again.close();
      await expectIndexes(crashed, true);
      await log.close();
      await expectIndexes(disk.inner, true);
      log = await kit.open(disk, OPTIONS);
      await expectReadable(log);
    }
  });

  test('after a tail was cut off and the log went on', async () => {
    const random = createRandom(5);
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...OPTIONS, sync: { mode: 'never' } });
    await append(log, random, 300);
    const base = log.info().segments.at(-1)?.baseOffset ?? 0;
    const bytes = await fileBytes(disk.inner, segmentPath(base));
    const vfs = await copyDisk(disk.inner);
    await putFile(vfs, segmentPath(base), bytes.subarray(0, bytes.length - 50));
    const again = await kit.open(kit.wrap(vfs), OPTIONS);
    expect(again.recovery.tornTails).toBe(1);
    await append(again, random, 200);
    await again.close();
    await expectIndexes(vfs, true);
  });

  test('where one segment had been taken for sealed, and was not', async () => {
    // A gap behind it, of segments that had not been synced: the log goes on where the gap begins.
    const random = createRandom(6);
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...OPTIONS, sync: { mode: 'never' } });
    await append(log, random, 300);
    const bases = log.info().segments.map(({ baseOffset }) => baseOffset);
    const vfs = await copyDisk(disk.inner);
    await vfs.remove(`${DIRECTORY}/recovery-point`);
    await vfs.remove(segmentPath(bases.at(-2) ?? 0));
    const again = await kit.open(kit.wrap(vfs), { ...OPTIONS, sync: { mode: 'never' } });
    expect(again.nextOffset).toBe(bases.at(-2));
    await append(again, random, 200);
    await again.close();
    await expectIndexes(vfs, true);
  });
});

describe('an index file', () => {
  const damages: [string, (bytes: Buffer) => Buffer | undefined][] = [
    ['is missing', () => undefined],
    ['is empty', () => Buffer.alloc(0)],
    ['is cut off', (bytes) => bytes.subarray(0, bytes.length - 5)],
    ['lacks its last entry', (bytes) => bytes.subarray(0, bytes.length - 12)],
    ['is longer', (bytes) => Buffer.concat([bytes, Buffer.alloc(24, 1)])],
    ['is all zeros', (bytes) => Buffer.alloc(bytes.length)],
    ['is all ones', (bytes) => Buffer.alloc(bytes.length, 0xff)],
    ['has a wrong byte', (bytes) => Buffer.from(bytes.map((byte, i) => (i === 6 ? byte ^ 8 : byte)))],
    [
      'has two entries the other way round',
      (bytes) => Buffer.concat([bytes.subarray(24), bytes.subarray(0, 24)]),
    ],
  ];

  test.each(damages)('that %s does not matter', async (_, damage) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    await append(log, createRandom(9), 300);
    await log.close();
    for (const kind of ['index', 'timeindex'] as const) {
      const vfs = await copyDisk(disk.inner);
      for (const name of await vfs.readdir(DIRECTORY)) {
        if (!name.endsWith(`.${kind}`)) continue;
        const path = `${DIRECTORY}/${name}`;
        const bytes = damage(await fileBytes(vfs, path));
        if (bytes === undefined) await vfs.remove(path);
        else await putFile(vfs, path, bytes);
      }
      const again = await kit.open(kit.wrap(vfs), OPTIONS);
      await expectReadable(again);
      await append(again, createRandom(10), 50);
      await expectReadable(again);
      await again.close();
      await expectReadable(await kit.open(kit.wrap(vfs), OPTIONS));
    }
  });

  test('that cannot be read does not matter', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    await append(log, createRandom(11), 300);
    await log.close();
    disk.rules.push({ operation: 'read', path: /index$/, error: 'EIO' });
    await expectReadable(await kit.open(disk, OPTIONS));
  });

  test('of other options serves as well', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, OPTIONS);
    await append(log, createRandom(12), 300);
    await log.close();
    for (const indexIntervalBytes of [1, 100, 100_000]) {
      const again = await kit.open(disk, { ...OPTIONS, indexIntervalBytes });
      await expectReadable(again);
      await append(again, createRandom(13), 100);
      await expectReadable(again);
      expect((await again.verify()).problems).toEqual([]);
      await again.close();
    }
  });
});
