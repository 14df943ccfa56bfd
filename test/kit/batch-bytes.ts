/**
 * Record batches made by hand, field by field and byte by byte, so that tests can have batches which no
 * encoder of ours would make: with gaps, with another attribute, with a broken length.
 *
 * @module
 */

export interface RecordFields {
  offsetDelta: number;
  timestampDelta?: bigint;
  key?: Uint8Array | null;
  value?: Uint8Array | null;
  headers?: readonly { key: Uint8Array; value: Uint8Array | null }[];
  attributes?: number;
  /** Instead of what follows from the fields. */
  bodyLength?: number;
  /** Bytes between the last header and the end of the record. */
  extra?: readonly number[];
}

export interface BatchFields {
  baseOffset?: bigint;
  batchLength?: number;
  leaderEpoch?: number;
  magic?: number;
  crc?: number;
  attributes?: number;
  lastDelta?: number;
  baseTimestamp?: bigint;
  maxTimestamp?: bigint;
  recordCount?: number;
  /** The records, or their bytes where they are compressed or broken. */
  records: readonly RecordFields[] | Uint8Array;
}

/** A zigzag varint of any size. */
export function varint(value: bigint | number): number[] {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes: number[] = [];
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) + 0x80);
  bytes.push(Number(rest));
  return bytes;
}

function withLength(bytes: Uint8Array | null): number[] {
  return bytes === null ? varint(-1) : [...varint(bytes.length), ...bytes];
}

export function recordBytes(record: RecordFields): number[] {
  const headers = record.headers ?? [];
  const body = [
    record.attributes ?? 0,
    ...varint(record.timestampDelta ?? 0n),
    ...varint(record.offsetDelta),
    ...withLength(record.key ?? null),
    ...withLength(record.value ?? null),
    ...varint(headers.length),
    ...headers.flatMap(({ key, value }) => [...withLength(key), ...withLength(value)]),
    ...(record.extra ?? []),
  ];
  return [...varint(record.bodyLength ?? body.length), ...body];
}

export function batchBytes(batch: BatchFields): Uint8Array {
  const records =
    batch.records instanceof Uint8Array ? batch.records : Uint8Array.from(batch.records.flatMap(recordBytes));
  const deltas = batch.records instanceof Uint8Array ? [] : batch.records.map((record) => record.offsetDelta);
  const bytes = new Uint8Array(61 + records.length);
  bytes.set(records, 61);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, batch.baseOffset ?? 0n);
  view.setInt32(8, batch.batchLength ?? bytes.length - 12);
  view.setInt32(12, batch.leaderEpoch ?? 0);
  view.setInt8(16, batch.magic ?? 2);
  view.setInt16(21, batch.attributes ?? 0);
  view.setInt32(23, batch.lastDelta ?? Math.max(0, ...deltas));
  view.setBigInt64(27, batch.baseTimestamp ?? 1_700_000_000_000n);
  view.setBigInt64(35, batch.maxTimestamp ?? 1_700_000_000_999n);
  view.setBigInt64(43, -1n);
  view.setInt16(51, -1);
  view.setInt32(53, -1);
  view.setInt32(57, batch.recordCount ?? deltas.length);
  view.setUint32(17, batch.crc ?? crc32cOf(bytes.subarray(21)));
  return bytes;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/**
 * CRC-32C by a table of 256, as an unsigned integer: fast enough for the tests, and none of the kernels.
 *
 * @param crc what the bytes before gave
 */
export function crc32cOf(bytes: Uint8Array, crc = 0): number {
  let state = ~crc;
  for (let i = 0; i < bytes.length; i++)
    state = (state >>> 8) ^ (TABLE[(state ^ (bytes[i] ?? 0)) & 0xff] ?? 0);
  return ~state >>> 0;
}
