import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

const BATCH_RECORDS = 10;

/** Two logs of 30 batches, 10 records each, the first in several segments. */
async function makeDatabase(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  for (const [name, segmentBytes] of [['first', 4096] as const, ['second', 1_000_000] as const]) {
    const log = await database.log(name, { segmentBytes, sync: { mode: 'never' } });
    for (let i = 0; i < 30; i++) {
      await log.appendMany(
        Array.from({ length: BATCH_RECORDS }, (_, r) => ({
          value: `record ${i * BATCH_RECORDS + r} of ${name}`,
        })),
      );
    }
  }
  await database.close();
  return directory;
}

function segmentOf(directory: string, log: string, index = 0): string {
  const folder = join(directory, 'logs', `${log}-0`);
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return join(folder, names[index] ?? '');
}

/** Flips a bit in the second batch of a segment, and says where that is. */
function damage(path: string): { position: number; first: number; last: number; bytes: Buffer } {
  const bytes = readFileSync(path);
  const position = bytes.readInt32BE(8) + 12;
  const first = Number(bytes.readBigInt64BE(position));
  bytes.writeUInt8(bytes.readUInt8(position + 100) ^ 4, position + 100);
  writeFileSync(path, bytes);
  return { position, first, last: first + BATCH_RECORDS - 1, bytes };
}

/** Every file below a directory, with its bytes. */
function treeOf(directory: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(join(directory, name)).isFile())
      .map((name) => [name, readFileSync(join(directory, name), 'latin1')]),
  );
}

/** The offsets of a log, as `varve read` prints them. */
async function offsetsOf(directory: string, log: string): Promise<number[]> {
  const { stdout, stderr } = await varve(['read', directory, log, '--json']);
  expect(stderr).toBe('');
  return jsonLines(stdout).map(({ offset }) => offset as number);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('varve repair', () => {
  test('ends the log before the damage, and says what it did', async () => {
    const directory = await makeDatabase();
    const path = segmentOf(directory, 'second');
    const { position, first, last, bytes } = damage(path);
    const { code, stdout, stderr } = await varve(['repair', directory]);
    expect(stderr).toBe('');
    expect(stdout).toContain(
      `${path} is damaged at position ${position}; offsets ${first} to ${last} cannot be read`,
    );
    expect(stdout).toMatch(
      new RegExp(`second-0/0+\\.log cut off at position ${position}: .* to .*quarantine/`),
    );
    expect(stdout).toContain(`lost   offsets ${first} to 299 (${300 - first} records)`);
    expect(stdout).toContain(`${directory}: 1 log repaired, ${300 - first} records lost`);
    expect(code).toBe(0);
    const [aside = ''] = readdirSync(join(directory, 'logs', 'second-0', 'quarantine'));
    const kept = readFileSync(join(directory, 'logs', 'second-0', 'quarantine', aside));
    expect(kept.equals(bytes.subarray(position))).toBe(true);
    expect(await offsetsOf(directory, 'second')).toEqual(range(0, first));
    expect((await varve(['verify', directory, '--deep'])).code).toBe(0);
  });

  test('keeps all that is whole, if it is told to, and verify knows what is lost', async () => {
    const directory = await makeDatabase();
    const { first, last } = damage(segmentOf(directory, 'first', 1));
    const { code, stdout } = await varve(['repair', directory, '--mode', 'skipAnyCorrupted']);
    expect(stdout).toContain(`offsets ${first} to ${last} noted as lost`);
    expect(stdout).toContain('1 log repaired, 10 records lost');
    expect(code).toBe(0);
    expect(await offsetsOf(directory, 'first')).toEqual(range(0, 300).filter((i) => i < first || i > last));
    const verified = await varve(['verify', directory, '--deep']);
    expect(verified.stdout).toContain(`offsets ${first} to ${last} at position`);
    expect(verified.stdout).toContain('no damage, 10 records known to be lost');
    expect(verified.code).toBe(0);
    expect((await varve(['info', directory, 'first'])).stdout).toMatch(/^lost +10 records$/m);
  });

  test('lets info show a log whose first records are lost', async () => {
    const directory = await makeDatabase();
    const path = segmentOf(directory, 'second');
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(80) ^ 1, 80);
    writeFileSync(path, bytes);
    await varve(['repair', directory, '--mode', 'skipAnyCorrupted']);
    const { code, stdout, stderr } = await varve(['info', directory, '--json']);
    expect(stderr).toBe('');
    const [answer] = jsonLines(stdout) as [
      { logs: { name: string; records: number; lostRecords: number }[] },
    ];
    expect(answer.logs[1]).toMatchObject({ name: 'second', records: 290, lostRecords: 10 });
    expect(code).toBe(0);
  });

  test('changes nothing in a dry run, and predicts the repair', async () => {
    const directory = await makeDatabase();
    damage(segmentOf(directory, 'first', 1));
    rmSync(segmentOf(directory, 'first', 2));
    rmSync(join(directory, 'LOCK'), { recursive: true, force: true });
    const before = treeOf(directory);
    const dry = await varve(['repair', directory, '--dry-run']);
    expect(dry.stdout).toMatch(/^ {2}to do {2}/m);
    expect(dry.stdout).toContain('1 log to repair, ');
    expect(dry.code).toBe(1);
    const [predicted] = jsonLines((await varve(['repair', directory, '--dry-run', '--json'])).stdout);
    expect(treeOf(directory)).toEqual(before);
    expect(existsSync(join(directory, 'LOCK'))).toBe(false);
    const [done] = jsonLines((await varve(['repair', directory, '--json'])).stdout);
    expect(done).toEqual({ ...predicted, dryRun: false });
  });

  test('says that there is nothing to do, the second time', async () => {
    const directory = await makeDatabase();
    damage(segmentOf(directory, 'first', 1));
    expect((await varve(['repair', directory])).code).toBe(0);
    const before = treeOf(directory);
    for (const args of [['--dry-run'], []]) {
      const { code, stdout, stderr } = await varve(['repair', directory, ...args]);
      expect([code, stdout, stderr]).toEqual([0, `${directory}: nothing to repair\n`, '']);
    }
    expect(treeOf(directory)).toEqual(before);
  });

  test('repairs only the log that is named', async () => {
    const directory = await makeDatabase();
    for (const log of ['first', 'second']) damage(segmentOf(directory, log));
    const { stdout } = await varve(['repair', directory, 'second']);
    expect(stdout).not.toContain('first-0');
    expect((await varve(['verify', directory, 'second'])).code).toBe(0);
    expect((await varve(['verify', directory, 'first'])).code).toBe(1);
    const { code, stderr } = await varve(['repair', directory, 'third']);
    expect(stderr).toMatch(/^varve: [^\n]*"third"[^\n]*\(NOT_FOUND\)\n$/);
    expect(code).toBe(2);
  });

  test.each([
    ['missing', undefined],
    ['damaged', 'q\n'],
  ])('mends a format number that is %s, which verify reports', async (_, text) => {
    const directory = await makeDatabase();
    const path = join(directory, 'VERSION');
    if (text === undefined) rmSync(path);
    else writeFileSync(path, text);
    expect((await varve(['read', directory, 'first'])).code).toBe(2);
    const verified = await varve(['verify', directory]);
    expect(verified.stdout).toContain(path);
    expect(verified.code).toBe(1);
    const { code, stdout } = await varve(['repair', directory]);
    expect(stdout).toContain('the database repaired, 0 records lost');
    expect(code).toBe(0);
    expect(await offsetsOf(directory, 'first')).toEqual(range(0, 300));
  });

  test('ends with 2 beside a process that writes, and changes nothing', async () => {
    const directory = await makeDatabase();
    const database = await open(directory);
    try {
      damage(segmentOf(directory, 'first', 1));
      const before = treeOf(join(directory, 'logs'));
      const { code, stdout, stderr } = await varve(['repair', directory]);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^varve: [^\n]*\(LOCKED\)\n$/);
      expect(code).toBe(2);
      expect(treeOf(join(directory, 'logs'))).toEqual(before);
    } finally {
      await database.close();
    }
  });

  test('ends with 2 where there is no database, or a newer one', async () => {
    const directory = join(temporaryDirectory(), 'absent');
    const absent = await varve(['repair', directory]);
    expect(absent.stderr).toMatch(/\(NOT_FOUND\)\n$/);
    expect([absent.code, existsSync(directory)]).toEqual([2, false]);
    const newer = await makeDatabase();
    writeFileSync(join(newer, 'VERSION'), '2\n');
    const refused = await varve(['repair', newer]);
    expect(refused.stderr).toMatch(/\(VERSION\)\n$/);
    expect(refused.code).toBe(2);
  });
});

