/**
 * Segments are Kafka's record batches, and a witness that shares no code with varve says so: kafkajs
 * decodes what varve wrote, and varve reads what kafkajs encoded. The indexes are walked by a reader of
 * this test's own, from Kafka's description of them.
 */

import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Log, LogOptions } from '../../src/index.ts';
import { type Database, open } from '../../src/open.ts';
import type { LogRecord, RecordInput } from '../../src/record/record.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import {
  type HeaderPair,
  type Message,
  patchAsBroker,
  plugCodec,
  produceBatch,
  stampAsBroker,
  type WitnessedBatch,
  witness,
} from '../kit/kafkajs.ts';
import { createRandom, type Random } from '../kit/random.ts';

const SEEDS = [1, 2, 3, 4, 5, 6];
/** Codecs and their types; those whose packages are not installed are skipped. */
const CODECS = await Promise.all(
  ['gzip', 'snappy', 'lz4', 'zstd'].map(async (name) => [name, await plugCodec(name)] as const),
);
const NOW_MS = 1_700_000_000_000;

let root: string;
let runtime: Runtime;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'varve-kafkajs-'));
  runtime = createRuntime({ memoryBytes: 64 << 20 });
});
afterEach(async () => {
  rmSync(root, { recursive: true, force: true });
  expect(runtime.memory.slabs.inUse()).toEqual([]);
  await runtime.close();
});

async function withLog<T>(
  options: LogOptions,
  use: (log: Log, database: Database) => Promise<T>,
  name = 'witness',
): Promise<T> {
  const database = await open(root, { runtime });
  try {
    return await use(await database.log(name, options), database);
  } finally {
    await database.close();
  }
}

async function readAll(log: Log): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of log.read()) records.push(record);
  return records;
}

interface StoredSegment {
  baseOffset: number;
  log: Buffer;
  index: Buffer;
  timeindex: Buffer;
}

/** The files of a closed log, by the twenty digits of their names. */
function storedSegments(name = 'witness'): StoredSegment[] {
  const directory = join(root, 'logs', `${name}-0`);
  const names = readdirSync(directory).filter((file) => /^\d{20}\.log$/.test(file));
  return names.sort().map((file) => {
    const stem = join(directory, file.slice(0, 20));
    return {
      baseOffset: Number(file.slice(0, 20)),
      log: readFileSync(`${stem}.log`),
      index: readFileSync(`${stem}.index`),
      timeindex: readFileSync(`${stem}.timeindex`),
    };
  });
}

/** A record with nothing left open, as it must come out again. */
interface Expected {
  timestamp: number;
  key: Buffer | null;
  value: Buffer | null;
  headers: HeaderPair[];
}

function shownBytes(bytes: Buffer | null): string {
  if (bytes === null) return 'null';
  if (bytes.length <= 40) return bytes.toString('hex');
  return `${bytes.length}:${createHash('sha1').update(bytes).digest('hex')}`;
}

interface Shown {
  timestamp: number | string;
  key: Buffer | null;
  value: Buffer | null;
  headers: HeaderPair[];
}

/** A record in one line: a list of them is compared at once, and a difference can still be read. */
function shown(offset: number | string, { timestamp, key, value, headers }: Shown): string {
  const pairs = headers.map((header) => `${header.key}=${shownBytes(header.value)}`).join(',');
  return `${offset} ${timestamp} ${shownBytes(key)} ${shownBytes(value)} [${pairs}]`;
}

const TEXTS = ['', 'a', 'orders', 'Bändertonschluff', '年縞', '🜁'.repeat(20), 'k'.repeat(300)];

function randomBytes(random: Random, sizes: readonly number[]): Buffer {
  return Buffer.from(random.bytes(random.int(0, random.pick(sizes))));
}

function randomField(random: Random, sizes: readonly number[]): Buffer | null {
  if (random.chance(0.2)) return null;
  return random.chance(0.3) ? Buffer.from(random.pick(TEXTS)) : randomBytes(random, sizes);
}

function randomHeaders(random: Random): HeaderPair[] {
  const names = ['level', 'level', 'pid', '', 'Ereignis', '水'];
  return Array.from({ length: random.pick([0, 0, 0, 1, 2, 3, 8]) }, () => ({
    key: random.pick(names),
    value: randomField(random, [0, 8, 100]),
  }));
}

/** Times that mostly grow, with jumps back, before 1970 and as far as a safe integer goes. */
function randomTimestamp(random: Random, i: number): number {
  if (random.chance(0.02)) return random.pick([0, -1, -86_400_000, 2 ** 32, 2 ** 52, -(2 ** 52)]);
  return NOW_MS + i * 10 + random.int(-2000, 2000);
}

