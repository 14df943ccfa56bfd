/** A store of log entries: what is written is read, in the order of time. */

import { expect, test } from 'vitest';
import type { EventInput } from '../../src/events/input.ts';
import { jsonOf, openEvents, readAllEvents } from '../kit/events.ts';
import { useTreeKit } from '../kit/tree-kit.ts';

const kit = useTreeKit();

const NOW = 1_700_000_000_000;

test('gives back every field of an entry, and leaves out those that it has not', async () => {
  const disk = await kit.disk();
  const events = await openEvents(await kit.open(disk));
  const entries: EventInput[] = [
    { message: '' },
    { timestamp: 0, level: 'TRACE', message: 'the first' },
    { timestamp: 9_223_372_036_854, nanoseconds: 999_999, level: 'FATAL', message: 'the last' },
    { timestamp: 1_234_567_890_123_456_789n, level: 'error', message: 'nanoseconds', component: 'a' },
    {
      timestamp: 5,
      message: 'm'.repeat(300),
      component: 'c'.repeat(200),
      version: '1.2.3',
      metadata: { a: [1, 'ü'] },
    },
    {
      timestamp: 6,
      message: 'naïve, 日本語 😀',
      component: 'größe',
      version: 'β',
      metadata: { deep: { x: null } },
    },
    { timestamp: 7, message: 'short é', version: '' },
    { timestamp: 8, message: 'line one\n\tat line two\0', component: '' },
  ];
  expect(await events.writeMany(entries)).toBe(entries.length);
  const expected = entries
    .map((entry) => jsonOf(entry, NOW))
    .sort((a, b) => Number(a['timestamp']) - Number(b['timestamp']));
  expect(readAllEvents(events)).toEqual(expected);
  const read = [...events.readSync({ from: 1_234_567_890_123, to: 1_234_567_890_124 })];
  expect(
    read.map(({ timestampNs, nanoseconds, iso, level }) => [timestampNs, nanoseconds, iso, level]),
  ).toEqual([[1_234_567_890_123_456_789n, 456_789, '2009-02-13T23:31:30.123456789Z', 'ERROR']]);
});

test('keeps the order of arrival of entries of one time, also over restarts, on disk and in memory', async () => {
  const disk = await kit.disk();
  const said: string[] = [];
  for (let round = 0; round < 4; round++) {
    const { trees, tree } = await kit.open(disk);
    const events = await openEvents({ trees, tree });
    for (let i = 0; i < 5; i++) {
      const messages = [`${round}.${i}.a`, `${round}.${i}.b`];
      said.push(...messages);
      if (i % 2 === 0) await events.writeMany(messages.map((message) => ({ timestamp: 77, message })));
      else for (const message of messages) await events.write({ timestamp: 77, message });
    }
    if (round === 1) await events.flush();
    if (round === 2) await events.compact();
    expect([...events.readSync()].map(({ message }) => message)).toEqual(said);
    expect([...events.readSync({ reverse: true })].map(({ message }) => message)).toEqual(
      [...said].reverse(),
    );
    await trees.close();
  }
});

test('reads a stretch of time, from its start on and up to its end', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  await events.writeMany([3, 1, 2, 5, 4].map((timestamp) => ({ timestamp, message: String(timestamp) })));
  await events.write({ timestamp: 2, nanoseconds: 1, message: '2.1' });
  const messages = (options: Parameters<typeof events.readSync>[0]): string =>
    [...events.readSync(options)].map(({ message }) => message).join(' ');
  expect(messages({})).toBe('1 2 2.1 3 4 5');
  expect(messages({ from: 2, to: 4 })).toBe('2 2.1 3');
  expect(messages({ from: 2_000_001n, to: 4 })).toBe('2.1 3');
  expect(messages({ to: 2_000_001n })).toBe('1 2');
  expect(messages({ from: -5, to: Number.POSITIVE_INFINITY })).toBe('1 2 2.1 3 4 5');
  expect(messages({ reverse: true, limit: 2 })).toBe('5 4');
  expect(messages({ from: 4, to: 2 })).toBe('');
  expect(messages({ limit: 0 })).toBe('');
});

