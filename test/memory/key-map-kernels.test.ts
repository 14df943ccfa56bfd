import { readFileSync } from 'node:fs';

import { instantiateKernels } from '../../src/memory/wasm.ts';
import { WebAssembly } from '../../src/memory/webassembly.ts';
import { keyMapKernelsSuite } from '../suites/key-map-kernels.ts';
import { referenceOf } from '../suites/parse-kernels.ts';

keyMapKernelsSuite('the reference key map kernels', referenceOf);
for (const build of ['plain.release', 'plain.debug', 'simd.release', 'simd.debug']) {
  const file = new URL(`../../build/kernels.${build}.wasm`, import.meta.url);
  keyMapKernelsSuite(`the ${build.replace('.', ' ')} key map kernels`, (memory) =>
    instantiateKernels(new WebAssembly.Module(readFileSync(file)), memory),
  );
}
