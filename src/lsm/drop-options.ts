/**
 * The option of a tree by which values go when their time has come, and who says what time it is: a function of
 * the tree's owner, or the clock of the database. A function cannot be kept in the manifest. Where the tree has
 * one, nothing is dropped after opening until it is given again; another clock might be ahead of it.
 *
 * @module
 */

import type { Clock } from '../clock.ts';
import { checkOneOf, checkOptions, integerOption } from '../options.ts';
import { CLASSES, DROP_KINDS, type DropKind, type DropRule } from './compaction/drop-rule.ts';

/** What drops values by their time; see `TreeOptions.dropExpired`. */
export type DropExpired = ExpiryOptions | RetentionOptions;

interface CommonOptions {
  /** A table is written anew when at least this share of its entries is to be dropped; 0.25 unless given. */
  minShare?: number;
  /** How often tables are looked at though nothing is written, in milliseconds; a minute unless given. */
  checkIntervalMs?: number;
}

/**
 * Values begin with the time at which they expire: f64, little-endian, milliseconds since the epoch; 0 for never.
 * Shorter values never expire.
 */
export interface ExpiryOptions extends CommonOptions {
  kind: 'expiry';
  /** What time it is, in milliseconds since the epoch. It is asked when work begins, and must never go back. */
  now?: () => number;
}

/**
 * Keys begin with a time, u64, the high byte first, in any unit; the first byte of a value is its class, 0 to 7.
 * Values of other classes go with those that are kept longest.
 */
export interface RetentionOptions extends CommonOptions {
  kind: 'retention';
  /** Eight times, by class: what is before is dropped. It is asked when work begins. */
  cutoffs?: () => readonly (bigint | number)[];
}

/** What the manifest keeps of it. */
export interface StoredDrop {
  kind: DropKind;
  /** Whether only the owner of the tree knows what time it is. */
  isOwned: boolean;
  minShare: number;
  checkIntervalMs: number;
}

/** Says what time it is. */
export type DropSource =
  | { kind: 'expiry'; now: () => number }
  | { kind: 'retention'; cutoffs: () => readonly (bigint | number)[] };

const MIN_SHARE_DEFAULT = 0.25;
const CHECK_INTERVAL_DEFAULT_MS = 60_000;
const CHECK_INTERVAL_MAX_MS = 2 ** 31 - 1;
const U64_MAX = 2n ** 64n - 1n;

/**
 * Checks the option and fills in the defaults.
 *
 * @param option undefined for what is stored; false for nothing
 * @throws TypeError, RangeError
 */
export function resolveDrop(
  option: DropExpired | false | undefined,
  stored: StoredDrop | undefined,
): StoredDrop | undefined {
  if (option === undefined) return stored;
  if (option === false) return undefined;
  checkOptions('dropExpired', option, ['kind', 'now', 'cutoffs', 'minShare', 'checkIntervalMs']);
  const kind = checkOneOf('dropExpired.kind', option.kind, DROP_KINDS);
  const before = stored?.kind === kind ? stored : undefined;
  const { minShare = before?.minShare ?? MIN_SHARE_DEFAULT } = option;
  if (typeof minShare !== 'number') throw new TypeError('dropExpired.minShare must be a number');
  if (!(minShare > 0 && minShare <= 1))
    throw new RangeError('dropExpired.minShare must be above 0 and at most 1');
  const source = sourceOf(option);
  if (kind === 'retention' && source === undefined && before === undefined)
    throw new TypeError('dropExpired.cutoffs must be a function: without it, nothing would ever go');
  return {
    kind,
    isOwned: source !== undefined || kind === 'retention' || before?.isOwned === true,
    minShare,
    checkIntervalMs: integerOption(
      'dropExpired.checkIntervalMs',
      option.checkIntervalMs,
      before?.checkIntervalMs ?? CHECK_INTERVAL_DEFAULT_MS,
      1,
      CHECK_INTERVAL_MAX_MS,
    ),
  };
}

/**
 * The function that the option has, if it has one.
 *
 * @throws TypeError
 */
export function sourceOf(option: DropExpired | false | undefined): DropSource | undefined {
  if (option === undefined || option === false) return undefined;
  const name = option.kind === 'expiry' ? 'now' : 'cutoffs';
  const other = option.kind === 'expiry' ? 'cutoffs' : 'now';
  if (other in option) throw new TypeError(`dropExpired has no ${other} where its kind is ${option.kind}`);
  const given = (option as { now?: unknown; cutoffs?: unknown })[name];
  if (given === undefined) return undefined;
  if (typeof given !== 'function') throw new TypeError(`dropExpired.${name} must be a function`);
  return option as DropSource;
}

/** What a tree drops now, with what is known of it. */
export interface DroppingTree {
  readonly options: { drop?: StoredDrop };
  dropSource: DropSource | undefined;
  /** Why nothing is dropped though something should be. */
  dropFailure: Error | undefined;
}

/** The rule for work that begins now; undefined where the tree has none. */
export function dropRuleOf(tree: DroppingTree, clock: Clock): DropRule | undefined {
  const { drop } = tree.options;
  if (drop === undefined) return undefined;
  const source = tree.dropSource?.kind === drop.kind ? tree.dropSource : undefined;
  tree.dropFailure = undefined;
  try {
    if (drop.kind === 'retention') {
      const cutoffs = source?.kind === 'retention' ? checkCutoffs(source.cutoffs()) : undefined;
      return { kind: 'retention', cutoffs: cutoffs ?? new Array<bigint>(CLASSES).fill(0n) };
    }
    const own = source?.kind === 'expiry' ? checkNow(source.now()) : undefined;
    const dueMs = own ?? (drop.isOwned ? 0 : clock.now());
    return { kind: 'expiry', dueMs, baseMs: dueMs > 0 ? dueMs : clock.now() };
  } catch (error) {
    // It is the owner's mistake; the data stays until that is mended.
    tree.dropFailure = error instanceof Error ? error : new Error(String(error));
    return dropNothing(drop.kind, clock);
  }
}

/** The rule by which nothing goes: it only counts what will. */
export function dropNothing(kind: DropKind, clock: Clock): DropRule {
  return kind === 'retention'
    ? { kind, cutoffs: new Array<bigint>(CLASSES).fill(0n) }
    : { kind, dueMs: 0, baseMs: clock.now() };
}

function checkNow(now: number): number {
  if (typeof now !== 'number' || !Number.isFinite(now) || now < 0)
    throw new TypeError(`dropExpired.now must return milliseconds, not ${String(now)}`);
  return now;
}

function checkCutoffs(cutoffs: readonly (bigint | number)[]): bigint[] {
  if (!Array.isArray(cutoffs) || cutoffs.length !== CLASSES)
    throw new TypeError(`dropExpired.cutoffs must return ${CLASSES} times`);
  return (cutoffs as readonly (bigint | number)[]).map((cutoff) => {
    // A number that is no integer throws a RangeError here.
    const time = typeof cutoff === 'bigint' ? cutoff : BigInt(cutoff);
    return time < 0n ? 0n : time > U64_MAX ? U64_MAX : time;
  });
}