test('chooses by level, component and text, each alone and together', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  await events.writeMany([
    { timestamp: 1, level: 'DEBUG', component: 'db.pool', message: 'one fish' },
    {
      timestamp: 2,
      level: 'WARN',
      component: 'db',
      version: '1',
      message: 'two fish',
      metadata: { n: 'red' },
    },
    { timestamp: 3, level: 'ERROR', message: 'red fish' },
    { timestamp: 4, level: 'OTHER', component: 'db.wal', message: 'blue' },
    { timestamp: 5, level: 'ERROR', component: 'db', message: 'größer als red' },
  ]);
  const times = (options: Parameters<typeof events.readSync>[0]): number[] =>
    [...events.readSync(options)].map(({ timestamp }) => timestamp);
  expect(times({ level: 'WARN' })).toEqual([2, 3, 5]);
  expect(times({ level: '=debug,other' })).toEqual([1, 4]);
  expect(times({ component: 'db' })).toEqual([2, 5]);
  expect(times({ component: 'db*' })).toEqual([1, 2, 4, 5]);
  expect(times({ component: ['*.wal', '*poo*'] })).toEqual([1, 4]);
  expect(times({ contains: 'red' })).toEqual([3, 5]);
  expect(times({ contains: 'röß' })).toEqual([5]);
  expect(times({ contains: 'fish', reverse: true })).toEqual([3, 2, 1]);
  expect(times({ level: 'ERROR', component: 'db', contains: 'als', from: 2 })).toEqual([5]);
  expect(await events.count({ level: 'ERROR' })).toBe(2);
  expect(await events.count()).toBe(5);
  expect(await events.count({ contains: 'fish', component: 'db' })).toBe(1);
});

test('counts over time, in all and by level', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  expect(await events.histogram()).toEqual({ startMs: undefined, widthMs: 0, counts: [] });
  await events.writeMany(
    Array.from(
      { length: 100 },
      (_, i) => ({ timestamp: 1000 + i, level: i % 10 === 0 ? 'WARN' : 'INFO', message: '' }) as const,
    ),
  );
  expect(await events.histogram({ buckets: 4 })).toEqual({
    startMs: 1000,
    widthMs: 25,
    counts: [25, 25, 25, 25],
  });
  expect(await events.histogram({ buckets: 2, by: 'level', from: 1000, to: 1060 })).toEqual({
    startMs: 1000,
    widthMs: 30,
    counts: [30, 30],
    levels: { INFO: [27, 27], WARN: [3, 3] },
  });
  expect(await events.histogram({ buckets: 3, level: 'WARN', from: 900 })).toEqual({
    startMs: 900,
    widthMs: 64,
    counts: [0, 3, 7],
  });
});

test('follows what is written later, in the order in which it is written', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  await events.write({ timestamp: 10, level: 'ERROR', message: 'old' });
  const stop = new AbortController();
  const read = events.read({ follow: true, level: 'WARN', signal: stop.signal });
  const said: string[] = [];
  const reading = (async () => {
    for await (const { message } of read) said.push(message);
  })();
  await events.write({ timestamp: 20, level: 'ERROR', message: 'new' });
  await events.writeMany([
    { timestamp: 5, level: 'WARN', message: 'late' },
    { timestamp: 30, level: 'INFO', message: 'not asked for' },
    { timestamp: 15, level: 'FATAL', message: 'last' },
  ]);
  await expect.poll(() => said).toEqual(['old', 'new', 'late', 'last']);
  stop.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
});

test('follows no further than its limit', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  await events.write({ message: 'one' });
  const read = events.read({ follow: true, limit: 2 });
  const all = (async () => {
    const said: string[] = [];
    for await (const { message } of read) said.push(message);
    return said;
  })();
  await events.writeMany([{ message: 'two' }, { message: 'three' }]);
  expect(await all).toEqual(['one', 'two']);
});

