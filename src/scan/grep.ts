/**
 * Finds the lines of a text that have a literal.
 *
 * @module
 */

import type { MemoryView } from '../memory/memory.ts';
import { FINDER_BYTES, writeFinder } from './finder.ts';
import type { TextWindow } from './ranges.ts';
import type { ScanKind, Scanner } from './scanner.ts';

/** What is searched for; plain values. */
export interface GrepSpec {
  /** UTF-8; with `fold`, in lower case. */
  literals: Uint8Array[];
  /** Whether letters of ASCII are found in either case. */
  fold: boolean;
}

/** What was found in a part of a text. */
export interface GrepResult {
  /** Lines that were found. */
  found: number;
}

class GrepScanner implements Scanner<GrepResult> {
  readonly #memory: MemoryView;
  readonly #finder: number;
  #found = 0;

  constructor(memory: MemoryView, work: number, spec: GrepSpec) {
    this.#memory = memory;
    this.#finder = work;
    writeFinder(memory, work, spec.literals, spec.fold);
  }

  visit({ address, bytes }: TextWindow): boolean {
    this.#found += this.#memory.kernels.countFound(this.#finder, address, bytes);
    return true;
  }

  take(): GrepResult {
    const found = this.#found;
    this.#found = 0;
    return { found };
  }
}

export const GREP: ScanKind<GrepSpec, GrepResult> = {
  workBytes: FINDER_BYTES,
  create: (memory, work, spec) => new GrepScanner(memory, work, spec),
};
