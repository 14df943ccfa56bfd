/**
 * Feeds every decoder with what nobody has written: valid input with a few bytes changed, and, where a
 * checksum would hide the rest of the decoder from that, with the checksum made right again. Nothing but a
 * `VarveError` or a documented refusal may come of it, WebAssembly must make of it what plain JavaScript
 * does, and no result may point outside of what was given.
 *
 * @module
 */

import { isVarveError } from '../../src/errors.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/log/checkpoint.ts';
import { decodeGaps, encodeGaps } from '../../src/log/gaps.ts';
import type { Memory } from '../../src/memory/memory.ts';
import { createReferenceKernels } from '../../src/memory/reference.ts';
import { compileKernels, instantiateKernels } from '../../src/memory/wasm.ts';
import { open } from '../../src/open.ts';
import { createFaultVfs } from '../../src/testing/testing.ts';
import { createMemoryVfs } from '../../src/vfs/memory.ts';
import { type Arena, BYTES, createArena } from '../kit/arena.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import { mutate, runDecoders, runScanners } from '../kit/mutations.ts';
import { createRandom, type Random } from '../kit/random.ts';
import { writeTree } from '../kit/trees.ts';
import { checkMemory, until } from './laboratory.ts';
import { DIRECTORY, LOG_NAME } from './reads.ts';
import type { BatchSite } from './rot-site.ts';

export interface FuzzCounts {
  decoded: number;
  scanned: number;
  searched: number;
  metadata: number;
  logs: number;
}

function firstDifference(a: Int32Array, b: Int32Array): number {
  return a.findIndex((value, i) => value !== b[i]);
}

let arenas: { wasm: Arena; plain: Arena } | undefined;

function twoArenas(): { wasm: Arena; plain: Arena } {
  arenas ??= {
    wasm: createArena((memory) => instantiateKernels(compileKernels(), memory)),
    plain: createArena((memory) => createReferenceKernels(memory.buffer)),
  };
  return arenas;
}

/** The kernels that walk over batches. */
export function fuzzBatches(seed: number, { decoded, scanned }: FuzzCounts): void {
  const { wasm, plain } = twoArenas();
  const expected = runDecoders(plain, plain.kernels, seed, decoded);
  const other = firstDifference(runDecoders(wasm, wasm.kernels, seed, decoded), expected);
  if (other >= 0) throw new Error(`decoding: WebAssembly makes something else of mutation ${other}`);
  const scans = runScanners(plain, plain.kernels, seed, scanned);
  const otherScan = firstDifference(runScanners(wasm, wasm.kernels, seed, scanned), scans);
  if (otherScan >= 0) throw new Error(`scanning: WebAssembly makes something else of mutation ${otherScan}`);
}

/** The binary searches: right where an index is sorted, and at an end within it where it is not. */
export function fuzzIndexes(seed: number, { searched }: FuzzCounts): void {
  const random = createRandom(seed);
  const { wasm, plain } = twoArenas();
  for (let i = 0; i < searched; i++) {
    const count = random.int(0, 40);
    const span = random.pick([5, 1000, 2 ** 31 - 1]);
    const isSorted = random.chance(0.5);
    const keys = Array.from({ length: count }, () => random.int(-span, span));
    if (isSorted) keys.sort((a, b) => a - b);
    const key = random.int(-span, span);
    const expected = [keys.filter((one) => one < key).length, keys.filter((one) => one <= key).length];
    for (const { u8, view, kernels } of [wasm, plain]) {
      u8.set(random.bytes(count * 12), BYTES);
      for (const [n, one] of keys.entries()) view.setInt32(BYTES + n * 8, one);
      const offsets = [
        kernels.offsetLowerBound(BYTES, count, key),
        kernels.offsetUpperBound(BYTES, count, key),
      ];
      for (const [n, one] of keys.entries()) view.setBigInt64(BYTES + n * 12, BigInt(one));
      const times = [kernels.timeLowerBound(BYTES, count, key), kernels.timeUpperBound(BYTES, count, key)];
      const found = [...offsets, ...times];
      const isInside = found.every((one) => Number.isInteger(one) && one >= 0 && one <= count);
      const isRight = !isSorted || found.join() === [...expected, ...expected].join();
      if (!isInside || !isRight) throw new Error(`search ${i} for ${key} in ${keys.join()}: ${found.join()}`);
    }
  }
}

