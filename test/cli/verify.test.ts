import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

/** Two logs of 30 batches, 10 records each, the first in several segments. */
async function makeDatabase(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  for (const [name, segmentBytes] of [['first', 4096] as const, ['second', 1_000_000] as const]) {
    const log = await database.log(name, { segmentBytes, sync: { mode: 'never' } });
    for (let i = 0; i < 30; i++) {
      await log.appendMany(
        Array.from({ length: 10 }, (_, r) => ({ value: `record ${i * 10 + r} of ${name}` })),
      );
    }
  }
  await database.close();
  return directory;
}

function segmentsOf(directory: string, log: string): string[] {
  const folder = join(directory, 'logs', `${log}-0`);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .map((name) => join(folder, name));
}

/** Changes one bit, and returns the batch that it is in. */
function damage(path: string, fromEnd: number): { position: number; first: number; last: number } {
  const bytes = readFileSync(path);
  const spoilt = bytes.length - fromEnd;
  let position = 0;
  let size = bytes.readInt32BE(8) + 12;
  while (position + size <= spoilt) {
    position += size;
    size = bytes.readInt32BE(position + 8) + 12;
  }
  const first = Number(bytes.readBigInt64BE(position));
  const last = first + bytes.readInt32BE(position + 23);
  bytes.writeUInt8(bytes.readUInt8(spoilt) ^ 4, spoilt);
  writeFileSync(path, bytes);
  return { position, first, last };
}

describe('varve verify', () => {
  test('ends with 0 where every byte is what was written', async () => {
    const directory = await makeDatabase();
    const { code, stdout, stderr } = await varve(['verify', directory]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^first +\d+ +30 +300 .* 0$/m);
    expect(stdout).toMatch(/^second +1 +30 +300 .* 0$/m);
    expect(stdout).toContain(`${directory}: no damage; `);
    expect(code).toBe(0);
  });

  test('ends with 1 where there is damage, and says what is lost', async () => {
    const directory = await makeDatabase();
    const [path = ''] = segmentsOf(directory, 'first');
    const { position, first, last } = damage(path, 1000);
    const { code, stdout, stderr } = await varve(['verify', directory]);
    expect(stderr).toBe('');
    expect(stdout).toContain(path);
    expect(stdout).toMatch(new RegExp(`position ${position}\\b`));
    expect(stdout).toMatch(new RegExp(`offsets ${first} to ${last}\\b`));
    expect(stdout).toContain(`${directory}: 1 damaged part, ${last - first + 1} records lost; `);
    expect(code).toBe(1);
  });

  test('finds damage in the active segment', async () => {
    const directory = await makeDatabase();
    const [path = ''] = segmentsOf(directory, 'second');
    const { position, first, last } = damage(path, 2000);
    const { code, stdout } = await varve(['verify', directory, '--json']);
    const [answer] = jsonLines(stdout) as [
      { isClean: boolean; logs: { name: string; problems: unknown[] }[] },
    ];
    expect(answer.isClean).toBe(false);
    expect(answer.logs.map(({ name, problems }) => [name, problems.length])).toEqual([
      ['first', 0],
      ['second', 1],
    ]);
    expect(answer.logs[1]?.problems[0]).toMatchObject({ file: path, position, offsets: { first, last } });
    expect(code).toBe(1);
  });

  test('finds an index that is not what the log yields', async () => {
    const directory = await makeDatabase();
    const index = (segmentsOf(directory, 'first')[0] ?? '').replace(/log$/, 'timeindex');
    writeFileSync(index, Buffer.concat([readFileSync(index), Buffer.alloc(12)]));
    const { code, stdout } = await varve(['verify', directory]);
    expect(stdout).toContain(index);
    expect(stdout).toContain('1 damaged part, 0 records lost');
    expect(code).toBe(1);
  });

  test('finds damage in a log that was not closed and could not be opened for writing', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const copy = `${directory}-copy`;
    const database = await open(directory);
    const log = await database.log('first');
    for (let i = 0; i < 30; i++) await log.append({ value: `record ${i}` });
    cpSync(directory, copy, { recursive: true, filter: (path) => !path.includes('LOCK') });
    await database.close();
    const [path = ''] = segmentsOf(copy, 'first');
    const { position, first } = damage(path, 1000);
    const { code, stdout, stderr } = await varve(['verify', copy]);
    expect(stderr).toBe('');
    expect(stdout).toMatch(new RegExp(`position ${position}\\b.*offsets ${first} to ${first}\\b`));
    expect(stdout).toContain('1 damaged part, 1 record lost');
    expect(code).toBe(1);
    const read = await varve(['read', copy, 'first']);
    expect(read.stderr).toMatch(new RegExp(`^varve: [^\\n]*position ${position}\\b[^\\n]*\\(CORRUPT\\)\\n$`));
    expect(read.code).toBe(2);
  });

  test('looks at one log only, if it is named', async () => {
    const directory = await makeDatabase();
    damage(segmentsOf(directory, 'first')[0] ?? '', 1000);
    const { code, stdout } = await varve(['verify', directory, 'second']);
    expect(stdout).not.toContain('first');
    expect(code).toBe(0);
    expect((await varve(['verify', directory, 'first'])).code).toBe(1);
  });

  test('verifies beside a process that writes', async () => {
    const directory = await makeDatabase();
    const database = await open(directory);
    try {
      const log = await database.log('second');
      await log.append({ value: 'more' });
      const { code, stdout } = await varve(['verify', directory]);
      expect(stdout).toMatch(/^second +1 +31 +301 /m);
      expect(code).toBe(0);
    } finally {
      await database.close();
    }
  });

  test('ends with 2 where there is nothing to verify', async () => {
    const directory = join(temporaryDirectory(), 'absent');
    const { code, stdout, stderr } = await varve(['verify', directory]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^varve: [^\n]*\(NOT_FOUND\)\n$/);
    expect(code).toBe(2);
  });
});
