/**
 * Encodes log entries as puts of one batch, straight into the bytes that go to the write-ahead log. Texts are
 * taken for ASCII, of which it is known how long they are, until one of them turns out not to be.
 *
 * @module
 */

import { OperationsEncoder } from '../lsm/operations.ts';
import { TAG_HASHES } from '../memory/table-layout.ts';
import {
  componentHash,
  fnv1a,
  HAS_COMPONENT,
  HAS_METADATA,
  HAS_VERSION,
  HEAD_BYTES,
  IS_ASCII,
  KEY_BYTES,
  VALUE_FLAGS,
  VALUE_HASH,
  VALUE_LEVEL,
  varintBytes,
  writeVarint,
} from './format.ts';
import {
  type CheckedTime,
  checkEntry,
  checkLevel,
  checkText,
  checkTime,
  type EventInput,
  metadataText,
} from './input.ts';
import { lowerHalf, upperHalf } from './time.ts';

/** An entry whose texts lie in memory. */
export interface EventBytes {
  memory: Uint8Array;
  ms: number;
  nanoseconds: number;
  level: number;
  component: number;
  /** 0 where it has none. */
  componentBytes: number;
  message: number;
  messageBytes: number;
  /** JSON, which lies at the beginning of other bytes. */
  metadata: Uint8Array;
  /** 0 where there is none. */
  metadataBytes: number;
}

/** A text that comes again and again. */
interface KnownText {
  bytes: Uint8Array;
  isAscii: boolean;
  hash: number;
}

const KNOWN_MAX = 4096;
/** Shorter texts are copied a character at a time, which costs less than a call. */
const LOOP_CHARACTERS = 24;
const NO_TEXT: KnownText = {
  bytes: new Uint8Array(0),
  isAscii: true,
  hash: componentHash(new Uint8Array(0)),
};

export class EventEncoder {
  readonly operations: OperationsEncoder = new OperationsEncoder();
  readonly maxValueBytes: number;
  readonly #time: CheckedTime = { ms: 0, nanoseconds: 0 };
  #known: Map<string, KnownText> = new Map();
  #lastText = '';
  #lastKnown: KnownText = NO_TEXT;

  /** @param maxValueBytes what a value has at most */
  constructor(maxValueBytes: number) {
    this.maxValueBytes = maxValueBytes;
  }

  /**
   * Adds an entry.
   *
   * @param tree the number of its tree
   * @param nowMs its time, where it has none
   * @param arrivalUpper the upper half of its arrival
   * @param arrivalLower the lower half
   * @throws TypeError, RangeError naming what is wrong; the batch is as it was then
   */
  add(tree: number, entry: EventInput, nowMs: number, arrivalUpper: number, arrivalLower: number): void {
    checkEntry(entry);
    // What is looked at may call back, and write other entries with this encoder: each field is looked at once, and
    // nothing is begun before that is done.
    const level = checkLevel(entry.level);
    const message = checkText('message', entry.message);
    const { component: who, version: which, metadata: more } = entry;
    const component = who === undefined ? NO_TEXT : this.#know('component', who);
    const version = which === undefined ? NO_TEXT : this.#know('version', which);
    const metadata = more === undefined ? '' : metadataText(more);
    let flags = 0;
    if (who !== undefined) flags |= HAS_COMPONENT;
    if (which !== undefined) flags |= HAS_VERSION;
    if (metadata !== '') flags |= HAS_METADATA;
    checkTime(entry, nowMs, this.#time);
    const { operations } = this;
    if (component.isAscii && version.isAscii) {
      const bytes = valueBytes(flags, component, version, metadata.length, message.length);
      this.#checkLength(bytes);
      const at = this.#begin(tree, bytes, arrivalUpper, arrivalLower);
      const text = this.#head(at, level, flags | IS_ASCII, component, version, metadata.length);
      const end = this.#ascii(metadata, text);
      const behind = end < 0 ? -1 : this.#ascii(message, end);
      if (behind >= 0) {
        operations.finishPut(behind);
        return;
      }
    }
    const metadataBytes = Buffer.byteLength(metadata);
    const bytes = valueBytes(flags, component, version, metadataBytes, Buffer.byteLength(message));
    this.#checkLength(bytes);
    const at = this.#begin(tree, bytes, arrivalUpper, arrivalLower);
    let text = this.#head(at, level, flags, component, version, metadataBytes);
    text += operations.buffer.write(metadata, text);
    operations.finishPut(text + operations.buffer.write(message, text));
  }

  /**
   * Adds an entry whose texts lie in memory as they are, which is UTF-8.
   *
   * @param entry its time is right, and its level a code
   */
  addBytes(tree: number, entry: EventBytes, arrivalUpper: number, arrivalLower: number): void {
    const { memory, component, componentBytes, message, messageBytes, metadata, metadataBytes } = entry;
    let flags = componentBytes === 0 ? 0 : HAS_COMPONENT;
    if (metadataBytes > 0) flags |= HAS_METADATA;
    let bytes = HEAD_BYTES + componentBytes + metadataBytes + messageBytes;
    if (componentBytes > 0) bytes += varintBytes(componentBytes);
    if (metadataBytes > 0) bytes += varintBytes(metadataBytes);
    this.#checkLength(bytes);
    this.#time.ms = entry.ms;
    this.#time.nanoseconds = entry.nanoseconds;
    const at = this.#begin(tree, bytes, arrivalUpper, arrivalLower);
    const { buffer } = this.operations;
    buffer[at + VALUE_LEVEL] = entry.level;
    let to = at + HEAD_BYTES;
    if (componentBytes > 0) to = writeVarint(buffer, to, componentBytes);
    if (metadataBytes > 0) to = writeVarint(buffer, to, metadataBytes);
    let bits = copyFrom(memory, component, componentBytes, buffer, to);
    buffer[at + VALUE_HASH] = fnv1a(buffer, to, to + componentBytes) % TAG_HASHES;
    to += componentBytes;
    bits |= copyFrom(metadata, 0, metadataBytes, buffer, to);
    to += metadataBytes;
    bits |= copyFrom(memory, message, messageBytes, buffer, to);
    buffer[at + VALUE_FLAGS] = bits < 0x80 ? flags | IS_ASCII : flags;
    this.operations.finishPut(to + messageBytes);
  }

  clear(): void {
    this.operations.clear();
  }

  #checkLength(bytes: number): void {
    if (bytes > this.maxValueBytes)
      throw new RangeError(`an entry has at most ${this.maxValueBytes} bytes here, not ${bytes}`);
  }

