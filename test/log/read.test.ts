/** What `read` and `batches` yield, against an array that holds the same. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { ReadOptions } from '../../src/log/read-options.ts';
import { createGate, settle } from '../kit/clock.ts';
import {
  type Disk,
  failure,
  failureCode,
  range,
  readOffsets,
  readRecords,
  readValues,
  soon,
  useLogKit,
} from '../kit/log-kit.ts';
import { createRandom, type Random } from '../kit/random.ts';

const kit = useLogKit();
const OPTIONS = { segmentBytes: 8192, indexIntervalBytes: 512, batchBytes: 400 };

interface Model {
  offset: number;
  timestamp: number;
  value: string;
}

/** A log of random batches with times that go forth and back, and the same as an array. */
async function randomLog(random: Random, disk: Disk, count: number): Promise<{ log: Log; model: Model[] }> {
  const log = await kit.open(disk, OPTIONS);
  const model: Model[] = [];
  let time = 10_000;
  while (model.length < count) {
    const batch = range(0, random.int(1, 12)).map((i) => {
      time += random.int(0, 20);
      const timestamp = random.chance(0.2) ? time - random.int(0, 3000) : time;
      const value = `${model.length + i}`.padEnd(random.int(0, 120), '.');
      return { offset: model.length + i, timestamp, value };
    });
    await log.appendMany(batch);
    model.push(...batch);
  }
  return { log, model };
}

function select(model: readonly Model[], options: ReadOptions): number[] {
  const { fromOffset = 0, toOffset = Infinity, fromTimestamp = -Infinity, toTimestamp = Infinity } = options;
  return model
    .filter(({ offset }) => offset >= fromOffset && offset < toOffset)
    .filter(({ timestamp }) => timestamp >= fromTimestamp && timestamp < toTimestamp)
    .slice(0, options.limit ?? Infinity)
    .map(({ offset }) => offset);
}

function randomOptions(random: Random, model: readonly Model[]): ReadOptions {
  const offset = (): number => random.int(0, model.length);
  const timestamp = (): number => random.pick(model).timestamp + random.pick([-3000, -1, 0, 0, 1, 3000]);
  return {
    ...(random.chance(0.5) ? { fromOffset: offset() } : {}),
    ...(random.chance(0.4) ? { toOffset: offset() + random.int(0, 50) } : {}),
    ...(random.chance(0.4) ? { fromTimestamp: timestamp() } : {}),
    ...(random.chance(0.4) ? { toTimestamp: timestamp() } : {}),
    ...(random.chance(0.3) ? { limit: random.int(0, 60) } : {}),
  };
}

