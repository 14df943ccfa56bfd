/** A log that is opened read-only, beside the one that writes it: it changes nothing, and follows. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { createGate, settle } from '../kit/clock.ts';
import {
  copyDisk,
  type Disk,
  differences,
  failure,
  failureCode,
  range,
  readOffsets,
  readValues,
  resizeFile,
  segmentPath,
  soon,
  tree,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const OPTIONS: LogOptions = { segmentBytes: 4096, indexIntervalBytes: 512 };

function valueOf(offset: number): string {
  return `${offset}`.padEnd(400, '.');
}

async function append(log: Log, count: number): Promise<void> {
  const from = log.nextOffset;
  for (const i of range(from, from + count)) await log.append({ value: valueOf(i) });
  await settle(5);
}

async function openBeside(disk: Disk, options: LogOptions = OPTIONS): Promise<Log> {
  return kit.open(kit.wrap(disk.inner), options, { readOnly: true });
}

async function both(): Promise<{ disk: Disk; writer: Log; reader: Log }> {
  const disk = await kit.disk();
  const writer = await kit.open(disk, OPTIONS);
  await append(writer, 20);
  return { disk, writer, reader: await openBeside(disk) };
}

describe('a log that is open read-only', () => {
  test('sees what is there, and changes nothing', async () => {
    const { disk, writer } = await both();
    for (const isClosed of [false, true]) {
      if (isClosed) await writer.close();
      const before = await tree(disk.inner);
      const reader = await openBeside(disk);
      expect(await readValues(reader)).toEqual(range(0, 20).map(valueOf));
      expect((await reader.get(19)).value?.toString()).toBe(valueOf(19));
      expect(reader.durable).toEqual({ accepted: 20, written: 20, synced: 20, bytesAtRisk: 0 });
      expect(reader.info()).toMatchObject({ firstOffset: 0, nextOffset: 20, records: 20 });
      expect((await reader.verify()).problems).toEqual([]);
      await reader.close();
      expect(differences(before, await tree(disk.inner))).toEqual([]);
    }
  });

  test('sees what a crash left, and leaves it to the next writer', async () => {
    const { disk } = await both();
    const vfs = await copyDisk(disk.inner);
    await vfs.remove(segmentPath(8, 'index'));
    const base = 16;
    await resizeFile(vfs, segmentPath(base), ((await vfs.stat(segmentPath(base)))?.bytes ?? 0) - 100);
    const before = await tree(vfs);
    const reader = await kit.open(kit.wrap(vfs), OPTIONS, { readOnly: true });
    expect(await readOffsets(reader)).toEqual(range(0, 19));
    await reader.refresh();
    expect(await readOffsets(reader)).toEqual(range(0, 19));
    expect(reader.recovery).toMatchObject({ tornTails: 1, quarantined: [] });
    expect(differences(before, await tree(vfs))).toEqual([]);
  });

  test('takes nothing', async () => {
    const { reader } = await both();
    const calls: (() => unknown)[] = [
      () => reader.enqueue({}),
      () => reader.append({}),
      () => reader.appendMany([{}]),
      () => reader.appendBatches(new Uint8Array(100)),
      () => reader.ready(),
      () => reader.sync(),
      () => reader.reached(0, 'synced'),
      () => reader.truncateBefore(1),
      () => reader.retain(),
    ];
    for (const call of calls) expect(await failureCode(call)).toBe('READ_ONLY');
  });

  test('of an empty directory is empty', async () => {
    const disk = await kit.disk();
    const reader = await openBeside(disk);
    expect([reader.firstOffset, reader.nextOffset]).toEqual([0, 0]);
    expect(await readOffsets(reader)).toEqual([]);
    const writer = await kit.open(disk, OPTIONS);
    await append(writer, 2);
    await reader.refresh();
    expect(await readOffsets(reader)).toEqual([0, 1]);
  });
});

describe('refresh', () => {
  test('follows appends and rolls', async () => {
    const { writer, reader } = await both();
    for (const count of [1, 0, 3, 15, 2, 40]) {
      await append(writer, count);
      await reader.refresh();
      expect(reader.nextOffset).toBe(writer.nextOffset);
      expect(await readValues(reader)).toEqual(range(0, writer.nextOffset).map(valueOf));
    }
    expect(reader.info().segments.map(({ baseOffset }) => baseOffset)).toEqual(
      writer.info().segments.map(({ baseOffset }) => baseOffset),
    );
  });

  test('follows a beginning that moves', async () => {
    const { writer, reader } = await both();
    await writer.truncateBefore(10);
    await reader.refresh();
    expect(reader.firstOffset).toBe(10);
    expect(await readOffsets(reader)).toEqual(range(10, 20));
    expect(await failureCode(reader.get(9))).toBe('OUT_OF_RANGE');
  });

  test.each([false, true])(
    'catches up though everything that it knew is gone (closed first: %s)',
    async (isClosed) => {
      const { disk, writer } = await both();
      if (isClosed) await writer.close();
      const reader = await openBeside(disk);
      const again = isClosed ? await kit.open(disk, OPTIONS) : writer;
      await append(again, 40);
      await again.truncateBefore(50);
      await reader.refresh();
      expect([reader.firstOffset, reader.nextOffset]).toEqual([50, 60]);
      expect(await readOffsets(reader)).toEqual(range(50, 60));
      await append(again, 3);
      await reader.refresh();
      expect(await readOffsets(reader)).toEqual(range(50, 63));
    },
  );

  test('is one, however many ask for it at once', async () => {
    const { writer, reader } = await both();
    await append(writer, 30);
    await Promise.all([reader.refresh(), reader.refresh(), readOffsets(reader), reader.refresh()]);
    expect(await readOffsets(reader)).toEqual(range(0, 50));
  });

  test('of a log that is written to is nothing', async () => {
    const { writer } = await both();
    await writer.refresh();
    expect(await readOffsets(writer)).toEqual(range(0, 20));
  });

  test('that is on its way when the log is closed is over first', async () => {
    const { disk, writer } = await both();
    const beside = kit.wrap(disk.inner);
    const reader = await kit.open(beside, OPTIONS, { readOnly: true });
    await append(writer, 30);
    const gate = createGate();
    beside.rules.push({ operation: 'open', path: /\.log$/, delay: () => gate.opened });
    const refreshing = reader.refresh();
    refreshing.catch(() => undefined);
    await settle();
    const closing = reader.close();
    await settle();
    gate.open();
    await soon(closing);
    await soon(refreshing.catch(() => undefined));
    expect(beside.vfs.openFiles).toBe(0);
  });

  test('sees a batch that was half written when it is whole', async () => {
    const { disk, writer, reader } = await both();
    const gate = createGate();
    disk.rules.push({ operation: 'write', path: /\d\.log$/, error: 'EIO', afterBytes: 200, times: 1 });
    disk.rules.push({ operation: 'truncate', delay: () => gate.opened });
    const failing = writer.append({ value: valueOf(20) });
    await settle();
    await reader.refresh();
    expect(reader.nextOffset).toBe(20);
    gate.open();
    expect(await failureCode(failing)).toBe('IO');
    await append(writer, 2);
    await reader.refresh();
    expect(await readValues(reader)).toEqual(range(0, 22).map(valueOf));
  });
});

describe('following', () => {
  test('looks again and again', async () => {
    const { writer, reader } = await both();
    const abort = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { offset } of reader.read({ fromOffset: 18, follow: true, signal: abort.signal }))
        seen.push(offset);
    })();
    following.catch(() => undefined);
    for (const _ of range(0, 10)) {
      await append(writer, 3);
      await kit.clock.advance(100);
    }
    expect(seen).toEqual(range(18, 50));
    abort.abort();
    await expect(soon(following)).rejects.toThrow(/aborted/);
    await kit.clock.advance(1000);
    expect(kit.clock.waiting).toBe(0);
  });

  test('that retention has overtaken says so', async () => {
    const { writer, reader } = await both();
    const following = readOffsets(reader, { fromOffset: 20, follow: true });
    await settle();
    await append(writer, 40);
    await writer.truncateBefore(50);
    following.catch(() => undefined);
    await kit.clock.advance(200);
    expect(await failure(soon(following))).toMatchObject({
      code: 'OUT_OF_RANGE',
      offsets: { first: 20, last: 49 },
    });
  });

  test('ends when the log is closed', async () => {
    const { reader } = await both();
    const following = readOffsets(reader, { fromOffset: 20, follow: true });
    following.catch(() => undefined);
    await settle();
    await soon(reader.close());
    expect(await failureCode(soon(following))).toBe('CLOSED');
  });
});

describe('opening beside a writer', () => {
  test.each([
    ['before the directory is listed', { operation: 'readdir' as const }],
    ['before a file is looked at', { operation: 'stat' as const, path: /0{20}\.log$/ }],
    ['before a file is opened', { operation: 'open' as const, path: /0{20}\.log$/ }],
  ])('that removes segments at that moment works (%s)', async (_, at) => {
    for (const recovery of ['tolerateCorruptedTail', 'absoluteConsistency'] as const) {
      const disk = await kit.disk();
      const writer = await kit.open(disk, OPTIONS);
      await append(writer, 40);
      const beside = kit.wrap(disk.inner, [{ ...at, times: 1, delay: () => writer.truncateBefore(30) }]);
      const reader = await kit.open(beside, { ...OPTIONS, recovery }, { readOnly: true });
      // Whether it has noticed or not, nothing is missing and nothing wrong.
      await readOffsets(reader).then(
        (offsets) => expect([range(0, 40), range(30, 40)]).toContainEqual(offsets),
        (error: unknown) => expect(error).toMatchObject({ code: 'OUT_OF_RANGE' }),
      );
      // One that never looked before finds out now.
      await writer.truncateBefore(30);
      await reader.refresh();
      expect(reader.firstOffset).toBe(30);
      expect(await readOffsets(reader)).toEqual(range(30, 40));
      await kit.end();
    }
  });
});
