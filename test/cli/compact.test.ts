import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { open } from '../../src/open.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

/** A log of 300 records over three keys, in several segments. */
async function makeDatabase(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  const database = await open(directory);
  const log = await database.log('states', { segmentBytes: 4096, batchBytes: 512, sync: { mode: 'never' } });
  await log.appendMany(
    Array.from({ length: 300 }, (_, i) => ({
      key: `key-${i % 3}`,
      value: `${i}`.padEnd(50),
      timestamp: 1000 + i,
    })),
  );
  await database.close();
  return directory;
}

function logBytes(directory: string): number {
  const folder = join(directory, 'logs', 'states-0');
  const names = readdirSync(folder).filter((name) => name.endsWith('.log'));
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

describe('varve compact', () => {
  test('keeps digests as they are, and segments as small', async () => {
    const directory = join(temporaryDirectory(), 'data');
    const database = await open(directory);
    const options = {
      segmentBytes: 8192,
      batchBytes: 512,
      digest: 'sha256',
      sync: { mode: 'never' },
    } as const;
    const log = await database.log('states', options);
    for (let i = 0; i < 600; i += 10) {
      const records = Array.from({ length: 10 }, (_, j) => ({
        key: `key-${(i + j) % 400}`,
        value: `${i}`.padEnd(50),
      }));
      await log.appendMany(records);
    }
    await log.roll();
    await database.close();
    const folder = join(directory, 'logs', 'states-0');
    const dry = await varve(['compact', directory, 'states', '--all', '--dry-run']);
    expect(dry.stdout).toContain('the newest segment, which --all seals first, was not looked at');
    expect((await varve(['compact', directory, 'states'])).stdout).toContain('200 superseded');
    const names = readdirSync(folder);
    const sealed = names.filter((name) => name.endsWith('.log')).slice(0, -1);
    expect(sealed.length).toBeGreaterThan(2);
    for (const name of sealed) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(8192);
    expect(names.filter((name) => name.endsWith('.digest'))).toHaveLength(sealed.length);
    expect((await varve(['verify', directory, '--deep'])).code).toBe(0);
  });

  test('says what would go, and then keeps the newest record of each key', async () => {
    const directory = await makeDatabase();
    const before = logBytes(directory);
    const dry = await varve(['compact', directory, 'states', '--dry-run', '--json']);
    expect(dry.stderr).toBe('');
    expect(dry.code).toBe(1);
    expect(logBytes(directory)).toBe(before);
    const [plan] = jsonLines(dry.stdout) as [{ supersededRecords: number; isDryRun: boolean }];
    expect(plan.isDryRun).toBe(true);
    expect(plan.supersededRecords).toBeGreaterThan(200);
    const real = await varve(['compact', directory, 'states', '--all']);
    expect(real.stderr).toBe('');
    expect(real.code).toBe(0);
    expect(real.stdout).toContain('states: 297 records went: 297 superseded');
    expect(real.stdout).toMatch(/3 keys in 1 pass/);
    const { stdout } = await varve(['read', directory, 'states', '--json']);
    expect(jsonLines(stdout).map(({ offset }) => offset)).toEqual([297, 298, 299]);
    expect((await varve(['verify', directory, '--deep'])).code).toBe(0);
    const again = await varve(['compact', directory, 'states', '--dry-run']);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('nothing to remove')]);
  });

  test('says in one sentence what is wrong', async () => {
    const directory = await makeDatabase();
    const missing = await varve(['compact', directory, 'nothing']);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('there is no log "nothing"')]);
    const lag = await varve(['compact', directory, 'states', '--min-lag', 'soon']);
    expect([lag.code, lag.stderr]).toEqual([2, expect.stringContaining('--min-lag')]);
  });
});

describe('varve recompress', () => {
  test('says what it would save, and compresses what is sealed', async () => {
    const directory = await makeDatabase();
    const before = logBytes(directory);
    const dry = await varve(['recompress', directory, 'states', '--codec', 'gzip', '--dry-run', '--json']);
    expect([dry.stderr, dry.code]).toEqual(['', 1]);
    const [plan] = jsonLines(dry.stdout) as [
      { compressedSegments: number; bytesBefore: number; bytesAfter: number },
    ];
    expect(plan.compressedSegments).toBeGreaterThan(3);
    expect(logBytes(directory)).toBe(before);
    const real = await varve(['recompress', directory, 'states', '--codec', 'gzip', '--level', '9', '--all']);
    expect([real.stderr, real.code]).toEqual(['', 0]);
    expect(real.stdout).toMatch(/states: \d+ of \d+ sealed segments, .* \(\d+% less\)/);
    expect(logBytes(directory)).toBeLessThan(before - (plan.bytesBefore - plan.bytesAfter));
    const { stdout } = await varve(['read', directory, 'states', '--json']);
    expect(jsonLines(stdout).length).toBe(300);
    expect((await varve(['verify', directory, '--deep'])).code).toBe(0);
    const again = await varve(['recompress', directory, 'states', '--codec', 'gzip']);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('nothing to compress')]);
    const codec = await varve(['recompress', directory, 'states', '--codec', 'zip']);
    expect([codec.code, codec.stderr]).toEqual([2, expect.stringContaining('--codec')]);
  });
});

describe('varve retain', () => {
  test('removes the oldest segments by size, by age and by offset', async () => {
    const directory = await makeDatabase();
    const dry = await varve(['retain', directory, 'states', '--bytes', '8k', '--dry-run']);
    expect([dry.code, dry.stdout]).toEqual([1, expect.stringMatching(/segments? would go/)]);
    const before = logBytes(directory);
    const size = await varve(['retain', directory, 'states', '--bytes', '12k', '--json']);
    expect([size.code, size.stderr]).toEqual([0, '']);
    const [report] = jsonLines(size.stdout) as [
      { segments: number; bytesAfter: number; firstOffset: number },
    ];
    expect(report.segments).toBeGreaterThan(0);
    expect(logBytes(directory)).toBe(report.bytesAfter);
    expect(logBytes(directory)).toBeLessThan(before);
    const offset = await varve(['retain', directory, 'states', '--before', '290']);
    expect(offset.code).toBe(0);
    const { stdout } = await varve(['info', directory, 'states', '--json']);
    expect(jsonLines(stdout)).toMatchObject([{ firstOffset: 290, nextOffset: 300 }]);
    const nothing = await varve(['retain', directory, 'states']);
    expect([nothing.code, nothing.stderr]).toEqual([
      2,
      expect.stringContaining('--bytes, --age or --before'),
    ]);
  });
});
