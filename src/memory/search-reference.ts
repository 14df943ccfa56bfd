/**
 * The kernels of `search-kernels.ts` in plain JavaScript: the specification that the WebAssembly builds are
 * compared with. Of a finder it reads the literals alone, and not what is there to find them fast.
 *
 * @module
 */

import {
  FINDER_COUNT,
  FINDER_LITERALS,
  LITERAL_ADDRESS,
  LITERAL_BYTES,
  LITERAL_LENGTH,
  LITERAL_MASKS,
  SPAN_ADDRESS,
  SPAN_BYTES,
  SPAN_LENGTH,
  TEXT_HAS_RETURN,
  TEXT_NOT_ASCII,
} from './layout.ts';
import type { SearchKernels } from './search-kernels.ts';

const LINE_FEED = 10;
const RETURN = 13;

/** Creates the reference over `memory`. */
export function createSearchReference(memory: SharedArrayBuffer | ArrayBuffer): SearchKernels {
  const view = new DataView(memory);
  const byteAt = (address: number): number => view.getUint8(address);

  function isLiteral(literal: number, at: number, end: number): boolean {
    const bytes = view.getInt32(literal + LITERAL_ADDRESS, true);
    const masks = view.getInt32(literal + LITERAL_MASKS, true);
    const length = view.getInt32(literal + LITERAL_LENGTH, true);
    if (at + length > end) return false;
    for (let i = 0; i < length; i++) {
      if ((byteAt(at + i) | byteAt(masks + i)) !== byteAt(bytes + i)) return false;
    }
    return true;
  }

  function hasLiteral(finder: number, start: number, end: number): boolean {
    const count = view.getInt32(finder + FINDER_COUNT, true);
    for (let at = start; at < end; at++) {
      for (let i = 0; i < count; i++) {
        if (isLiteral(finder + FINDER_LITERALS + i * LITERAL_BYTES, at, end)) return true;
      }
    }
    return false;
  }

  function lineEnd(start: number, end: number): number {
    let at = start;
    while (at < end && byteAt(at) !== LINE_FEED) at++;
    return at;
  }

  function findLines(
    finder: number,
    address: number,
    length: number,
    spans: number,
    maxLines: number,
  ): number {
    const end = address + length;
    let count = 0;
    let start = address;
    for (; start < end && count < maxLines; start = lineEnd(start, end) + 1) {
      const feed = lineEnd(start, end);
      if (!hasLiteral(finder, start, feed)) continue;
      view.setInt32(spans + count * SPAN_BYTES + SPAN_ADDRESS, start, true);
      view.setInt32(spans + count * SPAN_BYTES + SPAN_LENGTH, feed - start, true);
      count++;
    }
    view.setInt32(spans + count * SPAN_BYTES + SPAN_ADDRESS, Math.min(start, end), true);
    view.setInt32(spans + count * SPAN_BYTES + SPAN_LENGTH, 0, true);
    return count;
  }

  function countFound(finder: number, address: number, length: number): number {
    const end = address + length;
    let count = 0;
    for (let start = address; start < end; start = lineEnd(start, end) + 1) {
      if (hasLiteral(finder, start, lineEnd(start, end))) count++;
    }
    return count;
  }

  function countFeeds(address: number, length: number): number {
    let count = 0;
    for (let at = address; at < address + length; at++) if (byteAt(at) === LINE_FEED) count++;
    return count;
  }

  function findFeedBack(address: number, length: number, number: number): number {
    let left = number;
    for (let at = address + length - 1; at >= address; at--) {
      if (byteAt(at) === LINE_FEED && --left === 0) return at;
    }
    return -1;
  }

  function examineText(address: number, length: number): number {
    let found = 0;
    for (let at = address; at < address + length; at++) {
      if (byteAt(at) >= 0x80) found |= TEXT_NOT_ASCII;
      if (byteAt(at) === RETURN) found |= TEXT_HAS_RETURN;
    }
    return found;
  }

  return { findLines, countFound, countFeeds, findFeedBack, examineText };
}
