import { readFileSync } from 'node:fs';

import { instantiateKernels } from '../../src/memory/wasm.ts';
import { WebAssembly } from '../../src/memory/webassembly.ts';
import { memtableKernelsSuite } from '../suites/memtable-kernels.ts';
import { referenceOf } from '../suites/parse-kernels.ts';

memtableKernelsSuite('the reference memtable kernels', referenceOf);
for (const build of ['plain.release', 'plain.debug', 'simd.release', 'simd.debug']) {
  const file = new URL(`../../build/kernels.${build}.wasm`, import.meta.url);
  memtableKernelsSuite(`the ${build.replace('.', ' ')} memtable kernels`, (memory) =>
    instantiateKernels(new WebAssembly.Module(readFileSync(file)), memory),
  );
}
