/**
 * A memory for the tests of the parse kernels, cut into fixed regions, with helpers that put text into it
 * and read what the kernels made of it.
 *
 *     2 KiB   tables, scratch    64 KiB   structures    4 MiB   text    6 MiB   batches    8 MiB
 *
 * @module
 */

import {
  ENTRY_BYTES,
  FIELDS_BYTES,
  FIELDS_COMPONENT,
  FIELDS_CONTENT,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_PID,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  RESERVED_BYTES,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
  SUMMARY_BYTES,
  SUMMARY_CARRIED,
  SUMMARY_EARLIEST,
  SUMMARY_LATEST,
  TABLES_BYTES,
} from '../../src/memory/layout.ts';
import type { AllKernels } from '../../src/memory/parse-kernels.ts';
import { type WasmMemory, WebAssembly } from '../../src/memory/webassembly.ts';

const MIB = 1 << 20;
export const SUMMARY: number = 64 * 1024;
export const ENCODED: number = SUMMARY + 1024;
export const SPANS: number = 128 * 1024;
export const FIELDS: number = MIB;
export const ENTRIES: number = 2 * MIB;
export const HEADERS: number = 3 * MIB;
export const TEXT: number = 4 * MIB;
export const OUT: number = 6 * MIB;
export const LINES_MAX = 4096;
const MEMORY_PAGES = 128;

export interface ParseArena {
  memory: WasmMemory;
  u8: Uint8Array;
  view: DataView;
  kernels: AllKernels;
  /** Writes text (latin1, or bytes) to `TEXT`, or elsewhere; returns its length. */
  putText(text: string | Uint8Array, address?: number): number;
  /** Finds the lines of a text, and returns how many there are. */
  putLines(text: string | Uint8Array): number;
  /** What is at `address`, copied. */
  slice(address: number, length: number): Buffer;
  /** The text of a span, as latin1. */
  span(address: number): string;
  /** A row of fields, as text. */
  fields(index: number): ParsedFields;
  /** Makes the summary what it is before the first line. */
  resetSummary(carried: number): void;
}

export interface ParsedFields {
  timestamp: number;
  line: string;
  status: number;
  levelCode: number;
  level: string;
  pid: string;
  component: string;
  content: string;
}

export function createParseArena(factory: (memory: WasmMemory) => AllKernels): ParseArena {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES, shared: true });
  const u8 = new Uint8Array(memory.buffer);
  const view = new DataView(memory.buffer);
  const kernels = factory(memory);
  kernels.init(RESERVED_BYTES, RESERVED_BYTES + TABLES_BYTES, 1);

  const slice = (address: number, length: number): Buffer =>
    Buffer.from(u8.slice(address, address + length).buffer);

  function span(address: number): string {
    const length = view.getInt32(address + SPAN_LENGTH, true);
    return slice(view.getInt32(address + SPAN_ADDRESS, true), length).toString('latin1');
  }

  function putText(text: string | Uint8Array, address: number = TEXT): number {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
    u8.set(bytes, address);
    return bytes.length;
  }

  return {
    memory,
    u8,
    view,
    kernels,
    slice,
    span,
    putText,
    putLines: (text) => kernels.indexLines(TEXT, putText(text), SPANS, LINES_MAX, 1),
    fields(index) {
      const row = FIELDS + index * FIELDS_BYTES;
      return {
        timestamp: view.getFloat64(row + FIELDS_TIMESTAMP, true),
        line: span(row + FIELDS_LINE),
        status: view.getInt32(row + FIELDS_STATUS, true),
        levelCode: view.getInt32(row + FIELDS_LEVEL_CODE, true),
        level: span(row + FIELDS_LEVEL),
        pid: span(row + FIELDS_PID),
        component: span(row + FIELDS_COMPONENT),
        content: span(row + FIELDS_CONTENT),
      };
    },
    resetSummary(carried) {
      u8.fill(0, SUMMARY, SUMMARY + SUMMARY_BYTES);
      view.setFloat64(SUMMARY + SUMMARY_CARRIED, carried, true);
      view.setFloat64(SUMMARY + SUMMARY_EARLIEST, Number.POSITIVE_INFINITY, true);
      view.setFloat64(SUMMARY + SUMMARY_LATEST, Number.NEGATIVE_INFINITY, true);
    },
  };
}

/** The bytes of all spans, to be compared with those of another implementation. */
export function spanBytes(arena: ParseArena, count: number): Buffer {
  return arena.slice(SPANS, count * SPAN_BYTES);
}

/** The bytes of all rows of fields. */
export function fieldBytes(arena: ParseArena, count: number): Buffer {
  return arena.slice(FIELDS, count * FIELDS_BYTES);
}

/** The bytes of all entries, without the part that nobody uses. */
export function entryBytes(arena: ParseArena, count: number): Buffer {
  for (let i = 0; i < count; i++) {
    const entry = ENTRIES + i * ENTRY_BYTES;
    arena.u8.fill(0, entry + ENTRY_BYTES - 4, entry + ENTRY_BYTES);
  }
  return arena.slice(ENTRIES, count * ENTRY_BYTES);
}
