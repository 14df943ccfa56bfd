/** Disks that fail: a write costs what it carried, a sync costs the log, and reading goes on. */

import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { createGate, settle } from '../kit/clock.ts';
import {
  copyDisk,
  DIRECTORY,
  type Disk,
  failure,
  failureCode,
  fileBytes,
  range,
  readValues,
  segmentPath,
  soon,
  useLogKit,
} from '../kit/log-kit.ts';

const kit = useLogKit();
const SEGMENT = /\d{20}\.log$/;

function datasyncs(disk: Disk): number {
  return disk.vfs.trace.filter(({ op, path }) => op === 'datasync' && SEGMENT.test(path)).length;
}

function values(from: number, to: number): string[] {
  return range(from, to).map((i) => `${i}`);
}

async function append(log: Log, from: number, to: number): Promise<void> {
  for (const value of values(from, to)) await log.append({ value });
}

describe.each<LogOptions>([{ sync: { mode: 'always' } }, { sync: { mode: 'never' } }])(
  'a write that fails (%o)',
  (options) => {
    test.each([
      ['at once', {}],
      ['with a part written', { afterBytes: 50 }],
      ['with everything written', { late: true }],
    ])('%s rejects what it carried, and nothing else', async (_, how) => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      await append(log, 0, 3);
      const before = await fileBytes(disk.inner, segmentPath(0));
      disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1, ...how });
      const lost = [
        log.append({ value: 'lost' }),
        log.append({ value: 'lost too' }),
        log.appendMany([{}, {}]),
      ];
      const reached = log.reached(5, 'synced');
      const outcomes = await Promise.allSettled([...lost, reached]);
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'NO_SPACE' } });
      expect(await fileBytes(disk.inner, segmentPath(0))).toEqual(before);
      expect(log.nextOffset).toBe(3);
      expect(log.durable.bytesAtRisk).toBe(options.sync?.mode === 'always' ? 0 : before.length);
      expect(await readValues(log)).toEqual(values(0, 3));
      expect(log.metrics()).toMatchObject({ failedWrites: 1, isPoisoned: false, appendedRecords: 3 });
      // Its offsets are given out again.
      expect(await log.append({ value: '3' })).toBe(3);
      await append(log, 4, 6);
      expect(await readValues(log)).toEqual(values(0, 6));
      await log.close();
      const again = await kit.open(disk);
      expect(await readValues(again)).toEqual(values(0, 6));
      expect((await again.verify()).problems).toEqual([]);
    });

    test('rejects what was accepted behind it, too', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      const gate = createGate();
      // More than the writes that are made at once.
      const value = Buffer.alloc(100_000);
      disk.rules.push({
        operation: 'write',
        path: SEGMENT,
        error: 'EIO',
        times: 1,
        delay: () => gate.opened,
      });
      const first = log.append({ value });
      await settle();
      const behind = [log.append({}), log.append({ value }), log.appendMany([{}, {}])];
      await settle();
      gate.open();
      const outcomes = await Promise.allSettled([first, ...behind]);
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'IO' } });
      expect(await log.append({ value: 'x' })).toBe(0);
      expect(await readValues(log)).toEqual(['x']);
    });

    test('that nobody waited for is told by the next call, once', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      const calls: [string, () => unknown][] = [
        ['enqueue', () => log.enqueue({ value: 'not this one' })],
        ['append', () => log.append({ value: 'not this one' })],
        ['appendMany', () => log.appendMany([{ value: 'not this one' }])],
        ['ready', () => log.ready()],
        ['sync', () => log.sync()],
        ['truncateBefore', () => log.truncateBefore(0)],
      ];
      for (const [, call] of calls) {
        disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1 });
        const lost = log.enqueue({ value: 'lost' });
        await settle();
        expect(await failureCode(call)).toBe('NO_SPACE');
        expect(await log.append({ value: 'kept' })).toBe(lost);
      }
      expect(await readValues(log)).toEqual(calls.map(() => 'kept'));
    });

    test.each(['enqueue', 'append'] as const)(
      'never passes off the record that gets an offset next for the one that had it (%s)',
      async (way) => {
        const disk = await kit.disk();
        const log = await kit.open(disk, options);
        await append(log, 0, 3);
        const accept = async (value: string): Promise<number> =>
          way === 'enqueue'
            ? log.enqueue({ value })
            : await log.append({ value }, { durability: 'accepted' });
        disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1 });
        const before = log.generation;
        const lost = [await accept('lost'), await accept('lost too')] as const;
        await settle();
        // Somebody else is told of it, and goes on.
        expect(await failureCode(() => log.enqueue({}))).toBe('NO_SPACE');
        const told = { code: 'NO_SPACE', offsets: { first: 3, last: 4 } };
        for (const level of ['accepted', 'written', 'synced'] as const)
          expect(await failure(log.reached(lost[0], level, before))).toMatchObject(told);
        const { generation } = log;
        const others = [await accept('3'), await accept('4'), await accept('5')];
        expect(others).toEqual([3, 4, 5]);
        for (const level of ['accepted', 'written', 'synced'] as const) {
          for (const offset of lost) {
            expect(await failure(log.reached(offset, level, before))).toMatchObject(told);
            expect(await failure(log.reached(offset, level))).toMatchObject(told);
            await log.reached(offset, level, generation);
          }
          await log.reached(5, level);
          await log.reached(2, level);
        }
        expect(await readValues(log)).toEqual(values(0, 6));
      },
    );

    test('of records that were waited for takes no offset from anybody who asks', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1 });
      expect(await failureCode(log.append({ value: 'lost' }))).toBe('NO_SPACE');
      expect(log.generation).toBe(1);
      expect(await log.append({ value: '0' })).toBe(0);
      await log.reached(0, 'synced');
    });

    test('again and again is remembered in bounded space', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      for (const i of range(0, 100)) {
        disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1 });
        log.enqueue({ value: 'lost' });
        await settle();
        expect(await failureCode(() => log.enqueue({}))).toBe('NO_SPACE');
        expect(await log.append({ value: `${i}` })).toBe(i);
      }
      expect(log.generation).toBe(100);
      // What was forgotten one by one is remembered as a whole, at least.
      for (const i of range(0, 100)) {
        expect(await failureCode(log.reached(i, 'written', i))).toBe('NO_SPACE');
        await log.reached(i, 'written', 100);
      }
      await log.reached(80, 'written', 81);
    });

    test('that nobody waited for is told by close', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      await append(log, 0, 2);
      disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', times: 1 });
      log.enqueue({ value: 'lost' });
      expect(await failureCode(log.close())).toBe('NO_SPACE');
      const again = await kit.open(disk);
      expect(await readValues(again)).toEqual(values(0, 2));
    });

    test('whose rest cannot be cut off poisons the log', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, options);
      await append(log, 0, 2);
      disk.rules.push({ operation: 'write', path: SEGMENT, error: 'ENOSPC', afterBytes: 40 });
      disk.rules.push({ operation: 'truncate', path: SEGMENT, error: 'EIO' });
      expect(await failureCode(log.append({ value: 'lost' }))).toBe('POISONED');
      disk.rules.length = 0;
      expect(await failureCode(log.append({ value: 'refused' }))).toBe('POISONED');
      expect(await readValues(log)).toEqual(values(0, 2));
      expect(await failureCode(log.close())).toBe('POISONED');
      const again = await kit.open(disk);
      expect(again.recovery.tornTails).toBe(1);
      expect(await readValues(again)).toEqual(values(0, 2));
    });

    test('as long as the disk is full, again and again, loses nothing that was acknowledged', async () => {
      const disk = await kit.disk();
      const log = await kit.open(disk, { ...options, segmentBytes: 4096 });
      const acknowledged: string[] = [];
      for (const i of range(0, 100)) {
        if (i % 10 === 3)
          disk.rules.push({ operation: ['write', 'open'], path: SEGMENT, error: 'ENOSPC', afterBytes: i });
        if (i % 10 === 7) disk.rules.length = 0;
        const value = `${i}`.padEnd(500, '.');
        await log.append({ value }).then(
          () => acknowledged.push(value),
          (error: unknown) => expect(error).toMatchObject({ code: 'NO_SPACE' }),
        );
      }
      expect(acknowledged.length).toBeGreaterThan(50);
      expect(acknowledged.length).toBeLessThan(80);
      expect(await readValues(log)).toEqual(acknowledged);
      const copy = await copyDisk(disk.inner);
      await log.close();
      for (const vfs of [copy, disk.inner]) {
        expect(await readValues(await kit.open(kit.wrap(vfs)))).toEqual(acknowledged);
      }
    });
  },
);

