/** When the buffer or the memory is full: who waits gets in, in order, and nobody waits for ever. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { createGate, type Gate, settle } from '../kit/clock.ts';
import {
  type Disk,
  failureCode,
  range,
  readOffsets,
  readRecords,
  readValues,
  soon,
  useLogKit,
} from '../kit/log-kit.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const kit = useLogKit(8 * MIB);
const SMALL: LogOptions = { bufferBytes: 64 * KIB, sync: { mode: 'never' } };

/** Holds up every write of more than 64 KiB; smaller ones are made at once. */
function holdWrites(disk: Disk): Gate {
  const gate = createGate();
  disk.rules.push({ operation: 'write', path: /\d\.log$/, delay: () => gate.opened });
  return gate;
}

/** Enqueues until the log takes no more. */
function fill(log: Log, bytes: number): number {
  let last = -1;
  for (;;) {
    try {
      last = log.enqueue({ value: Buffer.alloc(bytes) });
    } catch (error) {
      expect(error).toMatchObject({ code: 'BACKPRESSURE' });
      return last;
    }
  }
}

describe('enqueue', () => {
  test('answers BACKPRESSURE when the buffer is full, and takes on when ready says so', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = holdWrites(disk);
    const last = fill(log, 10_000);
    expect(last).toBeGreaterThan(50);
    expect(log.nextOffset).toBe(last + 1);
    expect(log.metrics().backpressure).toBe(1);
    let isReady = false;
    const ready = log.ready().then(() => {
      isReady = true;
    });
    await settle();
    expect(isReady).toBe(false);
    gate.open();
    await soon(ready);
    expect(log.enqueue({ value: 'next' })).toBe(last + 1);
    await log.sync();
    expect(await readOffsets(log)).toEqual(range(0, last + 2));
  });

  test.each([1, 60_000, 64 * KIB - 200, 64 * KIB, 64 * KIB + 1, 300 * KIB])(
    'with ready between carries on for ever, with records of %i bytes',
    async (bytes) => {
      const log = await kit.open(await kit.disk(), {
        ...SMALL,
        segmentBytes: 2 * MIB,
        retention: { bytes: 4 * MIB },
      });
      let refused = 0;
      for (let i = 0; i < 40; ) {
        try {
          log.enqueue({ value: Buffer.alloc(bytes, i) });
          i++;
        } catch (error) {
          expect(error).toMatchObject({ code: 'BACKPRESSURE' });
          expect(++refused).toBeLessThan(200);
          await soon(log.ready());
        }
      }
      await log.sync();
      expect(log.nextOffset).toBe(40);
      const records = await readRecords(log);
      for (const { offset, value } of records) {
        expect(value?.length).toBe(bytes);
        expect(value?.[bytes - 1]).toBe(offset);
      }
    },
  );

  test('ready resolves at once where there is room', async () => {
    const log = await kit.open(await kit.disk());
    await soon(log.ready());
    expect(log.enqueue({})).toBe(0);
    await soon(log.ready());
  });
});

