import { describe, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import type { Durability, SyncPolicy } from '../../src/log/sync-policy.ts';
import { createGate, settle } from '../kit/clock.ts';
import { type Disk, failureCode, range, readOffsets, readValues, useLogKit } from '../kit/log-kit.ts';

const kit = useLogKit();

const POLICIES: SyncPolicy[] = [
  { mode: 'always' },
  { mode: 'batch' },
  { mode: 'interval' },
  { mode: 'adaptive' },
  { mode: 'never' },
];
const SYNCED = new Set(['always', 'batch', 'adaptive']);

function count(disk: Disk, op: string): number {
  return disk.vfs.trace.filter((one) => one.op === op && one.path.endsWith('.log')).length;
}

/** Lets the timers of the policies run until a promise settles. */
async function inTime<T>(promise: Promise<T>): Promise<T> {
  let isDone = false;
  promise.then(
    () => {
      isDone = true;
    },
    () => {
      isDone = true;
    },
  );
  for (let i = 0; i < 100 && !isDone; i++) await kit.clock.advance(10);
  return promise;
}

describe.each(POLICIES)('under the policy $mode', (sync) => {
  test('every way to append gives the next offset', async () => {
    const log = await kit.open(await kit.disk(), { sync });
    expect(await inTime(log.append({ value: '0' }))).toBe(0);
    expect(log.enqueue({ value: '1' })).toBe(1);
    const many = log.appendMany([{ value: '2' }, { value: '3' }, { value: '4' }]);
    const one = log.append({ value: '5' }, { durability: 'accepted' });
    expect(log.enqueue({ value: '6' })).toBe(6);
    expect(await one).toBe(5);
    expect(await inTime(many)).toEqual({ firstOffset: 2, lastOffset: 4 });
    await inTime(log.reached(6, 'synced'));
    expect(log.nextOffset).toBe(7);
    expect(log.durable).toEqual({ accepted: 7, written: 7, synced: 7, bytesAtRisk: 0 });
    expect(await readValues(log)).toEqual(['0', '1', '2', '3', '4', '5', '6']);
  });

  test('an append resolves at its own level, and no sooner', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync });
    const gate = createGate();
    disk.rules.push({ operation: 'datasync', path: /log$/, delay: () => gate.opened });
    let resolved = 0;
    const append = log.append({ value: 'x' }).then(() => resolved++);
    await kit.clock.advance(1000);
    expect(log.durable).toMatchObject({ accepted: 1, written: 1, synced: 0 });
    expect(resolved).toBe(SYNCED.has(sync.mode) ? 0 : 1);
    expect(await readOffsets(log)).toEqual(SYNCED.has(sync.mode) ? [] : [0]);
    gate.open();
    await append;
    expect(await readOffsets(log)).toEqual([0]);
  });

  test('any level can be asked for', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync });
    const gate = createGate();
    disk.rules.push({ operation: 'datasync', path: /log$/, delay: () => gate.opened });
    const reached: string[] = [];
    const levels: Durability[] = ['accepted', 'written', 'synced'];
    const waits = levels.flatMap((durability) => [
      log.append({ value: durability }, { durability }).then(() => reached.push(durability)),
      log.appendMany([{}, {}], { durability }).then(() => reached.push(`many ${durability}`)),
    ]);
    expect(log.nextOffset).toBe(9);
    waits.push(
      ...levels.map((level) => log.reached(8, level).then(() => reached.push(`reached ${level}`))),
      log.sync().then(() => reached.push('sync')),
    );
    await kit.clock.advance(1000);
    const early = [
      'accepted',
      'many accepted',
      'reached accepted',
      'written',
      'many written',
      'reached written',
    ];
    expect([...reached].sort()).toEqual([...early].sort());
    gate.open();
    await inTime(Promise.all(waits));
    expect(reached).toHaveLength(10);
    expect(log.durable.synced).toBe(9);
  });

  test('offsets have no gaps, whatever is appended at once', async () => {
    const log = await kit.open(await kit.disk(), { sync, segmentBytes: 8192, batchBytes: 256 });
    const offsets = range(0, 300).map((i) => {
      if (i % 7 === 3) return Promise.resolve(log.enqueue({ value: `${i}` }));
      return log.append({ value: `${i}` }, i % 5 === 0 ? { durability: 'synced' } : {});
    });
    expect(await inTime(Promise.all(offsets))).toEqual(range(0, 300));
    await inTime(log.sync());
    expect(await readValues(log)).toEqual(range(0, 300).map((i) => `${i}`));
  });

  test('close writes and syncs what was accepted', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync });
    const appended = log.append({ value: 'a' });
    log.enqueue({ value: 'b' });
    await inTime(log.close());
    expect(await appended).toBe(0);
    expect(log.durable.synced).toBe(2);
    expect(await failureCode(() => log.enqueue({}))).toBe('CLOSED');
    expect(await failureCode(log.append({}))).toBe('CLOSED');
    expect(await failureCode(log.appendMany([{}]))).toBe('CLOSED');
    expect(await failureCode(log.ready())).toBe('CLOSED');
    expect(await failureCode(log.sync())).toBe('CLOSED');
    expect(await readValues(await kit.open(disk))).toEqual(['a', 'b']);
  });
});

