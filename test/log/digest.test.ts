/** Digests of sealed segments: made, compared, and never left behind; and the scrubber that compares them. */

import { createHash } from 'node:crypto';
import { createCRC64 } from 'hash-wasm';
import { describe, expect, test } from 'vitest';
import { Crc64 } from '../../src/log/crc64.ts';
import { DIGEST_ALGORITHMS, type DigestAlgorithm, decodeDigest, encodeDigest } from '../../src/log/digest.ts';
import type { Log } from '../../src/log/log.ts';
import type { LogOptions } from '../../src/log/options.ts';
import { repairLog } from '../../src/log/repair.ts';
import { surveyLog } from '../../src/log/survey.ts';
import { joinPath } from '../../src/vfs/vfs.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import { settle } from '../kit/clock.ts';
import { DIRECTORY, type Disk, failure, failureCode, range, readOffsets, useLogKit } from '../kit/log-kit.ts';
import { createRandom } from '../kit/random.ts';

const kit = useLogKit();
const FIRST = '00000000000000000000';

function options(digest: DigestAlgorithm, more: LogOptions = {}): LogOptions {
  return { digest, segmentBytes: 4096, batchBytes: 1000, sync: { mode: 'never' }, ...more };
}

async function bytesOf(disk: Disk, name: string): Promise<Buffer> {
  const file = await disk.inner.open(joinPath(DIRECTORY, name), 'read');
  const bytes = Buffer.alloc(await file.size());
  await file.read(bytes, 0);
  await file.close();
  return bytes;
}

async function flip(disk: Disk, name: string, position: number): Promise<void> {
  const bytes = await bytesOf(disk, name);
  const file = await disk.inner.open(joinPath(DIRECTORY, name), 'write');
  await file.write(Uint8Array.of((bytes[position] as number) ^ 1), position);
  await file.close();
}

async function namesOf(disk: Disk, kind: string): Promise<string[]> {
  return (await disk.inner.readdir(DIRECTORY)).filter((name) => name.endsWith(kind)).sort();
}

async function fill(log: Log, count = 400): Promise<void> {
  for (let i = 0; i < count; i += 20) {
    await log.appendMany(
      range(i, Math.min(i + 20, count)).map((n) => ({ value: `record ${n} ${'x'.repeat(n % 50)}` })),
    );
  }
}

/** A closed log whose sealed segments have digests. */
async function sealed(digest: DigestAlgorithm, more: LogOptions = {}): Promise<Disk> {
  const disk = await kit.disk();
  const log = await kit.open(disk, options(digest, more));
  await fill(log);
  await log.close();
  return disk;
}

function expectedDigest(algorithm: DigestAlgorithm, bytes: Buffer): Buffer {
  if (algorithm === 'sha256') return createHash('sha256').update(bytes).digest();
  const digest = Buffer.alloc(algorithm === 'crc32c' ? 4 : 8);
  if (algorithm === 'crc32c') digest.writeUInt32BE(crc32cOf(bytes));
  else {
    const crc = new Crc64();
    crc.update(bytes);
    digest.set(crc.digest());
  }
  return digest;
}

async function scrubAll(log: Log, step = 3000): Promise<{ bytes: number; damage: unknown[] }> {
  const all = { bytes: 0, damage: [] as unknown[] };
  for (;;) {
    const { bytes, isPassDone, damage } = await log.scrub(step);
    all.bytes += bytes;
    all.damage.push(...damage);
    if (isPassDone) return all;
  }
}

describe('CRC-64/XZ', () => {
  test('of the check string is what the format says', () => {
    const crc = new Crc64();
    crc.update(Buffer.from('123456789'));
    expect(Buffer.from(crc.digest()).toString('hex')).toBe('995dc9bbdf1939fa');
  });

  test('is that of another implementation, however the bytes are cut', async () => {
    const random = createRandom(64);
    const other = await createCRC64();
    for (const _ of range(0, 60)) {
      const bytes = random.bytes(random.int(0, 4000));
      const crc = new Crc64();
      for (let at = 0; at < bytes.length; ) {
        const end = at + random.int(1, 300);
        crc.update(bytes.subarray(at, end));
        at = end;
      }
      other.init();
      other.update(bytes);
      expect(Buffer.from(crc.digest()).toString('hex')).toBe(other.digest('hex').padStart(16, '0'));
    }
  });
});