describe('append', () => {
  test('waits where there is no room, and goes in by its turn', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = holdWrites(disk);
    const filled = fill(log, 10_000) + 1;
    let appended = 0;
    const waits = range(0, 300).map(async (i) => {
      const value = `${i}`.padEnd(i % 3 === 0 ? 20_000 : 10, '.');
      if (i % 10 === 9) await log.appendMany([{ value }, { value }]);
      else await log.append({ value });
      appended++;
    });
    expect(await failureCode(() => log.enqueue({ value: 'too small to matter' }))).toBe('BACKPRESSURE');
    const foreign = log.appendBatches(
      batchBytes({ records: [{ offsetDelta: 0, value: Buffer.from('foreign') }] }),
    );
    await settle();
    expect(appended).toBe(0);
    gate.open();
    await soon(Promise.all(waits));
    const { firstOffset } = await foreign;
    expect(firstOffset).toBe(log.nextOffset - 1);
    const numbers = (await readValues(log, { fromOffset: filled, toOffset: firstOffset })).map((value) =>
      Number.parseInt(value ?? '', 10),
    );
    expect(numbers).toEqual(range(0, 300).flatMap((i) => (i % 10 === 9 ? [i, i] : [i])));
  });

  test('takes its records as they are when it is called, though it has to wait', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = holdWrites(disk);
    const filled = fill(log, 10_000) + 1;
    const bytes = Buffer.from('0');
    const header = { key: 'h', value: bytes };
    const record: Record<string, unknown> = { key: bytes, value: bytes, headers: [header] };
    const records = [record, { value: bytes }];
    const appended = range(0, 4).flatMap((i) => {
      bytes.write(`${i}`);
      const calls = [log.append(record), log.appendMany(records), log.append({ value: bytes })];
      return calls;
    });
    bytes.write('?');
    record['value'] = 5;
    header.key = 'other';
    records.length = 0;
    await settle();
    gate.open();
    await soon(Promise.all(appended));
    const found = await readRecords(log, { fromOffset: filled });
    const text = found.map(
      ({ key, value, headers }) => `${key} ${value} ${headers[0]?.key} ${headers[0]?.value}`,
    );
    expect(text).toEqual(
      range(0, 4).flatMap((i) => {
        const [whole, bare] = [`${i} ${i} h ${i}`, `null ${i} undefined undefined`];
        return [whole, whole, bare, bare];
      }),
    );
  });

  test('of many records is as large as it likes', async () => {
    const log = await kit.open(await kit.disk(), { ...SMALL, batchBytes: 1024, segmentBytes: MIB });
    const records = range(0, 3000).map((i) => ({ value: `${i}`.padEnd(1000, '.') }));
    const [many, one] = await soon(Promise.all([log.appendMany(records), log.append({ value: 'behind' })]));
    expect(many).toEqual({ firstOffset: 0, lastOffset: 2999 });
    expect(one).toBe(3000);
    expect(log.nextOffset).toBe(3001);
    expect((await log.get(2999)).value?.toString()).toBe('2999'.padEnd(1000, '.'));
  });

  test('that waits when the write before it fails goes in then', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = createGate();
    disk.rules.push({
      operation: 'write',
      path: /\d\.log$/,
      error: 'ENOSPC',
      times: 1,
      delay: () => gate.opened,
    });
    fill(log, 10_000);
    const waits = [
      log.append({ value: 'a' }),
      log.appendMany([{ value: 'b' }, { value: 'c' }]),
      log.append({ value: 'd' }),
    ];
    await settle();
    gate.open();
    expect(await soon(Promise.all(waits))).toEqual([0, { firstOffset: 1, lastOffset: 2 }, 3]);
    expect(await readValues(log)).toEqual(['a', 'b', 'c', 'd']);
    expect(await failureCode(log.append({}))).toBe('NO_SPACE');
  });

  test('that waits is told when the log is poisoned', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    const gate = createGate();
    disk.rules.push({
      operation: 'datasync',
      path: /\d\.log$/,
      error: 'EIO',
      times: 1,
      delay: () => gate.opened,
    });
    fill(log, 10_000);
    const waits: Promise<unknown>[] = [
      log.append({}),
      log.appendMany([{}, {}]),
      log.appendBatches(batchBytes({ records: [{ offsetDelta: 0 }] })),
      log.ready(),
    ];
    await settle();
    gate.open();
    for (const outcome of await soon(Promise.allSettled(waits))) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'POISONED' } });
    }
  });

  test('that waits goes in when the log is closed', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    const gate = holdWrites(disk);
    const filled = fill(log, 10_000) + 1;
    const waits = [log.append({ value: 'a' }), log.append({ value: 'b' })];
    const ready = log.ready();
    const closing = log.close();
    gate.open();
    expect(await soon(Promise.all(waits))).toEqual([filled, filled + 1]);
    await soon(closing);
    await soon(ready.catch((error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' })));
    expect(await readOffsets(await kit.open(disk))).toEqual(range(0, filled + 2));
  });
});