function randomRecord(random: Random, i: number): Expected {
  const sizes = random.chance(0.02) ? [70_000] : [0, 10, 100, 2000];
  return {
    timestamp: randomTimestamp(random, i),
    key: randomField(random, [1, 16, 40]),
    value: randomField(random, sizes),
    headers: randomHeaders(random),
  };
}

/** Gives the records to the log in one of the ways that there are, in several turns. */
async function appendAll(log: Log, records: readonly RecordInput[], random: Random): Promise<void> {
  for (let i = 0; i < records.length; ) {
    const part = records.slice(i, i + random.pick([1, 1, 7, 60]));
    i += part.length;
    if (random.chance(0.3)) {
      await log.appendMany(part);
    } else if (random.chance(0.5)) {
      await Promise.all(part.map((record) => log.append(record)));
    } else {
      const offsets = part.map((record) => log.enqueue(record));
      if (random.chance(0.5)) await log.reached(offsets.at(-1) as number, 'written');
    }
  }
}

function randomOptions(random: Random): LogOptions {
  return {
    sync: { mode: 'never' },
    segmentBytes: random.pick([16, 64, 1024]) * 1024,
    batchBytes: random.pick([200, 2000, 16 * 1024]),
    indexIntervalBytes: random.pick([256, 4096]),
  };
}

describe('kafkajs reads what varve wrote', () => {
  test.each(SEEDS)('record for record, whatever the records are (seed %i)', async (seed) => {
    const random = createRandom(seed);
    const written = Array.from({ length: 600 }, (_, i) => randomRecord(random, i));
    await withLog(randomOptions(random), (log) => appendAll(log, written, random));

    let offset = 0;
    for (const { baseOffset, log } of storedSegments()) {
      expect(baseOffset).toBe(offset);
      for (const batch of await witness(log)) {
        expect(batch.computedCrc).toBe(batch.storedCrc);
        expect(batch.baseOffset).toBe(offset);
        expect(batch.lastOffset).toBe(offset + batch.records.length - 1);
        const first = offset;
        offset += batch.records.length;
        const expected = written.slice(first, offset);
        expect(batch.maxTimestamp).toBe(Math.max(...expected.map(({ timestamp }) => timestamp)));
        expect(
          batch.records.map((record, i) =>
            shown(record.offset, { ...record, headers: batch.headers[i] as HeaderPair[] }),
          ),
        ).toEqual(expected.map((record, i) => shown(first + i, record)));
      }
    }
    expect(offset).toBe(written.length);
  });

  test('with the headers that repeat, and those without a value, as its consumers get them', async () => {
    const headers = [
      { key: 'trace', value: 'a' },
      { key: 'level', value: null },
      { key: 'trace', value: null },
      { key: 'trace', value: '' },
    ];
    await withLog({}, (log) => log.append({ value: 'x', headers }));
    const [batch] = await witness((storedSegments()[0] as StoredSegment).log);
    expect(batch?.records[0]?.headers).toEqual({
      trace: [Buffer.from('a'), null, Buffer.alloc(0)],
      level: null,
    });
  });
});

/** Messages within what kafkajs can encode: a header always has a value, and its timestamps are positive. */
function randomMessages(random: Random, count: number): Message[] {
  return Array.from({ length: count }, (_, i) => {
    const { key, value } = randomRecord(random, i);
    const headers: Record<string, Buffer[]> = {};
    for (const { key: name, value: header } of randomHeaders(random)) {
      (headers[name] ??= []).push(header ?? Buffer.from('none'));
    }
    return { key, value, headers, timestamp: NOW_MS + random.int(-1e6, 1e6) };
  });
}

function expectedOf({ key, value, headers = {}, timestamp = NaN }: Message): Expected {
  const pairs = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((header) => ({ key: name, value: header })),
  );
  return { key, value, headers: pairs, timestamp };
}

function shownRecord(record: LogRecord): string {
  return shown(record.offset, record);
}

function shownMessages(messages: readonly Message[], firstOffset: number): string[] {
  return messages.map((message, i) => shown(firstOffset + i, expectedOf(message)));
}

interface Produced {
  messages: Message[];
  batches: Buffer[];
}

/** Batches of very different sizes, one of them larger than what a reader asks the disk for at once. */
async function produce(random: Random): Promise<Produced> {
  const sizes = [1, 2, 1000, ...Array.from({ length: 40 }, () => random.pick([1, 3, 20, 150]))];
  const produced: Produced = { messages: [], batches: [] };
  for (const size of sizes) {
    const messages = randomMessages(random, size);
    if (produced.batches.length === 20)
      messages.push({ ...messages[0], key: null, value: randomMegabytes(random) });
    produced.messages.push(...messages);
    produced.batches.push(await produceBatch(messages));
  }
  return produced;
}

