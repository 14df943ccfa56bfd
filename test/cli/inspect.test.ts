import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Checkpoint, encodeCheckpoint } from '../../src/log/checkpoint.ts';
import { Memory } from '../../src/memory/memory.ts';
import { batchBytes, crc32cOf } from '../kit/batch-bytes.ts';
import { jsonLines, temporaryDirectory, varve } from './command.ts';

const BASE_NAME = '00000000000000000000';

/** Batches of ten records each, end to end. */
function batches(count: number, firstOffset = 0): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    batchBytes({
      baseOffset: BigInt(firstOffset + i * 10),
      baseTimestamp: BigInt(1_226_262_975_000 + i * 1000),
      maxTimestamp: BigInt(1_226_262_975_900 + i * 1000),
      leaderEpoch: i,
      records: Array.from({ length: 10 }, (__, r) => ({
        offsetDelta: r,
        value: Buffer.from(`value ${i} ${r}`),
      })),
    }),
  );
}

/** Changes one bit. */
function flip(bytes: Uint8Array | undefined, position: number): void {
  if (bytes === undefined) throw new Error('there are no bytes to change');
  bytes[position] = (bytes[position] ?? 0) ^ 1;
}

function write(name: string, ...pieces: Uint8Array[]): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, Buffer.concat(pieces));
  return path;
}

function int32s(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4);
  return bytes;
}

