/**
 * Small looks at text, on the thread that asks: which format it is, and which times its lines have.
 *
 * @module
 */

import { FIELDS_BYTES, FIELDS_TIMESTAMP, SPAN_ADDRESS, SPAN_BYTES } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { FORMATS, type LineFormat, TELLING_FORMATS } from './formats.ts';

const ROWS = 128;
const FIELDS_AT: number = (ROWS + 8) * SPAN_BYTES;
/** The first look for the last time: most often the last line has one. */
const TAIL_BYTES = 4096;
const TAIL_GROWTH = 16;

/** Working memory that the functions here need. */
export const PROBE_WORK_BYTES: number = FIELDS_AT + ROWS * FIELDS_BYTES;

/** What a text seems to be. */
export interface Guess {
  format: LineFormat;
  /** The share of the first lines that are of the format: from 0 to 1. */
  confidence: number;
}

/** Text in the shared memory, which starts with a line; `SLACK_BYTES` behind it can be read. */
export interface Text {
  address: number;
  bytes: number;
}

/**
 * Guesses the format of a text from its first lines: the one that takes most of them apart, if that is
 * more than half; else `lines`.
 *
 * @param work address of `PROBE_WORK_BYTES`, aligned to 64 bytes
 */
export function guessFormat(memory: MemoryView, work: number, text: Text): Guess {
  const { kernels } = memory;
  const count = kernels.indexLines(text.address, text.bytes, work, ROWS, 1);
  let best: Guess = { format: 'lines', confidence: 1 };
  let most = count / 2;
  for (const format of TELLING_FORMATS) {
    const parsed = FORMATS[format](kernels, work, count, work + FIELDS_AT);
    if (parsed <= most) continue;
    most = parsed;
    best = { format, confidence: parsed / count };
  }
  return best;
}

/**
 * The time of the first line that has one, or undefined where none has.
 *
 * @param work as in `guessFormat`
 */
export function firstTime(
  memory: MemoryView,
  work: number,
  format: LineFormat,
  text: Text,
): number | undefined {
  return timesOf(memory, work, format, text, 'first');
}

/**
 * The time of the last line that has one, or undefined where none has.
 *
 * @param work as in `guessFormat`
 */
export function lastTime(
  memory: MemoryView,
  work: number,
  format: LineFormat,
  text: Text,
): number | undefined {
  const end = text.address + text.bytes;
  for (let tailBytes = TAIL_BYTES; ; tailBytes *= TAIL_GROWTH) {
    const start = Math.max(text.address, end - tailBytes);
    const isWhole = start === text.address;
    // What follows the first line end in the tail starts with a line.
    const skipped = isWhole ? 0 : memory.buffer(start, end - start).indexOf(10) + 1;
    const tail = { address: start + skipped, bytes: end - start - skipped };
    const time = isWhole || skipped > 0 ? timesOf(memory, work, format, tail, 'last') : undefined;
    if (time !== undefined || isWhole) return time;
  }
}

function timesOf(
  memory: MemoryView,
  work: number,
  format: LineFormat,
  text: Text,
  which: 'first' | 'last',
): number | undefined {
  const { kernels, i32, f64 } = memory;
  const fields = work + FIELDS_AT;
  const end = text.address + text.bytes;
  let found: number | undefined;
  for (let at = text.address; at < end; ) {
    const count = kernels.indexLines(at, end - at, work, ROWS, 1);
    if (FORMATS[format](kernels, work, count, fields) > 0) {
      for (let i = 0; i < count; i++) {
        const time = f64[(fields + i * FIELDS_BYTES + FIELDS_TIMESTAMP) >> 3] as number;
        if (Number.isNaN(time)) continue;
        found = time;
        if (which === 'first') return found;
      }
    }
    at = i32[(work + count * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
  }
  return found;
}
