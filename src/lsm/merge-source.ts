/**
 * What an iterator merges: runs of memtables, tables, and levels of tables. Each hands its entries to the kernels
 * piece by piece: a run as a whole, a table a block at a time.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import * as layout from '../memory/table-layout.ts';
import type { Span } from './table/output-bytes.ts';

const { FORM_RUN, ROW_ENTRY_BYTES } = layout;

/** A key where entries begin, in the shared memory. */
export interface Bound extends Span {
  /** The same, where it is at hand. */
  key?: Uint8Array;
}

/** A place where entries come from, in one direction. */
export interface MergeSource {
  /**
   * Goes to the first entry.
   *
   * @param source address of the source that the kernels see
   * @param backward from the greatest key to the least
   * @param from forward the least key that counts, backward the key before which entries count; undefined for all
   */
  start(source: number, backward: boolean, from: Bound | undefined): void;
  /** Gives the kernels more, or ends the source. */
  next(source: number): void;
  /** Gives back what it holds. */
  close(): void;
}

/** Names entries that lie one behind the other in memory as what a source has; none end it. */
export function setSource(
  memory: MemoryView,
  source: number,
  form: number,
  first: number,
  count: number,
  backward: boolean,
): void {
  const { i32 } = memory;
  const at = source >> 2;
  const size = form === FORM_RUN ? 4 : ROW_ENTRY_BYTES;
  const end = first + count * size;
  i32[at + (layout.SOURCE_FORM >> 2)] = form;
  i32[at + (layout.SOURCE_NEXT >> 2)] = backward ? end - size : first;
  i32[at + (layout.SOURCE_STOP >> 2)] = backward ? first - size : end;
  i32[at + (layout.SOURCE_STATE >> 2)] = count > 0 ? layout.STATE_FRESH : layout.STATE_ENDED;
}

/** Says that a source has no more. */
export function endSource(memory: MemoryView, source: number): void {
  memory.i32[(source + layout.SOURCE_STATE) >> 2] = layout.STATE_ENDED;
}

/** A run of cells, which must stay as it is while it is read. */
export class RunSource implements MergeSource {
  readonly #memory: MemoryView;
  readonly #address: number;
  readonly #count: number;
  readonly #onClose: () => void;

  constructor(memory: MemoryView, address: number, count: number, onClose: () => void = () => {}) {
    this.#memory = memory;
    this.#address = address;
    this.#count = count;
    this.#onClose = onClose;
  }

  start(source: number, backward: boolean, from: Span | undefined): void {
    const { kernels } = this.#memory;
    const at =
      from === undefined
        ? backward
          ? this.#count
          : 0
        : kernels.seekRun(this.#address, this.#count, from.address, from.bytes);
    const first = backward ? this.#address : this.#address + at * 4;
    setSource(this.#memory, source, FORM_RUN, first, backward ? at : this.#count - at, backward);
  }

  next(source: number): void {
    endSource(this.#memory, source);
  }

  close(): void {
    this.#onClose();
  }
}