describe('a write that fails in the middle of a roll', () => {
  /** Two batches of one call, of which the second one goes into the next segment, and fails. */
  async function failSecond(
    options: LogOptions,
  ): Promise<{ disk: Disk; log: Log; calls: Promise<unknown>[] }> {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4096, batchBytes: 1024, ...options });
    disk.rules.push({ operation: 'write', path: /0{19}[1-9]\.log$/, error: 'ENOSPC', times: 1 });
    const calls = range(0, 5).map((i) => log.append({ value: `${i}`.padEnd(900, '.') }));
    await Promise.allSettled(calls);
    return { disk, log, calls };
  }

  test('rejects what is not there, and acknowledges what is', async () => {
    const { log, calls } = await failSecond({});
    const outcomes = await Promise.allSettled(calls);
    const kept = outcomes.flatMap((one, i) => (one.status === 'fulfilled' ? [i] : []));
    expect(kept).toEqual([0, 1, 2, 3]);
    expect(outcomes[4]).toMatchObject({ status: 'rejected', reason: { code: 'NO_SPACE' } });
    expect((await readValues(log)).map((value) => Number.parseInt(value ?? '', 10))).toEqual(kept);
    expect(await log.append({ value: '4' })).toBe(4);
  });

  test('tells who asked when a record is safe', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4096, batchBytes: 1024, sync: { mode: 'never' } });
    disk.rules.push({ operation: 'write', path: /0{19}[1-9]\.log$/, error: 'ENOSPC', times: 1 });
    const value = Buffer.alloc(900);
    const calls = range(0, 5).map(() => log.append({ value }, { durability: 'synced' }));
    const written = range(0, 5).map((i) => log.reached(i, 'written'));
    const synced = range(0, 5).map((i) => log.reached(i, 'synced'));
    for (const all of [calls, written, synced]) {
      const outcomes = await soon(Promise.allSettled<unknown>(all));
      expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, true, true, false]);
    }
    expect(log.durable).toMatchObject({ written: 4, synced: 4 });
  });

  test('fails an appendMany of which a part is lost, though the rest came later', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4096, batchBytes: 1024, bufferBytes: 64 * 1024 });
    disk.rules.push({ operation: 'write', path: /0{18}[1-9]\d\.log$/, error: 'ENOSPC', times: 1 });
    const many = log.appendMany(range(0, 200).map((i) => ({ value: `${i}`.padEnd(900, '.') })));
    expect(await failureCode(many)).toBe('NO_SPACE');
    await log.append({ value: 'next' });
    const kept = (await readValues(log)).map((value) => Number.parseInt(value ?? '', 10));
    expect(kept.slice(0, -1)).toEqual(range(0, kept.length - 1));
    expect(kept.length).toBeLessThan(200);
  });

  test.each(['always', 'never'] as const)('does not forget to sync what is there (%s)', async (mode) => {
    const { log, disk } = await failSecond({ sync: { mode } });
    await soon(log.reached(3, 'synced'));
    expect(log.durable.synced).toBe(4);
    expect(datasyncs(disk)).toBeGreaterThan(0);
  });
});

