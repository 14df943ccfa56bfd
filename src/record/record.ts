/**
 * A record, as it goes in and as it comes out.
 *
 * @module
 */

import { type Bytes, decodeHeaders, type Header, type HeaderInput } from './headers.ts';

/** What is appended. */
export interface RecordInput {
  /** What the record is about; null or left out: no key. */
  key?: Bytes | null;
  /** The payload; null or left out: no value (a tombstone, on a compacted log). */
  value?: Bytes | null;
  /** Milliseconds since the epoch, a safe integer; the log's clock unless given. */
  timestamp?: number;
  headers?: readonly HeaderInput[];
}

const FIELDS = ['key', 'value', 'timestamp', 'headers'];

function copyBytes<T>(bytes: T): T | Uint8Array {
  return bytes instanceof Uint8Array ? new Uint8Array(bytes) : bytes;
}

/** A copy that shares no byte with the original, whose owner may go on to use it. */
export function copyRecord({ key, value, timestamp, headers }: RecordInput): RecordInput {
  const copy: RecordInput = {};
  if (key !== undefined) copy.key = copyBytes(key);
  if (value !== undefined) copy.value = copyBytes(value);
  if (timestamp !== undefined) copy.timestamp = timestamp;
  if (headers !== undefined)
    copy.headers = headers.map((header) => ({ key: header.key, value: copyBytes(header.value) }));
  return copy;
}

/**
 * Checks that a record has no other fields than a record has: one that is misspelt would be lost without a word.
 *
 * @throws TypeError with its name
 */
export function checkFields(record: RecordInput): void {
  for (const name of Object.keys(record)) {
    if (!FIELDS.includes(name))
      throw new TypeError(`a record has no field ${name}; it has ${FIELDS.join(', ')}`);
  }
}

const NO_HEADERS: Buffer = Buffer.alloc(0);

/** A record as it was read: its bytes are copies that never change. */
export class LogRecord {
  /** Its number in the log. */
  readonly offset: number;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly #headers: Buffer;
  readonly #headerCount: number;

  /**
   * @param headers the headers in wire form, validated, starting with the first one
   * @param headerCount how many
   */
  constructor(
    offset: number,
    timestamp: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: Buffer = NO_HEADERS,
    headerCount = 0,
  ) {
    this.offset = offset;
    this.timestamp = timestamp;
    this.key = key;
    this.value = value;
    this.#headers = headers;
    this.#headerCount = headerCount;
  }

  /** The headers, decoded at each call. */
  get headers(): Header[] {
    return this.#headerCount === 0 ? [] : decodeHeaders(this.#headers, this.#headerCount);
  }

  /** How many headers there are, without decoding them. */
  get headerCount(): number {
    return this.#headerCount;
  }
}
