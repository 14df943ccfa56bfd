/**
 * The bytes of a store of keys: two trees of the database.
 *
 *     kv.<name>       key -> value         what was set
 *     kvtime.<name>   when + key -> ''     what is to be removed, and when; and what is known of the store
 *
 * A value begins with when it expires, so that whoever merges tables can drop it without knowing anything else:
 *
 *     +------------------+- - - - - - -
 *     | expiry, f64 LE   | the value
 *     | 0: never         |
 *     +------------------+- - - - - - -
 *     0                  8
 *
 * Keys are those of the caller, but for one thing: a tree has no empty key, and a store has. So the empty key and
 * all keys that begin with a zero byte get another zero byte in front, which keeps their order.
 *
 * In the second tree, a key that begins with 1 says when a key of the first is to be looked at:
 *
 *     +----+------------------+- - - - - - -
 *     | 01 | when, f64 BE     | the key, as in the first tree
 *     +----+------------------+- - - - - - -
 *     0    1                  9
 *
 * Positive floats have the order of their bits, so these keys are in the order of time. The keys `00 'c'`, `00 'a'` and
 * `00 'o'` hold the clock (f64 LE, the latest time that anything has expired by), its anchor (two f64 LE: what the clock
 * of the store and that of the machine said at one moment), and the format (JSON).
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { KEY_BYTES_MAX as TREE_KEY_BYTES_MAX } from '../lsm/operations.ts';

/** What stands in front of each value: when it expires, in milliseconds since the epoch, f64 LE; 0 is never. */
export const EXPIRY_BYTES = 8;
/** When a key is to be looked at: a byte and a time stand in front of it. */
const DUE_BYTES = 9;
const DUE_KIND = 1;
/** The longest key, in bytes, so that there is room for a zero byte and for a time in front of it. */
export const KEY_BYTES_MAX: number = TREE_KEY_BYTES_MAX - 1 - DUE_BYTES;
export const CLOCK_KEY: Uint8Array = Uint8Array.of(0, 0x63);
export const ANCHOR_KEY: Uint8Array = Uint8Array.of(0, 0x61);
export const FORMAT_KEY: Uint8Array = Uint8Array.of(0, 0x6f);
/** Behind all keys that say when. */
export const DUE_END: Uint8Array = Uint8Array.of(DUE_KIND + 1);

const ZERO = Buffer.alloc(1);

/** A key, as the tree has it, and what it is set to. */
export interface KvPut {
  readonly key: Uint8Array;
  readonly value: Uint8Array | string;
  /** By the clock of the store; 0 is never. */
  readonly expiryMs: number;
}

/** The names of the two trees of a store. */
export function treeNames(name: string): { data: string; time: string } {
  return { data: `kv.${name}`, time: `kvtime.${name}` };
}

/** The name of the store whose values a tree has; undefined where it is another tree. */
export function storeName(tree: string): string | undefined {
  return tree.startsWith('kv.') ? tree.slice(3) : undefined;
}

/**
 * A key as the tree has it.
 *
 * @throws TypeError where it is neither bytes nor a string; RangeError where it is too long
 */
export function treeKey(key: unknown): Uint8Array {
  const bytes = typeof key === 'string' ? Buffer.from(key) : key;
  if (!(bytes instanceof Uint8Array)) {
    throw new TypeError(`a key must be bytes or a string, not ${key === null ? 'null' : typeof key}`);
  }
  if (bytes.length > KEY_BYTES_MAX) {
    throw new RangeError(`a key of a store has at most ${KEY_BYTES_MAX} bytes, not ${bytes.length}`);
  }
  return bytes.length === 0 || bytes[0] === 0 ? Buffer.concat([ZERO, bytes]) : bytes;
}

/** A key as the caller has it: the same bytes, or a part of them. */
export function callerKey(key: Buffer): Buffer {
  return key[0] === 0 ? key.subarray(1) : key;
}

/** The key that says when another is to be looked at. */
export function dueKey(whenMs: number, key: Uint8Array): Buffer {
  const due = Buffer.allocUnsafe(DUE_BYTES + key.length);
  due[0] = DUE_KIND;
  due.writeDoubleBE(whenMs, 1);
  due.set(key, DUE_BYTES);
  return due;
}

/** What such a key says. */
export function readDueKey(due: Buffer): { whenMs: number; key: Buffer } {
  if (due.length <= DUE_BYTES || due[0] !== DUE_KIND) throw foreign('a time without a key');
  return { whenMs: due.readDoubleBE(1), key: due.subarray(DUE_BYTES) };
}

/** What the keys of the clock hold: times, one behind the other. */
export function clockTimes(...times: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * times.length);
  for (const [index, time] of times.entries()) bytes.writeDoubleLE(time, 8 * index);
  return bytes;
}

/** What is said of a tree that has the name of one of ours, and holds what no store has written. */
export function foreign(what: string): VarveError {
  return new VarveError('CORRUPT', `the trees of the store hold ${what}, which no store writes`);
}
