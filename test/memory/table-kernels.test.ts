import { readFileSync } from 'node:fs';

import { instantiateKernels } from '../../src/memory/wasm.ts';
import { WebAssembly } from '../../src/memory/webassembly.ts';
import { referenceOf } from '../suites/parse-kernels.ts';
import { tableKernelsSuite } from '../suites/table-kernels.ts';

tableKernelsSuite('the reference table kernels', referenceOf);
for (const build of ['plain.release', 'plain.debug', 'simd.release', 'simd.debug']) {
  const file = new URL(`../../build/kernels.${build}.wasm`, import.meta.url);
  tableKernelsSuite(`the ${build.replace('.', ' ')} table kernels`, (memory) =>
    instantiateKernels(new WebAssembly.Module(readFileSync(file)), memory),
  );
}
