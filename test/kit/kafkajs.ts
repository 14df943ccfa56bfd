/**
 * kafkajs's own encoder and decoder of record batches, with types: a witness that shares no code with us.
 * They are not part of its public interface, so its version is pinned exactly.
 *
 * @module
 */

import { createRequire } from 'node:module';
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

export const GZIP: number = kafkajs.CompressionTypes.GZIP;

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
