/**
 * The one shared memory: a fixed `WebAssembly.Memory` on which the kernels work, from which files are
 * written without a copy, and which worker threads see too. It never grows: growing would detach views
 * that the operating system is writing from.
 *
 *     0       2 KiB    18 KiB     50 KiB     64 KiB                              end - 16 KiB   end
 *     +--------+--------+----------+----------+-----------------------------------+--------------+
 *     | unused | tables | scratch  |  unused  |               slabs               |    unused    |
 *     +--------+--------+----------+----------+-----------------------------------+--------------+
 *
 * The unused end is there because kernels may touch a few bytes behind what they are given.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import { MEMORY_BYTES_MAX, MEMORY_BYTES_MIN, SLAB_BYTES_MIN } from '../limits.ts';
import { checkInteger } from '../options.ts';
import { RESERVED_BYTES, TABLES_BYTES } from './layout.ts';
import type { AllKernels } from './parse-kernels.ts';
import { SlabAllocator } from './slabs.ts';
import { compileKernels, instantiateKernels } from './wasm.ts';
import { type WasmMemory, type WasmModule, WebAssembly } from './webassembly.ts';

const PAGE_BYTES = 65536;
const TABLES_ADDRESS: number = RESERVED_BYTES;
/** Up to this size, copying words in a loop is cheaper than a call of the engine. */
const SMALL_BYTES_MAX = 512;
/** What small copies share, so that each of them costs little: 8 KiB, as Node's own pool has. */
const POOL_WORDS = 2048;
const SCRATCH_ADDRESS: number = RESERVED_BYTES + TABLES_BYTES;

/** What a worker thread is given, to see the same memory; it can be posted as it is. */
export interface SharedMemory {
  wasm: WasmMemory;
  module: WasmModule;
}

/** The shared memory as one thread sees it, without the right to allocate. */
export class MemoryView {
  readonly wasm: WasmMemory;
  readonly module: WasmModule;
  readonly bytes: SharedArrayBuffer;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly data: DataView;
  readonly kernels: AllKernels;
  #pool: Int32Array<ArrayBuffer> = new Int32Array(POOL_WORDS);
  #poolUsed = 0;

  constructor(shared: SharedMemory, kernels: AllKernels) {
    this.wasm = shared.wasm;
    this.module = shared.module;
    const bytes = shared.wasm.buffer;
    this.bytes = bytes;
    this.u8 = new Uint8Array(bytes);
    this.i32 = new Int32Array(bytes);
    this.f64 = new Float64Array(bytes);
    this.data = new DataView(bytes);
    this.kernels = kernels;
  }

  /** A view of the memory, without a copy. */
  buffer(address: number, bytes: number): Buffer {
    return Buffer.from(this.bytes, address, bytes);
  }

  /** Copies bytes out of the memory, into a buffer of their own. */
  copy(address: number, bytes: number): Buffer {
    // V8 copies shared memory byte by byte unless both ends are aligned: so start a little earlier.
    const start = address & ~7;
    const copy = Buffer.allocUnsafe(address + bytes - start);
    copy.set(this.u8.subarray(start, address + bytes));
    return start === address ? copy : copy.subarray(address - start);
  }

  /** Gives this thread's kernels other working memory: `SCRATCH_BYTES` that are its alone. */
  useScratch(scratch: number): void {
    this.kernels.init(TABLES_ADDRESS, scratch, 0);
  }

  /**
   * Like `copy`, for few bytes: word by word into a pool, without the views that a copy by the engine needs.
   * What is returned may share its memory with other small copies, but not one byte with anybody.
   */
  copySmall(address: number, bytes: number): Buffer {
    if (bytes > SMALL_BYTES_MAX) return this.copy(address, bytes);
    const { i32 } = this;
    const first = address >> 2;
    const last = (address + bytes + 3) >> 2;
    if (this.#poolUsed + last - first > POOL_WORDS) {
      this.#pool = new Int32Array(POOL_WORDS);
      this.#poolUsed = 0;
    }
    const pool = this.#pool;
    const start = this.#poolUsed;
    let to = start;
    for (let from = first; from < last; from++) pool[to++] = i32[from] as number;
    this.#poolUsed = to;
    return Buffer.from(pool.buffer, start * 4 + (address & 3), bytes);
  }

  /** What a worker thread needs to see this memory. */
  share(): SharedMemory {
    return { wasm: this.wasm, module: this.module };
  }

  /**
   * Attaches to a memory that another thread made.
   *
   * @param shared what its `share` returned
   * @param scratch address of `SCRATCH_BYTES` that are this thread's alone
   */
  static attach(shared: SharedMemory, scratch: number): MemoryView {
    const kernels = instantiateKernels(shared.module, shared.wasm);
    kernels.init(TABLES_ADDRESS, scratch, 0);
    return new MemoryView(shared, kernels);
  }
}

/** The shared memory as its maker sees it. */
export class Memory extends MemoryView {
  readonly slabs: SlabAllocator;

  private constructor(shared: SharedMemory, kernels: AllKernels, base?: number, bytes?: number) {
    super(shared, kernels);
    const end = this.bytes.byteLength - SLAB_BYTES_MIN;
    this.slabs = new SlabAllocator(base ?? PAGE_BYTES, bytes ?? end - PAGE_BYTES);
  }

  /**
   * A part of a memory, as if it were one: slabs come from there. For a task that allocates as it goes.
   *
   * @param view the memory as this thread sees it
   * @param address of a slab that is nobody else's meanwhile
   * @param bytes how large it is
   */
  static over(view: MemoryView, address: number, bytes: number): Memory {
    return new Memory(view, view.kernels, address, bytes);
  }

  /**
   * Reserves a memory and builds the kernels' tables in it.
   *
   * @param budgetBytes its size, rounded up to 64 KiB; pages that are never touched cost nothing
   * @throws RangeError where the size is out of range
   * @throws VarveError `NO_MEMORY` where the address space cannot be reserved
   */
  static create(budgetBytes: number): Memory {
    checkInteger('memoryBytes', budgetBytes, MEMORY_BYTES_MIN, MEMORY_BYTES_MAX);
    const pages = Math.ceil(budgetBytes / PAGE_BYTES);
    const module = compileKernels();
    let wasm: WasmMemory;
    try {
      wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    } catch (cause) {
      throw new VarveError(
        'NO_MEMORY',
        `cannot reserve ${budgetBytes} bytes of shared memory: Node reserves about 10 GiB of address space ` +
          'for it; raise the limit on virtual memory (ulimit -v) or start node with --disable-wasm-trap-handler',
        { cause },
      );
    }
    const kernels = instantiateKernels(module, wasm);
    kernels.init(TABLES_ADDRESS, SCRATCH_ADDRESS, 1);
    return new Memory({ wasm, module }, kernels);
  }
}