test.each([
  { mode: 'always' },
  { mode: 'adaptive' },
  { mode: 'batch', maxDelayMs: 10 },
  { mode: 'interval', intervalMs: 10 },
] as const)(
  'what nobody waits for, of a write that fails behind it, is synced as the policy says (%o)',
  async (sync) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4096, batchBytes: 1024, sync });
    disk.rules.push({ operation: 'open', path: /0{19}[1-9]\.log$/, error: 'EMFILE', times: 1 });
    for (const _ of range(0, 5)) log.enqueue({ value: Buffer.alloc(900) });
    await settle();
    await kit.clock.advance(20);
    await settle();
    expect(log.durable).toMatchObject({ accepted: 4, written: 4, synced: 4, bytesAtRisk: 0 });
    await soon(log.reached(3, 'synced'));
  },
);

describe('a segment that cannot be begun', () => {
  const options: LogOptions = { segmentBytes: 4096 };
  const value = Buffer.alloc(3000);

  test('for want of space fails the append, and is tried again by the next one', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, options);
    await log.append({ value });
    disk.rules.push({ operation: 'open', path: SEGMENT, error: 'ENOSPC', times: 2 });
    expect(await failureCode(log.append({ value }))).toBe('NO_SPACE');
    expect(await failureCode(log.append({ value }))).toBe('NO_SPACE');
    expect(await log.append({ value })).toBe(1);
    expect(log.info().segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 1]);
  });

  test('whose name cannot be made durable poisons the log', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, options);
    await log.append({ value });
    disk.rules.push({ operation: 'syncDir', error: 'EIO', times: 1 });
    expect(await failureCode(log.append({ value }))).toBe('POISONED');
    expect(await failureCode(log.append({ value }))).toBe('POISONED');
    expect((await log.get(0)).value).toHaveLength(3000);
    expect(await failureCode(log.close())).toBe('POISONED');
    const again = await kit.open(disk, options);
    expect(await again.append({ value })).toBe(1);
  });

  test('leaves a file behind that is not in the way', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, options);
    await log.append({ value });
    const stray = await disk.inner.open(segmentPath(1), 'create');
    await stray.write(Buffer.from('from an older life'), 0);
    await stray.close();
    expect(await log.append({ value })).toBe(1);
    expect(await fileBytes(disk.inner, `${DIRECTORY}/quarantine/${segmentPath(1).slice(-24)}.0`)).toEqual(
      Buffer.from('from an older life'),
    );
  });
});

