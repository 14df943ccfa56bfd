import { afterEach, describe, expect, it } from 'vitest';

import { BATCH_RECORDS_MAX } from '../../src/limits.ts';
import { BATCH_HEADER_BYTES } from '../../src/memory/layout.ts';
import { Memory } from '../../src/memory/memory.ts';
import type { Slab } from '../../src/memory/slabs.ts';
import type { LineFormat } from '../../src/parse/formats.ts';
import {
  encodeWindow,
  WINDOW_OUT_EXTRA_BYTES,
  WINDOW_WORK_BYTES,
  type WindowArgs,
  type WindowResult,
} from '../../src/parse/window.ts';
import { decodeBatches, linesOf, type PlainBatch, recordsOf } from '../kit/batches.ts';
import { goodLine, mixedLines } from '../kit/hdfs-lines.ts';
import { createRandom } from '../kit/random.ts';

const MIB = 1 << 20;
const memory = Memory.create(64 * MIB);
const text: Slab = memory.slabs.allocate(4 * MIB, 'test');
const out: Slab = memory.slabs.allocate(16 * MIB, 'test');
const work: Slab = memory.slabs.allocate(WINDOW_WORK_BYTES, 'test');

interface Encoded {
  result: WindowResult;
  batches: PlainBatch[];
}

function encode(content: string, options: Partial<WindowArgs> = {}): Encoded {
  const bytes = Buffer.from(content, 'latin1');
  memory.u8.set(bytes, text.address);
  const result = encodeWindow(memory, work.address, {
    format: 'hdfs',
    options: {},
    text: text.address,
    textBytes: bytes.length,
    last: true,
    out: out.address,
    outBytes: out.bytes,
    batchBytes: 16_384,
    recordBytesMax: MIB,
    carried: 5000,
    samples: 3,
    ...options,
  });
  return { result, batches: decodeBatches(memory, out.address, result.outBytes) };
}

const payloadOf = ({ records }: PlainBatch): number =>
  records.reduce((sum, { value, headers }) => {
    const names = Object.entries(headers).map(
      ([name, text_]) => 1 + name.length + (text_.length < 64 ? 1 : 2) + text_.length,
    );
    return names.reduce((bytes, name) => bytes + name, sum + value.length);
  }, 0);

