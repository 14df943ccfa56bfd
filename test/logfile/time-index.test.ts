/** Time indexes: the answers are those of a reading of the whole file, whatever became of the index. */

import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checksum, decodeIndex } from '../../src/logfile/index-file.ts';
import { type ParseLogOptions, parseLog } from '../../src/logfile/parse-log.ts';
import { generateHdfsSample } from '../../src/parse/sample.ts';
import { createRuntime, type Runtime } from '../../src/runtime.ts';
import { createRandom } from '../kit/random.ts';

const START = Date.UTC(2009, 2, 2);
const HOUR = 3_600_000;

let runtime: Runtime;
let directory: string;
let path: string;
let index: string;
/** Bytes that were read of logs, not of indexes. */
let scanned = 0;

/** 12 MiB of entries over some days; a few stack traces, a few lines that do not parse. */
const log: Buffer = (() => {
  const lines = Buffer.concat([...generateHdfsSample({ bytes: 12 << 20, startMs: START, linesPerSecond: 1 })])
    .toString('latin1')
    .split('\n');
  const random = createRandom(3);
  for (let i = 100; i < lines.length; i += random.int(1, 900)) {
    lines[i] += random.pick([
      '\n\tat a.b(C.java:1)',
      '\nnothing that parses',
      '\n\tat a.b(C.java:1)\n\tat d.e(F.java:2)',
    ]);
  }
  return Buffer.from(lines.join('\n'), 'latin1');
})();

beforeAll(() => {
  runtime = createRuntime({ threads: 1 });
});

afterAll(async () => {
  await runtime.close();
  expect(runtime.memory.slabs.inUse()).toEqual([]);
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'varve-index-'));
  path = join(directory, 'a.log');
  index = join(directory, '.a.log.varve-index');
  writeFileSync(path, log);
});

afterEach(() => rmSync(directory, { recursive: true }));

/** Entries of an hour, as text with their lines and positions. */
async function read(options: ParseLogOptions): Promise<string[]> {
  const found: string[] = [];
  scanned = 0;
  let at = 0;
  const onProgress = (bytes: number): void => {
    scanned += Math.min(bytes - at, 256 * 1024);
    at = bytes;
  };
  for await (const { line, position, raw } of parseLog(path, {
    runtime,
    format: 'hdfs',
    onProgress,
    ...options,
  })) {
    found.push(`${line} ${position} ${raw}`);
  }
  return found;
}

const HOURS: ParseLogOptions = { since: START + 20 * HOUR, until: START + 21 * HOUR };

/** That an indexed answer is that of the whole file. */
async function expectSame(options: ParseLogOptions = HOURS): Promise<string[]> {
  const whole = await read({ ...options, index: false });
  expect(await read(options)).toEqual(whole);
  return whole;
}

test('the second question reads little, and has the same answer', async () => {
  const answer = await expectSame();
  expect(answer.length).toBeGreaterThan(1000);
  expect(answer.some((entry) => entry.includes('\n'))).toBe(true);
  expect(existsSync(index)).toBe(true);
  expect(statSync(index).size).toBeLessThan(log.length / 2000);
  const before = readFileSync(index);
  await read(HOURS);
  expect(scanned).toBeLessThan(log.length / 4);
  expect(readFileSync(index)).toEqual(before);
  expect(readdirSync(directory).sort()).toEqual(['.a.log.varve-index', 'a.log']);
});

test('any times, and other filters beside them, have the answers of the whole file', async () => {
  const random = createRandom(8);
  for (let round = 0; round < 12; round++) {
    const since = START + random.int(-5, 60) * HOUR;
    await expectSame({
      since: random.chance(0.8) ? since : undefined,
      until: random.chance(0.8) ? since + random.int(0, 5) * HOUR : undefined,
      level: random.pick([undefined, 'WARN']),
    });
  }
});

test('times in any order have the same answers', async () => {
  const lines = log.toString('latin1').split(/\n(?=\d{6} )/);
  const random = createRandom(12);
  // Two files that were put together, and some lines that are days late.
  const half = lines.length >> 1;
  const mixed = [...lines.slice(half), ...lines.slice(0, half)];
  for (let i = 0; i < 50; i++) mixed.splice(random.int(0, half), 0, lines[random.int(0, half)] ?? '');
  writeFileSync(path, mixed.join('\n'), 'latin1');
  for (const hours of [0, 1, 7, 20, 30, 40]) {
    await expectSame({ since: START + hours * HOUR, until: START + (hours + 1) * HOUR });
  }
  expect(existsSync(index)).toBe(true);
});

