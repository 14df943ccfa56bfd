/** What a repair says of what it found and did, or would do. */

import type { OffsetRange } from './ranges.ts';
import type { Problem } from './verify.ts';

/**
 * - `pointInTime`: the log ends before the first damage.
 * - `skipAnyCorrupted`: everything that is whole stays readable; what is lost is noted.
 */
export type RepairMode = 'pointInTime' | 'skipAnyCorrupted';

export const REPAIR_MODES: readonly RepairMode[] = ['pointInTime', 'skipAnyCorrupted'];

/** One thing that a repair does. */
export interface RepairAction {
  /**
   * - `cutOff`: bytes were taken off the end of a file; `to` has them, unless they were zeros
   * - `setAside`: a file was moved; `to` is where it is now
   * - `noted`: a loss was written into the `gaps` file; the bytes stay where they are
   * - `created`: an empty segment, so that no offset is given out twice
   * - `rebuilt`: a file that is derived from others was made again
   * - `removed`: a file that holds nothing: temporary, empty, or removed by retention before
   */
  kind: 'cutOff' | 'setAside' | 'noted' | 'created' | 'rebuilt' | 'removed';
  file: string;
  position: number | undefined;
  bytes: number | undefined;
  to: string | undefined;
  offsets: OffsetRange | undefined;
}

export interface LogRepairReport {
  /** What was wrong. */
  problems: Problem[];
  /** What was done; nothing where nothing was wrong. */
  actions: RepairAction[];
  /** Offsets that could be read, or had been lost without anybody knowing, and cannot be read any more. */
  lost: OffsetRange[];
  lostRecords: number;
  /** The first offset and the next one, after the repair. */
  firstOffset: number;
  nextOffset: number;
}
