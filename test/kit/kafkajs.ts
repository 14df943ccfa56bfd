/**
 * kafkajs's own encoder and decoder of record batches, with types: a witness that shares no code with us.
 * They are not part of its public interface, so its version is pinned exactly.
 *
 * @module
 */

import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import kafkajs from 'kafkajs';

/** What kafkajs can be given to produce; a header without a value is beyond it (see kafkajs.test.ts). */
export interface Message {
  key: Buffer | null;
  value: Buffer | null;
  headers?: Record<string, Buffer | Buffer[]>;
  timestamp?: number;
}

/** A record as kafkajs hands it to a consumer. */
export interface Consumed {
  offset: string;
  timestamp: string;
  key: Buffer | null;
  value: Buffer | null;
  headers: Record<string, Buffer | null | (Buffer | null)[]>;
}

export interface HeaderPair {
  key: string;
  value: Buffer | null;
}

/** A batch, where it lies and what kafkajs makes of it. */
export interface WitnessedBatch {
  position: number;
  size: number;
  baseOffset: number;
  lastOffset: number;
  maxTimestamp: number;
  leaderEpoch: number;
  /** What the batch says its checksum is, and what kafkajs computes. */
  storedCrc: number;
  computedCrc: number;
  records: Consumed[];
  /** The headers of each record one by one, in their order, which `Consumed` does not keep. */
  headers: HeaderPair[][];
}

interface Decoder {
  readonly buffer: Buffer;
  readonly offset: number;
  readInt8(): number;
  readVarInt(): number;
  readVarLong(): unknown;
  readVarIntBytes(): Buffer | null;
  readVarIntArray<T>(read: (decoder: Decoder) => T): T[];
  readArray<T>(read: (decoder: Decoder) => T): T[];
}

interface DecodedBatch {
  firstOffset: string;
  lastOffsetDelta: number;
  maxTimestamp: string;
  partitionLeaderEpoch: number;
  records: Consumed[];
}

interface ProduceRequest {
  encode(): Promise<{ buffer: Buffer }>;
}

const load = createRequire(import.meta.url);
const DecoderClass = load('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => Decoder;
const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder') as (
  decoder: Decoder,
) => Promise<DecodedBatch>;
const decodeHeader = load('kafkajs/src/protocol/recordBatch/header/v0/decoder') as (
  decoder: Decoder,
) => HeaderPair;
const crc32C = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
const createProduceRequest = load('kafkajs/src/protocol/requests/produce/v3/request') as (
  request: unknown,
) => ProduceRequest;

const CRC_POSITION = 17;
const ATTRIBUTES_POSITION = 21;
const MAX_TIMESTAMP_POSITION = 35;
const RECORDS_POSITION = 57;
const LOG_APPEND_TIME = 8;

const TOPIC = 'witness';
/** transactional id, acks, timeout, number of topics, name, number of partitions, partition, size */
const REQUEST_BYTES: number = 2 + 2 + 4 + 4 + 2 + TOPIC.length + 4 + 4 + 4;

/** What kafkajs asks of a codec that is plugged into it. */
interface PluggedCodec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(bytes: Buffer): Promise<Buffer>;
}

const plugged = (kafkajs as unknown as { CompressionCodecs: Record<number, () => PluggedCodec> })
  .CompressionCodecs;

function plug(
  type: number,
  compress: (bytes: Buffer) => Uint8Array,
  expand: (bytes: Buffer) => Uint8Array,
): void {
  plugged[type] = () => ({
    compress: async ({ buffer }) => Buffer.from(compress(buffer)),
    decompress: async (bytes) => Buffer.from(expand(bytes)),
  });
}

const XERIAL_HEADER: Buffer = Buffer.from('82534e41505059000000000100000001', 'hex');
const XERIAL_BLOCK_BYTES = 32 * 1024;

