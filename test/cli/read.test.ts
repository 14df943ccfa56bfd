import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Database, open } from '../../src/open.ts';
import { finished, jsonLines, startVarve, temporaryDirectory, varve } from './command.ts';

const START_MS = 1_226_262_975_000;

/** A database with a log of ten records, a second apart. */
async function makeDatabase(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  const log = await database.log('orders');
  await log.appendMany(
    Array.from({ length: 10 }, (_, i) => ({
      key: `key ${i}`,
      value: `value ${i}`,
      timestamp: START_MS + i * 1000,
      headers: [{ key: 'level', value: i % 5 === 0 ? 'WARN' : 'INFO' }],
    })),
  );
  await database.close();
  return directory;
}

/** A writer in this process, closed with the test. */
async function withWriter(directory: string, work: (database: Database) => Promise<void>): Promise<void> {
  const database = await open(directory);
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `value ${from + i}\n`).join('');

describe('varve read', () => {
  test('prints the values as they are, one a line', async () => {
    const directory = await makeDatabase();
    expect(await varve(['read', directory, 'orders'])).toEqual({
      code: 0,
      signal: null,
      stdout: lines(0, 10),
      stderr: '',
    });
  });

  test('prints nothing of what was removed, though its batch is still there', async () => {
    const directory = await makeDatabase();
    await withWriter(directory, async (database) => (await database.log('orders')).truncateBefore(4));
    expect((await varve(['read', directory, 'orders'])).stdout).toBe(lines(4, 10));
    expect((await varve(['read', directory, 'orders', '--limit', '2'])).stdout).toBe(lines(4, 6));
  });

  test.each([
    [['--from-offset', '7'], 7, 10],
    [['--to-offset', '3'], 0, 3],
    [['--from-offset', '2', '--to-offset', '4'], 2, 4],
    [['--limit', '4'], 0, 4],
    [['--limit', '0'], 0, 0],
    [['--from-offset', '8', '--limit', '5'], 8, 10],
    [['--from-offset', '10'], 10, 10],
    [['--since', '2008-11-09T20:36:20Z'], 5, 10],
    [['--until', String(START_MS + 3000)], 0, 3],
    [['--since', '2008-11-09 20:36:17', '--until', '2008-11-09 20:36:19'], 2, 4],
    [['--since', '-15m'], 10, 10],
    [['--since', '2008-11-09T20:36:17Z', '--limit', '1'], 2, 3],
  ])('with %j prints records %i to %i', async (options, from, to) => {
    const directory = await makeDatabase();
    const { code, stdout, stderr } = await varve(['read', directory, 'orders', ...options]);
    expect(stderr).toBe('');
    expect(stdout).toBe(lines(from, to));
    expect(code).toBe(0);
  });

  test('with --json prints one object a line', async () => {
    const directory = await makeDatabase();
    const { stdout } = await varve(['read', directory, 'orders', '--json', '--limit', '1']);
    expect(jsonLines(stdout)).toEqual([
      {
        offset: 0,
        timestamp: START_MS,
        time: '2008-11-09T20:36:15.000Z',
        key: 'key 0',
        value: 'value 0',
        headers: [{ key: 'level', value: 'WARN' }],
      },
    ]);
  });

  test('prints bytes that are no text as they are, and in JSON as base64', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await withWriter(directory, async (database) => {
      const log = await database.log('bytes');
      await log.append({ value: Uint8Array.of(0xff, 0x00, 0xfe), key: null });
      await log.append({ value: null, key: 'grün' });
    });
    const raw = finished(startVarve(['read', directory, 'bytes']));
    expect(Buffer.from((await raw).stdout)).toEqual(Buffer.from(Buffer.of(0xff, 0, 0xfe, 10, 10).toString()));
    const { stdout } = await varve(['read', directory, 'bytes', '--json']);
    const [first, second] = jsonLines(stdout);
    expect(first).toMatchObject({ key: null, value: { base64: '/wD+' }, headers: [] });
    expect(second).toMatchObject({ key: 'grün', value: null });
  });

  test('reads while another process has the directory', async () => {
    const directory = await makeDatabase();
    await withWriter(directory, async (database) => {
      const log = await database.log('orders');
      await log.append({ value: 'value 10' });
      const { code, stdout } = await varve(['read', directory, 'orders']);
      expect(code).toBe(0);
      expect(stdout).toBe(lines(0, 11));
    });
  });

  test('finds a partition by its number', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await withWriter(directory, async (database) => {
      for (const partition of [0, 3]) {
        const log = await database.log('orders', { partition });
        await log.append({ value: `partition ${partition}` });
      }
    });
    expect((await varve(['read', directory, 'orders-3'])).stdout).toBe('partition 3\n');
    expect((await varve(['read', directory, 'orders'])).stdout).toBe('partition 0\n');
  });

  test('prints much to a slow reader, all of it and in order', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await withWriter(directory, async (database) => {
      const log = await database.log('many', { sync: { mode: 'never' } });
      const long = 'y'.repeat(900_000);
      for (let i = 0; i < 10; i++) {
        const values = Array.from({ length: 1000 }, (_, r) => ({
          value: `${i * 1000 + r} ${'x'.repeat(i * 37)}`,
        }));
        await log.appendMany([...values, { value: long }]);
      }
    });
    const child = startVarve(['read', directory, 'many']);
    child.stdout?.pause();
    await new Promise<void>((resolve) => child.stdout?.once('readable', resolve));
    const { code, stdout } = await finished(child);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(10_010);
    expect(lines.filter((line) => line.length === 900_000)).toHaveLength(10);
    const numbers = lines.filter((line) => line.length < 900_000).map((line) => Number.parseInt(line, 10));
    expect(numbers).toEqual(Array.from({ length: 10_000 }, (_, i) => i));
    expect(code).toBe(0);
  });

  test('JSON that it puts together itself is what JSON.stringify would make', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const values = [
      'plain',
      '',
      'a "quote"',
      'back\\slash',
      'tab\there',
      'line\nbreak',
      'grün 日本 👍',
      '\u007f\u0000',
      '~ }',
    ];
    const records = values.map((value, i) => ({
      key: i % 2 === 0 ? value : null,
      value,
      timestamp: i === 0 ? -1 : START_MS + i * 7,
      headers: [
        { key: value, value },
        { key: 'none', value: null },
      ].slice(0, i % 3),
    }));
    await withWriter(directory, async (database) => {
      const log = await database.log('texts');
      await log.appendMany(records);
    });
    const { stdout } = await varve(['read', directory, 'texts', '--json']);
    const expected = records.map(({ key, value, timestamp, headers }, offset) =>
      JSON.stringify({
        offset,
        timestamp,
        time: timestamp < 0 ? null : new Date(timestamp).toISOString(),
        key,
        value,
        headers,
      }),
    );
    expect(stdout.trimEnd().split('\n')).toEqual(expected);
  });

  test('ends quietly when nobody reads any more', async () => {
    const directory = join(temporaryDirectory(), 'data');
    await withWriter(directory, async (database) => {
      const log = await database.log('many', { sync: { mode: 'never' } });
      const value = 'x'.repeat(1000);
      for (let i = 0; i < 20; i++) await log.appendMany(Array.from({ length: 1000 }, () => ({ value })));
    });
    const child = startVarve(['read', directory, 'many']);
    const done = finished(child);
    child.stdout?.once('data', () => child.stdout?.destroy());
    const { code, stderr } = await done;
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
});