describe.each(DIGEST_ALGORITHMS)('digests with %s', (algorithm) => {
  test('lie beside every sealed segment, and none beside the active one', async () => {
    const disk = await sealed(algorithm);
    const segments = await namesOf(disk, '.log');
    expect(segments.length).toBeGreaterThan(2);
    expect(await namesOf(disk, '.digest')).toEqual(
      segments.slice(0, -1).map((name) => name.replace('.log', '.digest')),
    );
    for (const name of segments.slice(0, -1)) {
      const bytes = await bytesOf(disk, name);
      const digest = decodeDigest(kit.memory, await bytesOf(disk, name.replace('.log', '.digest')));
      expect(digest).toMatchObject({ algorithm, bytes: bytes.length, baseOffset: Number(name.slice(0, 20)) });
      expect(Buffer.from(digest?.digest ?? [])).toEqual(expectedDigest(algorithm, bytes));
    }
    const log = await kit.open(disk, options(algorithm));
    const report = await log.verify({ deep: true });
    expect(report.problems).toEqual([]);
    expect(report.files).toMatchObject({ temporaries: [], orphans: [], strangers: [] });
    expect((await scrubAll(log)).damage).toEqual([]);
  });

  test('a changed bit that no batch notices is found by a deep verification and by the scrubber', async () => {
    const disk = await sealed(algorithm);
    // The synced position of the second batch: no checksum of a batch covers it.
    const second = (await bytesOf(disk, `${FIRST}.log`)).readInt32BE(8) + 12;
    await flip(disk, `${FIRST}.log`, second + 15);
    const log = await kit.open(disk, options(algorithm));
    expect((await log.verify()).problems).toEqual([]);
    expect((await log.verify({ deep: true })).problems).toMatchObject([
      {
        file: joinPath(DIRECTORY, `${FIRST}.log`),
        message: expect.stringContaining('is not what it was when it was sealed'),
      },
    ]);
    const { damage } = await scrubAll(log);
    expect(damage).toMatchObject([{ code: 'CORRUPT', file: joinPath(DIRECTORY, `${FIRST}.log`) }]);
    expect(log.metrics().scrub).toMatchObject({ passes: 1, damaged: 1 });
    expect(log.backgroundError).toBe(damage[0]);
    expect((await readOffsets(log)).length).toBe(400);
  });

  test('a damaged batch is named with its offsets by the scrubber', async () => {
    const disk = await sealed(algorithm);
    const segment = await bytesOf(disk, `${FIRST}.log`);
    const last = segment.readInt32BE(23);
    await flip(disk, `${FIRST}.log`, 80);
    const log = await kit.open(disk, options(algorithm));
    const { damage } = await scrubAll(log);
    expect(damage).toMatchObject([{ code: 'CORRUPT', position: 0, offsets: { first: 0, last } }]);
    expect(await namesOf(disk, '.log')).toContain(`${FIRST}.log`);
  });
});