/** The framing of Java's clients, as the plug-ins for kafkajs that are in use have it: written anew for this witness. */
function frameXerial(bytes: Buffer, pack: (block: Buffer) => Uint8Array): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER];
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = Buffer.from(pack(bytes.subarray(at, at + XERIAL_BLOCK_BYTES)));
    const length = Buffer.alloc(4);
    length.writeInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function unframeXerial(bytes: Buffer, unpack: (block: Buffer) => Uint8Array): Buffer {
  if (Buffer.compare(bytes.subarray(0, 16), XERIAL_HEADER) !== 0) throw new Error('it is not framed');
  const parts: Uint8Array[] = [];
  for (let at = 16; at < bytes.length; ) {
    const length = bytes.readInt32BE(at);
    parts.push(unpack(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return Buffer.concat(parts);
}

interface ZlibWithZstd {
  zstdCompressSync?: (bytes: Uint8Array) => Buffer;
  zstdDecompressSync?: (bytes: Uint8Array) => Buffer;
}

/**
 * Plugs a codec of Kafka into kafkajs, with the packages themselves and none of varve's code.
 *
 * @returns its type; undefined where its package is not installed
 */
export async function plugCodec(name: string): Promise<number | undefined> {
  const load = createRequire(import.meta.url);
  const types: Record<string, number> = { gzip: 1, snappy: 2, lz4: 3, zstd: 4 };
  const type = types[name] as number;
  try {
    if (name === 'snappy') {
      const snappy = load('snappy') as typeof import('snappy');
      plug(
        type,
        (bytes) => frameXerial(bytes, (block) => snappy.compressSync(block)),
        (bytes) => unframeXerial(bytes, (block) => snappy.uncompressSync(block) as Buffer),
      );
    } else if (name === 'lz4') {
      const lz4 = load('lz4-napi') as typeof import('lz4-napi');
      plug(
        type,
        (bytes) => lz4.compressFrameSync(bytes),
        (bytes) => lz4.decompressFrameSync(bytes),
      );
    } else if (name === 'zstd') {
      const { zstdCompressSync, zstdDecompressSync } = zlib as ZlibWithZstd;
      if (zstdCompressSync !== undefined && zstdDecompressSync !== undefined) {
        plug(type, zstdCompressSync, zstdDecompressSync);
      } else {
        const { compress, decompress } = await import('@cloudpss/zstd');
        plug(
          type,
          (bytes) => compress(bytes),
          (bytes) => decompress(bytes),
        );
      }
    }
    return type;
  } catch {
    return undefined;
  }
}

/**
 * Encodes messages exactly as kafkajs's producer sends them to a broker.
 *
 * @returns one batch, with base offset 0
 */
export async function produceBatch(messages: readonly Message[], compression = 0): Promise<Buffer> {
  const partitions = [{ partition: 0, messages }];
  const request = { acks: -1, timeout: 1000, compression, topicData: [{ topic: TOPIC, partitions }] };
  const { buffer } = await createProduceRequest(request).encode();
  return buffer.subarray(REQUEST_BYTES);
}

/** Does what a broker does to a batch before it stores it: sets its base offset and its leader epoch. */
export function patchAsBroker(batch: Buffer, baseOffset: number, leaderEpoch: number): Buffer {
  const patched = Buffer.from(batch);
  patched.writeBigInt64BE(BigInt(baseOffset), 0);
  patched.writeInt32BE(leaderEpoch, 12);
  return patched;
}

/** Does what a broker does where it is told to keep the time of the append: one timestamp for all records. */
export function stampAsBroker(batch: Buffer, timestamp: number): Buffer {
  const stamped = Buffer.from(batch);
  stamped.writeInt16BE(batch.readInt16BE(ATTRIBUTES_POSITION) | LOG_APPEND_TIME, ATTRIBUTES_POSITION);
  stamped.writeBigInt64BE(BigInt(timestamp), MAX_TIMESTAMP_POSITION);
  stamped.writeUInt32BE(crc32C(stamped.subarray(ATTRIBUTES_POSITION)), CRC_POSITION);
  return stamped;
}

/** Decodes batches that lie end to end, uncompressed or not, and fails where something is left over. */
export async function witness(bytes: Buffer): Promise<WitnessedBatch[]> {
  const decoder = new DecoderClass(bytes);
  const batches: WitnessedBatch[] = [];
  while (decoder.offset < bytes.length) {
    const position = decoder.offset;
    const decoded = await decodeBatch(decoder);
    const batch = bytes.subarray(position, decoder.offset);
    const baseOffset = Number(decoded.firstOffset);
    batches.push({
      position,
      size: batch.length,
      baseOffset,
      lastOffset: baseOffset + decoded.lastOffsetDelta,
      maxTimestamp: Number(decoded.maxTimestamp),
      leaderEpoch: decoded.partitionLeaderEpoch,
      storedCrc: batch.readUInt32BE(CRC_POSITION),
      computedCrc: crc32C(batch.subarray(ATTRIBUTES_POSITION)),
      records: decoded.records,
      headers: (batch.readInt16BE(ATTRIBUTES_POSITION) & 7) === 0 ? headersOf(batch) : [],
    });
  }
  return batches;
}

function headersOf(batch: Buffer): HeaderPair[][] {
  return new DecoderClass(batch.subarray(RECORDS_POSITION)).readArray((records) => {
    const record = new DecoderClass(records.readVarIntBytes() ?? Buffer.alloc(0));
    record.readInt8();
    record.readVarLong();
    record.readVarInt();
    record.readVarIntBytes();
    record.readVarIntBytes();
    return record.readVarIntArray(decodeHeader);
  });
}
