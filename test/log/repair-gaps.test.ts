/** How a log lives on with losses that a repair has noted. */

import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeGaps, encodeGaps } from '../../src/log/gaps.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { type Database, open } from '../../src/open.ts';
import type { OpenOptions } from '../../src/open-options.ts';
import { type RepairOptions, type RepairReport, repair } from '../../src/repair.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDatabase,
  DATABASE,
  flip,
  LOG_DIRECTORY,
  LOG_OPTIONS,
  makeDisks,
  pathOf,
  positionOf,
  smallRuntime,
  valueOf,
} from '../kit/damage.ts';
import {
  damageFile,
  differences,
  failure,
  failureCode,
  fileBytes,
  putFile,
  range,
  readOffsets,
  resizeFile,
  tree,
} from '../kit/log-kit.ts';

const runtime = smallRuntime();
const GAPS = `${LOG_DIRECTORY}/gaps`;
const SKIP = { mode: 'skipAnyCorrupted' } as const;
let disks: { stopped: Vfs; closed: Vfs };
let opened: Database[] = [];

beforeAll(async () => {
  disks = await makeDisks(runtime);
});

afterEach(async () => {
  for (const database of opened) await database.close();
  opened = [];
  expect(runtime.memory.slabs.inUse()).toEqual([]);
});

async function openOn(vfs: Vfs, options: LogOptions = {}, how: OpenOptions = {}): Promise<Log> {
  const database = await open(DATABASE, { ...how, vfs, runtime });
  opened.push(database);
  return await database.log('events', { ...LOG_OPTIONS, ...options });
}

async function repairOn(vfs: Vfs, options: RepairOptions = {}): Promise<RepairReport['logs'][string]> {
  const report = await repair(DATABASE, { ...options, runtime, vfs });
  return report.logs['events-0'] as RepairReport['logs'][string];
}

/** The log without offsets 5 and 13, which are noted as lost. */
async function repaired(): Promise<Vfs> {
  const vfs = await copyDatabase(disks.closed);
  await flip(vfs, 4, 5);
  await flip(vfs, 12, 13);
  await repairOn(vfs, SKIP);
  return vfs;
}

const LEFT = range(0, 15).filter((i) => i !== 5 && i !== 13);