test('tells a mistake by the name of the field, before anything is written', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const mistakes: [unknown, string, typeof TypeError | typeof RangeError][] = [
    [undefined, 'an entry', TypeError],
    [[], 'an entry', TypeError],
    [{ message: 'x', mesage: 1 }, 'mesage', TypeError],
    [{}, 'message', TypeError],
    [{ message: 5 }, 'message', TypeError],
    [{ message: 'x', timestamp: 1.5 }, 'timestamp', RangeError],
    [{ message: 'x', timestamp: -1 }, 'timestamp', RangeError],
    [{ message: 'x', timestamp: -1n }, 'timestamp', RangeError],
    [{ message: 'x', timestamp: 9_223_372_036_855_000_000n }, 'timestamp', RangeError],
    [{ message: 'x', timestamp: '2020' }, 'timestamp', TypeError],
    [{ message: 'x', timestamp: 1n, nanoseconds: 1 }, 'nanoseconds', TypeError],
    [{ message: 'x', timestamp: 1, nanoseconds: 1_000_000 }, 'nanoseconds', RangeError],
    [{ message: 'x', nanoseconds: 'a' }, 'nanoseconds', TypeError],
    [{ message: 'x', level: 'LOUD' }, 'level', RangeError],
    [{ message: 'x', level: 3 }, 'level', TypeError],
    [{ message: 'x', component: null }, 'component', TypeError],
    [{ message: 'x', version: 1 }, 'version', TypeError],
    [{ message: 'x', metadata: [] }, 'metadata', TypeError],
    [{ message: 'x', metadata: cyclic }, 'metadata', TypeError],
    [{ message: 'x', metadata: { n: 1n } }, 'metadata', TypeError],
    [{ message: 'x'.repeat(8 * 1024 * 1024) }, 'bytes', RangeError],
  ];
  for (const [entry, name, type] of mistakes) {
    const thrown = await events.write(entry as EventInput).catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(type);
    expect((thrown as Error).message).toContain(name);
    await expect(events.writeMany([{ message: 'fine' }, entry as EventInput])).rejects.toThrow(type);
  }
  await expect(events.writeMany('text' as unknown as EventInput[])).rejects.toThrow(TypeError);
  expect(() => events.readSync({ level: 'LOUD' })).toThrow(RangeError);
  expect(() => events.read({ from: 'x' as unknown as number })).toThrow(TypeError);
  expect(() => events.read({ follow: true, reverse: true })).toThrow(RangeError);
  expect(() => events.readSync({ follow: true } as object)).toThrow(TypeError);
  expect(await events.count()).toBe(0);
});

test('writes many entries in several batches, and reads them all', async () => {
  const { trees, tree } = await kit.open(await kit.disk());
  const events = await openEvents({ trees, tree });
  const count = 12_000;
  await events.writeMany(
    Array.from({ length: count }, (_, i) => ({
      timestamp: (i * 7919) % count,
      message: `message ${i} ${'.'.repeat(100)}`,
    })),
  );
  const times: number[] = [];
  for await (const { timestamp } of events.read()) times.push(timestamp);
  expect(times).toEqual(times.map((_, i) => i));
  expect(times).toHaveLength(count);
});

test('loses nothing where an entry that is written writes another', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const inner: Promise<unknown>[] = [];
  const log = (message: string): void => {
    inner.push(events.write({ message, timestamp: 5 }));
  };
  const lazy = (message: string): EventInput => ({
    message,
    timestamp: 5,
    metadata: {
      get x() {
        log(`inside of ${message}`);
        return 1;
      },
    },
  });
  const count = await events.writeMany(
    (function* () {
      yield { message: 'first', timestamp: 5 };
      log('between');
      yield lazy('second');
    })(),
  );
  await events.write(lazy('third'));
  await Promise.all(inner);
  expect(count).toBe(2);
  const handover = await events.handover();
  handover.take(
    (function* () {
      yield { message: 'taken', timestamp: 5 };
      handover.take([{ message: 'meanwhile', timestamp: 5 }]);
      yield lazy('last');
    })(),
  );
  await handover.flush();
  await Promise.all(inner);
  await events.close();
  const messages = [...events.readSync()].map(({ message }) => message);
  expect(messages.sort()).toEqual([
    'between',
    'first',
    'inside of last',
    'inside of second',
    'inside of third',
    'last',
    'meanwhile',
    'second',
    'taken',
    'third',
  ]);
});

test('a way into the store that was closed is followed by another one', async () => {
  const events = await openEvents(await kit.open(await kit.disk()));
  const first = await events.handover();
  expect(await events.handover()).toBe(first);
  first.take([{ message: 'one', timestamp: 1 }]);
  const closing = first.close();
  expect(() => first.take([{ message: 'late' }])).toThrow(/closed/);
  const second = await events.handover();
  await closing;
  second.take([{ message: 'two', timestamp: 2 }]);
  await events.close();
  expect(readAllEvents(events)).toMatchObject([{ message: 'one' }, { message: 'two' }]);
});