describe('group commit', () => {
  test('lets a thousand concurrent appends share a few syncs', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await Promise.all(range(0, 1000).map((i) => log.append({ value: `${i}` })));
    expect(count(disk, 'datasync')).toBeLessThanOrEqual(2);
    expect(count(disk, 'write')).toBeLessThanOrEqual(2);
    expect(log.metrics()).toMatchObject({ appendedRecords: 1000, syncs: count(disk, 'datasync') });
  });

  test('takes what was accepted during a flush as the next one', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    let gate = createGate();
    disk.rules.push({ operation: 'datasync', path: /log$/, delay: () => gate.opened });
    const first = log.append({ value: 'first' });
    await settle();
    const later = range(0, 500).map((i) => log.append({ value: `${i}` }));
    await settle();
    expect([count(disk, 'write'), count(disk, 'datasync')]).toEqual([1, 1]);
    gate.open();
    await first;
    gate = createGate();
    gate.open();
    await Promise.all(later);
    expect([count(disk, 'write'), count(disk, 'datasync')]).toEqual([2, 2]);
  });

  test('clients that each wait for their append share syncs too', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk);
    await Promise.all(
      range(0, 50).map(async (client) => {
        for (const i of range(0, 20)) await log.append({ value: `${client} ${i}` });
      }),
    );
    expect(count(disk, 'datasync')).toBeLessThan(60);
  });

  test('an idle log flushes without a timer and without another turn', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    log.enqueue({ value: 'x' });
    await Promise.resolve();
    await Promise.resolve();
    expect(count(disk, 'write')).toBe(1);
    expect(kit.clock.waiting).toBe(0);
  });
});

describe('the policy batch', () => {
  async function open(sync: Partial<SyncPolicy>): Promise<{ log: Log; disk: Disk }> {
    const disk = await kit.disk();
    return { disk, log: await kit.open(disk, { sync: { mode: 'batch', ...sync } }) };
  }

  test('syncs when so many records wait', async () => {
    const { log, disk } = await open({ maxRecords: 3 });
    const appends = [log.append({}), log.append({})];
    await settle();
    expect(count(disk, 'datasync')).toBe(0);
    appends.push(log.append({}));
    expect(await Promise.all(appends)).toEqual([0, 1, 2]);
    expect(count(disk, 'datasync')).toBe(1);
    expect(kit.clock.waiting).toBe(0);
  });

  test('syncs when so many bytes wait', async () => {
    const { log, disk } = await open({ maxBytes: 2000 });
    const first = log.append({ value: Buffer.alloc(900) });
    await settle();
    expect(count(disk, 'datasync')).toBe(0);
    await Promise.all([first, log.append({ value: Buffer.alloc(1000) })]);
    expect(count(disk, 'datasync')).toBe(1);
  });

  test('syncs when the oldest record has waited so long', async () => {
    const { log, disk } = await open({ maxDelayMs: 30 });
    const first = log.append({});
    await kit.clock.advance(20);
    const second = log.append({});
    await kit.clock.advance(9);
    expect(count(disk, 'datasync')).toBe(0);
    await kit.clock.advance(1);
    expect(await Promise.all([first, second])).toEqual([0, 1]);
    expect(count(disk, 'datasync')).toBe(1);
    await kit.clock.advance(1000);
    expect(count(disk, 'datasync')).toBe(1);
    await inTime(log.append({}));
    expect(count(disk, 'datasync')).toBe(2);
  });

  test('counts anew what comes during a sync', async () => {
    const { log, disk } = await open({ maxRecords: 2, maxDelayMs: 50 });
    const gate = createGate();
    disk.rules.push({ operation: 'datasync', path: /log$/, delay: () => gate.opened, times: 1 });
    const first = [log.append({}), log.append({})];
    await settle();
    const late = log.append({});
    await settle();
    gate.open();
    await Promise.all(first);
    await kit.clock.advance(49);
    expect(count(disk, 'datasync')).toBe(1);
    await kit.clock.advance(2);
    expect(await late).toBe(2);
  });
});

describe('the policy interval', () => {
  test('syncs so long after the first record that is not synced, and not at all when idle', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'interval', intervalMs: 100 } });
    await kit.clock.advance(1000);
    expect(count(disk, 'datasync')).toBe(0);
    await log.append({});
    await kit.clock.advance(60);
    await log.append({});
    await kit.clock.advance(39);
    expect(log.durable).toMatchObject({ written: 2, synced: 0 });
    expect(log.durable.bytesAtRisk).toBeGreaterThan(0);
    await kit.clock.advance(1);
    expect(log.durable).toMatchObject({ written: 2, synced: 2, bytesAtRisk: 0 });
    await kit.clock.advance(1000);
    expect(count(disk, 'datasync')).toBe(1);
  });
});

