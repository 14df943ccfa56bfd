/**
 * What every implementation of the parse kernels must do. Each is compared with the reference on the same
 * bytes, and with facts that do not come from it.
 *
 * @module
 */

import { describe } from 'vitest';

import { createKeyMapReference } from '../../src/memory/key-map-reference.ts';
import { createLookupReference } from '../../src/memory/lookup-reference.ts';
import { createMemtableReference } from '../../src/memory/memtable-reference.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import { createParseReference } from '../../src/memory/parse-reference.ts';
import { createReferenceKernels } from '../../src/memory/reference.ts';
import { createSearchReference } from '../../src/memory/search-reference.ts';
import { createTableReference } from '../../src/memory/table-reference.ts';
import type { WasmMemory } from '../../src/memory/webassembly.ts';
import { createParseArena } from '../kit/parse-arena.ts';
import { batchesSuite } from './parse-kernels/batches.ts';
import { continuationsSuite } from './parse-kernels/continuations.ts';
import { entriesSuite } from './parse-kernels/entries.ts';
import { hdfsSuite } from './parse-kernels/hdfs.ts';
import { keysSuite } from './parse-kernels/keys.ts';
import { linesSuite } from './parse-kernels/lines.ts';
import { patternsSuite } from './parse-kernels/patterns.ts';
import { tallySuite } from './parse-kernels/tally.ts';

/** The reference of all kernels over one memory. */
export function referenceOf(memory: WasmMemory): AllKernels {
  const kernels = createReferenceKernels(memory.buffer);
  const memtables = createMemtableReference(memory.buffer);
  const tables = createTableReference(memory.buffer, kernels);
  return {
    ...kernels,
    ...createParseReference(memory.buffer, kernels),
    ...createSearchReference(memory.buffer),
    ...memtables,
    ...tables,
    ...createLookupReference(memory.buffer, { ...memtables, ...tables }),
    ...createKeyMapReference(memory.buffer),
  };
}

/**
 * Declares the tests of one implementation.
 *
 * @param name what the report calls it
 * @param factory makes the kernels over a memory; `init` is called on them first
 */
export function parseKernelsSuite(name: string, factory: (memory: WasmMemory) => AllKernels): void {
  describe(name, () => {
    const arena = createParseArena(factory);
    const reference = createParseArena(referenceOf);
    linesSuite(arena, reference);
    hdfsSuite(arena, reference);
    continuationsSuite(arena, reference);
    patternsSuite(arena, reference);
    keysSuite(arena, reference);
    entriesSuite(arena, reference);
    batchesSuite(arena, reference);
    tallySuite(arena, reference);
  });
}
