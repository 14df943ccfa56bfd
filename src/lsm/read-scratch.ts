/**
 * A place in the shared memory where a key that is looked up lies, and what is found for it. Lookups are
 * synchronous, so one place is enough for all.
 *
 *     | found, 64 bytes | key |
 *
 * @module
 */

import { SLAB_BYTES_MIN } from '../limits.ts';
import { SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';

const KEY_POSITION = 64;
const OWNER = 'lookups';

export class ReadScratch {
  readonly #memory: Memory;
  #slab: Slab;

  /** @throws VarveError `NO_MEMORY` */
  constructor(memory: Memory) {
    this.#memory = memory;
    this.#slab = memory.slabs.allocate(SLAB_BYTES_MIN, OWNER);
  }

  /** Where what is found goes. */
  get found(): number {
    return this.#slab.address;
  }

  /**
   * Copies a key in.
   *
   * @returns its address
   * @throws VarveError `NO_MEMORY`
   */
  put(key: Uint8Array): number {
    const needed = KEY_POSITION + key.length + SLACK_BYTES;
    if (needed > this.#slab.bytes) {
      const larger = this.#memory.slabs.allocate(needed, OWNER);
      this.#slab.release();
      this.#slab = larger;
    }
    const at = this.#slab.address + KEY_POSITION;
    const { u8 } = this.#memory;
    if (key.length > 64) u8.set(key, at);
    else for (let i = 0; i < key.length; i++) u8[at + i] = key[i] as number;
    return at;
  }

  release(): void {
    this.#slab.release();
  }
}
