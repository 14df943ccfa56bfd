/**
 * What a store with `maxBytes` knows of each key, in memory: how many bytes it has, when it expires, and when it was
 * used last. What is removed to make room is chosen as Redis does (evict.c, "approximated LRU"): the best of a few
 * keys that are drawn at random, so that nothing has to be kept in order.
 *
 * Each key costs some 200 bytes of JavaScript memory beside its own bytes, so the limit on bytes bounds this too.
 *
 * @module
 */

import { assert } from '../assert.ts';
import type { EvictionPolicy } from './kv-options.ts';

/** How many keys are drawn for each that is removed. Redis draws 5, and says that 10 comes close to true LRU. */
const SAMPLES = 10;

/** What is known of a key. */
export interface KnownKey {
  readonly key: string;
  bytes: number;
  expiryMs: number;
  /** A number that grows with each use of any key. */
  used: number;
  /** Where it is among all keys, and among those that expire (-1 where it does not). */
  at: number;
  volatileAt: number;
}

export class Directory {
  readonly #known: Map<string, KnownKey> = new Map();
  readonly #all: KnownKey[] = [];
  readonly #volatile: KnownKey[] = [];
  readonly #random: () => number;
  #uses = 0;
  #bytes = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Bytes of all keys and values. */
  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#known.size;
  }

  /** Bytes of one key and its value; 0 where it is not there. */
  bytesOf(key: string): number {
    return this.#known.get(key)?.bytes ?? 0;
  }

  /** A key was read. */
  touch(key: string): void {
    const known = this.#known.get(key);
    if (known !== undefined) known.used = ++this.#uses;
  }

  set(key: string, bytes: number, expiryMs: number): void {
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { key, bytes: 0, expiryMs: 0, used: 0, at: this.#all.length, volatileAt: -1 };
      this.#known.set(key, known);
      this.#all.push(known);
    }
    this.#bytes += bytes - known.bytes;
    known.bytes = bytes;
    known.used = ++this.#uses;
    known.expiryMs = expiryMs;
    if (expiryMs !== 0 && known.volatileAt < 0) {
      known.volatileAt = this.#volatile.length;
      this.#volatile.push(known);
    } else if (expiryMs === 0) this.#settle(known);
  }

  delete(key: string): void {
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#bytes -= known.bytes;
    const last = this.#all.pop() as KnownKey;
    if (last !== known) {
      this.#all[known.at] = last;
      last.at = known.at;
    }
    this.#settle(known);
  }

  clear(): void {
    this.#known.clear();
    this.#all.length = this.#volatile.length = 0;
    this.#bytes = 0;
  }

  /** All keys. */
  keys(): IterableIterator<string> {
    return this.#known.keys();
  }

  /**
   * Chooses what is removed next.
   *
   * @param spared a key that is not chosen
   * @returns undefined where the policy has nothing to remove
   */
  choose(policy: EvictionPolicy, nowMs: number, spared: string): KnownKey | undefined {
    const pool = policy.startsWith('volatile') ? this.#volatile : this.#all;
    // What has expired and is still there goes first, whatever the policy.
    const expired = this.#best(this.#volatile, spared, (known) => known.expiryMs);
    if (expired !== undefined && expired.expiryMs <= nowMs) return expired;
    if (policy === 'noeviction') return undefined;
    if (policy === 'allkeys-random') return this.#best(pool, spared, () => 0);
    if (policy === 'volatile-ttl') return this.#best(pool, spared, (known) => known.expiryMs);
    return this.#best(pool, spared, (known) => known.used);
  }

  /** The one with the least rank of some that are drawn, or of all where they are few. */
  #best(
    pool: readonly KnownKey[],
    spared: string,
    rankOf: (known: KnownKey) => number,
  ): KnownKey | undefined {
    let best: KnownKey | undefined;
    let least = Infinity;
    const isSmall = pool.length <= SAMPLES;
    for (let i = 0; i < (isSmall ? pool.length : SAMPLES); i++) {
      const known = pool[isSmall ? i : Math.floor(this.#random() * pool.length)];
      assert(known !== undefined, 'a key that is drawn is there');
      const rank = rankOf(known);
      if (known.key === spared || rank >= least) continue;
      least = rank;
      best = known;
    }
    return best;
  }

  /** It does not expire any more. */
  #settle(known: KnownKey): void {
    const { volatileAt } = known;
    if (volatileAt < 0) return;
    known.volatileAt = -1;
    const last = this.#volatile.pop() as KnownKey;
    if (last === known) return;
    this.#volatile[volatileAt] = last;
    last.volatileAt = volatileAt;
  }
}
