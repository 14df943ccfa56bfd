/** Compaction that is stopped, or fails, at any call of the disk. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { COMPACTED, expectCompacted, fill, type Keyed, keyedRecords } from '../kit/keyed.ts';
import { copyDisk, DIRECTORY, damageFile, readRecords, tree, useLogKit } from '../kit/log-kit.ts';
import { Moments } from '../long/moments.ts';

const kit = useLogKit();
const KEYS = 7;
const COUNT = 100;
const OPTIONS: LogOptions = { ...COMPACTED, deleteRetentionMs: 0 };

/** Everything that was appended to the log of `prepare`. */
const ALL: Keyed[] = keyedRecords(0, COUNT, KEYS, 60).map(({ key, value }) => {
  return { key: String(key), value: String(value) };
});

/** A disk with a log of several sealed segments, closed. */
async function prepare(): Promise<ReturnType<typeof createMemoryVfs>> {
  const disk = kit.wrap(createMemoryVfs());
  await disk.inner.mkdir(DIRECTORY);
  const log = await kit.open(disk, OPTIONS);
  await fill(log, COUNT, KEYS, 60);
  await log.roll();
  await log.close();
  return await copyDisk(disk.inner);
}

async function expectWhole(log: Log): Promise<void> {
  await expectCompacted(log, ALL, true);
  expect((await log.verify()).problems.filter(({ offsets }) => offsets !== undefined)).toEqual([]);
}

describe('compaction', () => {
  test('that is stopped at any moment leaves the old segments or the new ones', {
    timeout: 60_000,
  }, async () => {
    const source = await prepare();
    const moments = new Moments({
      states: 2,
      seed: 1,
      bounds: () => ({ attempted: 0, promised: 0, firstMin: 0, firstMax: 0 }),
    });
    const vfs = moments.watch();
    await vfs.mkdir(DIRECTORY);
    for (const [path, bytes] of await tree(source)) {
      const file = await vfs.open(path, 'create');
      await file.write(bytes, 0);
      await file.datasync();
      await file.close();
    }
    for (const directory of ['/', '/logs', DIRECTORY]) await vfs.syncDir(directory);
    moments.states.length = 0;
    const log = await kit.open({ vfs }, OPTIONS);
    await log.compact({ force: true });
    await log.compact({ force: true });
    await log.close();
    expect(moments.states.length).toBeGreaterThan(100);
    let finished = 0;
    for (const [i, state] of moments.states.entries()) {
      try {
        const names = await state.vfs.readdir(DIRECTORY);
        if (names.some((name) => name.endsWith('.swap'))) finished++;
        if (i % 3 === 0) await expectWhole(await kit.open(state, OPTIONS, { readOnly: true }));
        const woken = await kit.open(state, OPTIONS);
        await expectWhole(woken);
        const files = await state.vfs.readdir(DIRECTORY);
        expect(files.filter((name) => /cleaned|swap|deleted/.test(name))).toEqual([]);
        // A second recovery, after another power cut, finds the same.
        const before = (await readRecords(woken)).map(({ offset }) => offset);
        const again = await kit.open({ vfs: state.vfs.preview({ choices: [] }) }, OPTIONS);
        expect((await readRecords(again)).map(({ offset }) => offset)).toEqual(before);
        if (i % 3 === 1) {
          await again.compact({ force: true });
          await expectWhole(again);
        }
        await kit.end();
      } catch (error) {
        throw new Error(`${state.label}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
    expect(finished).toBeGreaterThan(10);
  });

  test.each(['EIO', 'ENOSPC'])(
    'that fails with %s at any call leaves a log that can be used',
    { timeout: 60_000 },
    async (code) => {
      const source = await prepare();
      let failures = 0;
      const start = kit.wrap(await copyDisk(source));
      await (await kit.open(start, OPTIONS)).close();
      const opening = start.vfs.operations;
      await kit.end();
      // Every third call, and another third for each code.
      for (let at = opening - 20 + code.length, met = true; met; at += 3) {
        const disk = kit.wrap(await copyDisk(source), [{ at, error: code }]);
        let log: Log | undefined;
        try {
          log = await kit.open(disk, OPTIONS);
          await log.compact({ force: true });
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/IO|NO_SPACE|POISONED/) });
          failures++;
        }
        met = disk.vfs.injected > 0;
        disk.rules.length = 0;
        if (log !== undefined) {
          await expectCompacted(log, ALL, true);
          if (!log.metrics().isPoisoned) {
            await log.compact({ force: true });
            await expectCompacted(log, ALL, true);
          }
          await log.close().catch(() => undefined);
        }
        const again = await kit.open(disk, OPTIONS);
        await expectWhole(again);
        await again.compact({ force: true });
        await expectWhole(again);
        await kit.end();
      }
      expect(failures).toBeGreaterThan(10);
    },
  );

  test('that cannot be synced while it is written is given up, and leaves nothing behind', async () => {
    const disk = await kit.disk();
    const large: LogOptions = { ...OPTIONS, segmentBytes: 32 * 1024 * 1024, bufferBytes: 1024 * 1024 };
    const log = await kit.open(disk, large);
    const value = Buffer.alloc(128 * 1024, 'much');
    for (let i = 0; i < 100; i++) await log.append({ key: `${i % 90}`, value });
    await log.roll();
    const names = (await disk.inner.readdir(DIRECTORY)).sort();
    disk.rules.push({ operation: 'datasync', path: /cleaned/, error: 'EIO', times: 1 });
    await expect(log.compact({ force: true })).rejects.toMatchObject({ code: 'IO' });
    expect((await disk.inner.readdir(DIRECTORY)).sort()).toEqual(names);
    expect(log.metrics().isPoisoned).toBe(false);
    expect((await log.compact({ force: true })).supersededRecords).toBe(10);
  });

  test('is given up when the log is closed', async () => {
    const disk = kit.wrap(await prepare());
    const log = await kit.open(disk, OPTIONS);
    const compacting = log.compact({ force: true });
    await log.close();
    await expect(compacting).rejects.toMatchObject({ code: 'CLOSED' });
    await expectWhole(await kit.open(disk, OPTIONS));
  });

  test('is not believed where what it left is damaged', async () => {
    const disk = kit.wrap(await prepare());
    const log = await kit.open(disk, OPTIONS);
    // The disk fails right behind the moment from which on the new segment counts.
    disk.rules.push({ operation: 'write', path: /recovery-point/, error: 'EIO' });
    await expect(log.compact({ force: true })).rejects.toMatchObject({ code: 'IO' });
    const names = await disk.inner.readdir(DIRECTORY);
    const swap = names.find((name) => name.endsWith('.swap')) as string;
    await expectWhole(log);
    const image = await copyDisk(disk.inner);
    const whole = await kit.open(kit.wrap(await copyDisk(image)), OPTIONS);
    await expectWhole(whole);
    expect(whole.recovery.quarantined).toEqual([]);
    expect(whole.info().removedRecords).toBeGreaterThan(0);
    await damageFile(image, `${DIRECTORY}/${swap}`, 30);
    const woken = await kit.open(kit.wrap(image), OPTIONS);
    await expectWhole(woken);
    expect(woken.info().removedRecords).toBe(0);
    expect(woken.recovery.quarantined).toMatchObject([{ from: `${DIRECTORY}/${swap}` }]);
  });
});