describe('varve inspect of a segment', () => {
  test('shows each batch with its place, its records, its times and its checksums', async () => {
    const parts = batches(3);
    const path = write(`${BASE_NAME}.log`, ...parts);
    const { code, stdout, stderr } = await varve(['inspect', path]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const lines = stdout.trimEnd().split('\n');
    const crc = (parts[1] ?? Buffer.alloc(0)).slice(17, 21);
    expect(lines[1]).toMatch(/^position +bytes +first offset +last offset +records/);
    expect(lines[3]?.trim().split(/ {2,}/)).toEqual([
      String(parts[0]?.length),
      String(parts[1]?.length),
      '10',
      '19',
      '10',
      '2008-11-09T20:36:16.000Z',
      '2008-11-09T20:36:16.900Z',
      Buffer.from(crc).toString('hex'),
      'the same',
      '1',
      'none',
    ]);
    expect(lines.at(-1)).toBe('3 batches, 30 records, offsets 0 to 29; all checksums are right');
  });

  test('gives one JSON object a line, a summary last', async () => {
    const parts = batches(2);
    const path = write(`${BASE_NAME}.log`, ...parts);
    const { code, stdout } = await varve(['inspect', path, '--json']);
    expect(code).toBe(0);
    const [first, second, summary, ...rest] = jsonLines(stdout);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ kind: 'batch', position: 0, firstOffset: 0, lastOffset: 9, records: 10 });
    expect(second).toMatchObject({
      position: parts[0]?.length,
      firstOffset: 10,
      compression: 'none',
      leaderEpoch: 1,
    });
    expect(summary).toMatchObject({ kind: 'summary', batches: 2, records: 20, nextOffset: 20, damages: 0 });
  });

  test('with a limit shows fewer batches and still checks all', async () => {
    const parts = batches(5);
    flip(parts[4], 100);
    const { code, stdout } = await varve(['inspect', write(`${BASE_NAME}.log`, ...parts), '--limit', '2']);
    expect(code).toBe(1);
    expect(stdout).toContain('… and 2 more batches');
    expect(stdout.split('\n').filter((line) => line.includes('the same'))).toHaveLength(2);
  });

  test('says which bytes are damaged and which records they cost, and goes on behind them', async () => {
    const parts = batches(4);
    flip(parts[1], 80);
    const [a = 0, b = 0] = parts.map((part) => part.length);
    const path = write(`${BASE_NAME}.log`, ...parts);
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(1);
    const stored = Buffer.from(parts[1] as Uint8Array)
      .readUInt32BE(17)
      .toString(16)
      .padStart(8, '0');
    const computed = crc32cOf((parts[1] as Uint8Array).subarray(21))
      .toString(16)
      .padStart(8, '0');
    expect(stdout).toContain(
      `damaged from position ${a} to ${a + b}: the checksum is ${stored}, and that of the bytes is ${computed}; lost: offsets 10 to 19\n`,
    );
    expect(stdout).toContain('3 batches, 30 records, offsets 0 to 39; 1 damaged part\n');
    const json = jsonLines((await varve(['inspect', path, '--json'])).stdout);
    expect(json.find((line) => line['kind'] === 'damage')).toMatchObject({
      position: a,
      end: a + b,
      isTail: false,
      offsets: { first: 10, last: 19 },
    });
  });

  test.each([
    [
      'a header that is cut off',
      (last: Uint8Array) => last.subarray(0, 40),
      /the header of a batch is cut off after 40 of 61 bytes/,
    ],
    [
      'a batch that is cut off',
      (last: Uint8Array) => last.subarray(0, 100),
      /a batch of \d+ bytes is cut off after 100/,
    ],
    [
      'a length that cannot be',
      (last: Uint8Array) => {
        last.fill(0xff, 8, 12);
        return last;
      },
      /the length of a batch cannot be -1/,
    ],
    [
      'a wrong magic number',
      (last: Uint8Array) => {
        last[16] = 1;
        return last;
      },
      /the magic number of a batch is 2, not 1/,
    ],
  ])('tells %s at the end from damage in the middle', async (_, spoil, reason) => {
    const parts = batches(2);
    const spoilt = spoil(parts[1] as Uint8Array);
    const { code, stdout } = await varve([
      'inspect',
      write(`${BASE_NAME}.log`, parts[0] as Uint8Array, spoilt),
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain(
      `damaged from position ${parts[0]?.length} to the end (nothing valid follows): `,
    );
    expect(stdout).toMatch(reason);
    expect(stdout).toContain('1 batch, 10 records, offsets 0 to 9; 1 damaged part');
  });

  test('takes zeros at the end for space that waits to be written', async () => {
    const [only = new Uint8Array()] = batches(1);
    const { code, stdout } = await varve(['inspect', write(`${BASE_NAME}.log`, only, new Uint8Array(5000))]);
    expect(code).toBe(0);
    expect(stdout).toContain(`zeros from position ${only.length} to the end: 4.88 KiB`);
  });

  test('finds a batch whose checksum is right and whose records are not', async () => {
    const bad = batchBytes({
      baseOffset: 10n,
      records: new Uint8Array(20).fill(200),
      recordCount: 1,
      lastDelta: 0,
    });
    const { code, stdout } = await varve([
      'inspect',
      write(`${BASE_NAME}.log`, ...batches(1), bad, ...batches(2, 20)),
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /the checksum is right, but the records do not fit together; lost: offsets 10 to 19/,
    );
  });

  test('finds a batch that stands in the wrong place', async () => {
    const { code, stdout } = await varve([
      'inspect',
      write(`${BASE_NAME}.log`, ...batches(2), ...batches(1)),
    ]);
    expect(code).toBe(1);
    expect(stdout).toContain('the batch there should start at offset 20, and starts at 0');
  });

  test('finds offsets that are missing where no byte is', async () => {
    const { code, stdout } = await varve([
      'inspect',
      write(`${BASE_NAME}.log`, ...batches(1), ...batches(3, 30)),
    ]);
    expect(code).toBe(1);
    // No checksum covers an offset: the first batch behind the gap has nothing that confirms its own.
    expect(stdout).toMatch(/should start at offset 10, and starts at 30; lost: offsets 10 to 39/);
    expect(stdout).toContain('3 batches, 30 records');
  });

  test.each([
    ['of another log', 5000],
    ['of offsets that this log could have', 20],
  ])('does not take batches in a damaged value, %s, for batches of the segment', async (_, offset) => {
    const [inner, behind] = batches(2, offset);
    const parts = batches(4);
    const outer = (baseOffset: number): Uint8Array =>
      batchBytes({
        baseOffset: BigInt(baseOffset),
        records: [
          {
            offsetDelta: 0,
            value: Buffer.concat([inner as Uint8Array, behind as Uint8Array, Buffer.alloc(9)]),
          },
        ],
      });
    const damaged = outer(10);
    flip(damaged, damaged.length - 1);
    const path = write(`${BASE_NAME}.log`, parts[0] as Uint8Array, damaged, ...batches(2, 11));
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(1);
    const at = parts[0]?.length ?? 0;
    expect(stdout).toContain(`damaged from position ${at} to ${at + damaged.length}: `);
    expect(stdout).toContain('lost: offsets 10 to 10\n');
    expect(stdout).toContain('3 batches, 30 records, offsets 0 to 30; 1 damaged part');
  });

  test('says so where a batch at the end may as well lie in a value', async () => {
    const [inner = new Uint8Array()] = batches(1, 20);
    const value = Buffer.concat([inner, Buffer.alloc(9)]);
    const torn = batchBytes({ baseOffset: 10n, records: [{ offsetDelta: 0, value }] }).subarray(0, -3);
    const [first = new Uint8Array()] = batches(1);
    const path = write(`${BASE_NAME}.log`, first, torn);
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(1);
    const at = first.length + Buffer.from(torn).indexOf(inner);
    expect(stdout).toContain(
      `damaged from position ${first.length} to the end (a batch at ${at} is whole, but may lie in a value: nothing confirms it): `,
    );
    expect(stdout).toContain('1 batch, 10 records, offsets 0 to 9; 1 damaged part');
    const json = jsonLines((await varve(['inspect', path, '--json'])).stdout);
    expect(json.find((line) => line['kind'] === 'damage')).toMatchObject({
      isTail: true,
      unconfirmedPosition: at,
    });
  });

  test('shows an empty segment as one without batches', async () => {
    const { code, stdout } = await varve(['inspect', write(`${BASE_NAME}.log`)]);
    expect(code).toBe(0);
    expect(stdout).toContain('0 batches, 0 records; all checksums are right');
  });

  test('names what a batch made elsewhere has in its attributes', async () => {
    const compressed = batchBytes({
      attributes: 7 | 8 | 16 | 32,
      records: Uint8Array.of(1, 2, 3),
      recordCount: 1,
    });
    const { stdout } = await varve(['inspect', write(`${BASE_NAME}.log`, compressed)]);
    expect(stdout).toContain('compression 7, append time, transactional, control');
  });
});

describe('varve inspect of an index', () => {
  test('shows the entries of an offset index', async () => {
    const path = write('00000000000000000100.index', int32s(9, 0, 19, 4500, 29, 9100));
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(0);
    const cells = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    expect(cells).toContainEqual(['0', '109', '0']);
    expect(cells).toContainEqual(['2', '129', '9100']);
    expect(stdout).toContain('3 entries, in order; checksum ');
  });

  test('shows the entries of a time index', async () => {
    const bytes = Buffer.alloc(24);
    bytes.writeBigInt64BE(1_226_262_975_000n, 0);
    bytes.writeInt32BE(9, 8);
    bytes.writeBigInt64BE(1_226_262_976_000n, 12);
    bytes.writeInt32BE(19, 20);
    const { code, stdout } = await varve(['inspect', write(`${BASE_NAME}.timeindex`, bytes), '--json']);
    expect(code).toBe(0);
    const [first, second, summary] = jsonLines(stdout);
    expect(first).toEqual({
      kind: 'entry',
      entry: 0,
      timestamp: 1_226_262_975_000,
      time: '2008-11-09T20:36:15.000Z',
      offset: 9,
    });
    expect(second).toMatchObject({ entry: 1, offset: 19 });
    expect(summary).toMatchObject({
      entries: 2,
      damages: 0,
      crcComputed: crc32cOf(bytes).toString(16).padStart(8, '0'),
    });
  });

  test('finds entries that do not grow, and one that is cut off', async () => {
    const path = write(`${BASE_NAME}.index`, int32s(9, 0, 9, 4500, 29, 9100), Buffer.alloc(3));
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(1);
    expect(stdout).toContain('damaged at position 8: offsets and positions must grow');
    expect(stdout).toContain('damaged at position 24: an entry is cut off after 3 of 8 bytes');
  });

  test('asks the log beside it whether there is a batch at each position', async () => {
    const directory = temporaryDirectory();
    const parts = batches(3);
    const [a = 0, b = 0] = parts.map((part) => part.length);
    writeFileSync(join(directory, `${BASE_NAME}.log`), Buffer.concat(parts));
    const index = join(directory, `${BASE_NAME}.index`);
    writeFileSync(index, int32s(19, a, 29, a + b));
    expect((await varve(['inspect', index])).code).toBe(0);
    writeFileSync(index, int32s(18, a, 29, a + b + 1));
    const { code, stdout } = await varve(['inspect', index]);
    expect(code).toBe(1);
    expect(stdout).toContain('the batch there ends with offset 19');
    expect(stdout).toContain('the log has no batch there');
  });
});

describe('varve inspect of a recovery-point', () => {
  function checkpointBytes(indexBytes: Uint8Array): Uint8Array {
    const checkpoint: Checkpoint = {
      firstOffset: 3,
      isClean: true,
      segments: [
        {
          baseOffset: 0,
          nextOffset: 20,
          maxTimestamp: 1_226_262_975_900,
          maxTimestampOffset: 9,
          createdAtMs: 1_226_262_970_000,
          bytes: 500,
          offsetEntries: indexBytes.length / 8,
          timeEntries: 0,
          offsetCrc: crc32cOf(indexBytes),
          timeCrc: 0,
          absentOffsets: 0,
        },
      ],
    };
    return encodeCheckpoint(Memory.create(16 * 1024 * 1024), checkpoint);
  }

  test('shows what it says of each segment', async () => {
    const index = int32s(9, 0);
    const path = write('recovery-point', checkpointBytes(index));
    const { code, stdout } = await varve(['inspect', path]);
    expect(code).toBe(0);
    const cells = stdout.split('\n').map((line) => line.trim().split(/ {2,}/));
    const crc = crc32cOf(index).toString(16).padStart(8, '0');
    expect(cells).toContainEqual([
      '0',
      '20',
      '500',
      '2008-11-09T20:36:15.900Z',
      '2008-11-09T20:36:10.000Z',
      '1',
      crc,
      '0',
      '00000000',
    ]);
    expect(stdout).toContain('1 segment, first offset 3; the log was closed');
    const [segment, summary] = jsonLines((await varve(['inspect', path, '--json'])).stdout);
    expect(segment).toMatchObject({ kind: 'segment', baseOffset: 0, nextOffset: 20, offsetCrc: crc });
    expect(summary).toMatchObject({ firstOffset: 3, isClean: true, damages: 0 });
  });

  test('says that a damaged one is damaged', async () => {
    const bytes = checkpointBytes(int32s(9, 0));
    flip(bytes, 30);
    const { code, stdout } = await varve(['inspect', write('recovery-point', bytes)]);
    expect(code).toBe(1);
    expect(stdout).toContain('damaged at position 0');
  });

  test('is what the checksum of an index beside it is compared with', async () => {
    const directory = temporaryDirectory();
    const index = int32s(9, 0);
    writeFileSync(join(directory, 'recovery-point'), checkpointBytes(index));
    const path = join(directory, `${BASE_NAME}.index`);
    writeFileSync(path, index);
    const good = await varve(['inspect', path]);
    expect(good.stdout).toContain('the same as in the recovery-point');
    expect(good.code).toBe(0);
    writeFileSync(path, int32s(8, 0));
    const bad = await varve(['inspect', path]);
    expect(bad.stdout).toContain('damaged at position 0: the checksum in the recovery-point is ');
    expect(bad.code).toBe(1);
  });
});

describe('varve inspect of anything else', () => {
  test('a file of another name is refused', async () => {
    const path = write('notes.txt', Buffer.from('x'));
    const { code, stdout, stderr } = await varve(['inspect', path]);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toBe(
      `varve: ${path} is none of the files of a log or a tree: those end in .log, .index, .timeindex or .digest, those of a tree in .table, or are called recovery-point or gaps\n`,
    );
  });

  test('a file that is not there is one sentence', async () => {
    const path = join(temporaryDirectory(), `${BASE_NAME}.log`);
    const { code, stderr } = await varve(['inspect', path]);
    expect(code).toBe(2);
    expect(stderr).toBe(`varve: cannot open ${path}: no such file or directory (NOT_FOUND)\n`);
  });

  test('a directory is one sentence', async () => {
    const path = join(temporaryDirectory(), 'odd.log');
    mkdirSync(path);
    const { code, stderr } = await varve(['inspect', path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^varve: cannot open .*odd\.log: illegal operation on a directory \(IO\)\n$/);
  });
});
