/**
 * Working memory of a task, handed out from its start on.
 *
 * @module
 */

import { assert } from '../../assert.ts';
import type { Clock } from '../../clock.ts';
import type { MemoryView } from '../../memory/memory.ts';
import type { Vfs } from '../../vfs/vfs.ts';

/** What a task that reads and writes tables works with. */
export interface WorkContext {
  /** The memory as this thread sees it. */
  memory: MemoryView;
  /** Address of the task's working memory, aligned to 64 bytes. */
  work: number;
  vfs: Vfs;
  clock: Clock;
}

const ALIGN = 64;

/** Bytes that a piece takes, with what kernels may touch behind it. */
export function pieceBytes(bytes: number): number {
  return (bytes + ALIGN + ALIGN - 1) & -ALIGN;
}

/** Gives out pieces of a stretch of memory; they are aligned to 64 bytes, and cleared by nobody. */
export class WorkMemory {
  readonly #end: number;
  #next: number;

  constructor(address: number, bytes: number) {
    this.#next = address;
    this.#end = address + bytes;
  }

  take(bytes: number): number {
    const address = this.#next;
    this.#next += pieceBytes(bytes);
    assert(this.#next <= this.#end, 'the working memory holds what it was made for');
    return address;
  }
}
