/**
 * Compressed batches, as Kafka has them: the header stays as it is, the records behind it are compressed
 * together, and the checksum covers what is stored.
 *
 *     plain:       | header, 61 bytes, attributes 0 | records                          |
 *     compressed:  | header, 61 bytes, attributes n | compress(records)     |
 *
 * @module
 */

import type { Codec, CodecName } from '../codec/codec.ts';
import { codecs } from '../codec/registry.ts';
import { isVarveError, VarveError } from '../errors.ts';
import { BATCH_BYTES_MAX, BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, SLACK_BYTES } from '../memory/layout.ts';
import type { Memory, MemoryView } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_LENGTH_POSITION,
  COMPRESSION_MASK,
  COMPRESSION_NAMES,
  CRC_POSITION,
} from './format.ts';

/** What the records of a batch may expand to: a plain batch has no more either. */
export const EXPANDED_BYTES_MAX: number = BATCH_BYTES_MAX - BATCH_HEADER_BYTES;
/** No record has fewer bytes. */
const RECORD_BYTES_MIN = 7;
/** Fewer bytes of records are not worth the trouble: a codec's own framing takes 20. */
const RECORDS_BYTES_MIN = 128;
/** A batch is put where its records begin at an aligned address: copying in is several times faster then. */
const LEAD_BYTES: number = 64 - BATCH_HEADER_BYTES;

/** What of a batch's row is needed here. */
export interface StoredBatch {
  address: number;
  /** Header and records, in bytes. */
  size: number;
  recordCount: number;
  attributes: number;
}

/** Whether a batch with these attributes is compressed. */
export function isCompressed(attributes: number): boolean {
  return (attributes & COMPRESSION_MASK) !== 0;
}

/**
 * The name of the codec that a batch with these attributes is compressed with.
 *
 * @throws VarveError `UNSUPPORTED` where it is none that Kafka knows
 */
function codecNameOf(attributes: number): CodecName {
  const number = attributes & COMPRESSION_MASK;
  const name = COMPRESSION_NAMES[number];
  if (name !== undefined && name !== 'none') return name as CodecName;
  throw new VarveError('UNSUPPORTED', `the batch is compressed with type ${number}, which is not known`);
}

/** Whether the codec of a batch can be used at once, or never can. */
export function isCodecSettled(attributes: number): boolean {
  const name = COMPRESSION_NAMES[attributes & COMPRESSION_MASK];
  if (name === undefined || name === 'none') return true;
  return codecs.loaded(name as CodecName) !== undefined || codecs.missing(name as CodecName) !== undefined;
}

/** Loads the codec of a batch; whether it is to be had, `codecOf` says afterwards. */
export async function settleCodec(attributes: number): Promise<void> {
  if (!isCodecSettled(attributes)) await codecs.settle(codecNameOf(attributes));
}

/**
 * Expands the records of a batch, into private memory.
 *
 * @returns undefined where they do not expand, or would become too much
 * @throws VarveError `UNSUPPORTED` where the codec is not to be had
 */