describe('varve verify --deep', () => {
  test('lists what is in quarantine, left over, or belongs to nobody', async () => {
    const directory = await makeDatabase();
    const folder = join(directory, 'logs', 'first-0');
    damage(segmentOf(directory, 'first', 1));
    await varve(['repair', directory]);
    writeFileSync(join(folder, 'spare.tmp'), 'abc');
    writeFileSync(join(folder, 'notes.txt'), 'abc');
    writeFileSync(join(directory, 'notes.txt'), 'abc');
    const { code, stdout } = await varve(['verify', directory, '--deep']);
    expect(stdout).toMatch(/^in quarantine: .*first-0\/quarantine\/\d{20}\.log\.\d+ \(/m);
    expect(stdout).toContain(`left over: ${join(folder, 'spare.tmp')} (3 B)`);
    expect(stdout).toContain(`belongs to nobody: ${join(folder, 'notes.txt')}`);
    expect(stdout).toContain(`belongs to nobody: ${join(directory, 'notes.txt')}`);
    expect(code).toBe(0);
    const plain = await varve(['verify', directory]);
    expect(plain.stdout).not.toContain('notes.txt');
  });

  test('raises no alarm beside a process that writes, rolls and removes', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory);
    const log = await database.log('busy', {
      segmentBytes: 4096,
      sync: { mode: 'never' },
      retention: { bytes: 20_000 },
    });
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        await log.appendMany(Array.from({ length: 5 }, (_, i) => ({ value: `${i}`.padEnd(100) })));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    try {
      for (let i = 0; i < 4; i++) {
        const { code, stdout, stderr } = await varve(['verify', directory, '--deep']);
        expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: '' });
        expect(await database.verify({ deep: true })).toMatchObject({ isClean: true });
      }
    } finally {
      isOver = true;
      await writing;
      await database.close();
    }
  });

  test('says of a torn tail that it is unfinished, and not that it is damage', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const copy = `${directory}-copy`;
    const database = await open(directory);
    const log = await database.log('first');
    for (let i = 0; i < 5; i++) await log.append({ value: `record ${i}` });
    cpSync(directory, copy, { recursive: true, filter: (path) => !path.includes('LOCK') });
    await database.close();
    const path = segmentOf(copy, 'first');
    writeFileSync(path, readFileSync(path).subarray(0, -5));
    const { code, stdout } = await varve(['verify', copy]);
    expect(stdout).toContain('are not a finished write');
    expect(code).toBe(0);
    const { stdout: repaired } = await varve(['repair', copy]);
    expect(repaired).toContain('lost   nothing');
    expect(await offsetsOf(copy, 'first')).toEqual(range(0, 4));
  });
});
