/**
 * The power fails at every operation of a repair, and the machine wakes up in some of the states that its disk
 * can be in: another repair ends well, and nothing that was whole is gone.
 */

import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { REPAIR_MODES, type RepairMode } from '../../src/log/repair-report.ts';
import { open } from '../../src/open.ts';
import { repair } from '../../src/repair.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import { createFaultVfs } from '../../src/testing/fault.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import {
  copyDatabase,
  cut,
  DATABASE,
  flip,
  LOG_OPTIONS,
  makeDisks,
  pathOf,
  smallRuntime,
  valueOf,
} from '../kit/damage.ts';
import { range, readRecords, tree } from '../kit/log-kit.ts';

const runtime = smallRuntime();
const STATES = 3;
let closed: Vfs;

beforeAll(async () => {
  ({ closed } = await makeDisks(runtime));
});

afterEach(() => {
  expect(runtime.memory.slabs.inUse()).toEqual([]);
});

type Scenario = [name: string, damage: (vfs: Vfs) => Promise<void>, kept: Record<RepairMode, number[]>];

const all = range(0, 15);
const SCENARIOS: Scenario[] = [
  [
    'damage in two segments, and a damaged recovery point',
    async (vfs) => {
      await flip(vfs, 4, 5);
      await flip(vfs, 8, 11);
    },
    { pointInTime: range(0, 5), skipAnyCorrupted: all.filter((i) => i !== 5 && i !== 11) },
  ],
  [
    'a missing segment, and a last one that ends early',
    async (vfs) => {
      await vfs.remove(pathOf(4));
      await cut(vfs, 12, 13, 100);
    },
    { pointInTime: range(0, 4), skipAnyCorrupted: [...range(0, 4), ...range(8, 13)] },
  ],
];

/** A machine that has the damaged log on its disk for certain. */
async function machineWith(
  damage: (vfs: Vfs) => Promise<void>,
  onOperation: (index: number) => void,
): Promise<CrashVfs> {
  const plain = await copyDatabase(closed);
  await damage(plain);
  const made = new CrashVfs();
  await copyDatabase(plain, made);
  for (const path of (await tree(made, DATABASE)).keys()) {
    const file = await made.open(path, 'write');
    await file.datasync();
    await file.close();
  }
  const directories = new Set(
    [...(await tree(made, DATABASE)).keys()].map((path) => path.slice(0, path.lastIndexOf('/'))),
  );
  for (const directory of ['/', DATABASE, `${DATABASE}/logs`, ...directories]) await made.syncDir(directory);
  return made.crash({ choices: [] }, { onOperation });
}

/** Every whole batch that was there is somewhere: in a segment, or in quarantine. */
async function expectNothingThrownAway(before: Map<string, Buffer>, vfs: Vfs): Promise<void> {
  const after = [...(await tree(vfs, DATABASE))].filter(([path]) => path.includes('.log'));
  const heap = Buffer.concat(after.map(([, bytes]) => bytes));
  for (const [path, bytes] of before) {
    if (!path.endsWith('.log')) continue;
    for (let at = 0; at < bytes.length; at += 970) {
      expect(heap.includes(bytes.subarray(at, Math.min(at + 970, bytes.length))), `${path} at ${at}`).toBe(
        true,
      );
    }
  }
}

async function expectRepaired(vfs: Vfs, kept: number[], before: Map<string, Buffer>): Promise<void> {
  const database = await open(DATABASE, { vfs, runtime });
  const log = await database.log('events', LOG_OPTIONS);
  const records = await readRecords(log);
  expect(records.map(({ offset, value }) => [offset, value?.toString()])).toEqual(
    kept.map((i) => [i, valueOf(i)]),
  );
  expect(await database.verify({ deep: true })).toMatchObject({ isClean: true, lostRecords: 0 });
  await database.close();
  await expectNothingThrownAway(before, vfs);
}

describe.each(SCENARIOS)('a repair of %s', (_, damage, kept) => {
  test.each(REPAIR_MODES)('can be cut short at any operation (%s)', { timeout: 60_000 }, async (mode) => {
    let crashes = 0;
    const before = await tree(await machineWith(damage, () => undefined), DATABASE);
    for (let at = 0; ; at++) {
      const machine = await machineWith(damage, (index) => {
        if (index === at) throw new Error('power cut');
      });
      await repair(DATABASE, { mode, runtime, vfs: machine }).catch(() => undefined);
      await settle(3);
      const isWhole = !machine.stopped;
      for (const plan of machine.enumerateCrashes(STATES)) {
        const woken = machine.crash(plan);
        await repair(DATABASE, { mode, runtime, vfs: woken });
        const again = await repair(DATABASE, { mode, runtime, vfs: woken });
        expect(again.isClean, `power cut at ${at}, ${JSON.stringify(plan)}`).toBe(true);
        await expectRepaired(woken, kept[mode], before);
        crashes++;
      }
      if (isWhole) break;
    }
    expect(crashes).toBeGreaterThan(80);
  });

  test.each(REPAIR_MODES)('can fail at any operation (%s)', { timeout: 60_000 }, async (mode) => {
    let failures = 0;
    for (let at = 0; ; at++) {
      const plain = await copyDatabase(closed);
      await damage(plain);
      const before = await tree(plain, DATABASE);
      const failing = createFaultVfs(plain, [{ at, error: 'EIO' }]);
      await repair(DATABASE, { mode, runtime, vfs: failing }).catch(() => undefined);
      expect(failing.openFiles).toBe(0);
      await repair(DATABASE, { mode, runtime, vfs: plain });
      await expectRepaired(plain, kept[mode], before);
      if (failing.injected > 0) failures++;
      else break;
    }
    expect(failures).toBeGreaterThan(80);
  });
});
