/**
 * Log entries as callers are handed them: the page that they lie in, and where. Texts are made when they are
 * asked for; those of a page are parts of one, so that an entry costs no call.
 *
 * @module
 */

import { LEVEL_NAMES, type Level } from '../levels.ts';
import { PAGE_ENTRY_HEADER_BYTES } from '../memory/table-layout.ts';
import {
  HAS_COMPONENT,
  HAS_METADATA,
  HAS_VERSION,
  HEAD_BYTES,
  IS_ASCII,
  KEY_BYTES,
  VALUE_FLAGS,
  VALUE_LEVEL,
} from './format.ts';
import { millisecondsOf, nanosecondsOf, toBigInt } from './time.ts';

/** Entries one behind the other, as an iterator of the tree gives them, and their texts. */
export class Page {
  readonly bytes: Buffer;
  readonly words: Int32Array;
  #text: string | undefined;

  constructor(bytes: Buffer, words: Int32Array) {
    this.bytes = bytes;
    this.words = words;
  }

  /** A page of one entry. */
  static of(key: Uint8Array, value: Uint8Array): Page {
    const bytes = Buffer.alloc(PAGE_ENTRY_HEADER_BYTES + key.length + value.length);
    bytes.writeUInt32LE(key.length, 0);
    bytes.writeUInt32LE(value.length, 4);
    bytes.set(key, PAGE_ENTRY_HEADER_BYTES);
    bytes.set(value, PAGE_ENTRY_HEADER_BYTES + key.length);
    return new Page(bytes, Int32Array.of(key.length, value.length));
  }

  /** All bytes as characters, which those of ASCII are. */
  get text(): string {
    this.#text ??= this.bytes.toString('latin1');
    return this.#text;
  }
}

/** The fields of an entry that JSON has. */
export interface EventJson {
  /** Milliseconds since the epoch. */
  timestamp: number;
  /** Left out where there are none. */
  nanoseconds?: number;
  level: Level;
  component?: string;
  version?: string;
  message: string;
  metadata?: Record<string, unknown>;
}

/** Four bytes as a number, the first one the highest. */
function half(bytes: Uint8Array, at: number): number {
  const upper = (bytes[at] as number) * 0x1000000;
  return (
    upper + (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
  );
}

/** The whole milliseconds of a key. */
export function keyMilliseconds(bytes: Uint8Array, at: number): number {
  return millisecondsOf(half(bytes, at), half(bytes, at + 4));
}

/** A log entry that was read. It may be kept; it keeps the 16 KiB that it was read with others in. */
export class EventEntry {
  readonly #page: Page;
  /** Where in the page its key begins, and where its value ends. */
  readonly #key: number;
  readonly #end: number;

  /** Use `Events.read`. */
  constructor(page: Page, at: number) {
    this.#page = page;
    this.#key = at + PAGE_ENTRY_HEADER_BYTES;
    this.#end = this.#key + KEY_BYTES + (page.words[(at >> 2) + 1] as number);
  }

  /** Milliseconds since the epoch. */
  get timestamp(): number {
    return keyMilliseconds(this.#page.bytes, this.#key);
  }

  /** What its time has beyond milliseconds, from 0 to 999,999. */
  get nanoseconds(): number {
    const { bytes } = this.#page;
    return nanosecondsOf(half(bytes, this.#key), half(bytes, this.#key + 4));
  }

  /** Nanoseconds since the epoch. */
  get timestampNs(): bigint {
    return toBigInt(this.timestamp, this.nanoseconds);
  }

  /** The time as ISO-8601 in UTC, with milliseconds, or with nanoseconds where there are any. */
  get iso(): string {
    const text = new Date(this.timestamp).toISOString();
    const { nanoseconds } = this;
    return nanoseconds === 0 ? text : `${text.slice(0, -1)}${String(nanoseconds).padStart(6, '0')}Z`;
  }

  get level(): Level {
    return LEVEL_NAMES[this.#page.bytes[this.#value + VALUE_LEVEL] as number] as Level;
  }

  get component(): string | undefined {
    return (this.#flags & HAS_COMPONENT) === 0 ? undefined : this.#text(0);
  }

  get version(): string | undefined {
    return (this.#flags & HAS_VERSION) === 0 ? undefined : this.#text(1);
  }

  get message(): string {
    return this.#text(3);
  }

  /** Made anew of its JSON each time. */
  get metadata(): Record<string, unknown> | undefined {
    if ((this.#flags & HAS_METADATA) === 0) return undefined;
    return JSON.parse(this.#text(2)) as Record<string, unknown>;
  }

  toJSON(): EventJson {
    const { timestamp, nanoseconds, level, component, version, message, metadata } = this;
    return {
      timestamp,
      ...(nanoseconds !== 0 && { nanoseconds }),
      level,
      ...(component !== undefined && { component }),
      ...(version !== undefined && { version }),
      message,
      ...(metadata !== undefined && { metadata }),
    };
  }

  /** Key and value as the store has them, end to end: see docs/FORMAT.md. A copy. */
  toBytes(): Buffer {
    return Buffer.from(this.#page.bytes.subarray(this.#key, this.#end));
  }

  get #value(): number {
    return this.#key + KEY_BYTES;
  }

  get #flags(): number {
    return this.#page.bytes[this.#value + VALUE_FLAGS] as number;
  }

  /** One of the texts in their order: component, version, metadata, message. */
  #text(wanted: number): string {
    const { bytes } = this.#page;
    const flags = this.#flags;
    let lengthAt = this.#value + HEAD_BYTES;
    let skip = 0;
    let length = 0;
    for (let text = 0; text < 3; text++) {
      if (((flags >> text) & 1) === 0) continue;
      const byte = bytes[lengthAt++] as number;
      let value = byte & 0x7f;
      for (let shift = 7, more = byte; more >= 0x80; shift += 7) {
        more = bytes[lengthAt++] as number;
        value += (more & 0x7f) * 2 ** shift;
      }
      if (text < wanted) skip += value;
      else if (text === wanted) length = value;
    }
    const start = lengthAt + skip;
    const end = wanted === 3 ? this.#end : start + length;
    return (flags & IS_ASCII) === 0 ? bytes.toString('utf8', start, end) : this.#page.text.slice(start, end);
  }
}

/**
 * An entry of the bytes that `EventEntry.toBytes` returned.
 *
 * @throws TypeError, RangeError where they cannot be those
 */
export function eventFromBytes(bytes: Uint8Array): EventEntry {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('an entry is made of a Uint8Array or a Buffer');
  const least = KEY_BYTES + HEAD_BYTES;
  if (bytes.length < least) throw new RangeError(`an entry has ${least} bytes or more, not ${bytes.length}`);
  const value = Buffer.from(bytes.subarray(KEY_BYTES));
  if ((value[VALUE_LEVEL] as number) >= LEVEL_NAMES.length || messageStart(value, 0) > value.length)
    throw new RangeError('the bytes are no entry');
  return new EventEntry(Page.of(bytes.subarray(0, KEY_BYTES), value), 0);
}

/** Where the message of an entry begins. */
export function messageStart(bytes: Uint8Array, value: number): number {
  const flags = bytes[value + VALUE_FLAGS] as number;
  let at = value + HEAD_BYTES;
  let skip = 0;
  for (let text = 0; text < 3; text++) {
    if (((flags >> text) & 1) === 0) continue;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++] as number;
      skip += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
    }
  }
  return at + skip;
}