describe('the policy never', () => {
  test('syncs only when it is asked to', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'never' } });
    await log.appendMany([{}, {}, {}]);
    await kit.clock.advance(1_000_000);
    expect(count(disk, 'datasync')).toBe(0);
    await log.reached(1, 'written');
    expect(count(disk, 'datasync')).toBe(0);
    await log.reached(1, 'synced');
    expect(count(disk, 'datasync')).toBe(1);
    await log.reached(2, 'synced');
    await log.sync();
    expect(count(disk, 'datasync')).toBe(1);
  });
});

describe('the policy adaptive', () => {
  test('keeps every promise while it tries delays', { timeout: 60_000 }, async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, { sync: { mode: 'adaptive', maxDelayMs: 5 } });
    // A sync takes two milliseconds of the clock that stands still otherwise.
    let isSyncing = false;
    disk.rules.push({
      operation: 'datasync',
      path: /log$/,
      delay: () =>
        new Promise((resolve) => {
          isSyncing = true;
          kit.clock.after(2, () => {
            isSyncing = false;
            resolve();
          });
        }),
    });
    let done = 0;
    const clients = range(0, 4).map(async () => {
      for (const _ of range(0, 330)) {
        const offset = await log.append({});
        if (offset >= log.durable.synced) throw new Error(`offset ${offset} is not synced`);
        done++;
      }
    });
    let isTried = false;
    for (let i = 0; done < 1320 && i < 5000; i++) {
      await settle(2);
      isTried ||= kit.clock.waiting > 0 && !isSyncing;
      await kit.clock.advance(1);
    }
    await Promise.all(clients);
    expect(await readOffsets(log)).toEqual(range(0, 1320));
    expect(isTried).toBe(true);
  });
});

describe('reached', () => {
  test('refuses an offset that was not given out', async () => {
    const log = await kit.open(await kit.disk());
    expect(await failureCode(log.reached(0, 'synced'))).toBe('OUT_OF_RANGE');
    await log.append({});
    await log.reached(0, 'synced');
    expect(await failureCode(log.reached(1, 'accepted'))).toBe('OUT_OF_RANGE');
    await expect(log.reached(-1, 'synced')).rejects.toThrow(RangeError);
    await expect(log.reached(0, 'durable' as Durability)).rejects.toThrow(/level must be one of/);
  });
});

describe('what is appended', () => {
  test('is checked before anything happens', async () => {
    const log = await kit.open(await kit.disk(), { maxRecordBytes: 100 });
    const wrong: [unknown, RegExp][] = [
      [null, /a record must be an object/],
      [{ vaule: 'v' }, /a record has no field vaule; it has key, value, timestamp, headers/],
      [{ key: 'k', Value: 'v' }, /a record has no field Value/],
      [{ key: Buffer.from('k'), vaule: Buffer.from('v') }, /a record has no field vaule/],
      ['text', /a record must be an object/],
      [{ key: 5 }, /the key of a record must be bytes, a string or null, not number/],
      [{ value: {} }, /the value of a record must be/],
      [{ timestamp: '1' }, /the timestamp of a record must be a number/],
      [{ timestamp: 1.5 }, /the timestamp of a record must be a safe integer, not 1.5/],
      [{ timestamp: 2 ** 53 }, /safe integer/],
      [{ headers: {} }, /headers must be an array/],
      [{ headers: [{ key: 1, value: '' }] }, /the key of a header must be a string/],
      [{ headers: [{ key: 'a' }] }, /the value of header a must be/],
      [{ headers: [null] }, /the key of a header must be a string/],
      [{ key: 'k'.repeat(51), value: 'v'.repeat(50) }, /at most 100 bytes .*, not 101/],
    ];
    for (const [record, message] of wrong) {
      expect(() => log.enqueue(record as object)).toThrow(message);
      await expect(log.append(record as object)).rejects.toThrow(message);
      await expect(log.appendMany([{}, record as object])).rejects.toThrow(message);
    }
    await expect(log.appendMany('no' as unknown as [])).rejects.toThrow(/records must be an array/);
    await expect(log.append({}, { durability: 'safe' as Durability })).rejects.toThrow(
      /durability must be one of/,
    );
    await expect(log.append({}, { level: 'synced' } as object)).rejects.toThrow(
      /append options has no option level/,
    );
    expect(log.nextOffset).toBe(0);
    expect(await log.append({ key: 'k'.repeat(50), value: 'v'.repeat(50) })).toBe(0);
  });

  test('may be nothing', async () => {
    const log = await kit.open(await kit.disk());
    expect(await log.appendMany([])).toEqual({ firstOffset: 0, lastOffset: -1 });
    await log.append({});
    expect(await log.appendMany([], { durability: 'synced' })).toEqual({ firstOffset: 1, lastOffset: 0 });
    await log.sync();
    expect(log.nextOffset).toBe(1);
  });

  test('gets the time of the clock where it brings none', async () => {
    const log = await kit.open(await kit.disk());
    const now = kit.clock.now();
    await log.append({});
    await kit.clock.advance(1234);
    await log.append({});
    await log.append({ timestamp: -5 });
    const times: number[] = [];
    for await (const { timestamp } of log.read()) times.push(timestamp);
    expect(times).toEqual([now, now + 1234, -5]);
  });
});
