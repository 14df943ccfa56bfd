/**
 * Records whose content follows from who appended them as their how-manieth: whatever is found in a log
 * can be told from what it says of itself, and a record that nobody appended cannot look like one.
 *
 * @module
 */

import { createHash } from 'node:crypto';
import type { HeaderInput } from '../../src/record/headers.ts';
import type { LogRecord } from '../../src/record/record.ts';
import { batchBytes } from '../kit/batch-bytes.ts';
import { createRandom, type Random } from '../kit/random.ts';

/** A record as it is appended. */
export interface Content {
  key: Buffer;
  value: Buffer | null;
  headers: HeaderInput[];
  timestamp: number;
}

/** Who appended a record, and as its how-manieth. */
export interface Origin {
  client: number;
  sequence: number;
}

/** The longest value. */
export const VALUE_BYTES_MAX: number = 512 * 1024;
const START_MS = 1_700_000_000_000;

/** Most are small; one in three hundred is larger than what a log writes in one piece on its own thread. */
function mostlySmall(random: Random): number {
  const kind = random.next();
  if (kind < 0.003) return random.int(65_000, 200_000);
  if (kind < 0.015) return random.int(8000, 30_000);
  if (kind < 0.1) return random.int(300, 4000);
  return random.int(0, 300);
}

export class Contents {
  readonly #seed: number;
  readonly #valueBytes: (random: Random, client: number) => number;
  readonly #pad: Buffer;

  /** @param valueBytes how long a value is, at most `VALUE_BYTES_MAX` */
  constructor(seed: number, valueBytes: (random: Random, client: number) => number = mostlySmall) {
    this.#seed = seed;
    this.#valueBytes = valueBytes;
    this.#pad = Buffer.from(createRandom(seed).bytes(VALUE_BYTES_MAX));
  }

  /** The record that a client appends as its `sequence`th. */
  record(client: number, sequence: number): Content {
    const random = createRandom(
      this.#seed ^ Math.imul(client + 1, 0x9e3779b1) ^ Math.imul(sequence + 1, 0x85ebca77),
    );
    const bytes = this.#valueBytes(random, client);
    const start = random.int(0, VALUE_BYTES_MAX - bytes);
    const isNull = random.chance(0.02);
    const hasHeaders = random.chance(0.1);
    return {
      key: Buffer.from(`${client}:${sequence}`),
      value: isNull ? null : this.#pad.subarray(start, start + bytes),
      headers: hasHeaders
        ? [
            { key: 'client', value: String(client) },
            { key: 'none', value: null },
          ]
        : [],
      timestamp: START_MS + sequence * 5 + random.int(-3000, 3000),
    };
  }

  /**
   * Tells where a record comes from.
   *
   * @throws Error where it is not, to the last byte, what its key says that it is
   */
  originOf(record: LogRecord): Origin {
    const match = /^(\d+):(\d+)$/.exec(record.key?.toString('latin1') ?? '');
    if (match === null)
      throw new Error(`the record at offset ${record.offset} is of nobody: its key is ${String(record.key)}`);
    const client = Number(match[1]);
    const sequence = Number(match[2]);
    const expected = this.record(client, sequence);
    const isSame =
      record.timestamp === expected.timestamp &&
      (record.value === null ? expected.value === null : expected.value?.equals(record.value) === true) &&
      headersText(record.headers) === headersText(expected.headers);
    if (!isSame)
      throw new Error(`the record at offset ${record.offset} is not what ${client}:${sequence} was`);
    return { client, sequence };
  }
}

function headersText(headers: readonly HeaderInput[]): string {
  return headers.map(({ key, value }) => `${key}=${value === null ? '' : `"${value.toString()}"`}`).join();
}

/** Four bytes that stand for a record's key and value. */
export function hashOf({ key, value }: { key: Buffer | null; value: Buffer | null }): number {
  const hash = createHash('sha1').update(key ?? '');
  return hash
    .update(value ?? 'null')
    .digest()
    .readUInt32BE(0);
}

/** One record batch, as another program would make it. */
export function frame(part: readonly Content[]): Uint8Array {
  const baseTimestamp = part[0]?.timestamp as number;
  return batchBytes({
    baseTimestamp: BigInt(baseTimestamp),
    maxTimestamp: BigInt(Math.max(...part.map(({ timestamp }) => timestamp))),
    records: part.map(({ timestamp, key, value, headers }, i) => ({
      offsetDelta: i,
      timestampDelta: BigInt(timestamp - baseTimestamp),
      key,
      value,
      headers: headers.map((header) => ({
        key: Buffer.from(header.key),
        value: header.value === null ? null : Buffer.from(header.value),
      })),
    })),
  });
}
