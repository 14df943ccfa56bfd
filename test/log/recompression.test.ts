/** Segments that are compressed once they are sealed: what changes of them, and what must not. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { repairLog } from '../../src/log/repair.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { joinPath, type Vfs } from '../../src/vfs/vfs.ts';
import { batchBytes, crc32cOf } from '../kit/batch-bytes.ts';
import { VirtualClock } from '../kit/clock.ts';
import { CODECS_HERE } from '../kit/codecs.ts';
import {
  copyDisk,
  DIRECTORY,
  type Disk,
  damageFile,
  failureCode,
  fileBytes,
  range,
  readOffsets,
  readRecords,
  segmentPath,
  tree,
  useLogKit,
} from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';
import { Moments } from '../long/moments.ts';

const kit = useLogKit();
const COUNT = 200;
const OPTIONS: LogOptions = {
  compression: { codec: 'gzip', when: 'seal' },
  segmentBytes: 4096,
  batchBytes: 1000,
  bufferBytes: 64 * 1024,
  indexIntervalBytes: 700,
  sync: { mode: 'never' },
};

function line(i: number): string {
  return `081109 2036${i % 60} ${i % 997} INFO dfs.DataNode$PacketResponder: Received block blk_${i * 7919}`;
}

async function fill(log: Log, count = COUNT): Promise<void> {
  const from = log.nextOffset;
  await log.appendMany(
    range(from, from + count).map((i) => ({
      key: i % 3 === 0 ? `host-${i % 4}` : null,
      value: line(i),
      timestamp: 1000 + i,
      headers: i % 5 === 0 ? [{ key: 'level', value: 'INFO' }] : [],
    })),
  );
}

/** One that goes on whenever somebody looks at it. */
class HastyClock extends VirtualClock {
  #looks = 0;

  override monotonic(): number {
    return ++this.#looks;
  }
}

/** A disk with a log of several sealed segments, closed. */
async function prepare(options: LogOptions = OPTIONS): Promise<Vfs> {
  const disk = await kit.disk();
  const log = await kit.open(disk, options);
  await fill(log);
  await log.roll();
  await log.close();
  return disk.inner;
}

async function expectWhole(log: Log, count = COUNT): Promise<void> {
  const records = await readRecords(log);
  expect(records.map(({ offset }) => offset)).toEqual(range(0, count));
  for (const { offset, key, value, timestamp, headers } of records) {
    const expected = [offset % 3 === 0 ? `host-${offset % 4}` : undefined, line(offset), 1000 + offset];
    expect([key?.toString(), value?.toString(), timestamp]).toEqual(expected);
    expect(headers.length).toBe(offset % 5 === 0 ? 1 : 0);
  }
  expect((await log.verify({ deep: true })).problems.filter(({ offsets }) => offsets !== undefined)).toEqual(
    [],
  );
}

/** How the batches of each segment are compressed: which types there are. */
async function codecsIn(vfs: Vfs): Promise<string[]> {
  const names = (await vfs.readdir(DIRECTORY)).filter((name) => name.endsWith('.log')).sort();
  const found: string[] = [];
  for (const name of names) {
    const bytes = await fileBytes(vfs, joinPath(DIRECTORY, name));
    const types = new Set<number>();
    for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
      const type = bytes.readInt16BE(at + 21) & 7;
      // A little is not worth it.
      if (type !== 0 || bytes.readInt32BE(at + 8) > 600) types.add(type);
    }
    found.push(types.size === 0 ? 'little' : [...types].join('+'));
  }
  return found;
}

