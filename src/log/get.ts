/** One record, by its offset, from the segment that should have it. */

import type { LogRecord } from '../record/record.ts';
import { removedError } from './absent.ts';
import type { LogCore } from './core.ts';
import type { ReadOptions } from './read-options.ts';
import type { Segment } from './segment.ts';

/** What reads a log in order, for records that cannot be got at directly. */
interface OrderedReader {
  readonly firstOffset: number;
  read(options: ReadOptions): AsyncIterable<LogRecord>;
}

/**
 * Gets a record.
 *
 * @throws VarveError `OUT_OF_RANGE` where it was removed; `CORRUPT`, `IO`, `NO_MEMORY`, `CLOSED`
 */
export async function getFrom(
  core: LogCore,
  log: OrderedReader,
  segment: Segment,
  offset: number,
): Promise<LogRecord> {
  const { calls } = core;
  calls.begin();
  segment.pin();
  try {
    const record = await core.points.read(segment, offset, core.visibleBytes(segment));
    core.segments.touch(segment);
    if (record !== undefined) return record;
  } catch (error) {
    if (!(await core.wasReplaced(segment, error))) await core.explainMissing(segment, offset, error);
  } finally {
    await segment.unpin();
    calls.end();
  }
  // What lies around damage is as good as ever; how to get there is a reader's business.
  for await (const found of log.read({ fromOffset: offset, toOffset: offset + 1 })) return found;
  if (offset >= log.firstOffset) throw removedError(offset);
  throw core.outOfRange(offset);
}
