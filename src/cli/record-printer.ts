/**
 * Prints records by the million: bytes go from the batches, where they lie, to the output, and nothing is
 * made per record. What is printed is put together in a slab of the same memory, because a copy within
 * one is the cheapest there is.
 *
 * @module
 */

import { isUtf8 } from 'node:buffer';
import {
  COLUMN_BYTES,
  COLUMN_HEADERS,
  COLUMN_HEADERS_COUNT,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  COLUMN_VALUE,
  COLUMN_VALUE_LENGTH,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import type { RecordBatch } from '../record/batch.ts';
import { Columns, HeaderCursor } from './columns.ts';
import { isoTime } from './format.ts';

const PIECE_BYTES = 256 * 1024;
const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
/** More than the fixed parts of a record in JSON, numbers and time included. */
const FIXED_BYTES_MAX = 256;

/** Where printed bytes go: an `Output`, for one. */
export interface PrintTarget {
  /** Takes bytes that will not change any more. */
  give(bytes: Uint8Array): void;
}

/** Which records are printed. */
export interface Selection {
  fromOffset: number;
  /** The offset behind the last one. */
  toOffset: number;
  fromTimestamp: number;
  /** The timestamp behind the last one. */
  toTimestamp: number;
}

export class RecordPrinter {
  readonly #memory: Memory;
  readonly #output: PrintTarget;
  readonly #json: boolean;
  readonly #columns: Columns;
  readonly #headers: HeaderCursor;
  readonly #piece: Slab;
  readonly #all: Buffer;
  #at: number;
  #time = '';
  #timeTimestamp = Number.NaN;

  /** @param json whether to print JSON, one object a line, instead of values */
  constructor(memory: Memory, output: PrintTarget, json: boolean) {
    this.#memory = memory;
    this.#output = output;
    this.#json = json;
    this.#columns = new Columns(memory);
    this.#headers = new HeaderCursor(memory);
    this.#piece = memory.slabs.allocate(PIECE_BYTES, 'printer');
    this.#all = Buffer.from(memory.u8.buffer);
    this.#at = this.#piece.address;
  }

  /**
   * Prints what is selected of a batch.
   *
   * @param limit how many records at most
   * @returns how many it was
   * @throws VarveError `UNSUPPORTED` where the codec of a batch is not to be had, `CORRUPT` where its inside is broken
   */
  print(batch: RecordBatch, selection: Selection, limit: number): number {
    const columns = this.#columns.decode(batch);
    const { i32, f64 } = this.#memory;
    const { fromOffset, toOffset, fromTimestamp, toTimestamp } = selection;
    let printed = 0;
    for (let i = 0; i < batch.recordCount && printed < limit; i++) {
      const column = columns + i * COLUMN_BYTES;
      const offset = batch.baseOffset + (i32[(column + COLUMN_OFFSET_DELTA) >> 2] as number);
      if (offset < fromOffset || offset >= toOffset) continue;
      const timestamp = f64[(column + COLUMN_TIMESTAMP) >> 3] as number;
      if (timestamp < fromTimestamp || timestamp >= toTimestamp) continue;
      if (this.#json) this.#record(column, offset, timestamp);
      else
        this.#bytes(
          i32[(column + COLUMN_VALUE) >> 2] as number,
          i32[(column + COLUMN_VALUE_LENGTH) >> 2] as number,
        );
      this.#byte(NEWLINE);
      printed++;
    }
    return printed;
  }

  /** Hands what was printed to the output. */
  flush(): void {
    const bytes = this.#at - this.#piece.address;
    if (bytes > 0) this.#output.give(this.#memory.copy(this.#piece.address, bytes));
    this.#at = this.#piece.address;
  }

  /** Gives the memory back. */
  close(): void {
    this.#columns.close();
    this.#piece.release();
  }

  #record(column: number, offset: number, timestamp: number): void {
    const { i32 } = this.#memory;
    this.#text(`{"offset":${offset},"timestamp":${timestamp},"time":${this.#timeText(timestamp)},"key":`);
    this.#value(i32[(column + COLUMN_KEY) >> 2] as number, i32[(column + COLUMN_KEY_LENGTH) >> 2] as number);
    this.#text(',"value":');
    this.#value(
      i32[(column + COLUMN_VALUE) >> 2] as number,
      i32[(column + COLUMN_VALUE_LENGTH) >> 2] as number,
    );
    this.#text(',"headers":[');
    const headers = this.#headers;
    headers.start(
      i32[(column + COLUMN_HEADERS) >> 2] as number,
      i32[(column + COLUMN_HEADERS_COUNT) >> 2] as number,
    );
    for (let isFirst = true; headers.next(); isFirst = false) {
      this.#text(isFirst ? '{"key":' : ',{"key":');
      this.#value(headers.keyAddress, headers.keyLength);
      this.#text(',"value":');
      this.#value(headers.valueAddress, headers.valueLength);
      this.#byte(125);
    }
    this.#text(']}');
  }

  /** Log lines share their second, and a date is dear. */
  #timeText(timestamp: number): string {
    if (timestamp !== this.#timeTimestamp) {
      this.#timeTimestamp = timestamp;
      this.#time = JSON.stringify(isoTime(timestamp) ?? null);
    }
    return this.#time;
  }

  /** Text as a string; bytes that are no text as `{ "base64": … }`; null as null. */
  #value(address: number, length: number): void {
    if (length < 0) {
      this.#text('null');
    } else if (this.#isPlain(address, length)) {
      this.#byte(QUOTE);
      this.#bytes(address, length);
      this.#byte(QUOTE);
    } else {
      const bytes = this.#memory.copy(address, length);
      const json = JSON.stringify(isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') });
      this.#long(Buffer.from(json));
    }
  }

  /** Whether the bytes stand for themselves in JSON: printable ASCII, without quotes and backslashes. */
  #isPlain(address: number, length: number): boolean {
    const { u8 } = this.#memory;
    for (let i = address; i < address + length; i++) {
      const byte = u8[i] as number;
      if (byte < 32 || byte > 126 || byte === QUOTE || byte === BACKSLASH) return false;
    }
    return true;
  }

  /** ASCII, and not much of it. */
  #text(text: string): void {
    this.#reserve(FIXED_BYTES_MAX);
    this.#at += this.#all.write(text, this.#at, 'latin1');
  }

  #byte(byte: number): void {
    this.#reserve(1);
    this.#memory.u8[this.#at++] = byte;
  }

  /** Bytes of the shared memory; none where the length is that of null. */
  #bytes(address: number, length: number): void {
    if (length <= 0) return;
    if (length > PIECE_BYTES) {
      this.#long(this.#memory.copy(address, length));
      return;
    }
    this.#reserve(length);
    this.#memory.u8.copyWithin(this.#at, address, address + length);
    this.#at += length;
  }

  #long(bytes: Uint8Array): void {
    this.flush();
    this.#output.give(bytes);
  }

  #reserve(bytes: number): void {
    if (this.#at + bytes > this.#piece.address + PIECE_BYTES) this.flush();
  }
}
