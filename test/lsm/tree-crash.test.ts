/**
 * The power fails at every operation of a short life of two trees, and the machine wakes up in some of the states
 * that its disk can be in. What was acknowledged is there; batches are there as a whole, or not at all.
 */

import { describe, expect, test } from 'vitest';
import { TreeBatch } from '../../src/lsm/batch.ts';
import type { Tree } from '../../src/lsm/tree.ts';
import type { Trees } from '../../src/lsm/trees.ts';
import { CrashVfs } from '../../src/testing/crash.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { settle } from '../kit/clock.ts';
import { DATABASE, type OpenTrees, useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();
const STATES = 3;
const STEPS = 12;
const KEYS = 7;

/** Each step is a batch over both trees: it sets the same keys in both, and deletes what an earlier one has set. */
function step(trees: Trees, one: Tree, two: Tree, number: number): Promise<number> {
  const batch = new TreeBatch(trees);
  if (number % 5 === 4) batch.deleteRange(one, 'key 1', 'key 4').deleteRange(two, 'key 1', 'key 4');
  for (let i = 0; i < 3; i++) {
    const key = `key ${(number * 3 + i) % KEYS}`;
    batch.put(one, key, valueOf(number)).put(two, key, valueOf(number));
  }
  batch.delete(one, `key ${number % KEYS}`).delete(two, `key ${number % KEYS}`);
  return batch.write({ durability: 'synced' });
}

const valueOf = (number: number): string => `${number}`.padEnd(400, '.');

/** What both trees hold after so many steps. */
function contentsAfter(steps: number): string {
  const contents = new Map<string, string>();
  for (let number = 0; number < steps; number++) {
    if (number % 5 === 4) for (const key of ['key 1', 'key 2', 'key 3']) contents.delete(key);
    for (let i = 0; i < 3; i++) contents.set(`key ${(number * 3 + i) % KEYS}`, valueOf(number));
    contents.delete(`key ${number % KEYS}`);
  }
  return JSON.stringify([...contents].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function contentsOf(tree: Tree): string {
  return JSON.stringify([...tree.entries()].map(([key, value]) => [key.toString(), value.toString()]));
}

interface Knowledge {
  acknowledged: number;
  attempted: number;
}

async function live({ trees, tree }: OpenTrees, known: Knowledge): Promise<void> {
  const [one, two] = [await tree('one'), await tree('two')];
  for (let number = 0; number < STEPS; number++) {
    known.attempted = number + 1;
    await step(trees, one, two, number);
    known.acknowledged = number + 1;
    if (number % 3 === 2) await one.flush();
    if (number === 7) await two.flush();
  }
  await trees.close();
}

async function makeDirectory(vfs: Vfs): Promise<void> {
  await vfs.mkdir(DATABASE);
  await vfs.syncDir('/');
}

/** The step after which both trees are, which is one that may be. */
async function expectKept(open: OpenTrees, known: Knowledge): Promise<number> {
  const [one, two] = [await open.tree('one'), await open.tree('two')];
  const found = contentsOf(one);
  expect(contentsOf(two)).toBe(found);
  let steps = known.acknowledged;
  while (steps <= known.attempted && contentsAfter(steps) !== found) steps++;
  expect({ found, steps: Math.min(steps, known.attempted) }).toEqual({ found: contentsAfter(steps), steps });
  return steps;
}

/** No table is on the disk that no tree has. */
async function expectNoOrphans({ trees }: OpenTrees, vfs: Vfs): Promise<void> {
  for (const { directory, version } of trees.list) {
    expect((await vfs.readdir(directory)).length).toBe(version.tableCount);
  }
}

describe('trees that lose power', () => {
  test('hold what was acknowledged, at whatever operation it happens', { timeout: 120_000 }, async () => {
    let crashes = 0;
    for (let at = 0; ; at += 3) {
      const machine = new CrashVfs({
        onOperation: (index) => {
          if (index >= at + 3) throw new Error('power');
        },
      });
      const known: Knowledge = { acknowledged: 0, attempted: 0 };
      await makeDirectory(machine);
      await kit
        .open({ vfs: machine })
        .then((open) => live(open, known))
        .catch(() => undefined);
      if (!machine.stopped) break;
      await settle(3);
      for (const plan of machine.enumerateCrashes(STATES)) {
        const vfs = machine.crash(plan);
        const disk = kit.wrap(vfs);
        try {
          const open = await kit.open(disk);
          const steps = await expectKept(open, known);
          await expectNoOrphans(open, vfs);
          // It lives on, and comes to the same end.
          const [one, two] = [await open.tree('one'), await open.tree('two')];
          for (let number = steps; number < STEPS; number++) await step(open.trees, one, two, number);
          await one.flush();
          await open.trees.close();
          const again = await kit.open(disk);
          expect(contentsOf(await again.tree('one'))).toBe(contentsAfter(STEPS));
          expect(contentsOf(await again.tree('two'))).toBe(contentsAfter(STEPS));
          await again.trees.close();
        } catch (error) {
          throw new Error(`power cut at operation ${at + 3}, ${JSON.stringify(plan)}`, { cause: error });
        }
        crashes++;
      }
      await kit.end();
    }
    expect(crashes).toBeGreaterThan(100);
  });

  test('recover although the power fails while they do', { timeout: 120_000 }, async () => {
    const machine = new CrashVfs();
    await makeDirectory(machine);
    const known: Knowledge = { acknowledged: 0, attempted: 0 };
    const open = await kit.open({ vfs: machine });
    await live(open, known);
    let crashes = 0;
    for (let at = 0; ; at += 2) {
      let count = 0;
      let isOn = true;
      const second = machine.preview({ choices: [] });
      const fragile = kit.wrap(second, [
        {
          // Everything fails from one operation on, as if there were no power.
          path: () => isOn && ++count > at,
          error: 'EIO',
        },
      ]);
      const opened = await kit.open(fragile, { readOnly: false }).catch(() => undefined);
      isOn = false;
      if (opened !== undefined) {
        expect(await expectKept(opened, known)).toBe(STEPS);
        await opened.trees.close();
        if (count <= at) break;
      }
      const again = await kit.open(kit.wrap(second.crash({ seed: at + 1 })));
      expect(await expectKept(again, known)).toBe(STEPS);
      await again.trees.close();
      crashes++;
      await kit.end();
    }
    expect(crashes).toBeGreaterThan(5);
  });
});
