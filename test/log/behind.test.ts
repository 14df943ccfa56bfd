/**
 * What counts as a batch of the log behind damage. Nothing but the chain of batches says where one begins, and no
 * checksum covers its base offset: so values that hold batches, and base offsets that were changed too, must not
 * make a reader, a recovery or a repair hand out a record that is not what it seems.
 */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { type LogOptions, RECOVERY_MODES } from '../../src/log/options.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDisk,
  failure,
  fileBytes,
  putFile,
  range,
  readOffsets,
  readValues,
  segmentPath,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit(64 * 1024 * 1024);
/** One batch a record; every other one is named by the index. */
const OPTIONS: LogOptions = { indexIntervalBytes: 200 };
const PATH = segmentPath(0);

/** Where the batches of the first segment begin. */
async function positionsOf(vfs: Vfs): Promise<number[]> {
  const bytes = await fileBytes(vfs, PATH);
  const positions: number[] = [];
  for (let at = 0; at < bytes.length; at += 12 + bytes.readInt32BE(at + 8)) positions.push(at);
  return positions;
}

/** Puts other bytes into the first segment. */
async function smash(vfs: Vfs, position: number, length: number, byte: number): Promise<void> {
  const bytes = await fileBytes(vfs, PATH);
  bytes.fill(byte, position, position + length);
  await putFile(vfs, PATH, bytes);
}

/** A log of one batch a value: as it is found when its process has ended, or after it was closed. */
async function diskWith(
  values: readonly (string | Uint8Array)[],
  isClosed: boolean,
  options = OPTIONS,
): Promise<Vfs> {
  const disk = await kit.disk();
  const log = await kit.open(disk, options);
  for (const value of values) await log.append({ value });
  await settle();
  const copy = isClosed ? undefined : await copyDisk(disk.inner);
  await log.close();
  return copy ?? disk.inner;
}

/** What can be read of each offset: its value, or the offsets that are said to be lost with it. */
async function lookUp(log: Log): Promise<(string | [number, number])[]> {
  const found: (string | [number, number])[] = [];
  for (const offset of range(0, log.nextOffset)) {
    try {
      const record = await log.get(offset);
      expect(record.offset).toBe(offset);
      found.push(record.value?.toString('latin1') ?? '');
    } catch {
      const { code, offsets } = await failure(log.get(offset));
      expect(code).toBe('CORRUPT');
      found.push([offsets?.first ?? -1, offsets?.last ?? -1]);
    }
  }
  return found;
}

describe('a batch that is damaged together with the base offset of the next one', () => {
  const VALUES = range(0, 8).map((i) => `value ${i}`);

  // From the last bytes of a batch on, over more and more of the base offset that follows.
  for (const hit of [0, 1, 4, 6]) {
    for (const [length, byte] of [
      [16, 0],
      [15, 0],
      [16, 1],
      [14, 0],
    ] as const) {
      test(`loses exactly these two (${hit}, ${length} bytes of ${byte})`, async () => {
        const vfs = await diskWith(VALUES, true);
        const behind = (await positionsOf(vfs))[hit + 1] as number;
        const clean = await fileBytes(vfs, PATH);
        await smash(vfs, behind - 8, length, byte);
        const isNextHit = !(await fileBytes(vfs, PATH))
          .subarray(behind, behind + 8)
          .equals(clean.subarray(behind, behind + 8));
        const last = isNextHit ? hit + 1 : hit;

        const log = await kit.open(kit.wrap(vfs), OPTIONS);
        const expected = VALUES.map((value, i) => (i < hit || i > last ? value : [hit, last]));
        expect(await lookUp(log)).toEqual(expected);
        expect(await failure(readOffsets(log))).toMatchObject({ offsets: { first: hit, last } });
        expect((await log.verify()).problems).toMatchObject([{ offsets: { first: hit, last } }]);
        await log.close();

        const strict = kit.open(kit.wrap(vfs), { ...OPTIONS, recovery: 'absoluteConsistency' });
        expect(await failure(strict)).toMatchObject({ code: 'CORRUPT', offsets: { first: hit, last } });

        const salvaged = await kit.open(kit.wrap(vfs), { ...OPTIONS, recovery: 'skipAnyCorrupted' });
        const left = VALUES.filter((_, i) => i < hit || i > last);
        expect(await readValues(salvaged)).toEqual(left);
        expect(await lookUp(salvaged)).toEqual(expected.slice(0, salvaged.nextOffset));
      });
    }
  }
});

/** Batches as another log would have them, which claim offsets of this one and that much of it was synced. */
function embedded(offsets: readonly number[], leaderEpoch: number): Uint8Array {
  const batches = offsets.map((offset) =>
    batchBytes({
      baseOffset: BigInt(offset),
      leaderEpoch,
      records: [{ offsetDelta: 0, value: Buffer.from(`not ${offset}`) }],
    }),
  );
  return Buffer.concat(batches);
}

