/**
 * The kernels of the hot path, one call at a time, against careful JavaScript that does the same to the
 * same bytes: framing a batch of records, taking one apart, searching an index. Where a checksum belongs to
 * it, the other side has that of a native addon.
 *
 * @module
 */

import { Bench } from 'tinybench';
import {
  BATCH_HEADER_BYTES,
  COLUMN_BYTES,
  COLUMN_VALUE_LENGTH,
  ENTRY_BYTES,
  ENTRY_HEADERS,
  ENTRY_HEADERS_COUNT,
  ENTRY_HEADERS_LENGTH,
  ENTRY_KEY_LENGTH,
  ENTRY_TIMESTAMP,
  ENTRY_VALUE,
  ENTRY_VALUE_LENGTH,
  OFFSET_ENTRY_BYTES,
  ROW_BYTES,
} from '../../src/memory/layout.ts';
import type { RowSpec } from '../rows.ts';
import { type Contestant, inTurn } from '../statistics.ts';
import type { Context, Suite } from '../suite.ts';
import { RECORD_BYTES, randomIntegers, recordAt } from '../workload.ts';
import { decodeInJs, encodeInJs, lowerBoundInJs } from './js-batches.ts';
import { compareTableKernels, filterRow, mergeRow } from './kernels-lsm.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** As many records of 100 bytes as a full batch of 16 KiB holds. */
const RECORDS = 150;
const INDEX_ENTRIES = 32_768;
const SEARCHES = 1024;
const crcPeer = '@node-rs/crc32';

const encodeRow: RowSpec = {
  id: 'kernels/encode-batch vs js-and-native-crc',
  unit: 'ns/record',
  versus: 'the same in JavaScript, with a native CRC-32C',
  target: null,
};
const decodeRow: RowSpec = {
  id: 'kernels/check-and-decode-batch vs js-and-native-crc',
  unit: 'ns/record',
  versus: 'the same in JavaScript, with a native CRC-32C',
  target: null,
};
const searchRow: RowSpec = {
  id: 'kernels/index-search vs js-binary-search',
  unit: 'ns/search',
  versus: 'binary search over a Buffer',
  target: null,
};

/** Nanoseconds of one of the things that `once` does `count` of; `once` returns something that depends on them. */
async function nanoseconds(tiny: boolean, count: number, once: () => number): Promise<number> {
  let mixed = 0;
  const bench = new Bench(
    tiny
      ? { time: 1, iterations: 2, warmup: false, throws: true }
      : { time: 80, warmupTime: 30, throws: true },
  );
  // Enough of it that the clock's own cost does not show.
  const rounds = tiny ? 1 : 8;
  bench.add('once', () => {
    for (let i = 0; i < rounds; i++) mixed ^= once();
  });
  const [task] = await bench.run();
  const result = task!.result;
  if (!('latency' in result) || !Number.isInteger(mixed)) throw new Error('tinybench has no result');
  return (result.latency.p50 * 1e6) / (count * rounds);
}

/** Where things lie in the slab. */
interface Arena {
  readonly entries: number;
  readonly values: number;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly index: number;
}

function arenaAt(address: number): Arena {
  const at = (part: number): number => address + part * 256 * KIB;
  return { entries: at(0), values: at(1), batch: at(2), rows: at(3), columns: at(4), index: at(5) };
}

async function run(context: Context): Promise<void> {
  const runtime = context.engine.createRuntime({ memoryBytes: 16 * MIB });
  const { memory } = runtime;
  const { kernels, data, f64, i32 } = memory;
  const slab = memory.slabs.allocate(2 * MIB, 'bench');
  const arena = arenaAt(slab.address);
  try {
    for (let i = 0; i < RECORDS; i++) {
      const entry = arena.entries + i * ENTRY_BYTES;
      const value = arena.values + i * RECORD_BYTES;
      memory.u8.set(recordAt(i), value);
      f64[(entry + ENTRY_TIMESTAMP) >> 3] = 1_700_000_000_000 + i;
      i32[(entry + ENTRY_KEY_LENGTH) >> 2] = -1;
      i32[(entry + ENTRY_VALUE) >> 2] = value;
      i32[(entry + ENTRY_VALUE_LENGTH) >> 2] = RECORD_BYTES;
      for (const field of [ENTRY_HEADERS, ENTRY_HEADERS_LENGTH, ENTRY_HEADERS_COUNT]) {
        i32[(entry + field) >> 2] = 0;
      }
    }
    const bytes = kernels.encodeBatch(arena.entries, RECORDS, arena.batch, 7, 0);
    for (let i = 0; i < INDEX_ENTRIES; i++) {
      data.setInt32(arena.index + i * OFFSET_ENTRY_BYTES, i * 40);
      data.setInt32(arena.index + i * OFFSET_ENTRY_BYTES + 4, i * 4096);
    }
    await compareBatches(context, arena, bytes, memory);
    await compareSearch(context, arena, memory);
    await compareTableKernels(context, memory, (count, once) => nanoseconds(context.tiny, count, once));
  } finally {
    slab.release();
    await runtime.close();
  }
}

