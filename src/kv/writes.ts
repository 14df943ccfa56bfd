/**
 * Writes that look at what there is: conditions, times to live, numbers, ranges.
 *
 * @module
 */

import type { WriteOptions } from '../lsm/tree.ts';
import { booleanOption, checkInteger, checkOneOf, checkOptions } from '../options.ts';
import type { KvCore } from './core.ts';
import { type KvRange, treeRange } from './range.ts';

/** What a promise can wait for. */
export type KvDurability = NonNullable<WriteOptions['durability']>;

export interface WriteLevel {
  /** What the promise waits for; the level of the write-ahead log unless given. */
  durability?: KvDurability;
}

/** When a key expires. */
export interface TouchOptions extends WriteLevel {
  /** So many milliseconds from now on, at least 1. */
  ttlMs?: number;
  /** At this time, in milliseconds since the epoch. One that has passed removes the key. */
  expiresAt?: number;
}

/** How a key is set, and on what condition. */
export interface SetOptions extends TouchOptions {
  /** Only where it is not there. */
  ifAbsent?: boolean;
  /** Only where it is there. */
  ifPresent?: boolean;
  /** Only where it has this version, which `set` has returned or `getEntry` tells. */
  ifVersion?: number;
  /** It expires when it would have expired. */
  keepTtl?: boolean;
}

const LEVELS: readonly KvDurability[] = ['accepted', 'written', 'synced'];
const SET_OPTIONS = ['ttlMs', 'expiresAt', 'durability', 'ifAbsent', 'ifPresent', 'ifVersion', 'keepTtl'];

/**
 * The level that a write waits for.
 *
 * @param names the options that there are, where they have not been looked at
 */
export function levelOf(
  options: WriteLevel | undefined,
  names?: readonly string[],
): KvDurability | undefined {
  if (options === undefined) return undefined;
  if (names !== undefined) checkOptions('options', options, names);
  const { durability } = options;
  return durability === undefined ? undefined : checkOneOf('durability', durability, LEVELS);
}

/** When a key is to expire; undefined where nothing is said of it. */
export function setExpiry(core: KvCore, { ttlMs, expiresAt }: TouchOptions): number | undefined {
  if (ttlMs !== undefined) {
    if (expiresAt !== undefined) throw new TypeError('only one of ttlMs and expiresAt can be given');
    const nowMs = core.clock.now();
    return nowMs + checkInteger('ttlMs', ttlMs, 1, Number.MAX_SAFE_INTEGER - nowMs);
  }
  if (expiresAt === undefined) return undefined;
  return core.clock.named(checkInteger('expiresAt', expiresAt, 0, Number.MAX_SAFE_INTEGER));
}

/** Sets a key, as `KvStore.set` does. */
export function setValue(
  core: KvCore,
  key: Uint8Array,
  value: Uint8Array | string,
  options: SetOptions | undefined,
): Promise<number | undefined> {
  if (options === undefined) {
    return core.write(false, undefined, () => {
      core.put(key, value, 0);
      return true;
    });
  }
  checkOptions('options', options, SET_OPTIONS);
  const { ifVersion } = options;
  const ifAbsent = booleanOption('ifAbsent', options.ifAbsent, false);
  const ifPresent = booleanOption('ifPresent', options.ifPresent, false);
  const keepTtl = booleanOption('keepTtl', options.keepTtl, false);
  if (ifVersion !== undefined) checkInteger('ifVersion', ifVersion, 0, Number.MAX_SAFE_INTEGER);
  const conditions = Number(ifAbsent) + Number(ifPresent) + Number(ifVersion !== undefined);
  if (conditions > 1) throw new TypeError('only one of ifAbsent, ifPresent and ifVersion can be given');
  const expiryMs = setExpiry(core, options);
  if (keepTtl && expiryMs !== undefined) throw new TypeError('keepTtl goes with neither ttlMs nor expiresAt');
  const looks = conditions > 0 || keepTtl;
  return core.write(looks, levelOf(options), () => {
    let kept = 0;
    if (looks) {
      const isThere = core.find(key, core.data.latest);
      if (ifAbsent && isThere) return false;
      if (ifPresent && !isThere) return false;
      if (ifVersion !== undefined && !(isThere && core.version === ifVersion)) return false;
      if (isThere && keepTtl) kept = core.expiryMs;
    }
    core.put(key, value, expiryMs ?? kept);
    return true;
  });
}

/** Adds to a number, as `KvStore.increment` does. */
export async function incrementBy(
  core: KvCore,
  key: Uint8Array,
  by: number,
  options: TouchOptions = {},
): Promise<number> {
  const fresh = setExpiry(core, options) ?? 0;
  let sum = by;
  await core.write(true, levelOf(options), () => {
    let expiryMs = fresh;
    sum = by;
    if (core.find(key, core.data.latest)) {
      expiryMs = core.expiryMs;
      sum += numberOf(core.copyValue());
      if (!Number.isSafeInteger(sum)) throw new RangeError(`${sum} is beyond what can be counted exactly`);
    }
    core.put(key, String(sum), expiryMs);
    return true;
  });
  return sum;
}

function numberOf(value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^-?\d{1,16}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new RangeError('the value is no whole number, or one that cannot be counted exactly');
  }
  return number;
}

/** Deletes the keys of a range, all of which are known then. */
export async function clearRange(
  core: KvCore,
  range: KvRange,
  level: KvDurability | undefined,
): Promise<void> {
  const bounds = treeRange(range);
  // What was accepted and is not to be read yet is deleted, too.
  await core.write(true, level, () => {
    const one = (reverse: boolean): Buffer | undefined => {
      const [key] = core.data.iterate(
        { ...bounds, reverse, limit: 1 },
        false,
        (found) => found,
        core.data.latest,
      );
      return key;
    };
    const [first, last] = [one(false), one(true)];
    if (first === undefined || last === undefined) return false;
    core.deleteRange(first, Buffer.concat([last, Buffer.alloc(1)]));
    return true;
  });
}