describe('varve read --follow', () => {
  /** Resolves when the output so far contains `text`. */
  function waitFor(child: ReturnType<typeof startVarve>, text: string): Promise<void> {
    return new Promise((resolve) => {
      let seen = '';
      child.stdout?.on('data', (piece: Buffer) => {
        seen += piece.toString();
        if (seen.includes(text)) resolve();
      });
    });
  }

  test('prints what another process appends, until it is interrupted', async () => {
    const directory = await makeDatabase();
    await withWriter(directory, async (database) => {
      const log = await database.log('orders', { segmentBytes: 4096 });
      const child = startVarve(['read', directory, 'orders', '--follow', '--from-offset', '9']);
      const done = finished(child);
      await waitFor(child, 'value 9\n');
      await log.append({ value: 'value 10' });
      await waitFor(child, 'value 10\n');
      // Enough to begin new segments.
      for (let i = 11; i < 31; i++) await log.append({ value: `value ${i}`, key: 'x'.repeat(1000) });
      await waitFor(child, 'value 30\n');
      child.kill('SIGINT');
      const { code, stdout, stderr } = await done;
      expect(stdout).toBe(lines(9, 31));
      expect(stderr).toBe('');
      expect(code).toBe(130);
    });
  });

  test('ends by itself when it has printed what was asked for', async () => {
    const directory = await makeDatabase();
    await withWriter(directory, async (database) => {
      const child = startVarve(['read', directory, 'orders', '--follow', '--limit', '11']);
      const done = finished(child);
      await waitFor(child, 'value 9\n');
      const log = await database.log('orders');
      await log.appendMany([{ value: 'value 10' }, { value: 'value 11' }]);
      expect(await done).toMatchObject({ code: 0, stdout: lines(0, 11) });
    });
  });

  test('stops at an offset', async () => {
    const directory = await makeDatabase();
    const { code, stdout } = await varve(['read', directory, 'orders', '--follow', '--to-offset', '5']);
    expect(stdout).toBe(lines(0, 5));
    expect(code).toBe(0);
  });
});

