/**
 * Operations, as they go into the write-ahead log and from there into memtables: one record has those of one
 * atomic batch, over any trees.
 *
 *     +--------+-------------+-------------+- - -
 *     | format | operation 0 | operation 1 |
 *     |  u8    |             |             |
 *     +--------+-------------+-------------+- - -
 *
 *     operation:  kind u8 | tree varint | key length varint | second length varint | key | second
 *
 * The kind is 1 put, 2 delete or 3 delete a range. The second is the value of a put, and the end of a range;
 * a deletion of one key has neither it nor its length. Varints have seven bits a byte, low bits first, and
 * are not signed; none is above 2^31 - 1.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { VarveError } from '../errors.ts';
import { KIND_DELETE, KIND_DELETE_RANGE, KIND_PUT, OPERATIONS_FORMAT } from '../memory/lsm-layout.ts';

/** The largest key, in bytes; the smallest has one. */
export const KEY_BYTES_MAX = 65_535;
/** What an operation takes beyond its key and value: its kind and three varints. */
const OVERHEAD_BYTES = 16;
const INITIAL_BYTES = 4096;
/** Bytes are moved to the shared memory in words, so both ends of what is moved are aligned. */
const WORD_BYTES = 8;

/** An operation, as `decodeOperations` returns it. Its bytes are views of what was decoded. */
export interface Operation {
  kind: number;
  tree: number;
  key: Buffer;
  /** The value of a put; the end of a range; null of a deletion. */
  second: Buffer | null;
}

/** Encodes the operations of one batch, in private memory that it keeps for the next. */
export class OperationsEncoder {
  #bytes: Buffer;
  #length = 0;
  #count = 0;

  /** @param bytes so much is expected, encoded */
  constructor(bytes = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(INITIAL_BYTES, bytes));
  }

  /** How many operations there are. */
  get count(): number {
    return this.#count;
  }

  /** Where it is encoded: until more is reserved. */
  get buffer(): Buffer {
    return this.#bytes;
  }

  /** Encoded bytes so far; 0 where there is no operation. */
  get length(): number {
    return this.#length;
  }

  /** The encoded bytes: a view, until the next `clear`. It begins at a word of its `ArrayBuffer`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = this.#count = 0;
  }

  put(tree: number, key: Uint8Array, value: Uint8Array): void {
    const at = this.#begin(KIND_PUT, tree, key, value.length);
    this.#bytes.set(value, at);
    this.#length = at + value.length;
  }

  /**
   * Begins a put whose key and value the caller encodes in place, into `buffer`, without a gap between them.
   *
   * @returns where the key goes; `finishPut` says that both are there
   */
  beginPut(tree: number, keyLength: number, valueLength: number): number {
    return this.#head(KIND_PUT, tree, keyLength, valueLength);
  }

  /** @param end where the value ends */
  finishPut(end: number): void {
    this.#length = end;
    this.#count++;
  }

  delete(tree: number, key: Uint8Array): void {
    this.#length = this.#begin(KIND_DELETE, tree, key, -1);
  }

  /** @param end the key where the range ends, which does not belong to it */
  deleteRange(tree: number, start: Uint8Array, end: Uint8Array): void {
    const at = this.#begin(KIND_DELETE_RANGE, tree, start, end.length);
    this.#bytes.set(end, at);
    this.#length = at + end.length;
  }

  /** Writes an operation up to its key; returns where the second goes. */
  #begin(kind: number, tree: number, key: Uint8Array, secondLength: number): number {
    const at = this.#head(kind, tree, key.length, secondLength);
    this.#bytes.set(key, at);
    this.#count++;
    return at + key.length;
  }

  /** Writes what comes before the key; returns where that goes. */
  #head(kind: number, tree: number, keyLength: number, secondLength: number): number {
    assert(keyLength >= 1 && keyLength <= KEY_BYTES_MAX, 'a key is of the right length');
    this.#reserve(OVERHEAD_BYTES + keyLength + Math.max(0, secondLength));
    const bytes = this.#bytes;
    let at = this.#length;
    if (at === 0) bytes[at++] = OPERATIONS_FORMAT;
    bytes[at++] = kind;
    at = writeVarint(bytes, at, tree);
    at = writeVarint(bytes, at, keyLength);
    return secondLength >= 0 ? writeVarint(bytes, at, secondLength) : at;
  }

  #reserve(more: number): void {
    const needed = this.#length + more + WORD_BYTES;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(needed)));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x80) {
    bytes[at++] = (value & 0x7f) | 0x80;
    value >>>= 7;
  }
  bytes[at++] = value;
  return at;
}

/**
 * Decodes what one record of the write-ahead log holds.
 *
 * @param bytes its value
 * @param sequence its offset, for what is said where it is broken
 * @throws VarveError `CORRUPT`; `UNSUPPORTED` where a newer build wrote it
 */
export function* decodeOperations(bytes: Buffer, sequence: number): Generator<Operation> {
  const broken = (): VarveError => brokenOperations(sequence);
  let at = 1;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 28; scale *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw broken();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw broken();
  };
  if (bytes[0] !== OPERATIONS_FORMAT) throw broken();
  while (at < bytes.length) {
    const kind = bytes[at++] as number;
    if (kind < KIND_PUT || kind > KIND_DELETE_RANGE) throw broken();
    const tree = varint();
    const keyLength = varint();
    const secondLength = kind === KIND_DELETE ? 0 : varint();
    const end = at + keyLength + secondLength;
    if (keyLength === 0 || end > bytes.length) throw broken();
    const key = bytes.subarray(at, at + keyLength);
    const second = kind === KIND_DELETE ? null : bytes.subarray(at + keyLength, end);
    at = end;
    yield { kind, tree, key, second };
  }
}

/** What is said of a record of the write-ahead log that holds no operations. */
export function brokenOperations(sequence: number): VarveError {
  return new VarveError('CORRUPT', `the record ${sequence} of the write-ahead log holds no operations`, {
    offsets: { first: sequence, last: sequence },
  });
}