describe('a sync that fails', () => {
  test.each<LogOptions>([
    { sync: { mode: 'always' } },
    { sync: { mode: 'batch', maxRecords: 1 } },
    { sync: { mode: 'adaptive' } },
    { sync: { mode: 'interval', intervalMs: 1 } },
    { sync: { mode: 'never' } },
  ])('poisons the log and is never tried again (%o)', async (options) => {
    const disk = await kit.disk();
    const log = await kit.open(disk, options);
    await Promise.all(range(0, 2).map((i) => log.append({ value: `${i}` }, { durability: 'synced' })));
    const before = datasyncs(disk);
    const gate = createGate();
    disk.rules.push({
      operation: 'datasync',
      path: SEGMENT,
      error: 'EIO',
      times: 1,
      delay: () => gate.opened,
    });
    const failing = [log.append({ value: '2' }, { durability: 'synced' })];
    await settle();
    failing.push(log.append({ value: '3' }, { durability: 'synced' }));
    log.enqueue({ value: '4' });
    const reached = [log.reached(2, 'synced'), log.reached(4, 'synced'), log.sync()];
    await settle();
    gate.open();
    for (const outcome of await Promise.allSettled([...failing, ...reached])) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'POISONED' } });
    }
    const later: [string, () => unknown][] = [
      ['append', () => log.append({})],
      ['appendMany', () => log.appendMany([{}])],
      ['enqueue', () => log.enqueue({})],
      ['ready', () => log.ready()],
      ['sync', () => log.sync()],
      ['reached', () => log.reached(4, 'synced')],
      ['truncateBefore', () => log.truncateBefore(0)],
      ['retain', () => log.retain()],
      ['appendBatches', () => log.appendBatches(batchBytes({ records: [{ offsetDelta: 0 }] }))],
    ];
    for (const [name, call] of later) expect([name, await failureCode(call)]).toEqual([name, 'POISONED']);
    const [cause] = [(await failure(log.append({}))).cause];
    expect(cause).toMatchObject({ code: 'IO' });
    expect((await readValues(log)).slice(0, 2)).toEqual(['0', '1']);
    expect((await log.get(1)).value?.toString()).toBe('1');
    await kit.clock.advance(10_000);
    expect(log.metrics().isPoisoned).toBe(true);
    expect(await failureCode(log.close())).toBe('POISONED');
    expect(datasyncs(disk)).toBe(before + 1);
    // Opened again, the log says what the disk really has.
    const again = await kit.open(disk, options);
    expect((await readValues(again)).slice(0, 2)).toEqual(['0', '1']);
    await again.append({ value: 'goes on' }, { durability: 'synced' });
  });

  test('never shows a reader what it was to make safe', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await append(log, 0, 2);
    disk.rules.push({ operation: 'datasync', path: SEGMENT, error: 'EIO', times: 1 });
    expect(await failureCode(log.append({ value: '2' }))).toBe('POISONED');
    expect(await readValues(log)).toEqual(['0', '1']);
    expect(await failureCode(log.get(2))).toBe('OUT_OF_RANGE');
    expect(log.durable).toMatchObject({ synced: 2 });
  });

  test('while a write is under way keeps nobody who follows from what that brings', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'interval', intervalMs: 1 } });
    await log.append({ value: '0' });
    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { value } of log.read({ follow: true, signal: stop.signal }))
        seen.push(`${value?.length}`);
    })();
    const gate = createGate();
    // More than what is written at once.
    const value = Buffer.alloc(100_000);
    disk.rules.push({ operation: 'write', path: SEGMENT, times: 1, delay: () => gate.opened });
    disk.rules.push({ operation: 'datasync', path: SEGMENT, error: 'EIO', times: 1 });
    const append = failureCode(log.append({ value }));
    await settle();
    expect(await failureCode(log.reached(0, 'synced'))).toBe('POISONED');
    expect(seen).toEqual(['1']);
    gate.open();
    expect(await append).toBe('POISONED');
    await settle();
    expect(log.durable.written).toBe(2);
    expect(seen).toEqual(['1', '100000']);
    stop.abort();
    await following.catch(() => undefined);
  });

  test('while a segment is sealed poisons the log as well', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { segmentBytes: 4096, sync: { mode: 'never' } });
    await log.append({ value: Buffer.alloc(3000) });
    disk.rules.push({ operation: 'datasync', path: SEGMENT, error: 'EIO', times: 1 });
    // It is written before or after that is known.
    await log.append({ value: Buffer.alloc(3000) }).catch(() => undefined);
    await settle();
    expect(await failureCode(log.append({}))).toBe('POISONED');
    expect((await log.get(0)).value).toHaveLength(3000);
    expect(await failureCode(log.close())).toBe('POISONED');
    expect((await readValues(await kit.open(disk))).length).toBeGreaterThan(0);
  });

  test('of the recovery point poisons the log', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await append(log, 0, 3);
    disk.rules.push({ operation: 'datasync', path: /recovery-point/, error: 'EIO', times: 1 });
    expect(['IO', 'POISONED']).toContain(await failureCode(log.truncateBefore(2)));
    expect(await failureCode(log.append({}))).toBe('POISONED');
    expect(await failureCode(log.close())).toBe('POISONED');
    expect(await readValues(await kit.open(disk))).toEqual(['0', '1', '2']);
  });
});

