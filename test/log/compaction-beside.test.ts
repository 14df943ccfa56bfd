/** Who looks at a log, reads it or copies it, while its segments are being replaced: at each step of that. */

import { expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import type { Vfs } from '../../src/vfs/vfs.ts';
import { COMPACTED, expectCompacted, type Keyed, keyedRecords } from '../kit/keyed.ts';
import { DIRECTORY, range, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();
const KEYS = 7;
const OPTIONS: LogOptions = { ...COMPACTED, digest: 'crc32c' };

/** A disk on which nothing changes its name before somebody had a look. */
function paced(disk: Vfs, look: (what: string) => Promise<void>): Vfs {
  return {
    open: (path, mode) => disk.open(path, mode),
    readdir: (path) => disk.readdir(path),
    stat: (path) => disk.stat(path),
    mkdir: (path) => disk.mkdir(path),
    removeDir: (path) => disk.removeDir(path),
    lock: (directory) => disk.lock(directory),
    syncDir: (path) => disk.syncDir(path),
    async rename(from, to) {
      await look(`rename ${from}`);
      await disk.rename(from, to);
    },
    async remove(path) {
      await look(`remove ${path}`);
      await disk.remove(path);
    },
  };
}

/** A writer with someone who looks at each step of it, and everything that was appended. */
async function beside(look: (what: string) => Promise<void>): Promise<{
  disk: Vfs;
  writer: Log;
  all: Keyed[];
  round: (count: number) => Promise<void>;
}> {
  const disk = createMemoryVfs();
  await disk.mkdir(DIRECTORY);
  let isLooking = false;
  let isOn = false;
  const vfs = paced(disk, async (what) => {
    if (isLooking || !isOn) return;
    isLooking = true;
    await look(what).finally(() => {
      isLooking = false;
    });
  });
  const writer = await kit.open({ vfs }, OPTIONS);
  const all: Keyed[] = [];
  const round = async (count: number): Promise<void> => {
    isOn = false;
    const records = keyedRecords(all.length, count, KEYS, 100);
    await writer.appendMany(records);
    for (const { key, value } of records) all.push({ key: String(key), value: String(value) });
    await writer.roll();
    isOn = true;
    await writer.compact({ force: true });
    isOn = false;
  };
  return { disk, writer, all, round };
}

test('a read-only handle finds no damage while segments are replaced, whether it is new or has seen older ones', async () => {
  const readers: Log[] = [];
  let steps = 0;
  const { disk, all, round } = await beside(async (what) => {
    try {
      steps++;
      const fresh = await kit.open({ vfs: disk }, OPTIONS, { readOnly: true });
      if (steps % 2 === 0) await expectCompacted(fresh, all, true);
      else expect((await fresh.verify({ deep: true })).problems).toEqual([]);
      if (readers.length < 4) readers.push(fresh);
      else await fresh.close();
      // Some have been told nothing for a while.
      const old = readers[steps % 4];
      if (steps % 3 === 0) await old?.refresh();
      await expectWhole(old);
    } catch (error) {
      throw new Error(`${what}, step ${steps}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  });
  /** What a reader sees may be of some time ago, but each key is there. */
  async function expectWhole(log: Log | undefined): Promise<void> {
    if (log === undefined) return;
    const newest = new Map<string, number>();
    let last = -1;
    for await (const { offset, key, value } of log.read()) {
      expect(offset).toBeGreaterThan(last);
      last = offset;
      expect({ key: String(key), value: String(value) }).toEqual(all[offset]);
      newest.set(String(key), offset);
    }
    const due = new Map(all.slice(0, last + 1).map(({ key }, offset) => [key, offset]));
    expect(newest).toEqual(due);
    const middle = [...newest.values()][0] ?? 0;
    expect(String((await log.get(middle)).value)).toBe(all[middle]?.value);
  }
  for (const count of [120, 60, 90, 40]) await round(count);
  expect(steps).toBeGreaterThan(40);
  for (const reader of readers) {
    await expectWhole(reader);
    await reader.refresh();
    await expectCompacted(reader, all, true);
    expect((await reader.verify({ deep: true })).problems).toEqual([]);
  }
});

test('damage is damage still, for one who only reads', async () => {
  const { disk, writer, round } = await beside(async () => undefined);
  await round(100);
  await writer.close();
  const reader = await kit.open({ vfs: disk }, OPTIONS, { readOnly: true });
  const name = (await disk.readdir(DIRECTORY)).find((one) => /^0+\.log$/.test(one)) as string;
  const file = await disk.open(`${DIRECTORY}/${name}`, 'write');
  await file.write(Uint8Array.of(1, 2, 3), 70);
  await file.close();
  const read = async (): Promise<void> => {
    for await (const _ of reader.read());
  };
  for (const _ of range(0, 2)) await expect(read()).rejects.toMatchObject({ code: 'CORRUPT', position: 0 });
});

test('a copy that is made while segments are replaced is whole, with its indexes, and has nothing else', async () => {
  let copies = 0;
  const copying: Promise<void>[] = [];
  const { disk, writer, all, round } = await beside(async () => {
    const target = `/copy-${copies++}`;
    await disk.mkdir(target);
    // It waits for what is under way, which must not wait for it.
    copying.push(writer.copyTo(target));
  });
  await round(150);
  await round(60);
  await Promise.all(copying);
  expect(copies).toBeGreaterThan(10);
  for (const i of range(0, copies)) {
    const names = await disk.readdir(`/copy-${i}`);
    expect(names.filter((name) => /cleaned|deleted|tmp/.test(name))).toEqual([]);
    const copy = await kit.open({ vfs: disk }, OPTIONS, { directory: `/copy-${i}` });
    await expectCompacted(copy, all.slice(0, copy.nextOffset), true);
    expect((await copy.verify({ deep: true })).problems).toEqual([]);
    await copy.close();
  }
});