describe('known losses', () => {
  test('are stepped over read-only and in every mode but the strictest, which refuses them', async () => {
    const vfs = await repaired();
    expect(await readOffsets(await openOn(vfs, {}, { readOnly: true }))).toEqual(LEFT);
    for (const recovery of ['tolerateCorruptedTail', 'pointInTime', 'skipAnyCorrupted'] as const) {
      const log = await openOn(await copyDatabase(vfs), { recovery });
      expect(await readOffsets(log)).toEqual(LEFT);
      expect(log.recovery).toMatchObject({ damage: [], gaps: [{ firstOffset: 5 }, { firstOffset: 13 }] });
    }
    const strict = openOn(await copyDatabase(vfs), { recovery: 'absoluteConsistency' });
    expect(await failure(strict)).toMatchObject({ code: 'CORRUPT', offsets: { first: 5, last: 5 } });
  });

  test('are stepped over from any offset and any time on, and by batches', async () => {
    const log = await openOn(await repaired());
    for (const from of range(0, 15)) {
      expect(await readOffsets(log, { fromOffset: from })).toEqual(LEFT.filter((i) => i >= from));
      expect(await readOffsets(log, { fromTimestamp: 1000 + from })).toEqual(LEFT.filter((i) => i >= from));
    }
    const bases: number[] = [];
    for await (const batch of log.batches()) bases.push(batch.baseOffset);
    expect(bases).toEqual(LEFT);
  });

  test('are listed by verify as known, and cost no clean bill', async () => {
    const vfs = await repaired();
    const log = await openOn(vfs);
    const report = await log.verify({ deep: true });
    expect(report).toMatchObject({ problems: [], lostRecords: 0, records: 13 });
    expect(report.knownLosses).toMatchObject([
      { file: pathOf(4), position: positionOf(4, 5), offsets: { first: 5, last: 5 } },
      { file: pathOf(12), position: positionOf(12, 13), offsets: { first: 13, last: 13 } },
    ]);
  });

  test('do not hide new damage beside them', async () => {
    const vfs = await repaired();
    await flip(vfs, 4, 6);
    const log = await openOn(vfs);
    expect(await failure(readOffsets(log))).toMatchObject({
      code: 'CORRUPT',
      offsets: { first: 6, last: 6 },
    });
    expect(await failure(log.get(6))).toMatchObject({ code: 'CORRUPT', offsets: { first: 6, last: 6 } });
    expect(await failure(log.get(5))).toMatchObject({ code: 'CORRUPT', offsets: { first: 5, last: 5 } });
    const { problems, knownLosses } = await log.verify();
    expect(problems.map(({ offsets }) => offsets)).toEqual([{ first: 6, last: 6 }]);
    expect(knownLosses.map(({ offsets }) => offsets?.first)).toEqual([5, 13]);
    await log.close();
    await opened.pop()?.close();
    expect((await repairOn(vfs, SKIP)).lost).toEqual([{ first: 6, last: 6 }]);
    expect(await readOffsets(await openOn(vfs))).toEqual(LEFT.filter((i) => i !== 6));
  });

  test('are not what a repair ends the log at', async () => {
    const vfs = await repaired();
    const before = await tree(vfs, DATABASE);
    expect(await repairOn(vfs)).toMatchObject({ problems: [], actions: [], lost: [] });
    expect(differences(before, await tree(vfs, DATABASE))).toEqual([]);
  });

  test('are unknown again where the file of them is damaged, and nothing is skipped', async () => {
    const vfs = await repaired();
    for (let position = 0; position < (await fileBytes(vfs, GAPS)).length; position++) {
      const copy = await copyDatabase(vfs);
      await damageFile(copy, GAPS, position, 1);
      const log = await openOn(copy);
      expect(await failureCode(readOffsets(log))).toBe('CORRUPT');
      const { problems } = await log.verify();
      expect(problems.map(({ file, offsets }) => [file, offsets?.first])).toEqual([
        [pathOf(4), 5],
        [pathOf(12), 13],
        [GAPS, undefined],
      ]);
      await opened.pop()?.close();
    }
    const damaged = await fileBytes(vfs, GAPS);
    damaged[20] = 0xff;
    await putFile(vfs, GAPS, damaged);
    await repairOn(vfs, SKIP);
    expect(await fileBytes(vfs, `${LOG_DIRECTORY}/quarantine/gaps`)).toEqual(damaged);
    expect(await readOffsets(await openOn(vfs))).toEqual(LEFT);
  });

  test('are forgotten where the bytes are put right again', async () => {
    const vfs = await repaired();
    await flip(vfs, 4, 5);
    const log = await openOn(vfs);
    const [problem, ...others] = (await log.verify()).problems;
    expect(others).toEqual([]);
    expect(problem).toMatchObject({ file: GAPS, offsets: undefined });
    await opened.pop()?.close();
    expect(await repairOn(vfs)).toMatchObject({ lost: [], lostRecords: 0 });
    const again = await openOn(vfs);
    expect(await readOffsets(again)).toEqual(range(0, 15).filter((i) => i !== 13));
    expect((await again.get(5)).value?.toString()).toBe(valueOf(5));
    expect((await again.verify({ deep: true })).problems).toEqual([]);
  });

  test('go with the segments that they are in', async () => {
    const vfs = await repaired();
    const log = await openOn(vfs);
    await log.truncateBefore(8);
    expect(log.info()).toMatchObject({ firstOffset: 8, records: 6, lostRecords: 1 });
    await log.close();
    const again = await openOn(await copyDatabase(vfs));
    expect(again.recovery.gaps).toMatchObject([{ firstOffset: 13 }]);
    expect((await again.verify({ deep: true })).knownLosses).toHaveLength(1);
  });

  test('that other bytes could come to lie at are forgotten by recovery', async () => {
    const vfs = await repaired();
    await vfs.remove(`${LOG_DIRECTORY}/recovery-point`);
    await flip(vfs, 4, 4);
    const log = await openOn(vfs, { recovery: 'pointInTime' });
    expect(log.nextOffset).toBe(4);
    expect(await vfs.stat(GAPS)).toBe(undefined);
    for (const i of range(4, 15)) await log.append({ value: valueOf(i), timestamp: 1000 + i });
    await settle();
    expect(await readOffsets(log)).toEqual(range(0, 15));
    expect(await readOffsets(await openOn(await copyDatabase(vfs)))).toEqual(range(0, 15));
  });

  test('stay known while the log is appended to, rolled, closed and crashes', async () => {
    const vfs = await repaired();
    const log = await openOn(vfs);
    for (const i of range(15, 30)) expect(await log.append({ value: valueOf(i) })).toBe(i);
    await settle();
    const crashed = await openOn(await copyDatabase(vfs));
    const expected = [...LEFT, ...range(15, 30)];
    expect(await readOffsets(crashed)).toEqual(expected);
    expect((await crashed.verify({ deep: true })).problems).toEqual([]);
    await log.close();
    await opened.shift()?.close();
    const again = await openOn(vfs);
    expect(again.recovery).toMatchObject({ wasClean: true, gaps: [{}, {}] });
    expect(await readOffsets(again)).toEqual(expected);
    for (const i of expected) expect((await again.get(i)).offset).toBe(i);
  });

  test('are stepped over when indexes are made again', async () => {
    const vfs = await repaired();
    for (const base of [4, 12])
      for (const kind of ['index', 'timeindex'] as const) await vfs.remove(pathOf(base, kind));
    const log = await openOn(vfs);
    for (const i of LEFT) expect((await log.get(i)).value?.toString()).toBe(valueOf(i));
    await log.close();
    await opened.pop()?.close();
    expect((await (await openOn(vfs)).verify({ deep: true })).problems).toEqual([]);
  });
});