describe('read', () => {
  test.each([1, 2, 3])('yields what an array would, for all options together (seed %i)', async (seed) => {
    const random = createRandom(seed);
    const disk = await kit.disk();
    const { log, model } = await randomLog(random, disk, 700);
    expect(log.info().segments.length).toBeGreaterThan(5);
    const check = async (subject: Log): Promise<void> => {
      const wrong: unknown[] = [];
      for (const _ of range(0, 80)) {
        const options = randomOptions(random, model);
        const offsets = await readOffsets(subject, options);
        const expected = select(model, options);
        if (offsets.join() !== expected.join()) wrong.push({ options, offsets, expected });
      }
      expect(wrong).toEqual([]);
      const records = await readRecords(subject);
      const read = records.map(({ offset, timestamp, value }) => ({
        offset,
        timestamp,
        value: value?.toString(),
      }));
      expect(read).toEqual(model);
    };
    await check(log);
    await log.close();
    await check(await kit.open(disk, OPTIONS));
  });

  test('of an empty log yields nothing', async () => {
    const log = await kit.open(await kit.disk());
    expect(await readOffsets(log)).toEqual([]);
    expect(await readOffsets(log, { fromOffset: 0, fromTimestamp: 5, toTimestamp: 6, limit: 7 })).toEqual([]);
    expect(await failureCode(readOffsets(log, { fromOffset: 1 }))).toBe('OUT_OF_RANGE');
  });

  test('from the end yields nothing, and from behind it is refused', async () => {
    const log = await kit.open(await kit.disk());
    await log.appendMany([{}, {}, {}]);
    expect(await readOffsets(log, { fromOffset: 3 })).toEqual([]);
    expect(await failure(readOffsets(log, { fromOffset: 4 }))).toMatchObject({
      code: 'OUT_OF_RANGE',
      offsets: { first: 4, last: 4 },
    });
    expect(await readOffsets(log, { fromOffset: 2, toOffset: 1 })).toEqual([]);
    expect(await readOffsets(log, { limit: 0 })).toEqual([]);
  });

  test('yields the least and the greatest of timestamps', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    const timestamps = [Number.MIN_SAFE_INTEGER, -1, 0, 1, Number.MAX_SAFE_INTEGER];
    for (const timestamp of timestamps) await log.append({ timestamp });
    await log.close();
    const again = await kit.open(disk);
    expect((await readRecords(again)).map(({ timestamp }) => timestamp)).toEqual(timestamps);
    expect(await readOffsets(again, { fromTimestamp: Number.MIN_SAFE_INTEGER })).toEqual(range(0, 5));
    expect(await readOffsets(again, { fromTimestamp: Number.MAX_SAFE_INTEGER })).toEqual([4]);
    expect(await readOffsets(again, { toTimestamp: 0 })).toEqual([0, 1]);
  });

  test('checks its options before anything happens', async () => {
    const log = await kit.open(await kit.disk());
    const wrong: [object, RegExp][] = [
      [{ from: 0 }, /read options has no option from; it has fromOffset/],
      [{ fromOffset: -1 }, /fromOffset/],
      [{ toOffset: '9' }, /toOffset must be a number/],
      [{ fromTimestamp: 0.5 }, /fromTimestamp/],
      [{ toTimestamp: Number.NaN }, /toTimestamp/],
      [{ limit: -1 }, /limit/],
      [{ follow: 1 }, /follow must be true or false/],
      [{ signal: {} }, /signal must be an AbortSignal/],
    ];
    for (const [options, message] of wrong) {
      expect(() => log.read(options)).toThrow(message);
      expect(() => log.batches(options)).toThrow(message);
    }
  });
});

describe('an iterator', () => {
  async function opened(): Promise<{ log: Log; disk: Disk; count: number }> {
    const disk = await kit.disk();
    const { log, model } = await randomLog(createRandom(7), disk, 500);
    await settle();
    return { log, disk, count: model.length };
  }

  test('that is left early gives everything back', async () => {
    const { log, disk } = await opened();
    const before = kit.memory.slabs.inUseBytes;
    for await (const { offset } of log.read()) if (offset === 123) break;
    for await (const batch of log.batches()) if (batch.lastOffset > 123) break;
    await expect(async () => {
      for await (const { offset } of log.read()) if (offset === 5) throw new Error('enough');
    }).rejects.toThrow('enough');
    const unused = log.read();
    await unused.return?.();
    expect(await unused.next()).toEqual({ done: true, value: undefined });
    expect(kit.memory.slabs.inUseBytes).toBe(before);
    // Files of segments stay open for the next reader; those that are removed do not.
    await log.truncateBefore(log.nextOffset);
    expect(disk.vfs.openFiles).toBe(1);
  });

  test('that is asked for many steps at once yields them in order', async () => {
    const { log, count } = await opened();
    const records = log.read();
    const offsets: (number | undefined)[] = [];
    const take = (): Promise<unknown> =>
      records.next().then(({ value }) => offsets.push(value === undefined ? undefined : value.offset));
    const steps = [take(), take(), take()];
    await steps[0];
    steps.push(take(), take());
    for (const _ of range(0, 600)) {
      if (offsets.length % 3 === 0) await steps[steps.length - 2];
      steps.push(take());
    }
    await Promise.all(steps);
    expect(offsets.slice(0, count)).toEqual(range(0, count));
    expect(offsets.slice(count).every((offset) => offset === undefined)).toBe(true);
  });

  test('that is given back while a step is on its way finishes it first', async () => {
    const { log } = await opened();
    const records = log.read();
    const step = records.next();
    const returned = records.return?.();
    expect((await step).value?.offset).toBe(0);
    expect(await returned).toEqual({ done: true, value: undefined });
    expect(await records.next()).toEqual({ done: true, value: undefined });
  });

  test('that failed is at its end', async () => {
    const { log } = await opened();
    const records = log.read({ fromOffset: 9999 });
    expect(await failureCode(records.next())).toBe('OUT_OF_RANGE');
    expect(await records.next()).toEqual({ done: true, value: undefined });
  });

  test('works on beside others, and beside appends', async () => {
    const { log } = await opened();
    const readers = range(0, 5).map((i) => readOffsets(log, { fromOffset: i * 50, toOffset: 500 }));
    const appends = range(0, 50).map((i) => log.append({ value: `${500 + i}` }));
    const all = await Promise.all(readers);
    await Promise.all(appends);
    expect(all).toEqual(range(0, 5).map((i) => range(i * 50, 500)));
    expect(await readOffsets(log)).toEqual(range(0, log.nextOffset));
  });
});

