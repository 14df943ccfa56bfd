/**
 * The few parts of the WebAssembly API that varve uses, typed here: TypeScript declares them only together
 * with a browser's globals, which neither varve nor its users' type checks should have to take in.
 *
 * @module
 */

/** A `WebAssembly.Memory` that is shared. */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}

/** A compiled `WebAssembly.Module`. */
export type WasmModule = object;

interface WasmApi {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => WasmMemory;
  Module: new (bytes: Uint8Array) => WasmModule;
  Instance: new (
    module: WasmModule,
    imports: Record<string, Record<string, unknown>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  validate(bytes: Uint8Array): boolean;
}

export const WebAssembly: WasmApi = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