export function expandRecords(memory: MemoryView, row: StoredBatch): Uint8Array | undefined {
  const codec = codecs.settled(codecNameOf(row.attributes));
  const stored = memory.buffer(row.address + BATCH_HEADER_BYTES, row.size - BATCH_HEADER_BYTES);
  try {
    const records = codec.expand(stored, EXPANDED_BYTES_MAX);
    // So that nobody makes room for records that cannot be there.
    return row.recordCount > records.length / RECORD_BYTES_MIN ? undefined : records;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

/** Writes a batch as it was before it was compressed. Its checksum is not made anew. */
export function writeExpanded(
  memory: MemoryView,
  row: StoredBatch,
  records: Uint8Array,
  target: number,
): void {
  const { u8, data } = memory;
  u8.copyWithin(target, row.address, row.address + BATCH_HEADER_BYTES);
  u8.set(records, target + BATCH_HEADER_BYTES);
  data.setInt32(target + BATCH_LENGTH_POSITION, BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES + records.length);
  data.setInt16(target + ATTRIBUTES_POSITION, row.attributes & ~COMPRESSION_MASK);
}

/** Room for one batch after the other, as it was before it was compressed. */
export class Expander {
  readonly #memory: Memory;
  #slab: Slab | undefined;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Expands a batch; what was expanded before is gone then.
   *
   * @param row of a batch that the kernels accepted, whose codec has been settled
   * @returns the row of the plain batch (`row` itself where it is one); undefined where it does not expand
   * @throws VarveError `UNSUPPORTED` where the codec is not to be had; `NO_MEMORY`
   */
  expand<T extends StoredBatch>(row: T): T | undefined {
    if (!isCompressed(row.attributes)) return row;
    const records = expandRecords(this.#memory, row);
    if (records === undefined) return undefined;
    const size = BATCH_HEADER_BYTES + records.length;
    const address = this.#room(LEAD_BYTES + size + SLACK_BYTES) + LEAD_BYTES;
    writeExpanded(this.#memory, row, records, address);
    return { ...row, address, size, attributes: row.attributes & ~COMPRESSION_MASK };
  }

  /** Gives the memory back; it takes some again when it is used again. */
  release(): void {
    this.#slab?.release();
    this.#slab = undefined;
  }

  #room(bytes: number): number {
    if (this.#slab === undefined || this.#slab.bytes < bytes) {
      this.release();
      this.#slab = this.#memory.slabs.allocate(bytes, 'expanded batch');
    }
    return this.#slab.address;
  }
}

/** What is to be compressed, and how. */
export interface CompressBatchesArgs {
  /** Where the first of the batches lies. */
  address: number;
  /** Their sizes; they lie end to end. */
  sizes: readonly number[];
  codec: CodecName;
  level: number | undefined;
}

/**
 * Compresses batches where they lie, and moves them together: they lie end to end again, from the same
 * address on. One that would not become smaller, or is compressed already, stays as it is.
 *
 * @returns the new sizes
 * @throws VarveError `UNSUPPORTED` where the codec is not to be had: then nothing has changed
 */
export async function compressBatches(memory: MemoryView, args: CompressBatchesArgs): Promise<number[]> {
  return compressBatchesNow(memory, args, codecs.loaded(args.codec) ?? (await codecs.load(args.codec)));
}

/** The same, with a codec at hand. */
export function compressBatchesNow(
  memory: MemoryView,
  { address, sizes, level }: CompressBatchesArgs,
  codec: Codec,
): number[] {
  const { u8 } = memory;
  const compressed: number[] = [];
  let from = address;
  let to = address;
  for (const size of sizes) {
    const records = recordsToCompress(memory, from, size, codec, level);
    if (from !== to) u8.copyWithin(to, from, from + (records === undefined ? size : BATCH_HEADER_BYTES));
    const stored = records === undefined ? size : writeCompressed(memory, to, records, codec);
    compressed.push(stored);
    from += size;
    to += stored;
  }
  return compressed;
}

/** What to store instead of the records of a batch; undefined where they stay as they are. */
function recordsToCompress(
  memory: MemoryView,
  address: number,
  size: number,
  codec: Codec,
  level: number | undefined,
): Uint8Array | undefined {
  const bytes = size - BATCH_HEADER_BYTES;
  const attributes = memory.data.getInt16(address + ATTRIBUTES_POSITION);
  if (bytes < RECORDS_BYTES_MIN || isCompressed(attributes)) return undefined;
  const compressed = codec.compress(memory.buffer(address + BATCH_HEADER_BYTES, bytes), level);
  return compressed.length < bytes ? compressed : undefined;
}

/** Completes a batch behind its header, which lies there already. Returns its size. */
function writeCompressed(memory: MemoryView, address: number, records: Uint8Array, codec: Codec): number {
  const { u8, data, kernels } = memory;
  const size = BATCH_HEADER_BYTES + records.length;
  const attributes = data.getInt16(address + ATTRIBUTES_POSITION) | COMPRESSION_NAMES.indexOf(codec.name);
  u8.set(records, address + BATCH_HEADER_BYTES);
  data.setInt32(address + BATCH_LENGTH_POSITION, size - BATCH_PREFIX_BYTES);
  data.setInt16(address + ATTRIBUTES_POSITION, attributes);
  const crc = kernels.crc32c(address + ATTRIBUTES_POSITION, size - ATTRIBUTES_POSITION, 0);
  data.setInt32(address + CRC_POSITION, crc);
  return size;
}