describe('a log on a disk that cannot be written', () => {
  test('is refused with READ_ONLY, and can be read when opened for that', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await append(log, 0, 3);
    await log.close();
    disk.rules.push({
      operation: ['write', 'rename', 'remove', 'truncate', 'mkdir', 'datasync', 'syncDir'],
      error: 'EROFS',
    });
    disk.rules.push({ operation: 'open', path: /tmp$/, error: 'EROFS' });
    expect(await failureCode(kit.open(disk))).toBe('READ_ONLY');
    expect(await readValues(await kit.open(disk, {}, { readOnly: true }))).toEqual(values(0, 3));
  });

  test('that fails in turn at every operation of opening gives everything back', async () => {
    const source = await kit.disk();
    const log = await kit.open(source, { segmentBytes: 4096, indexIntervalBytes: 1024 });
    for (const i of range(0, 12)) await log.append({ value: `${i}`.padEnd(900, '.') });
    await settle();
    const image = await copyDisk(source.inner);
    await log.close();
    let failures = 0;
    for (let at = 0, met = true; met; at++) {
      const disk = kit.wrap(await copyDisk(image), [{ at, error: 'EIO' }]);
      const opening = await kit.open(disk, { segmentBytes: 4096 }).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'IO' });
        failures++;
      });
      await opening?.close().catch(() => undefined);
      met = disk.vfs.injected > 0;
      disk.rules.length = 0;
      const again = await kit.open(disk);
      expect((await readValues(again)).map((value) => Number.parseInt(value ?? '', 10))).toEqual(
        range(0, 12),
      );
      await kit.end();
    }
    expect(failures).toBeGreaterThan(10);
  });
});
