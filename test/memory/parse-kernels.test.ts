import { readFileSync } from 'node:fs';

import { instantiateKernels } from '../../src/memory/wasm.ts';
import { WebAssembly } from '../../src/memory/webassembly.ts';
import { parseKernelsSuite, referenceOf } from '../suites/parse-kernels.ts';

parseKernelsSuite('the reference parse kernels', referenceOf);
for (const build of ['plain.release', 'plain.debug', 'simd.release', 'simd.debug']) {
  const file = new URL(`../../build/kernels.${build}.wasm`, import.meta.url);
  parseKernelsSuite(`the ${build.replace('.', ' ')} parse kernels`, (memory) =>
    instantiateKernels(new WebAssembly.Module(readFileSync(file)), memory),
  );
}
