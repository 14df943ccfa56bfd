/**
 * Searches one input: opens it, scans it, closes it.
 *
 * @module
 */

import type { Runtime } from '../runtime.ts';
import { GREP, type GrepResult, type GrepSpec } from '../scan/grep.ts';
import type { Input } from '../text/inputs.ts';
import type { TextEncoding } from '../text/recognize.ts';
import { type ScanOptions, scanText } from './scan-text.ts';

export interface SearchOptions extends ScanOptions {
  encoding?: TextEncoding | undefined;
}

/** What was found in a part of a text. */
export interface FoundPart {
  result: GrepResult;
  /** How many lines are before the part, where rows are wanted. */
  linesBefore: number;
}

const RESULT_BYTES = 100;
const NUMBER_BYTES = 8;
/** With literals; without, it is a tenth of that, which is seen soon enough. */
const BYTES_PER_MS = 4_000_000;

/**
 * Searches an input to its end, or until it is enough.
 *
 * @throws as `scanText` and `Input.open` do
 */
export async function* searchInput(
  runtime: Runtime,
  input: Input,
  spec: GrepSpec,
  options: SearchOptions,
): AsyncGenerator<FoundPart, void, undefined> {
  const { clock } = runtime;
  const { signal, encoding } = options;
  const source = await input.open({ clock, signal, encoding });
  let linesBefore = 0;
  try {
    const inOrder = needsOrder(spec);
    const hasSmallResults = spec.countOnly;
    const scan = {
      task: 'grep',
      kind: GREP,
      spec,
      bytesOf,
      bytesPerMs: BYTES_PER_MS,
      hasSmallResults,
      inOrder,
    } as const;
    for await (const { result } of scanText(runtime, source, scan, options)) {
      yield { result, linesBefore };
      linesBefore += result.lines;
    }
  } finally {
    await source.close();
  }
}

function bytesOf({ text, rows, places }: GrepResult): number {
  return RESULT_BYTES + text.length + (rows.length + places.length) * NUMBER_BYTES;
}

/** Whether what is found in a line depends on the lines before it. */
function needsOrder({ before, after, parted, limit, choice }: GrepSpec): boolean {
  return (
    before > 0 || after > 0 || parted === true || limit !== Number.POSITIVE_INFINITY || choice !== undefined
  );
}
