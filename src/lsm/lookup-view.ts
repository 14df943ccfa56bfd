/**
 * What a lookup goes through, in the shared memory, so that one call of a kernel does all of it: the addresses of
 * a tree's memtables and tables. It is written anew when they have changed.
 *
 * @module
 */

import * as lookup from '../memory/lookup-layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import type { Memtable } from './memtable.ts';
import type { Version } from './version.ts';

const OWNER = 'lookups';

export class LookupView {
  readonly #memory: Memory;
  readonly #counters: number;
  #slab: Slab | undefined;
  /** What it was written of. */
  #active: Memtable | undefined;
  /** Where the active one is, which moves when the first is written to it. */
  #address = 0;
  #frozen = 0;
  #version: Version | undefined;

  /** @param counters where lookups are counted (`COUNTER_*`) */
  constructor(memory: Memory, counters: number) {
    this.#memory = memory;
    this.#counters = counters;
  }

  /**
   * The address of a view of these; 0 where there is no memory for it.
   *
   * @param frozen the oldest first; one is only added when another becomes the active one
   */
  of(active: Memtable, frozen: readonly Memtable[], version: Version): number {
    const isSame = this.#version === version && this.#active === active && this.#frozen === frozen.length;
    if (isSame && this.#address === active.address) return (this.#slab as Slab).address;
    return this.#write(active, frozen, version);
  }

  release(): void {
    this.#slab?.release();
    this.#slab = undefined;
    this.#active = this.#version = undefined;
  }

  #write(active: Memtable, frozen: readonly Memtable[], version: Version): number {
    const { slabs, i32 } = this.#memory;
    const [newest = [], ...others] = version.levels;
    const levels = others.filter((level) => level.length > 0);
    const words =
      (lookup.VIEW_BYTES + levels.length * lookup.LEVEL_BYTES) / 4 + 1 + frozen.length + version.tableCount;
    if (this.#slab === undefined || this.#slab.bytes < words * 4) {
      this.release();
      this.#slab = slabs.tryAllocate(words * 4, OWNER);
      if (this.#slab === undefined) return 0;
    }
    const view = this.#slab.address;
    let next = view + lookup.VIEW_BYTES + levels.length * lookup.LEVEL_BYTES;
    /** Writes a list of addresses, and says at a place where it is, and behind that how long. */
    const list = (at: number, addresses: readonly number[]): void => {
      i32[at >> 2] = next;
      i32[(at >> 2) + 1] = addresses.length;
      for (const address of addresses) {
        i32[next >> 2] = address;
        next += 4;
      }
    };
    const tables = (of: Version['levels'][number]): number[] => of.map(({ reader }) => reader.address);
    list(
      view + lookup.VIEW_MEMTABLES,
      [active, ...frozen.toReversed()].map(({ address }) => address),
    );
    list(view + lookup.VIEW_NEWEST, tables(newest));
    i32[(view + lookup.VIEW_LEVELS) >> 2] = view + lookup.VIEW_BYTES;
    i32[(view + lookup.VIEW_LEVEL_COUNT) >> 2] = levels.length;
    for (const [i, level] of levels.entries()) {
      list(view + lookup.VIEW_BYTES + i * lookup.LEVEL_BYTES, tables(level));
    }
    i32[(view + lookup.VIEW_COUNTERS) >> 2] = this.#counters;
    this.#active = active;
    this.#address = active.address;
    this.#frozen = frozen.length;
    this.#version = version;
    return view;
  }
}
