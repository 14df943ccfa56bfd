import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { RESERVED_BYTES } from '../../src/memory/layout.ts';
import { createReferenceKernels } from '../../src/memory/reference.ts';
import { compileKernels, instantiateKernels } from '../../src/memory/wasm.ts';
import { type WasmModule, WebAssembly } from '../../src/memory/webassembly.ts';
import { BYTES, createArena, SCRATCH, TABLES } from '../kit/arena.ts';
import { crc32cOf } from '../kit/batch-bytes.ts';
import { createRandom } from '../kit/random.ts';
import { kernelsSuite } from '../suites/kernels.ts';

const BUILDS = ['plain.release', 'plain.debug', 'simd.release', 'simd.debug'] as const;

function loadBuild(build: string): WasmModule {
  return new WebAssembly.Module(readFileSync(new URL(`../../build/kernels.${build}.wasm`, import.meta.url)));
}

kernelsSuite('the reference kernels', (memory) => createReferenceKernels(memory.buffer));
for (const build of BUILDS) {
  kernelsSuite(`the ${build.replace('.', ' ')} kernels`, (memory) =>
    instantiateKernels(loadBuild(build), memory),
  );
}

describe('the modules of the kernels', () => {
  it.each(BUILDS)('take a memory of any size that never grows (%s)', (build) => {
    for (const pages of [1, 128, 4096, 32767]) {
      const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
      expect(typeof instantiateKernels(loadBuild(build), memory).crc32c).toBe('function');
    }
  });

  it.each(BUILDS)('put nothing of their own where others may write (%s)', (build) => {
    const memory = new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true });
    instantiateKernels(loadBuild(build), memory);
    const bytes = new Uint8Array(memory.buffer);
    const start = build.endsWith('release') ? 0 : RESERVED_BYTES;
    expect(bytes.subarray(start).every((byte) => byte === 0)).toBe(true);
  });

  it('share their tables between instances, each with scratch of its own', () => {
    const module = compileKernels();
    const { memory, u8, kernels } = createArena((shared) => instantiateKernels(module, shared));
    const other = instantiateKernels(module, memory);
    const tables = u8.slice(TABLES, SCRATCH);
    other.init(TABLES, BYTES, 0);
    expect(Buffer.compare(u8.slice(TABLES, SCRATCH), tables)).toBe(0);
    const data = createRandom(60).bytes(50_000);
    u8.set(data, 2 * BYTES);
    expect(other.crc32c(2 * BYTES, data.length, 0) >>> 0).toBe(crc32cOf(data));
    expect(kernels.crc32c(2 * BYTES, data.length, 0) >>> 0).toBe(crc32cOf(data));
  });

  it('are compiled once a process', () => {
    expect(compileKernels()).toBe(compileKernels());
  });

  it.each(['plain.debug', 'simd.debug'])('say where an assumption does not hold (%s)', (build) => {
    const { kernels } = createArena((memory) => instantiateKernels(loadBuild(build), memory));
    const encodeNothing = (): number => kernels.encodeBatch(BYTES, 0, 2 * BYTES, 0, 0);
    expect(encodeNothing).toThrow(
      /^kernel: an assumption does not hold \(assembly\/batch-encode\.ts:\d+:\d+\)$/,
    );
  });
});