describe('batches', () => {
  test('are the bytes on disk, and tell what is in them', async () => {
    const log = await kit.open(await kit.disk());
    await log.appendMany([
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: 3 },
    ]);
    await log.append({ key: 'k', value: null, timestamp: 9 });
    const seen: unknown[] = [];
    for await (const batch of log.batches()) {
      const { baseOffset, lastOffset, recordCount, baseTimestamp, maxTimestamp, attributes, size } = batch;
      expect(batch.bytes).toHaveLength(size);
      expect(batch.bytes.readBigInt64BE(0)).toBe(BigInt(baseOffset));
      expect(batch.bytes.buffer).toBe(kit.memory.bytes);
      const values = batch.records().map(({ offset, value }) => `${offset} ${value}`);
      seen.push({ baseOffset, lastOffset, recordCount, baseTimestamp, maxTimestamp, attributes, values });
    }
    expect(seen).toEqual([
      {
        baseOffset: 0,
        lastOffset: 1,
        recordCount: 2,
        baseTimestamp: 5,
        maxTimestamp: 5,
        attributes: 0,
        values: ['0 a', '1 b'],
      },
      {
        baseOffset: 2,
        lastOffset: 2,
        recordCount: 1,
        baseTimestamp: 9,
        maxTimestamp: 9,
        attributes: 0,
        values: ['2 null'],
      },
    ]);
  });

  test('are those that have a record of what was asked for', async () => {
    const log = await kit.open(await kit.disk());
    for (const i of range(0, 10)) await log.appendMany(range(0, 10).map(() => ({ timestamp: i * 10 })));
    const bases = async (options: ReadOptions): Promise<number[]> => {
      const found: number[] = [];
      for await (const { baseOffset } of log.batches(options)) found.push(baseOffset);
      return found;
    };
    expect(await bases({ fromOffset: 25, toOffset: 41 })).toEqual([20, 30, 40]);
    expect(await bases({ fromTimestamp: 71 })).toEqual([80, 90]);
    expect(await bases({ fromOffset: 30, limit: 11 })).toEqual([30, 40]);
  });

  test('expire with the next step, and at the end', async () => {
    const log = await kit.open(await kit.disk());
    for (const _ of range(0, 3)) await log.append({ value: 'x' });
    const batches = log.batches();
    const first = (await batches.next()).value;
    expect(first?.bytes.length).toBeGreaterThan(60);
    const second = (await batches.next()).value;
    expect(() => first?.bytes).toThrow(/its iterator has moved on/);
    expect(() => first?.records()).toThrow(/its iterator has moved on/);
    expect(first?.baseOffset).toBe(0);
    await batches.return?.();
    expect(() => second?.bytes).toThrow(/its iterator has moved on/);
  });

  test('larger than any window are read whole', async () => {
    const log = await kit.open(await kit.disk(), {
      maxRecordBytes: 3 * 1024 * 1024,
      segmentBytes: 16 * 1024 * 1024,
    });
    const sizes = [10, 40_000, 70_000, 600_000, 1_000_000, 3_000_000, 5, 900_000, 20];
    for (const [i, size] of sizes.entries()) await log.append({ value: Buffer.alloc(size, i) });
    const records = await readRecords(log);
    expect(records.map(({ value }) => value?.length)).toEqual(sizes);
    expect(records.every(({ value, offset }) => value?.every((byte) => byte === offset))).toBe(true);
    for (const [i, size] of sizes.entries()) expect((await log.get(i)).value).toHaveLength(size);
  });
});