describe('encodeWindow', () => {
  afterEach(() => {
    expect(memory.slabs.inUse()).toHaveLength(3);
  });

  it('makes the records that the lines are', () => {
    const random = createRandom(30);
    for (const format of ['hdfs', 'plain'] as const satisfies readonly LineFormat[]) {
      for (const count of [1, 2, 511, 512, 513, 3000]) {
        const content = mixedLines(random, count).join('\n');
        const { result, batches } = encode(content, { format });
        const records = batches.flatMap((batch) => batch.records);
        const expected = recordsOf(content, format, 5000);
        expect(records).toEqual(expected);
        expect(result).toMatchObject({
          textBytes: content.length,
          batches: batches.length,
          records: expected.length,
          carried: expected.at(-1)?.timestamp,
          earliest: Math.min(...expected.map(({ timestamp }) => timestamp)),
          latest: Math.max(...expected.map(({ timestamp }) => timestamp)),
          empty: expected.filter(({ value }) => value === '').length,
        });
        const failed = expected.filter(({ headers }) => Object.keys(headers).length === 0).length;
        expect(result.unparsed).toBe(format === 'hdfs' ? failed : 0);
        expect(result.levels.reduce((sum, n) => sum + n, 0)).toBe(
          format === 'hdfs' ? expected.length - result.unparsed : 0,
        );
      }
    }
  });

  it('fills batches up to their bytes or records, but for the last', () => {
    const random = createRandom(31);
    const content = Array.from({ length: 4000 }, () => goodLine(random)).join('\n');
    for (const batchBytes of [1, 1000, 16_384, 200_000]) {
      const { batches } = encode(content, { batchBytes });
      for (const [i, batch] of batches.entries()) {
        const bytes = payloadOf(batch);
        if (batch.records.length > 1) expect(bytes).toBeLessThanOrEqual(batchBytes);
        expect(batch.records.length).toBeLessThanOrEqual(BATCH_RECORDS_MAX);
        const next = batches[i + 1];
        if (next === undefined || batch.records.length === BATCH_RECORDS_MAX) continue;
        const first = payloadOf({ ...next, records: next.records.slice(0, 1) });
        expect(bytes + first).toBeGreaterThan(batchBytes);
      }
    }
  });

  it('holds no more than its most records in a batch of short lines', () => {
    const { batches } = encode('\n'.repeat(5000), { format: 'plain' });
    expect(batches.map(({ records }) => records.length)).toEqual([1024, 1024, 1024, 1024, 904]);
  });

  it('makes nothing of no text', () => {
    const { result, batches } = encode('');
    expect(batches).toEqual([]);
    expect(result).toMatchObject({ textBytes: 0, outBytes: 0, records: 0, carried: 5000 });
    expect(result.earliest).toBe(Number.POSITIVE_INFINITY);
  });

  it('leaves a line without an end for later unless it is the last', () => {
    const { result, batches } = encode('one\ntwo\nthr', { format: 'plain', last: false });
    expect(batches[0]?.records.map(({ value }) => value)).toEqual(['one', 'two']);
    expect(result.textBytes).toBe(8);
  });

  it('stops where the room for batches ends, and goes on from there', () => {
    const random = createRandom(32);
    // Where there is room for a few lines only, a stack trace has no place behind its entry.
    const isOwn = (line: string): boolean => recordsOf(`x\n${line}`, 'hdfs').length === 2;
    const content = mixedLines(random, 2000).filter(isOwn).join('\n');
    const longest = Math.max(...linesOf(content).map(({ length }) => length));
    for (const outBytes of [longest + WINDOW_OUT_EXTRA_BYTES, 5000, 30_000, 100_000]) {
      const values: string[] = [];
      const times: number[] = [];
      let done = 0;
      let carried = 5000;
      while (done < content.length) {
        memory.u8.fill(0xa5, out.address + outBytes, out.address + outBytes + 1000);
        const { result, batches } = encode(content.slice(done), { outBytes, carried });
        const beyond = memory.u8.subarray(out.address + outBytes, out.address + outBytes + 1000);
        expect(beyond.every((byte) => byte === 0xa5)).toBe(true);
        expect(result.textBytes).toBeGreaterThan(0);
        for (const { records } of batches) {
          values.push(...records.map(({ value }) => value));
          times.push(...records.map(({ timestamp }) => timestamp));
        }
        done += result.textBytes;
        carried = result.carried;
      }
      const expected = recordsOf(content, 'hdfs', 5000);
      expect(values).toEqual(expected.map(({ value }) => value));
      expect(times).toEqual(expected.map(({ timestamp }) => timestamp));
    }
  });

  it('cuts a line where a record may not be larger, with no more room than that record needs', () => {
    const line = 'x'.repeat(100_000);
    const recordBytesMax = 1000;
    const outBytes = recordBytesMax + WINDOW_OUT_EXTRA_BYTES;
    const { result, batches } = encode(`${line}\n`, { recordBytesMax, outBytes });
    expect(result).toMatchObject({ cut: 1, records: 1, textBytes: line.length + 1 });
    expect(batches[0]?.records[0]?.value).toBe(line.slice(0, recordBytesMax));
    expect(result.outBytes).toBeLessThan(recordBytesMax + BATCH_HEADER_BYTES + 20);
  });

  it('shows the first lines that do not parse, and their numbers', () => {
    const random = createRandom(33);
    const lines = Array.from({ length: 1200 }, () => goodLine(random));
    for (const i of [3, 700, 701, 1100]) lines[i] = `line ${i} is not one of them`;
    lines[3] = 'é'.repeat(300);
    const { result } = encode(Buffer.from(lines.join('\n')).toString('latin1'));
    expect(result.unparsed).toBe(4);
    expect(result.samples).toEqual([
      { line: 3, text: 'é'.repeat(200) },
      { line: 700, text: 'line 700 is not one of them' },
      { line: 701, text: 'line 701 is not one of them' },
    ]);
    expect(encode('nothing', { samples: 0 }).result.samples).toEqual([]);
  });

  it('takes any bytes for a line', () => {
    const random = createRandom(34);
    const bytes = Buffer.from(random.bytes(200_000)).toString('latin1');
    const { batches } = encode(bytes, { format: 'plain' });
    const values = batches.flatMap(({ records }) => records.map(({ value }) => value));
    expect(values).toEqual(linesOf(bytes));
  });
});
