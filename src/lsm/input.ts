/** Checks of what callers hand in: keys, values, and where they are wrong. */

import { KEY_BYTES_MAX } from './operations.ts';

/** Bytes, or a string that is encoded as UTF-8. */
export type TreeBytes = Uint8Array | string;

/**
 * Checks a key.
 *
 * @param what what it is called
 * @throws TypeError where it is neither bytes nor a string
 * @throws RangeError where it is empty, or has more than 65,535 bytes
 */
export function checkKey(key: unknown, what = 'a key'): Uint8Array {
  const bytes = toBytes(key, what);
  if (bytes.length === 0) throw new RangeError(`${what} must not be empty`);
  if (bytes.length > KEY_BYTES_MAX) {
    throw new RangeError(`${what} has at most ${KEY_BYTES_MAX} bytes, not ${bytes.length}`);
  }
  return bytes;
}

/**
 * Checks a value.
 *
 * @param maxBytes how long it may be
 * @throws TypeError, RangeError
 */
export function checkValue(value: unknown, maxBytes: number): Uint8Array {
  const bytes = toBytes(value, 'a value');
  if (bytes.length > maxBytes) {
    throw new RangeError(`a value has at most ${maxBytes} bytes here, not ${bytes.length}`);
  }
  return bytes;
}

function toBytes(value: unknown, what: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value);
  throw new TypeError(`${what} must be bytes or a string, not ${value === null ? 'null' : typeof value}`);
}
