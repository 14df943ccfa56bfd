/**
 * What every implementation of the kernels must do. Each is compared with the reference on the same
 * memory, and with facts that come from neither: published check values, batches made by hand.
 *
 * @module
 */

import { describe } from 'vitest';

import type { Kernels } from '../../src/memory/kernels.ts';
import { createReferenceKernels } from '../../src/memory/reference.ts';
import type { WasmMemory } from '../../src/memory/webassembly.ts';
import { createArena } from '../kit/arena.ts';
import { crcSuite } from './kernels/crc32c.ts';
import { decodeSuite } from './kernels/decode.ts';
import { encodeSuite } from './kernels/encode.ts';
import { mutationSuite } from './kernels/mutation.ts';
import { scanSuite } from './kernels/scan.ts';
import { searchSuite } from './kernels/search.ts';

/**
 * Declares the tests of one implementation.
 *
 * @param name what the report calls it
 * @param factory makes the kernels over a memory; `init` is called on them first
 */
export function kernelsSuite(name: string, factory: (memory: WasmMemory) => Kernels): void {
  describe(name, () => {
    const arena = createArena(factory);
    const reference = createReferenceKernels(arena.memory.buffer);
    crcSuite(arena);
    encodeSuite(arena, reference);
    decodeSuite(arena);
    scanSuite(arena, reference);
    mutationSuite(arena);
    searchSuite(arena, reference);
  });
}
