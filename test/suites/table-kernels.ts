/**
 * What every implementation of the kernels of tables must do. Each is compared with the reference on the same
 * bytes, and with facts that do not come from it.
 *
 * @module
 */

import { describe } from 'vitest';

import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import type { WasmMemory } from '../../src/memory/webassembly.ts';
import { createTableArena } from '../kit/table-arena.ts';
import { referenceOf } from './parse-kernels.ts';
import { blocksSuite } from './table-kernels/blocks.ts';
import { dropsSuite } from './table-kernels/drops.ts';
import { filtersSuite } from './table-kernels/filters.ts';
import { lookupSuite } from './table-kernels/lookup.ts';
import { mergeSuite } from './table-kernels/merge.ts';
import { mutationSuite } from './table-kernels/mutation.ts';

/**
 * Declares the tests of one implementation.
 *
 * @param name what the report calls it
 * @param factory makes the kernels over a memory; `init` is called on them first
 */
export function tableKernelsSuite(name: string, factory: (memory: WasmMemory) => AllKernels): void {
  describe(name, () => {
    const arena = createTableArena(factory);
    const reference = createTableArena(referenceOf);
    blocksSuite(arena, reference);
    filtersSuite(arena, reference);
    lookupSuite(arena, reference);
    mergeSuite(arena, reference);
    dropsSuite(arena, reference);
    mutationSuite(arena, reference);
  });
}
