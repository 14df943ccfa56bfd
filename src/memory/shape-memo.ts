/**
 * A memo of the shapes of messages in the shared memory (`MEMO_*` in layout.ts), as its owner sees it: the
 * kernel that counts keeps in it which template a shape has, and this makes and clears it.
 *
 * @module
 */

import { MEMO_BYTES, MEMO_ENTRIES, MEMO_RESTING, MEMO_SHUFFLES } from './layout.ts';
import type { MemoryView } from './memory.ts';

const SHUFFLE_BYTES = 8;

export class ShapeMemo {
  readonly address: number;
  readonly #memory: Pick<MemoryView, 'u8' | 'i32'>;

  /**
   * Makes a memo, empty.
   *
   * @param address of `MEMO_BYTES`, aligned to 64 bytes
   */
  constructor(memory: Pick<MemoryView, 'u8' | 'i32'>, address: number) {
    this.address = address;
    this.#memory = memory;
    for (let byte = 0; byte < 256; byte++) {
      let at = address + MEMO_SHUFFLES + byte * SHUFFLE_BYTES;
      for (let bit = 0; bit < 8; bit++) if (((byte >> bit) & 1) !== 0) memory.u8[at++] = bit;
    }
    this.clear();
  }

  /** Forgets all shapes: where slots of the table of templates are given to others, what is known of them is wrong. */
  clear(): void {
    const { u8, i32 } = this.#memory;
    u8.fill(0, this.address + MEMO_ENTRIES, this.address + MEMO_BYTES);
    i32[(this.address + MEMO_RESTING) >> 2] = 0;
  }
}