/** The small files beside the segments: what a damaged one is taken for. */
export function fuzzMetadata(memory: Memory, seed: number, { metadata }: FuzzCounts): void {
  const random = createRandom(seed);
  const number = (): number => random.int(0, 2 ** 31 - 1);
  for (let i = 0; i < metadata; i++) {
    const segments = Array.from({ length: random.int(0, 4) }, () => ({
      baseOffset: number(),
      nextOffset: number(),
      maxTimestamp: random.chance(0.1) ? -Infinity : number(),
      maxTimestampOffset: number(),
      createdAtMs: number(),
      bytes: number(),
      offsetEntries: number(),
      timeEntries: number(),
      offsetCrc: number(),
      timeCrc: number(),
      absentOffsets: number(),
    }));
    const gaps = segments.map(({ baseOffset, bytes }) => ({
      baseOffset,
      start: 0,
      end: bytes,
      firstOffset: baseOffset,
      lastOffset: baseOffset + 1,
    }));
    const checkpoint = { firstOffset: number(), isClean: random.chance(0.5), segments };
    const files = [
      { bytes: encodeCheckpoint(memory, checkpoint), decode: decodeCheckpoint, is: checkpoint as unknown },
      { bytes: encodeGaps(memory, gaps), decode: decodeGaps, is: gaps as unknown },
    ];
    for (const { bytes, decode, is } of files) {
      if (JSON.stringify(decode(memory, bytes)) !== JSON.stringify(is))
        throw new Error(`${decode.name} is no inverse`);
      const broken = changeBytes(random, bytes);
      if (Buffer.compare(broken, bytes) !== 0 && decode(memory, broken) !== undefined) {
        throw new Error(`${decode.name} took ${Buffer.from(broken).toString('hex')}`);
      }
      tryTo(() => decode(memory, rightAgain(broken)));
    }
  }
}

/** Flips, cuts or extends. */
function changeBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const kind = random.next();
  if (kind < 0.2) return bytes.slice(0, random.int(0, bytes.length - 1));
  if (kind < 0.3) return Buffer.concat([bytes, random.bytes(random.int(1, 80))]);
  const changed = bytes.slice();
  mutate(changed, 0, random);
  return changed;
}

/** The checksum of a small file, made right: it covers everything but itself. */
function rightAgain(bytes: Uint8Array): Uint8Array {
  if (bytes.length < 12) return bytes;
  const right = bytes.slice();
  const crc = crc32cOf(right.subarray(12), crc32cOf(right.subarray(0, 8)));
  new DataView(right.buffer).setUint32(8, crc);
  return right;
}

/** Runs something that may fail, but only as the world may. */
function tryTo(action: () => unknown): void {
  try {
    action();
  } catch (error) {
    if (!isVarveError(error)) throw error;
  }
}

/** A log whose batches say of themselves that they are right, and are not. */
export async function fuzzLog(site: BatchSite, random: Random): Promise<void> {
  const vfs = createFaultVfs(createMemoryVfs(), []);
  const files = new Map(site.files);
  for (let changes = random.int(1, 3); changes > 0; changes--) {
    const { file, position, size } = random.pick(site.batches);
    const bytes = (files.get(file) as Uint8Array).slice();
    const batch = Buffer.from(bytes.buffer, bytes.byteOffset + position, size);
    mutate(batch, random.pick([0, 21, 57, 61]), random);
    // Of compressed records, the first bytes are what says how much they become.
    if ((batch.readInt16BE(21) & 7) !== 0 && random.chance(0.3)) claim(batch, random);
    new DataView(batch.buffer, batch.byteOffset).setUint32(17, crc32cOf(batch.subarray(21)));
    files.set(file, bytes);
  }
  if (random.chance(0.5)) files.delete(`${DIRECTORY}/logs/${LOG_NAME}-0/recovery-point`);
  await writeTree(vfs, files);
  const recovery = random.pick(['tolerateCorruptedTail', 'pointInTime', 'skipAnyCorrupted'] as const);
  const use = async (): Promise<void> => {
    const database = await open(DIRECTORY, { vfs, runtime: site.stage.runtime });
    try {
      await readEverything(await database.log(LOG_NAME, { ...site.options, recovery }));
    } finally {
      await database.close();
    }
  };
  await until(site.stage, 'using a log', use()).catch((error: unknown) => {
    if (!isVarveError(error)) throw error;
  });
  if (vfs.openFiles > 0) throw new Error(`${vfs.openFiles} files are still open`);
  checkMemory(site.stage);
}

/** Has compressed records say that they become 4 GiB, in the ways of their codecs, or something else. */
function claim(batch: Buffer, random: Random): void {
  const claims = [
    'ffffffff0f00',
    '28b52ffde000000000010000000300',
    '04224d184c40ffffffff',
    '1f8b0800ffffffff',
  ];
  const bytes = random.chance(0.5) ? Buffer.from(random.pick(claims), 'hex') : random.bytes(8);
  batch.set(bytes.subarray(0, Math.max(0, batch.length - 61)), Math.min(61, batch.length));
  if (random.chance(0.5)) batch.writeInt32BE(2 ** 31 - 1, 57);
}

async function readEverything(
  log: Awaited<ReturnType<Awaited<ReturnType<typeof open>>['log']>>,
): Promise<void> {
  const may = async (action: () => Promise<unknown>): Promise<void> => {
    await action().catch((error: unknown) => {
      if (!isVarveError(error)) throw error;
    });
  };
  const from = (fromOffset: number) => async (): Promise<void> => {
    for await (const record of log.read({ fromOffset }))
      record.headers.map(({ key, value }) => `${key}${value}`);
  };
  for (let offset = log.firstOffset; offset < Math.min(log.nextOffset, log.firstOffset + 40); offset++) {
    await may(() => log.get(offset));
    if (offset % 4 === 0) await may(from(offset));
  }
  await may(async () => {
    for await (const batch of log.batches()) batch.records();
  });
  await may(() => log.verify());
  await may(() => log.append({ value: 'more' }));
}