describe('digests', () => {
  test('that are missing or damaged are made again by the scrubber, when all batches are whole', async () => {
    const disk = await sealed('crc32c');
    const all = await namesOf(disk, '.digest');
    const [gone = '', damaged = ''] = all;
    await disk.inner.remove(joinPath(DIRECTORY, gone));
    await flip(disk, damaged, 33);
    const log = await kit.open(disk, options('crc32c'));
    expect((await log.verify({ deep: true })).problems).toMatchObject([
      {
        file: joinPath(DIRECTORY, damaged),
        message: expect.stringContaining('is damaged; it will be made again'),
      },
    ]);
    expect((await scrubAll(log)).damage).toEqual([]);
    await log.close();
    expect(await namesOf(disk, '.digest')).toEqual(all);
    const again = await kit.open(disk, options('crc32c'));
    expect((await again.verify({ deep: true })).problems).toEqual([]);
  });

  test('are not made of a segment with a damaged batch', async () => {
    const disk = await sealed('crc64');
    await disk.inner.remove(joinPath(DIRECTORY, `${FIRST}.digest`));
    await flip(disk, `${FIRST}.log`, 80);
    const log = await kit.open(disk, options('crc64'));
    expect((await scrubAll(log)).damage).toMatchObject([{ code: 'CORRUPT', position: 0 }]);
    await log.close();
    expect(await namesOf(disk, '.digest')).not.toContain(`${FIRST}.digest`);
  });

  test('go with their segments', async () => {
    const disk = await sealed('sha256');
    const log = await kit.open(disk, options('sha256', { retention: { bytes: 5000 } }));
    await log.retain();
    const segments = await namesOf(disk, '.log');
    expect(await namesOf(disk, '.digest')).toEqual(
      segments.slice(0, -1).map((name) => name.replace('.log', '.digest')),
    );
    await log.truncateBefore(log.nextOffset);
    expect(await namesOf(disk, '.digest')).toEqual([]);
  });

  test('are not left behind by a segment that is removed while its digest is made', async () => {
    const disk = await kit.disk();
    const log = await kit.open(disk, options('crc32c'));
    await fill(log, 200);
    await log.truncateBefore(log.nextOffset);
    await log.close();
    expect(await namesOf(disk, '.digest')).toEqual([]);
  });

  test('of a segment that is written to again are removed', async () => {
    const disk = await sealed('crc32c');
    const last = (await namesOf(disk, '.log')).at(-1) ?? '';
    // What a crash between sealing and a roll that failed may leave.
    const stale = encodeDigest(kit.memory, {
      algorithm: 'crc32c',
      baseOffset: Number(last.slice(0, 20)),
      bytes: 7,
      digest: new Uint8Array(4),
    });
    const file = await disk.inner.open(joinPath(DIRECTORY, last.replace('.log', '.digest')), 'create');
    await file.write(stale, 0);
    await file.close();
    const log = await kit.open(disk, options('crc32c'));
    expect(await namesOf(disk, '.digest')).not.toContain(last.replace('.log', '.digest'));
    expect((await log.verify({ deep: true })).problems).toEqual([]);
  });

  test('of segments that a repair changes are removed, and made again afterwards', async () => {
    const disk = await sealed('crc32c');
    await flip(disk, `${FIRST}.log`, 80);
    const context = { memory: kit.memory, vfs: disk.vfs, directory: DIRECTORY, indexIntervalBytes: 4096 };
    await repairLog(context, { mode: 'skipAnyCorrupted', dryRun: false, clock: kit.clock });
    expect(await namesOf(disk, '.digest')).not.toContain(`${FIRST}.digest`);
    const log = await kit.open(disk, options('crc32c'));
    const report = await log.verify({ deep: true });
    expect(report.problems).toEqual([]);
    expect(report.files?.orphans).toEqual([]);
    expect((await scrubAll(log)).damage).toEqual([]);
  });

  test('of no segment are named by a survey, and set aside by a repair', async () => {
    const disk = await sealed('crc32c');
    const file = await disk.inner.open(joinPath(DIRECTORY, '00000000000000099999.digest'), 'create');
    await file.write(Uint8Array.of(1, 2, 3), 0);
    await file.close();
    const context = { memory: kit.memory, vfs: disk.vfs, directory: DIRECTORY, indexIntervalBytes: 4096 };
    expect((await surveyLog(context)).files.orphans).toMatchObject([{ bytes: 3 }]);
    await repairLog(context, { mode: 'skipAnyCorrupted', dryRun: false, clock: kit.clock });
    expect((await surveyLog(context)).files).toMatchObject({ orphans: [], temporaries: [], strangers: [] });
  });

  test('every byte of one is covered by its own checksum', () => {
    const digest = {
      algorithm: 'sha256',
      baseOffset: 77,
      bytes: 12_345,
      digest: new Uint8Array(32).fill(9),
    } as const;
    const encoded = encodeDigest(kit.memory, digest);
    expect(decodeDigest(kit.memory, encoded)).toEqual(digest);
    for (let i = 0; i < encoded.length; i++) {
      const changed = encoded.slice();
      changed[i] = (changed[i] as number) ^ 4;
      expect(decodeDigest(kit.memory, changed)).toBeUndefined();
      expect(decodeDigest(kit.memory, encoded.subarray(0, i))).toBeUndefined();
    }
  });

  test('are refused with the name of the option where there is no such algorithm', async () => {
    const disk = await kit.disk();
    await expect(kit.open(disk, { digest: 'md5' } as unknown as LogOptions)).rejects.toThrow(
      /digest must be one of/,
    );
    await expect(kit.open(disk, { scrub: { bytesPerSecond: -1 } })).rejects.toThrow(/scrub\.bytesPerSecond/);
    await expect(kit.open(disk, { scrub: { rate: 1 } } as unknown as LogOptions)).rejects.toThrow(
      /scrub has no option rate/,
    );
  });
});