describe('a file that', () => {
  test('grows is indexed further, and what is behind the index is read', async () => {
    const cut = log.lastIndexOf('\n', 9 << 20) - 40;
    writeFileSync(path, log.subarray(0, cut));
    const late = { since: START + 20 * HOUR };
    await expectSame(late);
    const sizes = [statSync(index).size];
    // In pieces that end in the middle of lines.
    for (let at = cut; at < log.length; at += 1_000_003) {
      appendFileSync(path, log.subarray(at, Math.min(log.length, at + 1_000_003)));
      await expectSame(late);
      sizes.push(statSync(index).size);
    }
    expect(sizes.at(-1)).toBeGreaterThan(sizes[0] ?? 0);
    expect(new Set(sizes).size).toBeLessThan(sizes.length);
  });

  test('was replaced, cut short or written anew is indexed anew', async () => {
    await expectSame();
    const other = Buffer.concat([
      ...generateHdfsSample({ bytes: 12 << 20, startMs: START, linesPerSecond: 1, seed: 5 }),
    ]);
    // Another file of the same name.
    copyFileSync(path, join(directory, 'b.log'));
    rmSync(path);
    writeFileSync(path, other);
    await expectSame();
    // The same file, with other bytes.
    writeFileSync(path, log);
    await expectSame();
    truncateSync(path, 9 << 20);
    await expectSame({ since: START });
  });

  test('is read in another way has another index', async () => {
    const first = await expectSame();
    const second = await expectSame({ ...HOURS, zone: '+01:00' });
    expect(second).not.toEqual(first);
    expect(await read(HOURS)).toEqual(first);
  });

  test('is small has none', async () => {
    writeFileSync(path, log.subarray(0, 1 << 20));
    await expectSame({ since: START });
    expect(existsSync(index)).toBe(false);
  });
});

test('a damaged index is made anew, and never believed', async () => {
  const answer = await expectSame();
  const good = readFileSync(index);
  const random = createRandom(4);
  // Each byte of the header, and some of the blocks.
  const places = [
    ...Array.from({ length: 64 }, (_, i) => i),
    ...Array.from({ length: 60 }, () => random.int(64, good.length - 1)),
  ];
  for (const place of places) {
    const bad = Buffer.from(good);
    bad[place] = (bad[place] ?? 0) ^ (1 << random.int(0, 7));
    expect(decodeIndex(runtime.memory, bad)).toBeUndefined();
  }
  for (const length of [0, 1, 63, 64, good.length - 1]) {
    expect(decodeIndex(runtime.memory, good.subarray(0, length))).toBeUndefined();
  }
  expect(decodeIndex(runtime.memory, Buffer.concat([good, Buffer.alloc(32)]))).toBeUndefined();
  for (const place of [0, 8, 33, 64, good.length - 3]) {
    const bad = Buffer.from(good);
    bad[place] = (bad[place] ?? 0) ^ 0x40;
    writeFileSync(index, bad);
    expect(await read(HOURS)).toEqual(answer);
    expect(readFileSync(index)).toEqual(good);
  }
});

test('an index of a later version is not read, but made anew', async () => {
  const answer = await expectSame();
  const good = readFileSync(index);
  const later = Buffer.from(good);
  later.writeUInt32LE(2, 12);
  // All that it has is as this version would have it, and would be believed.
  later.writeDoubleLE(START - HOUR, 64 + 24);
  const sealed = (): Buffer => {
    later.writeUInt32LE(checksum(runtime.memory, later.subarray(12)), 8);
    return later;
  };
  expect(decodeIndex(runtime.memory, sealed())).toBeUndefined();
  writeFileSync(index, later);
  expect(await read(HOURS)).toEqual(answer);
  expect(readFileSync(index)).toEqual(good);
  later.writeUInt32LE(1, 12);
  expect(decodeIndex(runtime.memory, sealed())?.blocks.length).toBeGreaterThan(10);
});

test('an index of another file is not believed, however much the two are alike', async () => {
  // The same first and last 4 KiB, the same size; what lies between is turned around.
  const lines = log.toString('latin1').split(/\n(?=\d{6} )/);
  const turned = [...lines.slice(0, 100), ...lines.slice(100, -100).reverse(), ...lines.slice(-100)];
  const other = join(directory, 'b.log');
  writeFileSync(other, turned.join('\n'), 'latin1');
  expect(statSync(other).size).toBe(log.length);
  for await (const _ of parseLog(other, { runtime, format: 'hdfs', ...HOURS }));
  const own = join(directory, '.b.log.varve-index');
  const answer = await expectSame();
  const good = readFileSync(index);
  expect(readFileSync(own)).not.toEqual(good);
  copyFileSync(own, index);
  expect(await read(HOURS)).toEqual(answer);
  expect(readFileSync(index)).toEqual(good);
});

test('an index lies elsewhere where that is asked for', async () => {
  const elsewhere = join(directory, 'indexes');
  mkdirSync(elsewhere);
  const answer = await read({ ...HOURS, index: false });
  expect(await read({ ...HOURS, indexDirectory: elsewhere })).toEqual(answer);
  expect(existsSync(index)).toBe(false);
  const [name, ...more] = readdirSync(elsewhere);
  expect(name).toMatch(/^a\.log\..*\.varve-index$/);
  expect(more).toEqual([]);
  expect(await read({ ...HOURS, indexDirectory: elsewhere })).toEqual(answer);
  expect(scanned).toBeLessThan(log.length / 4);
});

// To the superuser every directory is open.
test.skipIf(process.platform === 'win32')(
  'where no index can be written the answer is the same',
  async () => {
    if (process.getuid?.() === 0) mkdirSync(index);
    else chmodSync(directory, 0o555);
    try {
      await expectSame();
      await expectSame();
      expect(readdirSync(directory).filter((name) => /\d$/.test(name))).toEqual([]);
    } finally {
      chmodSync(directory, 0o755);
    }
  },
);
