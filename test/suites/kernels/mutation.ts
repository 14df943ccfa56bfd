/**
 * Arbitrary bytes: batches with a few bytes changed, checksums ignored. What the reference makes of them
 * is computed once; every implementation must make the same of them, and no result may point outside.
 */

import { describe, expect, it } from 'vitest';

import { createReferenceKernels } from '../../../src/memory/reference.ts';
import { type Arena, COLUMNS, createArena, headersBytes } from '../../kit/arena.ts';
import { batchBytes } from '../../kit/batch-bytes.ts';
import { runDecoders, runScanners } from '../../kit/mutations.ts';

const MUTATIONS = 100_000;
const SCAN_MUTATIONS = 3_000;

let expectedOfDecoders: Int32Array | undefined;
let expectedOfScanners: Int32Array | undefined;

function createReferenceArena(): Arena {
  return createArena((memory) => createReferenceKernels(memory.buffer));
}

export function mutationSuite(arena: Arena): void {
  describe('on batches with a few bytes changed', () => {
    it('the decoders agree with the reference and stay inside the batch', () => {
      if (expectedOfDecoders === undefined) {
        const reference = createReferenceArena();
        expectedOfDecoders = runDecoders(reference, reference.kernels, 40, MUTATIONS);
      }
      const actual = runDecoders(arena, arena.kernels, 40, MUTATIONS);
      expect(actual.findIndex((result, i) => result !== expectedOfDecoders?.[i])).toBe(-1);
    });

    it('the scanners agree with the reference', () => {
      if (expectedOfScanners === undefined) {
        const reference = createReferenceArena();
        expectedOfScanners = runScanners(reference, reference.kernels, 41, SCAN_MUTATIONS);
      }
      const actual = runScanners(arena, arena.kernels, 41, SCAN_MUTATIONS);
      expect(actual.findIndex((result, i) => result !== expectedOfScanners?.[i])).toBe(-1);
    });

    it('headers in wire form are walked as they were written', () => {
      const headers = [
        { key: Buffer.from('a'), value: null },
        { key: Buffer.from(''), value: Buffer.from('bc') },
      ];
      expect([...headersBytes(headers)]).toEqual([2, 0x61, 1, 0, 4, 0x62, 0x63]);
      const bytes = batchBytes({ records: [{ offsetDelta: 0, headers }] });
      arena.u8.set(bytes, 1 << 20);
      expect(arena.kernels.decodeBatch(1 << 20, bytes.length, COLUMNS)).toBe(1);
      expect([...arena.column(0).headers]).toEqual([...headersBytes(headers)]);
    });
  });
}