describe('a crash that left a hole in what was not synced', () => {
  async function torn(): Promise<Vfs> {
    const vfs = await copyDatabase(disks.stopped);
    await vfs.remove(`${LOG_DIRECTORY}/recovery-point`);
    for (const base of [0, 4, 8, 12]) {
      const bytes = await fileBytes(vfs, pathOf(base));
      // As a log that never syncs writes them: no batch knows of a sync.
      for (let at = 0; at < bytes.length; at += positionOf(0, 1)) bytes.writeInt32BE(0, at + 12);
      await putFile(vfs, pathOf(base), bytes);
    }
    await flip(vfs, 8, 9);
    return vfs;
  }

  test('is cut off like by opening, unless all that is whole is to be kept', async () => {
    const vfs = await torn();
    const [problem, ...others] = (await (await openOn(vfs, {}, { readOnly: true })).verify()).problems;
    expect([problem, others]).toEqual([undefined, []]);
    const point = await copyDatabase(vfs);
    expect(await repairOn(point)).toMatchObject({ lost: [{ first: 9, last: 14 }], nextOffset: 9 });
    const opening = await openOn(await copyDatabase(vfs));
    expect(await readOffsets(await openOn(point))).toEqual(await readOffsets(opening));
    expect((await repairOn(vfs, SKIP)).lost).toEqual([{ first: 9, last: 9 }]);
    expect(await readOffsets(await openOn(vfs))).toEqual(range(0, 15).filter((i) => i !== 9));
  });
});

test('space that was made ahead is not damage, and is cut off only with something else', async () => {
  const vfs = await copyDatabase(disks.stopped);
  await resizeFile(vfs, pathOf(12), 50_000);
  expect(await repairOn(vfs)).toMatchObject({ problems: [], actions: [] });
  await vfs.remove(pathOf(4, 'index'));
  const { actions } = await repairOn(vfs);
  expect(actions).toContainEqual(
    expect.objectContaining({
      kind: 'cutOff',
      file: pathOf(12),
      position: positionOf(12, 15),
      to: undefined,
    }),
  );
  expect((await fileBytes(vfs, pathOf(12))).length).toBe(positionOf(12, 15));
});

test('damage to what had been removed costs nothing, and so ends nothing', async () => {
  const vfs = await copyDatabase(disks.closed);
  const log = await openOn(vfs);
  await log.truncateBefore(3);
  await opened.pop()?.close();
  await flip(vfs, 0, 1);
  expect(await repairOn(vfs)).toMatchObject({ lost: [], lostRecords: 0, firstOffset: 3, nextOffset: 15 });
  expect(await readOffsets(await openOn(vfs))).toEqual(range(3, 15));
});

test('a segment that a failed roll left behind does not make what lies before it removed', async () => {
  const vfs = await copyDatabase(disks.closed);
  await (await openOn(vfs)).truncateBefore(13);
  await opened.pop()?.close();
  await putFile(vfs, pathOf(13), Buffer.alloc(0));
  const { lost, actions } = await repairOn(vfs);
  expect(lost).toEqual([]);
  expect(actions.filter(({ kind }) => kind === 'removed').map(({ file }) => file)).toEqual([pathOf(13)]);
  expect(await readOffsets(await openOn(vfs))).toEqual([13, 14]);
});

describe('the file of known losses', () => {
  const gap = {
    baseOffset: 2 ** 40,
    start: 7,
    end: 2 ** 31 - 1,
    firstOffset: 2 ** 40,
    lastOffset: 2 ** 53 - 1,
  };

  test('comes back as it was written', () => {
    expect(
      decodeGaps(runtime.memory, encodeGaps(runtime.memory, [gap, { ...gap, start: 9, end: 9 }])),
    ).toEqual([gap, { ...gap, start: 9, end: 9 }]);
  });

  test('is none where a bit is wrong or a byte is missing', () => {
    const bytes = encodeGaps(runtime.memory, [gap]);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const wrong = Uint8Array.from(bytes);
      wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(decodeGaps(runtime.memory, wrong)).toBe(undefined);
    }
    for (const end of range(0, bytes.length)) {
      expect(decodeGaps(runtime.memory, bytes.subarray(0, end))).toBe(undefined);
    }
  });
});
