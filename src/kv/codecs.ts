/** What callers hand in and get back as keys and values, and the bytes that are kept of it. */

import { checkOneOf } from '../options.ts';

/** What a value is: bytes, a string, or whatever JSON can say. It is kept with the store. */
export type KvValues = 'bytes' | 'utf8' | 'json';
/** What keys are handed out as. */
export type KvKeys = 'utf8' | 'bytes';

export const VALUES: readonly KvValues[] = ['bytes', 'utf8', 'json'];
export const KEYS: readonly KvKeys[] = ['utf8', 'bytes'];

/** Turns values into what is written, and back. */
export interface ValueCodec<V> {
  readonly name: KvValues;
  /** @throws TypeError where it is no such value */
  encode(value: V): Uint8Array | string;
  /** @param bytes which are the caller's own */
  decode(bytes: Buffer): V;
}

const bytesCodec: ValueCodec<Uint8Array> = {
  name: 'bytes',
  encode(value) {
    if (value instanceof Uint8Array || typeof value === 'string') return value;
    throw new TypeError(`a value must be bytes or a string, not ${nameOf(value)}`);
  },
  decode: (bytes) => bytes,
};

const utf8Codec: ValueCodec<string> = {
  name: 'utf8',
  encode(value) {
    if (typeof value === 'string') return value;
    throw new TypeError(`a value must be a string, not ${nameOf(value)}`);
  },
  decode: (bytes) => bytes.toString(),
};

const jsonCodec: ValueCodec<unknown> = {
  name: 'json',
  encode(value) {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`JSON cannot say a value that is ${nameOf(value)}`);
    return text;
  },
  decode: (bytes) => JSON.parse(bytes.toString()) as unknown,
};

/** What something is, for messages. */
export function nameOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}

/** @throws TypeError where there is no such codec */
export function codecOf(name: KvValues): ValueCodec<unknown> {
  checkOneOf('values', name, VALUES);
  if (name === 'json') return jsonCodec;
  return name === 'utf8' ? utf8Codec : bytesCodec;
}