type Memory = ReturnType<Context['engine']['createRuntime']>['memory'];

async function compareBatches(context: Context, arena: Arena, bytes: number, memory: Memory): Promise<void> {
  const { kernels, i32 } = memory;
  const status = arena.rows - 64;
  const encode = (): number => kernels.encodeBatch(arena.entries, RECORDS, arena.batch, 7, 0);
  const decode = (): number => {
    if (kernels.scanBatches(arena.batch, bytes, arena.rows, 1, status) !== 1) throw new Error('no batch');
    kernels.decodeBatch(arena.batch, bytes, arena.columns);
    return i32[(arena.columns + (RECORDS - 1) * COLUMN_BYTES + COLUMN_VALUE_LENGTH) >> 2] as number;
  };
  if (arena.rows + ROW_BYTES > arena.columns) throw new Error('the arena is too small');
  const ours = {
    encode: (): Promise<number> => nanoseconds(context.tiny, RECORDS, encode),
    decode: (): Promise<number> => nanoseconds(context.tiny, RECORDS, decode),
  };
  const peer = context.peers.load(crcPeer);
  if (peer.module === null) {
    for (const [row, varve] of [[encodeRow, ours.encode] as const, [decodeRow, ours.decode] as const]) {
      context.say(row.id);
      context.skip(row.id, peer.missing, (await inTurn(context.rounds, { varve })).varve);
    }
    return;
  }
  const { crc32c } = peer.module;
  const values = Array.from({ length: RECORDS }, (_, i) => recordAt(i));
  const out = Buffer.alloc(BATCH_HEADER_BYTES + RECORDS * (RECORD_BYTES + 40));
  const written = encodeInJs(values, 1_700_000_000_000, 7, out, crc32c);
  const batch = Buffer.from(memory.buffer(arena.batch, bytes));
  if (!out.subarray(0, written).equals(batch)) throw new Error('the two batches differ');
  const lengths = new Int32Array(RECORDS * 2);
  const js = {
    encode: (): Promise<number> =>
      nanoseconds(context.tiny, RECORDS, () => encodeInJs(values, 1_700_000_000_000, 7, out, crc32c)),
    decode: (): Promise<number> =>
      nanoseconds(context.tiny, RECORDS, () => decodeInJs(batch, lengths, crc32c)),
  };
  for (const [row, varve, other] of [
    [encodeRow, ours.encode, js.encode] as const,
    [decodeRow, ours.decode, js.decode] as const,
  ]) {
    context.say(row.id);
    const measured = await inTurn(context.rounds, { varve, other });
    context.report(row.id, { samples: measured.varve, versusSamples: measured.other });
  }
}

async function compareSearch(context: Context, arena: Arena, memory: Memory): Promise<void> {
  context.say(searchRow.id);
  const { kernels } = memory;
  const keys = randomIntegers(SEARCHES, INDEX_ENTRIES * 40, 3);
  const index = Buffer.from(memory.buffer(arena.index, INDEX_ENTRIES * OFFSET_ENTRY_BYTES));
  const varve: Contestant = () =>
    nanoseconds(context.tiny, SEARCHES, () => {
      let sum = 0;
      for (let i = 0; i < SEARCHES; i++)
        sum += kernels.offsetLowerBound(arena.index, INDEX_ENTRIES, keys[i]!);
      return sum;
    });
  const other: Contestant = () =>
    nanoseconds(context.tiny, SEARCHES, () => {
      let sum = 0;
      for (let i = 0; i < SEARCHES; i++) sum += lowerBoundInJs(index, INDEX_ENTRIES, keys[i]!);
      return sum;
    });
  const measured = await inTurn(context.rounds, { varve, other });
  context.report(searchRow.id, { samples: measured.varve, versusSamples: measured.other });
}

export const kernelsSuite: Suite = {
  name: 'kernels',
  title: 'the kernels of the hot path, call by call',
  rows: [encodeRow, decodeRow, searchRow, filterRow, mergeRow],
  run,
};
