/**
 * Tags of a table that is being written: the kernels gather those of a block in the builder, and from there they go
 * into the index, and into the properties.
 *
 * @module
 */

import type { MemoryView } from '../../memory/memory.ts';
import * as layout from '../../memory/table-layout.ts';
import type { TableProperties } from './table-file.ts';
import { ALL_TAGS, type Tagging, type Tags, taggingCode } from './tags.ts';

export class TagCounter {
  readonly #memory: MemoryView;
  readonly #builder: number;
  readonly #isOn: boolean;
  /** Those of all blocks so far. */
  #low = 0;
  #high = 0;

  /** @param builder its other fields are the caller's */
  constructor(memory: MemoryView, builder: number, tagging: Tagging = 'none') {
    this.#memory = memory;
    this.#builder = builder;
    this.#isOn = tagging !== 'none';
    memory.i32[(builder + layout.BUILDER_TAGGING) >> 2] = taggingCode(tagging);
  }

  /** Begins a table. */
  begin(): void {
    this.#low = this.#high = 0;
    this.#clear();
    this.#memory.f64.fill(0, this.#levels, this.#levels + layout.TAG_LEVELS);
  }

  /**
   * The tags of the block that was built last; undefined where entries have none.
   *
   * @param isLarge whether it has one large entry, whose value may not lie in memory: it has all tags
   */
  take(isLarge: boolean): Tags | undefined {
    if (!this.#isOn) return undefined;
    const { i32 } = this.#memory;
    const low = isLarge ? ALL_TAGS : (i32[this.#tags] as number) >>> 0;
    const high = isLarge ? ALL_TAGS : (i32[this.#tags + 1] as number) >>> 0;
    this.#clear();
    this.#low = (this.#low | low) >>> 0;
    this.#high = (this.#high | high) >>> 0;
    return { low, high };
  }

  /** What the properties say of the table. */
  properties(): Pick<TableProperties, 'tags'> {
    if (!this.#isOn) return {};
    const levels = this.#memory.f64.subarray(this.#levels, this.#levels + layout.TAG_LEVELS);
    return { tags: { low: this.#low, high: this.#high, levelBytes: Array.from(levels) } };
  }

  #clear(): void {
    this.#memory.i32[this.#tags] = 0;
    this.#memory.i32[this.#tags + 1] = 0;
  }

  get #tags(): number {
    return (this.#builder + layout.BUILDER_TAGS) >> 2;
  }

  get #levels(): number {
    return (this.#builder + layout.BUILDER_LEVEL_BYTES) >> 3;
  }
}