function randomMegabytes(random: Random): Buffer {
  return Buffer.from(random.bytes(1_500_000));
}

/** The bytes of a batch without those that a broker sets: the base offset and the leader epoch. */
function withoutBrokerFields(batch: Buffer): Buffer {
  return patchAsBroker(batch, 0, 0);
}

async function batchesOf(log: Log): Promise<{ baseOffset: number; bytes: Buffer }[]> {
  const batches: { baseOffset: number; bytes: Buffer }[] = [];
  for await (const { baseOffset, bytes } of log.batches())
    batches.push({ baseOffset, bytes: Buffer.from(bytes) });
  return batches;
}

/** Makes a database by hand, as a broker would have filled its log: nothing but segments. */
function writeByHand(segments: readonly { baseOffset: number; bytes: Buffer }[]): void {
  const directory = join(root, 'logs', 'witness-0');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(root, 'VERSION'), '1\n');
  for (const { baseOffset, bytes } of segments) {
    writeFileSync(join(directory, `${String(baseOffset).padStart(20, '0')}.log`), bytes);
  }
}

/** Sets offsets and epochs, and puts `perSegment` batches into each segment. */
function asSegments(
  produced: Produced,
  firstOffset: number,
  perSegment: number,
): { baseOffset: number; bytes: Buffer }[] {
  const segments: { baseOffset: number; bytes: Buffer }[] = [];
  let offset = firstOffset;
  for (let i = 0; i < produced.batches.length; i += perSegment) {
    const baseOffset = offset;
    const batches = produced.batches.slice(i, i + perSegment).map((batch) => {
      const patched = patchAsBroker(batch, offset, 7);
      offset += batch.readInt32BE(57);
      return patched;
    });
    segments.push({ baseOffset, bytes: Buffer.concat(batches) });
  }
  return segments;
}

