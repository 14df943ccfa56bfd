/**
 * Searches one input: opens it, scans it, closes it.
 *
 * @module
 */

import type { Runtime } from '../runtime.ts';
import { GREP, type GrepResult, type GrepSpec } from '../scan/grep.ts';
import type { Input } from '../text/inputs.ts';
import type { TextEncoding } from '../text/recognize.ts';
import type { TextSource } from '../text/source.ts';
import type { IndexUse, Reading } from './reading.ts';
import { type ScanOptions, scanText } from './scan-text.ts';

export interface SearchOptions extends ScanOptions {
  encoding?: TextEncoding | undefined;
  /** Which lines are there for the search; all unless given. */
  chosen?: Chosen | undefined;
}

/** Lines of entries that a filter asks for, and how they are found. */
export interface Chosen extends IndexUse {
  reading: Reading;
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
  const { signal, encoding, chosen } = options;
  if (chosen?.reading.filter !== undefined) {
    yield* searchChosen(runtime, input, spec, options, chosen);
    return;
  }
  const source = await input.open({ clock, signal, encoding });
  try {
    yield* searchText(runtime, source, spec, options, 0);
  } finally {
    await source.close();
  }
}

/** Searches the lines of the entries that are wanted, and where there is a time index, reads no others. */
async function* searchChosen(
  runtime: Runtime,
  input: Input,
  spec: GrepSpec,
  options: SearchOptions,
  { reading, ...how }: Chosen,
): AsyncGenerator<FoundPart, void, undefined> {
  // Only who chooses waits for the code that takes lines apart.
  const [{ openLog }, { partOf, rangesToRead }] = await Promise.all([
    import('./reading.ts'),
    import('./time-index.ts'),
  ]);
  const log = await openLog(input, reading);
  const { source, format, parser } = log;
  const { filter } = reading;
  try {
    const choice = filter && { filter, format, options: parser };
    let { limit } = spec;
    const { plain } = source;
    // Lines around those that are found may be in another part.
    const isWhole = plain === undefined || hasContext(spec);
    const ranges = isWhole ? undefined : await rangesToRead(log, plain, reading, how);
    if (ranges === undefined || plain === undefined) {
      yield* searchText(runtime, source, { ...spec, choice }, options, 0);
      return;
    }
    const { start } = plain;
    for (const { from, to, line } of ranges) {
      const part = partOf({ ...plain, start: from, end: to });
      const onProgress =
        options.onProgress && ((bytes: number) => options.onProgress?.(from - start + bytes));
      for await (const found of searchText(
        runtime,
        part,
        { ...spec, choice, limit },
        { ...options, onProgress },
        line,
      )) {
        limit -= found.result.found;
        yield found;
      }
      if (limit <= 0) return;
    }
  } finally {
    await source.close();
  }
}

async function* searchText(
  runtime: Runtime,
  source: TextSource,
  spec: GrepSpec,
  options: ScanOptions,
  firstLine: number,
): AsyncGenerator<FoundPart, void, undefined> {
  let linesBefore = firstLine;
  const scan = {
    task: 'grep',
    kind: GREP,
    spec,
    bytesOf,
    bytesPerMs: BYTES_PER_MS,
    hasSmallResults: spec.countOnly,
    inOrder: needsOrder(spec),
  } as const;
  for await (const { result } of scanText(runtime, source, scan, options)) {
    yield { result, linesBefore };
    linesBefore += result.lines;
  }
}

function bytesOf({ text, rows, places }: GrepResult): number {
  return RESULT_BYTES + text.length + (rows.length + places.length) * NUMBER_BYTES;
}

function hasContext({ before, after, parted }: GrepSpec): boolean {
  return before > 0 || after > 0 || parted === true;
}

/** Whether what is found in a line depends on the lines before it. */
function needsOrder(spec: GrepSpec): boolean {
  return hasContext(spec) || spec.limit !== Number.POSITIVE_INFINITY || spec.choice !== undefined;
}
