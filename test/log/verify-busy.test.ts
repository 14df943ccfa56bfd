/** A log that is looked at while its writer rolls and removes: what moves is no damage, and damage stays. */

import { expect, test } from 'vitest';
import { surveyLog } from '../../src/log/survey.ts';
import { verifyLog } from '../../src/log/verify.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { DIRECTORY, type Disk, damageFile, range, segmentPath, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const OPTIONS = { segmentBytes: 4096, indexIntervalBytes: 512, sync: { mode: 'never' } } as const;

async function makeLog() {
  const disk = await kit.disk();
  const log = await kit.open(disk, OPTIONS);
  for (const i of range(0, 150)) await log.append({ value: `${i}`.padEnd(400) });
  return { disk, log, bases: log.info().segments.map(({ baseOffset }) => baseOffset) };
}

/** What a survey needs, on a disk where somebody listens to what it opens. */
function contextOf({ inner }: Disk, beforeOpen: (path: string) => Promise<unknown>) {
  const vfs: Vfs = new Proxy(inner, {
    get(target, name: keyof Vfs) {
      if (name !== 'open') return Reflect.get(target, name)?.bind(target);
      return async (...[path, mode]: Parameters<Vfs['open']>) => {
        await beforeOpen(path);
        return target.open(path, mode);
      };
    },
  });
  return { memory: kit.memory, vfs, directory: DIRECTORY, indexIntervalBytes: 512 };
}

test('segments that are removed under its eyes are no damage', async () => {
  const { disk, log, bases } = await makeLog();
  const removed: number[] = [];
  const context = contextOf(disk, async (path) => {
    const base = log.firstOffset;
    // Whenever it has read the first segment and wants the index, the segment goes.
    if (removed.length < 12 && path === segmentPath(base, 'index')) {
      removed.push(base);
      await log.truncateBefore(bases[bases.indexOf(base) + 1] as number);
    }
  });
  const report = await verifyLog(context, { deep: true });
  expect(removed).toHaveLength(12);
  expect(report).toMatchObject({ problems: [], unfinished: [], segments: bases.length - 12 });
});

test('damage in a log that does not stand still is found with the second look', async () => {
  const { disk, log, bases } = await makeLog();
  const base = bases[5] as number;
  await damageFile(disk.inner, segmentPath(base), 100);
  let looks = 0;
  const context = contextOf(disk, async (path) => {
    if (path === segmentPath(base)) {
      looks++;
      await log.appendMany(range(0, 40).map((i) => ({ value: `${i}`.padEnd(400) })));
    }
  });
  const { judgement } = await surveyLog(context);
  expect(judgement.losses).toMatchObject([{ kind: 'hole', file: segmentPath(base), position: 0 }]);
  expect(looks).toBe(2);
});
