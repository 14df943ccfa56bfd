/**
 * The WebAssembly kernels: choosing a build, compiling it once a process, instantiating it once a thread.
 *
 * @module
 */

import { AssertionError } from 'node:assert';

import { assert } from '../assert.ts';
import { KERNELS_PLAIN, KERNELS_SIMD } from './kernels.generated.ts';
import type { AllKernels } from './parse-kernels.ts';
import { type WasmMemory, type WasmModule, WebAssembly } from './webassembly.ts';

const NAMES = [
  'init',
  'crc32c',
  'encodeBatch',
  'scanBatches',
  'findBatch',
  'decodeBatch',
  'findRecord',
  'markRecords',
  'findMarked',
  'offsetLowerBound',
  'offsetUpperBound',
  'timeLowerBound',
  'timeUpperBound',
  'indexLines',
  'parseHdfs',
  'plainFields',
  'markContinuations',
  'parsePattern',
  'parseJson',
  'parseLogfmt',
  'makeEntries',
  'encodeBatches',
  'keepEntries',
  'tallyRows',
  'findLines',
  'countFound',
  'countFeeds',
  'findFeedBack',
  'examineText',
  'measureOperations',
  'applyOperations',
  'growMemtable',
  'indexCells',
  'gatherCells',
  'sortRun',
  'mergeRuns',
  'memtableGet',
  'findInBlock',
  'decodeBlock',
  'seekRows',
  'seekRun',
  'seekIndex',
  'readIndex',
  'addEntry',
  'finishBlock',
  'sealBlock',
  'openBlock',
  'separate',
  'filterHash',
  'buildFilter',
  'filterHas',
  'moveBytes',
  'mergeStart',
  'mergeBlock',
  'mergeTake',
  'mergeIsDue',
  'mergeDrop',
  'mergeTop',
  'mergePage',
  'lookup',
  'seekPart',
  'seekTable',
  'mapKeys',
  'findKeys',
  'wholeRecords',
  'gatherRecords',
] as const satisfies readonly (keyof AllKernels)[];

let compiled: WasmModule | undefined;

/**
 * Compiles the kernels, with SIMD where the engine has it. It is done once; the module can be sent to
 * other threads, which instantiate it on the same memory.
 */
export function compileKernels(): WasmModule {
  if (compiled === undefined) {
    const simd = Buffer.from(KERNELS_SIMD, 'base64');
    const bytes = WebAssembly.validate(simd) ? simd : Buffer.from(KERNELS_PLAIN, 'base64');
    compiled = new WebAssembly.Module(bytes);
  }
  return compiled;
}

/**
 * Instantiates the kernels on `memory`; `init` is to be called before any other of them.
 *
 * @param module what {@link compileKernels} returned, here or in another thread
 * @param memory a shared memory, of any size
 * @throws AssertionError from a kernel of a debug build whose assumption does not hold
 */
export function instantiateKernels(module: WasmModule, memory: WasmMemory): AllKernels {
  function abort(message: number, file: number, line: number, column: number): never {
    const reason = message === 0 ? 'an assumption does not hold' : readString(memory, message);
    throw new AssertionError({
      message: `kernel: ${reason} (${readString(memory, file)}:${line}:${column})`,
      stackStartFn: abort,
    });
  }
  const instance = new WebAssembly.Instance(module, { env: { memory, abort } });
  const kernels: Record<string, unknown> = {};
  for (const name of NAMES) {
    const kernel = instance.exports[name];
    assert(typeof kernel === 'function', `the module exports the kernel ${name}`);
    kernels[name] = kernel;
  }
  // The module's own types are checked where it is built; the conformance suite checks the rest.
  return kernels as unknown as AllKernels;
}

/** A string of AssemblyScript: UTF-16, with its length in bytes in the four bytes before it. */
function readString(memory: WasmMemory, address: number): string {
  if (address < 4 || address > memory.buffer.byteLength) return 'unknown';
  const length = new DataView(memory.buffer).getUint32(address - 4, true);
  if (length > 1024 || address + length > memory.buffer.byteLength) return 'unknown';
  // A copy: TextDecoder may refuse bytes of a shared memory.
  return new TextDecoder('utf-16le').decode(new Uint8Array(memory.buffer, address, length).slice());
}