describe('the scrubber', () => {
  test('keeps to its budget, and goes on where it was', async () => {
    const disk = await sealed('crc32c');
    const log = await kit.open(disk, options('crc32c'));
    const total = log
      .info()
      .segments.filter(({ isSealed }) => isSealed)
      .reduce((sum, { bytes }) => sum + bytes, 0);
    let read = 0;
    for (let done = false; !done; ) {
      const { bytes, isPassDone } = await log.scrub(1000);
      expect(bytes).toBeLessThanOrEqual(1000);
      read += bytes;
      done = isPassDone;
    }
    expect(read).toBe(total);
    expect(log.metrics().scrub).toEqual({ bytes: total, passes: 1, damaged: 0 });
  });

  test('reports what the disk cannot read, and goes on with the next segment', async () => {
    const disk = await sealed('crc32c');
    const log = await kit.open(disk, options('crc32c'));
    disk.rules.push({
      operation: 'read',
      path: /00000000000000000000\.(log|digest)$/,
      error: 'EIO',
    });
    const { damage } = await scrubAll(log);
    expect(damage).toMatchObject([{ code: 'IO' }]);
  });

  test('says CLOSED of a log that is closed', async () => {
    const log = await kit.open(await sealed('crc32c'), options('crc32c'));
    await log.close();
    expect((await failure(log.scrub())).code).toBe('CLOSED');
  });
});

test('a segment that compaction puts in the place of others has a digest of its own, and the others leave none', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, options('sha256', { cleanup: 'compact' }));
  for (let i = 0; i < 400; i += 20) {
    await log.appendMany(
      range(i, i + 20).map((n) => ({ key: `k${n % 7}`, value: `record ${n} ${'x'.repeat(30)}` })),
    );
  }
  await log.roll();
  await log.compact({ force: true });
  await log.close();
  const segments = await namesOf(disk, '.log');
  expect(segments.length).toBeLessThan(4);
  const digests = await namesOf(disk, '.digest');
  expect(digests).toContain((segments[0] ?? '').replace('.log', '.digest'));
  expect(digests.every((name) => segments.includes(name.replace('.digest', '.log')))).toBe(true);
  const again = await kit.open(disk, options('sha256', { cleanup: 'compact' }));
  expect((await again.verify({ deep: true })).problems).toEqual([]);
  expect((await scrubAll(again)).damage).toEqual([]);
});

test('segments whose replacement is taken back have their digests again', async () => {
  const disk = await kit.disk();
  const log = await kit.open(disk, options('crc64', { cleanup: 'compact' }));
  for (let i = 0; i < 400; i += 20) {
    await log.appendMany(
      range(i, i + 20).map((n) => ({ key: `k${n % 7}`, value: `record ${n} ${'x'.repeat(30)}` })),
    );
  }
  await log.roll();
  await settle();
  const before = await namesOf(disk, '.digest');
  expect(before.length).toBeGreaterThan(2);
  disk.rules.push({ operation: 'rename', path: /recovery-point/, error: 'EIO' });
  expect(await failureCode(log.compact({ force: true }))).toBe('IO');
  disk.rules.pop();
  await log.close();
  expect(await namesOf(disk, '.digest')).toEqual(before);
});