describe('a value that holds batches', () => {
  const CASES = [
    ['one that goes on where the damaged one would end', [3]],
    ['several that do', [3, 4, 5, 6]],
    ['some that leave a gap', [4, 5]],
  ] as const;

  describe.each([true, false])('in a log that was closed: %s', (isClosed) => {
    // The length of the batch, its header, all before the value: each of them hides that there is a value.
    test.each(
      CASES.flatMap(([name, offsets]) =>
        [
          [8, 4],
          [16, 8],
          [0, 70],
          [63, 1],
        ].map((hit) => ({ name, offsets, hit })),
      ),
    )(
      'is never taken for batches of the log ($name, damaged $hit)',
      async ({ offsets, hit: [at = 0, length = 0] }) => {
        for (const leaderEpoch of [0, 1, 1000]) {
          const values = ['a', 'b', embedded(offsets, leaderEpoch), 'd', 'e', 'f', 'g', 'h'];
          const vfs = await diskWith(values, isClosed);
          await smash(vfs, ((await positionsOf(vfs))[2] as number) + at, length, 0xff);
          const others = ['a', 'b', 'd', 'e', 'f', 'g', 'h'];
          for (const recovery of RECOVERY_MODES) {
            const opening = kit.open(kit.wrap(await copyDisk(vfs)), { ...OPTIONS, recovery });
            if (recovery === 'absoluteConsistency' || (recovery === 'tolerateCorruptedTail' && !isClosed)) {
              expect(await failure(opening)).toMatchObject({
                code: 'CORRUPT',
                offsets: { first: 2, last: 2 },
              });
              continue;
            }
            const log = await opening;
            const found = await lookUp(log);
            const end = recovery === 'pointInTime' ? 2 : 8;
            expect(found).toEqual(['a', 'b', [2, 2], 'd', 'e', 'f', 'g', 'h'].slice(0, end));
            if (recovery === 'skipAnyCorrupted') expect(await readValues(log)).toEqual(others);
            await log.close();
          }
        }
      },
    );
  });

  describe('in a write that was torn', () => {
    /** Three records that were synced, and a fourth with a value that holds a batch: the end of it is not there. */
    async function torn(epochBehind: number): Promise<Vfs> {
      const vfs = await diskWith(['a', 'b', 'c'], false);
      const bytes = await fileBytes(vfs, PATH);
      const value = embedded([4], bytes.length + epochBehind);
      const records = [
        { offsetDelta: 0, value, headers: [{ key: Buffer.from('k'), value: Buffer.from('torn') }] },
      ];
      const write = batchBytes({ baseOffset: 3n, leaderEpoch: bytes.length, records }).fill(0, -3);
      await putFile(vfs, PATH, Buffer.concat([bytes, write]));
      return vfs;
    }

    test.each([-1000, -1, 0, 1000])('does not make it damage (%i)', async (epochBehind) => {
      const log = await kit.open(kit.wrap(await torn(epochBehind)), OPTIONS);
      expect(log.recovery.tornTails).toBe(1);
      expect(await readValues(log)).toEqual(['a', 'b', 'c']);
    });

    test('makes the log refuse rather than cut, where it claims what only a batch there could know', async () => {
      const vfs = await torn(10);
      expect(await failure(kit.open(kit.wrap(vfs), OPTIONS))).toMatchObject({ code: 'CORRUPT' });
      for (const recovery of ['pointInTime', 'skipAnyCorrupted'] as const) {
        const log = await kit.open(kit.wrap(await copyDisk(vfs)), { ...OPTIONS, recovery });
        expect(await readValues(log)).toEqual(['a', 'b', 'c']);
      }
    });
  });
});

test('whole batches between two damaged ones are kept, whatever of those is left', async () => {
  for (const [at, length] of [
    [61, 4],
    [0, 61],
    [8, 4],
  ] as const) {
    const values = range(0, 12).map((i) => `value ${i}`.padEnd(300, '.'));
    const vfs = await diskWith(values, true);
    const positions = await positionsOf(vfs);
    for (const hit of [2, 7]) await smash(vfs, (positions[hit] as number) + at, length, 0xee);
    const log = await kit.open(kit.wrap(vfs), OPTIONS);
    expect(await lookUp(log)).toEqual(values.map((value, i) => (i === 2 || i === 7 ? [i, i] : value)));
    expect((await log.verify()).problems.map(({ offsets }) => offsets)).toEqual([
      { first: 2, last: 2 },
      { first: 7, last: 7 },
    ]);
    await log.close();
  }
});

test.each([3, 6, 14])('a batch of %i MiB behind damage is found', async (mebibytes) => {
  const large = 'x'.repeat(mebibytes * 1024 * 1024);
  const options = { ...OPTIONS, maxRecordBytes: 16 << 20, bufferBytes: 16 << 20 };
  const vfs = await diskWith(['a', 'b', 'c'.repeat(1_900_000), large, 'e'], true, options);
  await smash(vfs, (await positionsOf(vfs))[2] as number, 61, 0xff);
  const log = await kit.open(kit.wrap(vfs), options);
  expect((await log.get(3)).value?.length).toBe(large.length);
  expect(await failure(log.get(2))).toMatchObject({ code: 'CORRUPT', offsets: { first: 2, last: 2 } });
});
