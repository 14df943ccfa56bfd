/**
 * The deleted ranges of a tree as readers need them: fragments that do not overlap, each with the newest deletion. They
 * are made once for all iterators, and a deletion that comes is put into them, since it is the newest of all.
 *
 * @module
 */

import type { Memtable } from './memtable.ts';
import { coverFragments, type Fragment, newestFragments, type RangeTombstone } from './range-tombstones.ts';
import type { Version } from './version.ts';

const NO_FRAGMENTS: readonly Fragment[] = [];

export class TreeRanges {
  /** Of what they were made; the last memtable is the active one, of which so many deletions are in them. */
  #memtables: readonly Memtable[] = [];
  #version: Version | undefined;
  #count = 0;
  /** No deletion has a greater sequence number. */
  #newest = -1;
  #fragments: readonly Fragment[] = NO_FRAGMENTS;

  /**
   * Fragments, in order. They stay as they are.
   *
   * @param memtables from the oldest to the active one
   * @param snapshot what is older is seen
   */
  of(memtables: readonly Memtable[], version: Version, snapshot: number): readonly Fragment[] {
    if (version.rangeTombstones.length === 0 && memtables.every(({ rangeCount }) => rangeCount === 0)) {
      return NO_FRAGMENTS;
    }
    this.#renew(memtables, version);
    if (this.#newest < snapshot) return this.#fragments;
    return newestFragments(all(memtables, version), snapshot);
  }

  /** Forgets what was made: deletions were taken back. */
  forget(): void {
    this.#version = undefined;
    this.#memtables = [];
    this.#fragments = NO_FRAGMENTS;
  }

  #renew(memtables: readonly Memtable[], version: Version): void {
    const active = memtables.at(-1) as Memtable;
    const isSame =
      this.#version === version &&
      this.#memtables.length === memtables.length &&
      this.#memtables.every((memtable, i) => memtable === memtables[i]);
    if (isSame && active.rangeCount === this.#count) return;
    const added = isSame ? active.rangeDeletions(this.#count) : all(memtables, version);
    if (isSame) {
      const fragments = [...this.#fragments];
      for (const one of added) coverFragments(fragments, one);
      this.#fragments = fragments;
    } else {
      this.#newest = -1;
      this.#fragments = newestFragments(added, Number.POSITIVE_INFINITY);
    }
    for (const { sequence } of added) this.#newest = Math.max(this.#newest, sequence);
    this.#version = version;
    this.#memtables = [...memtables];
    this.#count = active.rangeCount;
  }
}

function all(memtables: readonly Memtable[], version: Version): RangeTombstone[] {
  const deletions: RangeTombstone[] = memtables.flatMap((memtable) => memtable.rangeDeletions());
  for (const one of version.rangeTombstones) deletions.push(one);
  return deletions;
}