describe('following', () => {
  test('waits for what comes, across rolls, until it is told to stop', async () => {
    const log = await kit.open(await kit.disk(), { segmentBytes: 4096 });
    const abort = new AbortController();
    const seen: number[] = [];
    const following = (async () => {
      for await (const { offset } of log.read({ follow: true, signal: abort.signal })) seen.push(offset);
    })();
    following.catch(() => undefined);
    for (const i of range(0, 30)) {
      await log.append({ value: Buffer.alloc(700) });
      if (i % 7 === 0) await settle(5);
    }
    await settle();
    expect(seen).toEqual(range(0, 30));
    expect(log.info().segments.length).toBeGreaterThan(4);
    abort.abort(new Error('told to stop'));
    await expect(soon(following)).rejects.toThrow('told to stop');
  });

  test('stops at the offset or the count that was asked for', async () => {
    const log = await kit.open(await kit.disk());
    const some = readOffsets(log, { follow: true, toOffset: 5 });
    const few = readOffsets(log, { follow: true, limit: 3, fromOffset: 1 });
    for (const _ of range(0, 5)) {
      await log.append({});
      await settle(3);
    }
    expect(await soon(some)).toEqual(range(0, 5));
    expect(await soon(few)).toEqual([1, 2, 3]);
  });

  test('from an offset that is not there yet waits for it', async () => {
    const log = await kit.open(await kit.disk());
    const records = log.read({ follow: true, fromOffset: 3 });
    const step = records.next();
    await log.appendMany([{}, {}, {}]);
    await settle();
    await log.append({ value: 'this' });
    expect((await soon(step)).value).toMatchObject({ offset: 3 });
    await records.return?.();
  });

  test('with a signal that was aborted before begins nothing', async () => {
    const log = await kit.open(await kit.disk());
    await log.append({});
    await expect(readOffsets(log, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
  });

  test('with a signal that aborts while it reads stops with the next batch', async () => {
    const log = await kit.open(await kit.disk(), { batchBytes: 64 });
    for (const _ of range(0, 20)) await log.append({ value: Buffer.alloc(60) });
    const abort = new AbortController();
    const seen: number[] = [];
    await expect(async () => {
      for await (const { offset } of log.read({ signal: abort.signal })) {
        seen.push(offset);
        if (offset === 4) abort.abort();
      }
    }).rejects.toThrow(/aborted/);
    expect(seen).toEqual(range(0, 5));
  });

  test('leaves nothing behind on the signal', async () => {
    const log = await kit.open(await kit.disk());
    const abort = new AbortController();
    const { signal } = abort;
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listeners--;
      remove(...args);
    };
    const records = log.read({ follow: true, signal });
    for (const _ of range(0, 50)) {
      const step = records.next();
      await settle(2);
      await log.append({});
      await step;
    }
    await records.return?.();
    expect(listeners).toBe(0);
  });
});

describe('closing the log', () => {
  test('ends whoever waits for more with CLOSED', async () => {
    const log = await kit.open(await kit.disk());
    await log.append({});
    const waits = [readOffsets(log, { follow: true }), readOffsets(log, { follow: true, fromOffset: 9 })];
    await settle();
    await soon(log.close());
    for (const wait of waits) expect(await failureCode(soon(wait))).toBe('CLOSED');
  });

  test('does not let a reader believe that it has read all', async () => {
    const disk = await kit.disk();
    const { log } = await randomLog(createRandom(3), disk, 500);
    const seen: number[] = [];
    const error = await failure(async () => {
      for await (const { offset } of log.read()) {
        seen.push(offset);
        if (offset === 50) await log.close();
      }
    });
    expect(error.code).toBe('CLOSED');
    expect(seen.length).toBeLessThan(100);
    expect(seen).toEqual(range(0, seen.length));
  });

  test.each(['read', 'batches'] as const)('waits for a step that is on its way (%s)', async (face) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4 * 1024 * 1024 });
    for (const i of range(0, 40)) await log.append({ value: Buffer.alloc(100_000, i) });
    const gate = createGate();
    disk.rules.push({ operation: 'read', path: /\.log$/, delay: () => gate.opened });
    const iterator = log[face]();
    const steps: Promise<unknown>[] = [];
    for (const _ of range(0, 4)) steps.push(iterator.next());
    steps.push(log.get(3));
    const outcomes = Promise.allSettled(steps);
    await settle();
    const closing = log.close();
    await settle();
    gate.open();
    await soon(closing);
    for (const outcome of await soon(outcomes)) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'CLOSED' });
    }
    expect(kit.memory.slabs.inUse()).toEqual([]);
  });

  test('ends the life of a batch that is still held', async () => {
    const log = await kit.open(await kit.disk());
    await log.append({ value: 'x' });
    const batch = (await log.batches().next()).value;
    expect(batch?.records()).toHaveLength(1);
    await log.close();
    expect(() => batch?.bytes).toThrow(/its iterator has moved on/);
  });

  test('refuses every later call', async () => {
    const log = await kit.open(await kit.disk());
    await log.append({});
    await log.close();
    await log.close();
    expect(await failureCode(log.get(0))).toBe('CLOSED');
    expect(await failureCode(readOffsets(log))).toBe('CLOSED');
    expect(await failureCode(log.verify())).toBe('CLOSED');
    expect(await failureCode(log.truncateBefore(0))).toBe('CLOSED');
    expect(await failureCode(log.retain())).toBe('CLOSED');
    expect(await failureCode(log.refresh())).toBe('CLOSED');
  });

  test('while it is verified ends that, and leaves nothing open', async () => {
    const disk = await kit.disk();
    const { log } = await randomLog(createRandom(3), disk, 500);
    const gate = createGate();
    disk.rules.push({
      operation: ['read', 'open'],
      path: /0{19}[1-9]\d*\.log$|0\d\d\.log$/,
      delay: () => gate.opened,
    });
    const verifying = log.verify();
    verifying.catch(() => undefined);
    await settle();
    const closing = log.close();
    await settle();
    gate.open();
    await soon(closing);
    await soon(verifying.catch((error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' })));
    expect(disk.vfs.openFiles).toBe(0);
  });

  test('while segments are removed leaves nothing open', async () => {
    const disk = await kit.disk();
    const { log } = await randomLog(createRandom(3), disk, 500);
    const gate = createGate();
    disk.rules.push({ operation: 'remove', delay: () => gate.opened });
    const removing = log.truncateBefore(400);
    await settle();
    const closing = log.close();
    await settle();
    gate.open();
    await soon(Promise.all([removing, closing]));
    const again = await kit.open(disk, OPTIONS);
    expect(await readOffsets(again)).toEqual(range(400, again.nextOffset));
  });
});

test('segments that are removed while the log is verified do not fail it', async () => {
  const disk = await kit.disk();
  const { log } = await randomLog(createRandom(3), disk, 500);
  await log.close();
  const again = await kit.open(disk, OPTIONS);
  const gate = createGate();
  disk.rules.push({ operation: 'open', path: /\.log$/, delay: () => gate.opened, times: 1 });
  const verifying = again.verify();
  await settle();
  const removing = again.truncateBefore(400);
  await settle();
  gate.open();
  await removing;
  expect((await soon(verifying)).problems).toEqual([]);
});

test('what readers may see is what the policy makes safe', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, { sync: { mode: 'batch', maxRecords: 2, maxDelayMs: 1000 } });
  await Promise.all([log.append({ value: '0' }), log.append({ value: '1' })]);
  const pending = log.append({ value: '2' });
  await settle();
  expect(log.durable).toMatchObject({ accepted: 3, written: 3, synced: 2 });
  const following = readValues(log, { follow: true, limit: 3 });
  expect(await readValues(log)).toEqual(['0', '1']);
  expect(await failureCode(log.get(2))).toBe('OUT_OF_RANGE');
  expect(log.info()).toMatchObject({ nextOffset: 2, records: 2 });
  let isDone = false;
  void following.then(() => {
    isDone = true;
  });
  await settle();
  expect(isDone).toBe(false);
  await kit.clock.advance(1000);
  await pending;
  expect(await soon(following)).toEqual(['0', '1', '2']);
});