describe('varve read fails with one sentence', () => {
  test('where there is no such log, and says which there are', async () => {
    const directory = await makeDatabase();
    const { code, stdout, stderr } = await varve(['read', directory, 'invoices']);
    expect(stderr).toBe(`varve: there is no log "invoices" in ${directory}; it has orders (NOT_FOUND)\n`);
    expect(stdout).toBe('');
    expect(code).toBe(2);
  });

  test('where there is no database', async () => {
    const directory = temporaryDirectory();
    for (const path of [directory, join(directory, 'absent')]) {
      const { code, stderr } = await varve(['read', path, 'orders']);
      expect(stderr).toMatch(/^varve: [^\n]*\(NOT_FOUND\)\n$/);
      expect(stderr).toContain(path);
      expect(code).toBe(2);
    }
  });

  test('where the directory was written by a newer version', async () => {
    const directory = await makeDatabase();
    writeFileSync(join(directory, 'VERSION'), '99\n');
    const { code, stderr } = await varve(['read', directory, 'orders']);
    expect(stderr).toMatch(/^varve: [^\n]*99[^\n]*\(VERSION\)\n$/);
    expect(code).toBe(2);
  });

  test('where the offset is behind the end', async () => {
    const directory = await makeDatabase();
    const { code, stderr } = await varve(['read', directory, 'orders', '--from-offset', '11']);
    expect(stderr).toMatch(/^varve: [^\n]*11[^\n]*\(OUT_OF_RANGE\)\n$/);
    expect(code).toBe(2);
  });

  test('where the directory is a file', async () => {
    const file = join(temporaryDirectory(), 'file');
    writeFileSync(file, 'x');
    const { code, stderr } = await varve(['read', file, 'orders']);
    expect(stderr).toMatch(/^varve: [^\n]*\n$/);
    expect(stderr).not.toContain('bug');
    expect(code).toBe(2);
  });

  test('and VARVE_DEBUG=1 adds the way of it', async () => {
    const directory = join(temporaryDirectory(), 'nothing');
    mkdirSync(directory);
    const { stderr } = await varve(['read', directory, 'x'], { env: { VARVE_DEBUG: '1' } });
    expect(stderr).toMatch(/\n {4}at /);
  });
});
