/**
 * The power fails at every operation of a short life of a log, and the machine wakes up in some of the states
 * that its disk can be in. What was acknowledged is there; nothing is there that was not attempted.
 */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { settle } from '../kit/clock.ts';
import { DIRECTORY, differences, range, readRecords, tree, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const STATES = 3;
const BASE: LogOptions = { segmentBytes: 4096, indexIntervalBytes: 1024 };

function valueOf(offset: number, life = 1): string {
  return `${offset} of life ${life}`.padEnd(700, '.');
}

/** What callers know about a log when the power fails. */
class Knowledge {
  /** Offsets below are synced, as far as callers were told. */
  synced = 0;
  attempted = 0;
  /** The log begins no earlier, and no later. */
  removed = 0;
  removing = 0;
}

async function live(log: Log, known: Knowledge): Promise<void> {
  const append = async (count: number): Promise<void> => {
    const offsets = range(known.attempted, known.attempted + count);
    known.attempted += count;
    const appended = offsets.map((i) =>
      log.append({ value: valueOf(i), timestamp: i }, { durability: 'synced' }),
    );
    for (const [i, offset] of (await Promise.allSettled(appended)).entries()) {
      if (offset.status === 'rejected') throw offset.reason;
      if (offset.value !== offsets[i]) throw new Error(`offset ${offset.value} for record ${offsets[i]}`);
      known.synced = offset.value + 1;
    }
  };
  for (const count of [1, 2, 6, 1, 3, 2]) await append(count);
  known.removing = 7;
  await log.truncateBefore(7);
  known.removed = 7;
  await append(4);
  await log.close();
}

async function makeDirectory(vfs: CrashVfs): Promise<void> {
  await vfs.mkdir(DIRECTORY);
  await vfs.syncDir('/');
  await vfs.syncDir('/logs');
}

async function expectKept(log: Log, known: Knowledge): Promise<void> {
  const { firstOffset, nextOffset } = log;
  const isFirstRight = firstOffset >= known.removed && firstOffset <= known.removing;
  const isNextRight = nextOffset >= known.synced && nextOffset <= known.attempted;
  expect({ firstOffset, nextOffset, isFirstRight, isNextRight }).toMatchObject({
    isFirstRight: true,
    isNextRight: true,
  });
  const read = (await readRecords(log)).map(
    ({ offset, timestamp, value }) => `${offset} ${timestamp} ${value}`,
  );
  const got = await Promise.all(
    range(firstOffset, nextOffset).map(async (i) => `${(await log.get(i)).value}`),
  );
  const values = range(firstOffset, nextOffset).map((i) => valueOf(i));
  expect(read).toEqual(values.map((value, i) => `${firstOffset + i} ${firstOffset + i} ${value}`));
  expect(got).toEqual(values);
  // Indexes are not synced: what a crash did to them is mended when they are needed.
  expect((await log.verify()).problems.filter(({ file }) => file.endsWith('.log'))).toEqual([]);
}

/** All segments, in place and in quarantine, without the zeros that are made ahead of their use. */
async function written(vfs: CrashVfs): Promise<Map<string, Buffer>> {
  const files = [...(await tree(vfs))].filter(([path]) => path.includes('.log'));
  return new Map(
    files.map(([path, bytes]) => [path, bytes.subarray(0, bytes.findLastIndex((byte) => byte !== 0) + 1)]),
  );
}

/** Opens what a crash left, twice. A crash behind the recovery comes to the same as one before it. */
async function wakeUp(vfs: CrashVfs, options: LogOptions, known: Knowledge): Promise<void> {
  const disk = kit.wrap(vfs);
  const log = await kit.open(disk, options);
  await expectKept(log, known);
  const before = await written(vfs);
  const copy = vfs.preview({ choices: [] });
  const again = await kit.open(kit.wrap(copy), options);
  await expectKept(again, known);
  expect(differences(before, await written(copy))).toEqual([]);
  await again.close();
  await log.close();
}

/** Opens what a crash left, and lives on with it. */
async function liveOn(vfs: CrashVfs, options: LogOptions, known: Knowledge): Promise<void> {
  const disk = kit.wrap(vfs);
  const log = await kit.open(disk, options);
  const next = log.nextOffset;
  for (const i of range(next, next + 8)) await log.append({ value: valueOf(i, 2) });
  await log.close();
  const again = await kit.open(disk, options);
  expect(again.recovery.wasClean).toBe(true);
  const values = (await readRecords(again)).map(({ value }) => value?.toString());
  expect(values).toEqual([
    ...range(Math.min(log.firstOffset, next), next).map((i) => valueOf(i)),
    ...range(next, next + 8).map((i) => valueOf(i, 2)),
  ]);
  expect(next).toBeGreaterThanOrEqual(known.synced);
  await again.close();
}

describe.each<[string, LogOptions]>([
  ['always', { sync: { mode: 'always' } }],
  ['always, with segments made ahead', { sync: { mode: 'always' }, preallocate: true }],
  ['never, and asked for synced', { sync: { mode: 'never' } }],
])('a power cut at every operation (%s)', (_, policy) => {
  test('loses nothing that was acknowledged', { timeout: 60_000 }, async () => {
    const options = { ...BASE, ...policy };
    let crashes = 0;
    for (let at = 0; ; at++) {
      const known = new Knowledge();
      const machine = new CrashVfs({
        onOperation: (index) => {
          if (index === at + 3) throw new Error('power cut');
        },
      });
      await makeDirectory(machine);
      await kit
        .open({ vfs: machine }, options)
        .then((log) => live(log, known))
        .catch(() => undefined);
      if (!machine.stopped) break;
      await settle(3);
      for (const plan of machine.enumerateCrashes(STATES)) {
        await wakeUp(machine.crash(plan), options, known).catch((error: unknown) => {
          throw new Error(`power cut at operation ${at + 3}, ${JSON.stringify(plan)}`, { cause: error });
        });
        crashes++;
      }
      await liveOn(machine.crash({ seed: at }), options, known);
      await kit.end();
    }
    expect(crashes).toBeGreaterThan(150);
  });
});