describe('a log whose segments are compressed when they are sealed', () => {
  test.each(CODECS_HERE.map((one) => [`${one.name}${one.note}`, one] as const))(
    'is written plain, and is the same for readers when it is compressed with %s',
    async (_, { name, codec }) => {
      // What has no codec here is told by the title.
      if (codec === undefined) return;
      const options: LogOptions = { ...OPTIONS, compression: { codec: name, when: 'seal' }, digest: 'crc64' };
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      await fill(log);
      await log.roll();
      await log.append({ value: 'hot' });
      expect(new Set(await codecsIn(disk.inner))).toEqual(new Set(['0', 'little']));
      const before = log.info();
      const dry = await log.recompress({ dryRun: true });
      expect(log.info()).toEqual(before);
      const report = await log.recompress();
      const sealed = before.segments.length - 1;
      expect(report).toMatchObject({ checkedSegments: sealed, compressedSegments: sealed, skipped: [] });
      expect({ ...dry, isDryRun: false }).toEqual(report);
      expect(report.bytesAfter).toBeLessThan(report.bytesBefore * 0.8);
      const { bytesBefore, bytesAfter } = report;
      expect(log.metrics().recompression).toEqual({ segments: sealed, bytesBefore, bytesAfter });
      expect(log.info().bytes).toBe(before.bytes - bytesBefore + bytesAfter);
      await log.truncateBefore(1);
      const offsets = range(1, COUNT + 1);
      expect(await readOffsets(log)).toEqual(offsets);
      expect((await log.get(77)).value?.toString()).toBe(line(77));
      expect(await readOffsets(log, { fromTimestamp: 1100, toTimestamp: 1103 })).toEqual([100, 101, 102]);
      expect((await log.recompress()).checkedSegments).toBe(0);
      expect((await log.verify({ deep: true })).problems).toEqual([]);
      for (let done = false; !done; ) {
        const scrubbed = await log.scrub();
        expect(scrubbed.damage).toEqual([]);
        done = scrubbed.isPassDone;
      }
      await log.close();
      const number = String(['gzip', 'snappy', 'lz4', 'zstd'].indexOf(name) + 1);
      expect(await codecsIn(disk.inner)).toEqual([...range(0, sealed).map(() => number), 'little']);
      const digests = (await disk.inner.readdir(DIRECTORY)).filter((file) => file.endsWith('.digest'));
      expect(digests.length).toBe(sealed);
      // One who does not know how it is compressed reads it, too; and nothing is compressed again.
      const again = await kit.open(disk, { ...options, compression: 'none' });
      expect(await readOffsets(again)).toEqual(offsets);
      await expect(again.recompress()).rejects.toThrow(/segments are not compressed/);
      await again.close();
      const third = await kit.open(disk, options);
      expect(await third.recompress()).toMatchObject({ checkedSegments: sealed, compressedSegments: 0 });
    },
  );

  test('has larger batches afterwards, and goes on as it was for who reads it meanwhile', async () => {
    const disk = kit.wrap(await prepare({ ...OPTIONS, batchBytes: 300 }));
    const log = await kit.open(disk, OPTIONS);
    let before = 0;
    for await (const _ of log.batches()) before++;
    const offsets: number[] = [];
    for await (const { offset, value } of log.read()) {
      expect(value?.toString()).toBe(line(offset));
      offsets.push(offset);
      if (offset === 100) await log.recompress();
    }
    expect(offsets).toEqual(range(0, COUNT));
    let after = 0;
    for await (const { baseOffset, lastOffset } of log.batches()) after += lastOffset < baseOffset ? 0 : 1;
    expect(after).toBeLessThan(before / 2);
    await expectWhole(log);
  });

  test('leaves what would not become smaller, and copies what is compressed', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...OPTIONS, segmentBytes: 20_000 });
    const random = createRandom(5);
    for (const _ of range(0, 10)) await log.append({ value: random.bytes(1900) });
    await log.roll();
    await log.append({ value: 'a'.repeat(3000) });
    await log.append({ value: random.bytes(500) });
    await log.roll();
    const before = await tree(disk.inner);
    expect(await log.recompress()).toMatchObject({ checkedSegments: 2, compressedSegments: 1 });
    const after = await tree(disk.inner);
    expect(after.get(segmentPath(0))).toEqual(before.get(segmentPath(0)));
    expect((await codecsIn(disk.inner)).slice(0, 2)).toEqual(['0', '1']);
    // Of a batch that somebody else has compressed, not a byte is changed but where it lies.
    await log.close();
    const second = await kit.open(disk, { ...OPTIONS, compression: 'gzip', segmentBytes: 20_000 });
    await second.append({ value: 'b'.repeat(1000) });
    await second.close();
    const stored = await fileBytes(disk.inner, segmentPath(12));
    const third = await kit.open(disk, { ...OPTIONS, segmentBytes: 20_000 });
    await third.appendMany(range(0, 50).map((i) => ({ value: line(i) })));
    await third.roll();
    expect((await third.recompress()).compressedSegments).toBe(1);
    const rewritten = await fileBytes(disk.inner, segmentPath(12));
    expect(rewritten.subarray(0, stored.length)).toEqual(stored);
    expect((await readOffsets(third)).length).toBe(63);
    expect((await third.verify({ deep: true })).problems).toEqual([]);
  });

  test('keeps the time of the append, and whose a batch is', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...OPTIONS, segmentBytes: 100_000 });
    const body = (offsetDelta: number): { offsetDelta: number; value: Buffer } => ({
      offsetDelta,
      value: Buffer.from(line(offsetDelta).repeat(3)),
    });
    for (const maxTimestamp of [5000, 4000, 6000]) {
      const records = [body(0), body(1)];
      const timestamps = { baseTimestamp: 1n, maxTimestamp: BigInt(maxTimestamp) };
      await log.appendBatches(batchBytes({ records, attributes: 8, ...timestamps }));
    }
    for (const producerId of [7, 8]) {
      const records = range(0, 12).map(body);
      const batch = Buffer.from(batchBytes({ records }));
      batch.writeBigInt64BE(BigInt(producerId), 43);
      batch.writeInt16BE(3, 51);
      batch.writeInt32BE(producerId, 53);
      batch.writeUInt32BE(crc32cOf(batch.subarray(21)), 17);
      await log.appendBatches(batch);
    }
    await fill(log, 20);
    await log.roll();
    const times = (await readRecords(log)).map(({ timestamp }) => timestamp);
    expect(times.slice(0, 6)).toEqual([5000, 5000, 4000, 4000, 6000, 6000]);
    expect((await log.recompress()).compressedSegments).toBe(1);
    expect((await readRecords(log)).map(({ timestamp }) => timestamp)).toEqual(times);
    const bytes = await fileBytes(disk.inner, segmentPath(0));
    const owners: string[] = [];
    for (let at = 0; at < bytes.length; at += bytes.readInt32BE(at + 8) + 12) {
      const [id, epoch, sequence] = [
        bytes.readBigInt64BE(at + 43),
        bytes.readInt16BE(at + 51),
        bytes.readInt32BE(at + 53),
      ];
      if (id >= 0n) owners.push(`${id} ${epoch} ${sequence} ${bytes.readInt32BE(at + 57)}`);
    }
    expect(owners).toEqual(['7 3 7 12', '8 3 8 12']);
  });

  test('leaves a damaged segment as it is, says so, and can be repaired', async () => {
    const inner = await prepare();
    const disk = kit.wrap(inner);
    const log = await kit.open(disk, OPTIONS);
    const { segments } = log.info();
    const victim = segments[1]?.baseOffset as number;
    const last = (segments[2]?.baseOffset as number) - 1;
    await damageFile(inner, segmentPath(victim), 1500);
    const damaged = await fileBytes(inner, segmentPath(victim));
    const report = await log.recompress();
    expect(report.skipped).toMatchObject([{ file: segmentPath(victim), offsets: { first: victim, last } }]);
    expect(report.compressedSegments).toBe(segments.length - 2);
    expect(await fileBytes(inner, segmentPath(victim))).toEqual(damaged);
    // What could not be read is tried again only where somebody insists.
    expect((await log.recompress()).checkedSegments).toBe(0);
    expect((await log.recompress({ force: true })).skipped.length).toBe(1);
    await log.close();
    const context = { memory: kit.memory, vfs: disk.vfs, directory: DIRECTORY, indexIntervalBytes: 700 };
    await repairLog(context, { mode: 'skipAnyCorrupted', dryRun: false, clock: kit.clock });
    const repaired = await kit.open(disk, OPTIONS);
    expect((await repaired.recompress()).skipped).toMatchObject([{ message: /known to be lost/ }]);
    const offsets = await readOffsets(repaired);
    expect(offsets.length).toBeGreaterThan(COUNT - 20);
    expect(offsets).toEqual(expect.arrayContaining(range(0, victim)));
  });

  test('is compacted and compressed in one', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { ...OPTIONS, cleanup: 'compact' });
    await log.appendMany(range(0, 600).map((i) => ({ key: `key-${i % 200}`, value: line(i) })));
    await log.roll();
    await log.compact({ force: true });
    expect(new Set(await codecsIn(disk.inner))).toEqual(new Set(['little', '1']));
    expect(await readOffsets(log)).toEqual(range(400, 600));
    expect((await log.recompress()).compressedSegments).toBe(0);
  });

  test('is retained by what it takes when it is compressed, and copied as it is', async () => {
    const disk = kit.wrap(await prepare());
    const log = await kit.open(disk, { ...OPTIONS, retention: { bytes: 14_000 } });
    const first = log.firstOffset;
    expect(first).toBeGreaterThan(0);
    await log.recompress();
    await fill(log, 60);
    await log.roll();
    // There is room for more of them now.
    expect(log.firstOffset).toBe(first);
    await disk.inner.mkdir('/copy');
    await log.copyTo('/copy');
    const copy = await kit.open(disk, OPTIONS, { directory: '/copy' });
    expect(await readOffsets(copy)).toEqual(range(first, COUNT + 60));
  });

  test('stops where it is told to, within its time or by a signal, and goes on later', async () => {
    const disk = kit.wrap(await prepare());
    const log = await kit.open(disk, OPTIONS, { clock: new HastyClock() });
    const sealed = log.info().segments.length - 1;
    const steps: number[] = [];
    const abort = new AbortController();
    const stopped = log.recompress({
      signal: abort.signal,
      onProgress(done, total) {
        steps.push(done / total);
        abort.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(steps.length).toBe(1);
    const some = await log.recompress({ budgetMs: 2 });
    expect(some.checkedSegments).toBe(1);
    expect((await log.recompress()).checkedSegments).toBe(sealed - 1 - some.checkedSegments);
    await expectWhole(log);
    const closing = kit.open(kit.wrap(await prepare()), OPTIONS);
    const other = await closing;
    const running = other.recompress();
    await other.close();
    expect(await failureCode(running)).toBe('CLOSED');
  });

  test.each([
    [{ codec: 'none', when: 'seal' }, /compression\.when: none compresses nothing/],
    [{ codec: 'gzip', when: 'later' }, /compression\.when must be one of append, seal/],
  ])('%j is refused with the name of the field', async (compression, message) => {
    await expect(kit.open(await kit.disk(), { compression } as LogOptions)).rejects.toThrow(message);
  });

  test('says what is wrong with what is asked', async () => {
    const log = await kit.open(await kit.disk(), OPTIONS);
    await expect(log.recompress({ budgetMs: 0 })).rejects.toThrow(/budgetMs/);
    await expect(log.recompress({ dry: true } as object)).rejects.toThrow(/no option dry/);
  });
});

describe('compression of what is sealed', () => {
  test('that is stopped at any moment leaves the old segments or the new ones', {
    timeout: 60_000,
  }, async () => {
    const source = await prepare({ ...OPTIONS, segmentBytes: 6000 });
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
    const log = await kit.open({ vfs }, { ...OPTIONS, digest: 'crc32c' });
    const { compressedSegments } = await log.recompress();
    expect(compressedSegments).toBeGreaterThan(2);
    await log.close();
    for (const [i, state] of moments.states.entries()) {
      try {
        if (i % 9 === 0) await expectWhole(await kit.open(state, OPTIONS, { readOnly: true }));
        const woken = await kit.open(state, { ...OPTIONS, digest: 'crc32c' });
        await expectWhole(woken);
        const files = await state.vfs.readdir(DIRECTORY);
        expect(files.filter((name) => /cleaned|swap|deleted/.test(name))).toEqual([]);
        if (i % 7 === 0) {
          await woken.recompress();
          await expectWhole(woken);
          expect((await codecsIn(state.vfs)).slice(0, compressedSegments)).not.toContain('0');
        }
        await kit.end();
      } catch (error) {
        throw new Error(`${state.label}: ${error instanceof Error ? error.message : String(error)}`, {
          cause: error,
        });
      }
    }
  });

  test.each(['EIO', 'ENOSPC'])(
    'that fails with %s at any call leaves the old segments',
    { timeout: 60_000 },
    async (code) => {
      const source = await prepare();
      const start = kit.wrap(await copyDisk(source));
      await (await kit.open(start, OPTIONS)).close();
      const opening = start.vfs.operations;
      await kit.end();
      let failures = 0;
      let met = true;
      for (let at = opening - 10 + code.length; met; at += 7) {
        const disk: Disk = kit.wrap(await copyDisk(source), [{ at, error: code }]);
        const log = await kit.open(disk, OPTIONS).catch(() => undefined);
        const report = await log?.recompress().catch((error: unknown) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/IO|NO_SPACE|POISONED/) });
          failures++;
        });
        failures += report?.skipped.length ?? 0;
        met = disk.vfs.injected > 0;
        disk.rules.length = 0;
        if (log !== undefined) {
          await expectWhole(log);
          if (!log.metrics().isPoisoned) await log.recompress({ force: true });
          await log.close().catch(() => undefined);
        }
        const again = await kit.open(disk, OPTIONS);
        await again.recompress();
        await expectWhole(again);
        expect((await codecsIn(disk.inner)).slice(0, -1)).not.toContain('0');
        await kit.end();
      }
      expect(failures).toBeGreaterThan(10);
    },
  );

  test('on a full disk leaves everything as it was, and nothing behind', async () => {
    const inner = createMemoryVfs();
    await inner.mkdir(DIRECTORY);
    const disk = kit.wrap(inner);
    const log = await kit.open(disk, OPTIONS);
    await fill(log);
    await log.roll();
    const before = await tree(inner);
    disk.rules.push({ operation: 'write', path: /cleaned/, error: 'ENOSPC' });
    expect(await failureCode(log.recompress())).toBe('NO_SPACE');
    expect(await tree(inner)).toEqual(before);
    disk.rules.length = 0;
    expect((await log.recompress()).compressedSegments).toBe(log.info().segments.length - 1);
    await expectWhole(log);
  });
});