describe('varve reads what kafkajs encoded', () => {
  test.each([
    [11, 0, 1000],
    [12, 0, 9],
    [13, 5_000_000_000, 16],
  ])(
    'from segments made by hand (seed %i, from offset %i, %i batches each)',
    async (seed, first, perSegment) => {
      const produced = await produce(createRandom(seed));
      const { messages } = produced;
      const segments = asSegments(produced, first, perSegment);
      writeByHand(segments);
      await withLog({ sync: { mode: 'never' } }, async (log, database) => {
        expect(log.firstOffset).toBe(first);
        expect(log.nextOffset).toBe(first + messages.length);
        const expected = shownMessages(messages, first);
        expect((await readAll(log)).map(shownRecord)).toEqual(expected);
        for (const i of [0, 1, 2, 999, messages.length - 1]) {
          expect(shownRecord(await log.get(first + i))).toBe(expected[i]);
        }
        const bytes = (await batchesOf(log)).map((batch) => batch.bytes);
        expect(Buffer.concat(bytes).equals(Buffer.concat(segments.map((segment) => segment.bytes)))).toBe(
          true,
        );
        expect(await database.verify()).toMatchObject({ isClean: true });
        expect(await log.append({ value: 'ours' })).toBe(first + messages.length);
      });
      // Nothing that was there has changed, and what came behind it is there too.
      await withLog({ sync: { mode: 'never' } }, async (log) => {
        expect((await log.get(first + messages.length)).value).toEqual(Buffer.from('ours'));
        expect((await log.get(first)).value).toEqual((messages[0] as Message).value);
      });
      const stored = Buffer.concat(storedSegments().map((segment) => segment.log));
      const made = Buffer.concat(segments.map(({ bytes }) => bytes));
      expect(stored.subarray(0, made.length).equals(made)).toBe(true);
    },
  );

  test.each([21, 22, 23])('from batches that are appended, byte for byte (seed %i)', async (seed) => {
    const random = createRandom(seed);
    const { messages, batches } = await produce(random);
    const options: LogOptions = { sync: { mode: 'never' }, segmentBytes: 256 * 1024 };
    await withLog(options, async (log) => {
      let offset = 0;
      const appends: Promise<void>[] = [];
      for (let i = 0; i < batches.length; ) {
        const part = batches.slice(i, i + random.pick([1, 1, 2, 5]));
        i += part.length;
        const firstOffset = offset;
        offset += part.reduce((sum, batch) => sum + batch.readInt32BE(57), 0);
        const lastOffset = offset - 1;
        const appending = log.appendBatches(Buffer.concat(part)).then((given) => {
          expect(given).toEqual({ firstOffset, lastOffset });
        });
        appends.push(appending);
        if (random.chance(0.5)) await appending;
      }
      await Promise.all(appends);
    });
    await withLog(options, async (log) => {
      const stored = await batchesOf(log);
      expect(stored.length).toBe(batches.length);
      for (const [i, { bytes }] of stored.entries()) {
        expect(withoutBrokerFields(bytes).equals(withoutBrokerFields(batches[i] as Buffer))).toBe(true);
      }
      expect((await readAll(log)).map(shownRecord)).toEqual(shownMessages(messages, 0));
    });
    // kafkajs takes them back, with the offsets that varve gave them.
    let offset = 0;
    for (const { log } of storedSegments()) {
      for (const batch of await witness(log)) {
        expect(batch.computedCrc).toBe(batch.storedCrc);
        expect(batch.baseOffset).toBe(offset);
        offset = batch.lastOffset + 1;
      }
    }
    expect(offset).toBe(messages.length);
  });

  test('with the time of the append, where a broker has set it', async () => {
    const produced = await Promise.all(
      [3, 40, 1].map((count, i) => produceBatch(randomMessages(createRandom(i), count))),
    );
    const batches = produced.map((batch, i) => stampAsBroker(batch, NOW_MS + i * 1000));
    await withLog({ batchBytes: 100 }, async (log) => {
      await log.append({ value: 'ours', timestamp: NOW_MS - 1 });
      await log.appendBatches(Buffer.concat(batches));
      const [, ...decoded] = (await batchesOf(log)).map(({ bytes }) => bytes);
      const expected = (await witness(Buffer.concat(decoded))).flatMap(({ records }) => records);
      const records = (await readAll(log)).slice(1);
      expect(records.map(({ timestamp }) => String(timestamp))).toEqual(
        expected.map(({ timestamp }) => timestamp),
      );
      expect(new Set(records.map(({ timestamp }) => timestamp)).size).toBe(3);
      const found: number[] = [];
      for await (const { offset } of log.read({ fromTimestamp: NOW_MS + 1000, toTimestamp: NOW_MS + 2000 }))
        found.push(offset);
      expect(found).toEqual(Array.from({ length: 40 }, (_, i) => 4 + i));
      expect((await log.get(10)).timestamp).toBe(NOW_MS + 1000);
    });
  });

  describe.each(CODECS)('compressed with %s', (name, type) => {
    const isAbsent = type === undefined;

    test.skipIf(isAbsent)('batches of kafkajs are read, looked into by offset, and taken', async () => {
      const messages = randomMessages(createRandom(31), 50);
      const batch = patchAsBroker(await produceBatch(messages, type), 0, 3);
      expect(batch.readInt16BE(21) & 7).toBe(type);
      writeByHand([{ baseOffset: 0, bytes: batch }]);
      await withLog({}, async (log) => {
        expect((await readAll(log)).map(({ value }) => value)).toEqual(messages.map(({ value }) => value));
        expect((await log.get(3)).value).toEqual(messages[3]?.value);
        const [passed] = await batchesOf(log);
        const [decoded] = await witness(passed?.bytes ?? Buffer.alloc(0));
        expect(decoded?.records.map(({ value }) => value)).toEqual(messages.map(({ value }) => value));
        expect(await log.appendBatches(batch)).toEqual({ firstOffset: 50, lastOffset: 99 });
        expect((await log.get(53)).value).toEqual(messages[3]?.value);
        expect((await log.verify()).problems).toEqual([]);
      });
    });

    test.skipIf(isAbsent)('batches of varve are read by kafkajs', async () => {
      const messages = randomMessages(createRandom(77), 400);
      await withLog({ compression: name as 'gzip', batchBytes: 3000 }, async (log) => {
        await log.appendMany(
          messages.map(({ key, value, timestamp }) => ({ key, value, timestamp: timestamp ?? 5 })),
        );
      });
      const [segment] = storedSegments();
      const batches = await witness(segment?.log ?? Buffer.alloc(0));
      expect(batches.length).toBeGreaterThan(2);
      for (const { storedCrc, computedCrc } of batches) expect(storedCrc).toBe(computedCrc);
      const records = batches.flatMap(({ records: some }) => some);
      expect(records.map(({ offset }) => Number(offset))).toEqual(messages.map((_, i) => i));
      expect(records.map(({ key, value }) => ({ key, value }))).toEqual(
        messages.map(({ key, value }) => ({ key, value })),
      );
    });
  });

  test('except for a header without a value, which kafkajs decodes but cannot encode', async () => {
    const headers = { level: null as unknown as Buffer };
    await expect(produceBatch([{ key: null, value: null, headers }])).rejects.toThrow(TypeError);
  });
});