describe('when others have all the memory', () => {
  test.each([
    [0, 10],
    [16 * KIB, 30_000],
    [100 * KIB, 200_000],
    [1200 * KIB, 2 * MIB],
  ])(
    'enqueue answers BACKPRESSURE until some is given back (%i bytes left, for %i)',
    async (leaveBytes, bytes) => {
      const log = await kit.open(await kit.disk(), { sync: { mode: 'never' }, maxRecordBytes: 2 * MIB });
      const others = kit.exhaust(leaveBytes);
      const value = Buffer.alloc(bytes);
      expect(await failureCode(() => log.enqueue({ value }))).toBe('BACKPRESSURE');
      let isReady = false;
      const ready = log.ready().then(() => {
        isReady = true;
      });
      await settle();
      expect(isReady).toBe(false);
      others.release();
      await soon(ready);
      expect(log.enqueue({ value })).toBe(0);
      await log.sync();
      expect((await log.get(0)).value).toHaveLength(value.length);
    },
  );

  test('append waits until some is given back', async () => {
    const log = await kit.open(await kit.disk(), { sync: { mode: 'never' } });
    const others = kit.exhaust(0);
    const waits = [
      log.append({ value: 'a' }),
      log.appendMany([{ value: 'b' }, { value: 'c' }]),
      log.append({ value: 'd' }),
    ];
    await settle();
    expect(log.nextOffset).toBe(0);
    others.release();
    expect(await soon(Promise.all(waits))).toEqual([0, { firstOffset: 1, lastOffset: 2 }, 3]);
    expect(await readValues(log)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a large record that comes during a flush waits until there is room for it', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' }, maxRecordBytes: 2 * MIB });
    const gate = holdWrites(disk);
    const first = log.append({ value: Buffer.alloc(100_000) });
    await settle();
    const others = kit.exhaust(0);
    const large = log.append({ value: Buffer.alloc(2 * MIB - 100) });
    const small = log.append({ value: 'small' });
    gate.open();
    await first;
    await settle();
    expect(log.nextOffset).toBe(1);
    others.release();
    expect(await soon(Promise.all([large, small]))).toEqual([1, 2]);
    expect((await log.get(1)).value).toHaveLength(2 * MIB - 100);
  });

  test('two logs that wait for it both go on', async () => {
    const logs = await Promise.all(range(0, 3).map(async () => kit.open(await kit.disk(), SMALL)));
    const others = kit.exhaust(0);
    const waits = logs.flatMap((log) => range(0, 5).map(() => log.append({ value: Buffer.alloc(1000) })));
    await settle();
    others.release();
    expect(await soon(Promise.all(waits))).toEqual(logs.flatMap(() => range(0, 5)));
  });

  test('a log that waits for it can be closed', async () => {
    for (const [leaveBytes, bytes] of [0, 16 * KIB, 64 * KIB, 128 * KIB].flatMap<[number, number]>(
      (leave) => [
        [leave, 10],
        [leave, 900 * KIB],
      ],
    )) {
      const log = await kit.open(await kit.disk(), SMALL);
      const others = kit.exhaust(leaveBytes);
      if (leaveBytes === 0 || bytes > 10) {
        expect(await failureCode(() => log.enqueue({ value: Buffer.alloc(bytes) }))).toBe('BACKPRESSURE');
      }
      const ready = log.ready();
      ready.catch(() => undefined);
      await soon(log.close());
      await soon(ready.catch((error: unknown) => expect(error).toMatchObject({ code: 'CLOSED' })));
      others.release();
      await kit.end();
    }
  });

  test('a large record finds memory or is told to wait, and leaves nothing behind in between', async () => {
    for (const leaveBytes of range(0, 24).map((i) => 1040 * KIB + i * 16 * KIB)) {
      const log = await kit.open(await kit.disk(), { sync: { mode: 'never' } });
      await log.append({ value: 'small' });
      const others = kit.exhaust(leaveBytes);
      const value = Buffer.alloc(300 * KIB, 7);
      let large: number | undefined;
      try {
        large = log.enqueue({ value });
      } catch (error) {
        expect(error).toMatchObject({ code: 'BACKPRESSURE' });
      }
      others.release();
      await log.sync();
      if (large !== undefined) expect((await log.get(large)).value).toEqual(value);
      expect((await log.get(await log.append({ value: 'behind' }))).value?.toString()).toBe('behind');
      await log.close();
      await kit.end();
    }
  });

  test('reading answers NO_MEMORY or the right records, and nothing in between', async () => {
    const log = await kit.open(await kit.disk(), { segmentBytes: 64 * KIB, indexIntervalBytes: 1024 });
    for (const i of range(0, 30))
      await log.appendMany(range(0, 10).map((j) => ({ value: `${i * 10 + j}`.padEnd(600, '.') })));
    await settle();
    expect((await log.get(7)).offset).toBe(7);
    const outcomes = new Set<string>();
    for (const units of range(0, 40)) {
      const others = kit.exhaust(units * 16 * KIB);
      for (const offset of [0, 57, 123, 299]) {
        await log.get(offset).then(
          ({ value }) => {
            outcomes.add('read');
            expect(value?.toString()).toBe(`${offset}`.padEnd(600, '.'));
          },
          (error: unknown) => {
            outcomes.add('no memory');
            expect(error).toMatchObject({ code: 'NO_MEMORY' });
          },
        );
      }
      await readOffsets(log, { fromOffset: 100, toOffset: 200 }).then(
        (offsets) => expect(offsets).toEqual(range(100, 200)),
        (error: unknown) => expect(error).toMatchObject({ code: 'NO_MEMORY' }),
      );
      others.release();
    }
    // The cache gives back what a read needs, so that most of them succeed.
    expect(outcomes).toContain('read');
    expect(await readOffsets(log)).toEqual(range(0, 300));
  });
});