  /** Begins the put, and writes its key; returns where the value goes. */
  #begin(tree: number, bytes: number, arrivalUpper: number, arrivalLower: number): number {
    const at = this.operations.beginPut(tree, KEY_BYTES, bytes);
    const { buffer } = this.operations;
    const { ms, nanoseconds } = this.#time;
    writeHalf(buffer, at, upperHalf(ms, nanoseconds));
    writeHalf(buffer, at + 4, lowerHalf(ms, nanoseconds));
    writeHalf(buffer, at + 8, arrivalUpper);
    writeHalf(buffer, at + 12, arrivalLower);
    return at + KEY_BYTES;
  }

  /** Writes a value up to its metadata; returns where that goes. */
  #head(
    at: number,
    level: number,
    flags: number,
    component: KnownText,
    version: KnownText,
    metadataBytes: number,
  ): number {
    const { buffer } = this.operations;
    buffer[at + VALUE_LEVEL] = level;
    buffer[at + VALUE_HASH] = component.hash;
    buffer[at + VALUE_FLAGS] = flags;
    let to = at + HEAD_BYTES;
    if ((flags & HAS_COMPONENT) !== 0) to = writeVarint(buffer, to, component.bytes.length);
    if ((flags & HAS_VERSION) !== 0) to = writeVarint(buffer, to, version.bytes.length);
    if ((flags & HAS_METADATA) !== 0) to = writeVarint(buffer, to, metadataBytes);
    return copy(buffer, copy(buffer, to, component.bytes), version.bytes);
  }

  /** Writes a text that may be ASCII; returns where it ends, or -1 where it is not. */
  #ascii(text: string, at: number): number {
    const { buffer } = this.operations;
    const { length } = text;
    if (length <= LOOP_CHARACTERS) {
      let bits = 0;
      for (let i = 0; i < length; i++) {
        const code = text.charCodeAt(i);
        bits |= code;
        buffer[at + i] = code;
      }
      return bits < 0x80 ? at + length : -1;
    }
    // There is room for as many bytes as characters, and perhaps more: others do not fit, or leave some out.
    return buffer.write(text, at) === length ? at + length : -1;
  }

  /** The bytes of a text that comes again. */
  #know(name: string, value: unknown): KnownText {
    if (value === this.#lastText) return this.#lastKnown;
    const text = checkText(name, value);
    let known = this.#known.get(text);
    if (known === undefined) {
      const bytes = Buffer.from(text);
      known = { bytes, isAscii: bytes.length === text.length, hash: componentHash(bytes) };
      if (this.#known.size >= KNOWN_MAX) this.#known = new Map();
      this.#known.set(text, known);
    }
    this.#lastText = text;
    this.#lastKnown = known;
    return known;
  }
}

function valueBytes(
  flags: number,
  component: KnownText,
  version: KnownText,
  metadataBytes: number,
  messageBytes: number,
): number {
  let bytes = HEAD_BYTES + component.bytes.length + version.bytes.length + metadataBytes + messageBytes;
  if ((flags & HAS_COMPONENT) !== 0) bytes += varintBytes(component.bytes.length);
  if ((flags & HAS_VERSION) !== 0) bytes += varintBytes(version.bytes.length);
  if ((flags & HAS_METADATA) !== 0) bytes += varintBytes(metadataBytes);
  return bytes;
}

function writeHalf(bytes: Uint8Array, at: number, half: number): void {
  bytes[at] = half >>> 24;
  bytes[at + 1] = half >>> 16;
  bytes[at + 2] = half >>> 8;
  bytes[at + 3] = half;
}

/** Copies bytes; returns all bits that any of them has. */
function copyFrom(from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): number {
  let bits = 0;
  for (let i = 0; i < length; i++) {
    const byte = from[at + i] as number;
    bits |= byte;
    to[toAt + i] = byte;
  }
  return bits;
}

function copy(to: Uint8Array, at: number, from: Uint8Array): number {
  for (let i = 0; i < from.length; i++) to[at + i] = from[i] as number;
  return at + from.length;
}