/** The entries of a `.index` file: the last offset of a batch, and where it begins. */
function offsetEntries({ index, baseOffset }: StoredSegment): { offset: number; position: number }[] {
  expect(index.length % 8).toBe(0);
  return Array.from({ length: index.length / 8 }, (_, i) => ({
    offset: baseOffset + index.readInt32BE(i * 8),
    position: index.readInt32BE(i * 8 + 4),
  }));
}

/** The entries of a `.timeindex` file: up to the offset, nothing is younger than the timestamp. */
function timeEntries({ timeindex, baseOffset }: StoredSegment): { timestamp: number; offset: number }[] {
  expect(timeindex.length % 12).toBe(0);
  return Array.from({ length: timeindex.length / 12 }, (_, i) => ({
    timestamp: Number(timeindex.readBigInt64BE(i * 12)),
    offset: baseOffset + timeindex.readInt32BE(i * 12 + 8),
  }));
}

/** The entries that a broker makes: one for each batch that begins more than the interval behind the last. */
function brokerEntries(batches: readonly WitnessedBatch[], intervalBytes: number): WitnessedBatch[] {
  const entries: WitnessedBatch[] = [];
  let sinceEntryBytes = 0;
  for (const batch of batches) {
    if (sinceEntryBytes > intervalBytes) {
      entries.push(batch);
      sinceEntryBytes = 0;
    }
    sinceEntryBytes += batch.size;
  }
  return entries;
}

function shownFiles(): string[] {
  return storedSegments().map(({ baseOffset, log, index, timeindex }) =>
    [baseOffset, ...[log, index, timeindex].map(shownBytes)].join(' '),
  );
}

describe('index files', () => {
  test.each(SEEDS)('are what a broker would have written (seed %i)', async (seed) => {
    const random = createRandom(seed + 100);
    const records = Array.from({ length: 1500 }, (_, i) => randomRecord(random, i));
    const options = {
      ...randomOptions(random),
      segmentBytes: random.pick([32, 128]) * 1024,
      batchBytes: 400,
    };
    await withLog(options, (log) => appendAll(log, records, random));

    const segments = storedSegments();
    expect(segments.length).toBeGreaterThan(2);
    let entryCount = 0;
    for (const segment of segments) {
      const batches = await witness(segment.log);
      const expected = brokerEntries(batches, options.indexIntervalBytes as number);
      const entries = offsetEntries(segment);
      expect(entries).toEqual(expected.map(({ lastOffset, position }) => ({ offset: lastOffset, position })));
      entryCount += entries.length;

      const times = timeEntries(segment);
      for (const [i, { timestamp, offset }] of times.entries()) {
        if (i > 0) {
          expect(timestamp).toBeGreaterThan(times[i - 1]?.timestamp as number);
          expect(offset).toBeGreaterThan(times[i - 1]?.offset as number);
        }
        const covered = batches.filter((batch) => batch.lastOffset <= offset);
        expect(covered.at(-1)?.lastOffset).toBe(offset);
        expect(covered.at(-1)?.maxTimestamp).toBe(timestamp);
        const youngest = Math.max(
          ...covered.flatMap((batch) => batch.records).map((one) => Number(one.timestamp)),
        );
        expect(youngest).toBe(timestamp);
      }
      // A sealed segment ends with its newest timestamp, so that searching by time can step over it.
      if (segment === segments.at(-1)) continue;
      expect(times.at(-1)?.timestamp).toBe(Math.max(...batches.map(({ maxTimestamp }) => maxTimestamp)));
    }
    expect(entryCount).toBeGreaterThan(20);
  });

  test('are the same again when they are lost', async () => {
    const random = createRandom(200);
    const records = Array.from({ length: 800 }, (_, i) => randomRecord(random, i));
    const options = { ...randomOptions(random), segmentBytes: 32 * 1024 };
    await withLog(options, (log) => appendAll(log, records, random));
    const before = shownFiles();
    const directory = join(root, 'logs', 'witness-0');
    for (const name of readdirSync(directory)) {
      if (!name.endsWith('.log')) rmSync(join(directory, name), { recursive: true });
    }
    await withLog(options, async (log) => {
      expect((await readAll(log)).length).toBe(800);
    });
    expect(shownFiles()).toEqual(before);
  });
});
